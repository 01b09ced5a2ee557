"""What the console tells somebody whose first user is no lead yet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from flask import Flask

from pequel_collector.app.bootstrap import Collector, open_collector
from pequel_collector.config import Settings
from pequel_collector.model import Message, Stored, iso, lead_id, user_key
from pequel_collector.rules.language.definition import leaves_of
from pequel_collector.rules.parser.catalogue import read_catalogue
from pequel_collector.web.console.progress import PartsMet, parts_met
from pequel_collector.web.console.uncounted import uncounted

from .conftest import NOW, Clock, text_of

DEFINITIONS = """
[[pql]]
name = "set_up"
when.all = [
  { event = "project_created", distinct = "project_id", gte = 3 },
  { event = "integration_connected", distinct = "kind", gte = 2 },
]

[[pql]]
name = "activated"
when = { event = "reported", gte = 4 }
"""


@pytest.fixture
def collector(clock: Clock) -> Iterator[Collector]:
    settings = Settings(
        database="sqlite://", write_key="write-key", read_key="read-key", admin_key="admin-key"
    )
    with closing(open_collector(settings, read_catalogue(DEFINITIONS), clock)) as collector:
        yield collector


def project(number: str, user: str = "zoe") -> dict[str, Any]:
    return {"userId": user, "event": "project_created", "properties": {"project_id": number}}


class TestProgress:
    def test_is_the_number_of_conditions_that_are_met(self, admin: Any, send: Any) -> None:
        send(*map(project, "123"))
        for path in ("/user?id=zoe", "/near?name=set_up"):
            admin.get(path)
            assert "1 of 2 conditions met" in text_of(admin.page), path
            assert '<meter min="0" max="2" value="1"' in admin.page, path

    def test_of_one_condition_is_how_far_it_is(self, admin: Any, send: Any) -> None:
        send({"userId": "zoe", "event": "reported"})
        for path in ("/user?id=zoe", "/near?name=activated"):
            admin.get(path)
            assert '<meter min="0" max="1" value="0.25"' in admin.page, path

    def test_of_nobody_says_who_was_looked_at(self, admin: Any, send: Any) -> None:
        send({"userId": "zoe", "event": "other"})
        admin.get("/near?name=set_up")
        assert "Of 1 user seen last, nobody who has no lead of it has done" in text_of(admin.page)


class TestAUser:
    def test_sees_which_events_do_not_count_for_want_of_a_property(
        self, admin: Any, send: Any
    ) -> None:
        send(project("1"), {"userId": "zoe", "event": "project_created"})
        send(*({"userId": "zoe", "event": "integration_connected"} for _ in range(2)))
        page = text_of(admin.get("/user?id=zoe").get_data(as_text=True))
        assert "1 event has no project_id, so it does not count" in page
        assert "2 events have no kind, so they do not count" in page

    def test_is_told_nothing_of_events_that_count(self, admin: Any, send: Any) -> None:
        send(project("1"), project("1"), {"userId": "zoe", "event": "other"})
        assert "not count" not in text_of(admin.get("/user?id=zoe").get_data(as_text=True))

    def test_sees_names_that_look_like_one_of_a_definition(self, admin: Any, send: Any) -> None:
        send(project("1") | {"event": "project_creatd"})
        admin.get("/user?id=zoe")
        page = text_of(admin.page)
        assert page.count("project_creatd looks like project_created") == 2


UNCOUNTED = """
[project]
signup = "signed_up"

