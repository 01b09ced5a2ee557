"""Names as English: what an event says that somebody did, and values as people write them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pequel_collector.rules.explain import figures
from pequel_collector.rules.explain.words import action_of, noun_of, plural, with_article


@pytest.mark.parametrize(
    ("name", "once", "many"),
    [
        ("project_created", "created a project", "created {n} projects"),
        ("integration_connected", "connected an integration", "connected {n} integrations"),
        ("message_sent", "sent a message", "sent {n} messages"),
        ("reply_sent", "sent a reply", "sent {n} replies"),
        ("backup_run", "ran a backup", "ran {n} backups"),
        ("Order Completed", "completed an order", "completed {n} orders"),
        ("projectCreated", "created a project", "created {n} projects"),
        ("PROJECT_CREATED", "created a project", "created {n} projects"),
        ("created_project", "created a project", "created {n} projects"),
        ("view_item", "viewed an item", "viewed {n} items"),
        ("copy_link", "did copy link", "did copy link {n} times"),
        ("add_to_cart", "added to cart", "added to cart {n} times"),
        ("csv_exported", "exported a CSV", "exported {n} CSVs"),
        ("api_called", "called the API", "called the API {n} times"),
        ("app_opened", "opened the app", "opened the app {n} times"),
        ("sso_configured", "configured SSO", "configured SSO {n} times"),
        ("pricing_viewed", "viewed pricing", "viewed pricing {n} times"),
        ("contact_sales_clicked", "clicked contact sales", "clicked contact sales {n} times"),
        ("trial_ended", "had a trial that ended", "had {n} trials that ended"),
        ("signed_up", "signed up", "signed up {n} times"),
        ("user_signed_up", "signed up", "signed up {n} times"),
        ("login", "logged in", "logged in {n} times"),
        ("page", "viewed a page", "viewed {n} pages"),
        ("activated", "activated", "activated {n} times"),
        ("feed", "did feed", "did feed {n} times"),
        ("größe_neu", "did größe neu", "did größe neu {n} times"),
        ("!!!", 'did "!!!"', 'did "!!!" {n} times'),
    ],
)
def test_a_name_says_what_was_done(name: str, once: str, many: str) -> None:
    assert action_of(name)[:2] == (once, many)


@pytest.mark.parametrize(
    ("name", "never", "usual"),
    [
        ("project_created", "created no projects", "created projects"),
        ("api_called", "never called the API", "called the API"),
    ],
)
def test_nothing_and_any_number_of_events(name: str, never: str, usual: str) -> None:
    assert (action_of(name).never, action_of(name).usual) == (never, usual)


@given(st.text(min_size=1, max_size=40))
def test_every_name_has_words_on_one_line(name: str) -> None:
    action = action_of(name)
    for text in (action.once, action.times("3"), action.never, action.usual, noun_of(name)):
        assert text == " ".join(text.split())
        assert text
        assert "_" not in text or '"' in text
    assert action.many.count("{n}") == 1


def test_nouns() -> None:
    assert [noun_of(n) for n in ("project_id", "company.size", "userUUID")] == [
        "project", "company size", "user",
    ]  # fmt: skip
    nouns = ["box", "story", "day", "person", "status", "data", "employees", "API key"]
    assert list(map(plural, nouns)) == [
        "boxes", "stories", "days", "people", "statuses", "data", "employees", "API keys",
    ]  # fmt: skip
    assert [with_article(n) for n in ("hour", "user", "SSO key", "unit", "email")] == [
        "an hour", "a user", "an SSO key", "a unit", "an email",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("rows", 2_000, "2,000"),
        ("rows", 0.1 + 0.2, "0.3"),
        ("rows", Decimal("1200.50"), "1,200.5"),
        ("rows", 10**20, "1.000E+20"),
        ("rows", 0.00012, "0.00012"),
        ("bytes", 12_345_678_901, "12.3 GB"),
        ("storage_limit_bytes", 10**10, "10 GB"),
        ("bytes", 1, "1 byte"),
        ("duration_seconds", 5_400, "1 hour 30 minutes"),
        ("wait_ms", 40, "less than a second"),
        ("theme", "  dark\n mode ", "dark mode"),
        ("theme", "x" * 70, "x" * 59 + "…"),
        ("tags", ["a", "b"], "a, b"),
        ("public", True, "yes"),
        ("n", None, "nothing"),
        ("o", {"a": 1}, '{"a": 1}'),
    ],
)
def test_values_are_written_as_people_write_them(name: str, value: Any, text: str) -> None:
    assert figures.quantity(name, value) == text


@given(
    st.one_of(
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        st.decimals(allow_nan=False, allow_infinity=False),
    )
)
def test_every_number_can_be_written(value: Any) -> None:
    for name in ("rows", "bytes", "seconds"):
        assert figures.quantity(name, value)