[[pql]]
name = "d"
when.all = [
  { event = "sent", sum = "bytes", gte = 9, where = { "context.app" = "x" } },
  { event = "sent", gte = 9, per = "team", within = "1d", of = "signup" },
  { event = "*", distinct = "@day", gte = 9, where = { plan = { eq = "a", or_missing = true } } },
  { trait = "plan", eq = "free" },
]
"""


def message(time: int, **more: Any) -> Stored:
    return Stored(Message("m", "track", "u:zoe", time, time, "sent", **more), None)


def test_what_lacks_a_number_a_part_or_a_value_in_the_window_does_not_count() -> None:
    [definition] = read_catalogue(UNCOUNTED).definitions
    messages = [
        message(NOW, properties={"bytes": "9", "team": "a"}, context={"app": "y"}),
        message(NOW - 9, properties={"bytes": 9}),
    ]

    def found(window: Any, **more: Any) -> list[list[tuple[Any, ...]]]:
        shown = {"holds": False, "window": window, **more}
        return [list(uncounted(leaf, shown, messages)) for leaf in leaves_of(definition.when)]

    of_sum = [(1, "context.app", False), (1, "bytes", True)]
    assert found({"from": None, "to": None}) == [of_sum, [(1, "team", False)], [], []]
    assert found({"from": iso(NOW), "to": None}) == [of_sum[1:], [], [], []]
    assert found(None) == [of_sum, [], [], []]
    assert found({}, holds=True) == [[], [], [], []]


def test_the_live_page_says_that_requests_come_with_an_unknown_key(
    admin: Any, app: Flask, clock: Clock
) -> None:
    client = app.test_client()
    for _ in range(2):
        client.post("/v1/track", json={}, headers={"X-Write-Key": f"pk_w_{'0' * 32}"})
    page = text_of(admin.get("/live").get_data(as_text=True))
    assert "0 in the last minute; 2 requests with an unknown key (pk_w_0000…)" in page


class TestAnAccount:
    def test_is_listed_with_what_is_known_of_it(self, admin: Any, send: Any) -> None:
        traits = {"name": "Acme Inc", "plan": "pro", "country": "DE", "employees": 120}
        send({"type": "group", "userId": "zoe", "groupId": "acme", "traits": traits})
        page = text_of(admin.get("/accounts").get_data(as_text=True))
        assert "Acme Inc country DE employees 120 plan pro" in page

    def test_has_people_with_their_roles_and_addresses(self, admin: Any, send: Any) -> None:
        people = {"zoe": {"role": "admin"}, "kim": {"title": "CTO"}, "lou": {"email": 5}, "max": {}}
        for user, traits in people.items():
            known = {"name": user.title(), "email": f"{user}+a@acme.example", **traits}
            send({"type": "identify", "userId": user, "traits": known})
            send({"userId": user, "event": "reported", "context": {"groupId": "acme"}})
        more = {"userId": "zoe", "event": "reported", "context": {"groupId": "acme"}}
        send(*(more for _ in range(3)))
        page = admin.get("/account?id=acme").get_data(as_text=True)
        assert "Zoe is a lead admin zoe+a@acme.example" in text_of(page)
        assert "Kim CTO kim+a@acme.example" in text_of(page)
        assert page.count('href="mailto:') == 3
        assert 'href="mailto:zoe%2Ba@acme.example"' in page
        admin.get(f"/leads/{lead_id('activated', user_key('zoe'), 1)}")
        page = text_of(admin.page)
        assert "Zoe , admin zoe+a@acme.example · 4 events in 30 days" in page
        assert "Kim , CTO" in page


@pytest.mark.parametrize(
    ("when", "held", "expected"),
    [
        ('when = { event = "a" }', [False], None),
        ('when.any = [{ event = "a" }, { event = "b" }]', [False, False], None),
        ('when.all = [{ event = "a" }, { event = "b" }]', [True, False], PartsMet(1, 2)),
        (
            'when.all = [{ any = [{ event = "a" }, { event = "b" }] }, { event = "c" }]',
            [False, True, False],
            PartsMet(1, 2),
        ),
        (
            'when.at_least = 2\nwhen.of_these = [{event = "a"}, {event = "b"}, {event = "c"}]',
            [False, False, True],
            PartsMet(1, 2),
        ),
    ],
)
def test_parts_are_met_as_the_definition_says(
    when: str, held: list[bool], expected: PartsMet | None
) -> None:
    [definition] = read_catalogue(f'[[pql]]\nname = "d"\n{when}').definitions
    assert parts_met(definition.when, [{"holds": each} for each in held]) == expected
