"""What metrics are counted from, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pequel_collector.insights.metrics import catch_up
from pequel_collector.insights.metrics.rates import rate
from pequel_collector.insights.metrics.roles import Roles
from pequel_collector.model import Stored
from pequel_collector.ports import SpanQuery, Spend, Store

ROLES = Roles(
    signup="signed_up", trial="tried", conversion="paid", churn="left", key_events=("used",)
)
Make = Callable[..., Stored]
EVER = -(2**60), 2**60


def add(store: Store, *messages: Stored) -> None:
    with store.writing() as tx:
        tx.append(messages)


def spans(store: Store, start: str, end: str, subjects: str = "user") -> Any:
    catch_up.catch_up(store, ROLES)
    with store.reading() as tx:
        return tx.named_spans_of(SpanQuery(subjects, start, end, *EVER), "", 100)


def test_the_first_of_each_counts_in_any_order_of_arrival(store: Store, message: Make) -> None:
    add(store, message("m1", time=50, name="signed_up"), message("m2", time=70, name="used"))
    assert spans(store, "signup", "value") == [("u:ada", 50, 70)]
    add(store, message("m3", time=60, name="used"), message("m4", time=90, name="used"))
    assert spans(store, "signup", "value") == [("u:ada", 50, 60)]


def test_many_blocks_are_read_in_steps(store: Store, message: Make) -> None:
    add(store, *(message(f"m{n:02}", f"u:{n}", time=n, name="signed_up") for n in range(40)))
    assert not catch_up.catch_up(store, ROLES, steps=1)
    assert catch_up.catch_up(store, ROLES)
    assert len(spans(store, "signup", "value")) == 40


def test_a_linked_visitor_is_the_user_whom_it_turned_out_to_be(store: Store, message: Make) -> None:
    add(store, message("m1", "a:v", time=10, name="page"), message("m2", time=30, name="signed_up"))
    assert spans(store, "seen", "signup", "visitor") == [("a:v", 10, None), ("u:ada", 30, 30)]
    with store.writing() as tx:
        tx.set_persons({"a:v": "u:ada"})
    assert spans(store, "seen", "signup", "visitor") == [("u:ada", 10, 30)]
    with store.writing() as tx:
        tx.set_persons({"a:v": "a:v"})
    assert spans(store, "seen", "signup", "visitor") == [("a:v", 10, None), ("u:ada", 30, 30)]


def test_an_account_signs_up_with_its_first_member(store: Store, message: Make) -> None:
    add(
        store,
        message("m0", "a:v", time=5, to="acme"),
        message("m1", "u:bob", time=20, name="signed_up"),
        message("m2", "u:bob", time=40, to="acme"),
        message("m3", "u:ada", time=30, name="signed_up"),
        message("m4", "u:ada", time=50, name="used", to="acme"),
    )
    assert spans(store, "signup", "value", "account") == [("g:acme", 20, 50)]
    with store.writing() as tx:
        tx.attribute({"m2": None}, "u:bob")
    assert spans(store, "signup", "value", "account") == [("g:acme", 30, 50)]


def test_what_is_removed_counts_no_more(store: Store, message: Make) -> None:
    first, second = message("m1", time=10, name="signed_up"), message("m2", time=20, name="used")
    paid = message("m3", time=30, name="paid", properties={"mrr": 7, "currency": "EUR"})
    add(store, first, second, paid)
    assert spans(store, "signup", "value") == [("u:ada", 10, 20)]
    with store.writing() as tx:
        tx.remove([second, paid])
    assert spans(store, "signup", "value") == [("u:ada", 10, None)]
    with store.reading() as tx:
        assert tx.revenue_events(2**60) == []


def test_an_id_is_read_again_in_slices(
    store: Store, message: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever arrives or changes between two of them."""
    first = message("m00", time=1, name="signed_up")
    paid = {"name": "paid", "properties": {"mrr": 7, "currency": "EUR"}}
    same = [message(f"s{n}", time=50, name="used") for n in range(3)]
    add(store, first, *same, *(message(f"m{n}", time=n, **paid) for n in range(40, 60)))
    assert spans(store, "signup", "value") == [("u:ada", 1, 50)]
    monkeypatch.setattr(catch_up, "MESSAGES_PER_STEP", 4)
    with store.writing() as tx:
        tx.remove([first])
    assert not catch_up.catch_up(store, ROLES, steps=2)
    add(store, message("late", time=30, name="signed_up"))
    with store.writing() as tx:
        tx.remove(same[:1])
    assert not catch_up.catch_up(store, ROLES, steps=2)
    assert spans(store, "signup", "value") == [("u:ada", 30, 50)]
    with store.reading() as tx:
        assert len(tx.revenue_events(2**60)) == 20


def test_other_roles_begin_anew(store: Store, message: Make) -> None:
    add(store, message("m1", time=10, name="joined"), message("m2", time=20, name="signed_up"))
    assert spans(store, "signup", "value") == [("u:ada", 20, None)]
    catch_up.catch_up(store, Roles(signup="join*"))
    with store.reading() as tx:
        wanted = SpanQuery("user", "signup", "value", *EVER)
        assert tx.named_spans_of(wanted, "", 10) == [("u:ada", 10, None)]


def test_a_sum_is_what_a_list_gives(store: Store, message: Make) -> None:
    """The database counts shares, and hands out lengths, of what it can also list."""
    messages = [
        message(f"m{n}-{name}", f"u:{n}", time=10 * n + delay, name=name)
        for n in range(12)
        for name, delay in (("signed_up", 0), ("used", 7 * (n % 4)))
        if name == "signed_up" or n % 4
    ]
    add(store, *messages)
    listed = [span[1:] for span in spans(store, "signup", "value")]
    wanted = SpanQuery("user", "signup", "value", *EVER)
    with store.reading() as tx:
        [(segment, *numbers)] = tx.span_counts(wanted, 15, 90)
        assert (segment, tuple(numbers)) == (None, tuple(rate(listed, 15, 90))[:3])
        [(_, arrived, starts)] = tx.span_lengths(wanted)
    assert sorted(arrived) == sorted(end - start for start, end in listed if end is not None)
    assert sorted(starts) == sorted(start for start, end in listed if end is None)


def test_the_earliest_touch_gives_the_channel(store: Store, message: Make) -> None:
    touch = {"campaign": {"source": "x\u0000y"}}
    add(store, message("m1", time=20, context={"referrer": "https://bing.com"}))
    add(store, message("m2", time=10, context=touch), message("m3", time=5))
    catch_up.catch_up(store, ROLES)
    with store.reading() as tx:
        assert tx.channels_of(["u:ada", "u:eve"]) == {"u:ada": "x\u0000y"}


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({"mrr": "9.90", "currency": "usd", "term_months": "12"}, ("9.90", "USD", 12)),
        ({"mrr": -1, "currency": "US", "term_months": 0}, (None, None, None)),
        ({"mrr": 1e300, "term_months": 1e300}, (None, None, None)),
        ({"term_months": 1.5}, (None, None, None)),
        ({"term_months": True, "mrr": [], "currency": {}}, (None, None, None)),
    ],
)
def test_an_event_of_revenue_keeps_what_can_be_used(
    store: Store, message: Make, properties: dict[str, Any], expected: tuple[Any, ...]
) -> None:
    add(store, message("m1", time=30, name="paid", properties=properties, to="acme"))
    catch_up.catch_up(store, ROLES)
    with store.reading() as tx:
        [found] = tx.revenue_events(31)
        assert tx.revenue_events(30) == []
    assert (found.subject, found.account, found.role) == ("u:ada", "acme", "conversion")
    assert (found.mrr, found.currency, found.term_months) == expected


def test_spend_is_kept_by_day_channel_and_currency(store: Store) -> None:
    first = Spend("2026-03-01", "google", "EUR", "10")
    with store.writing() as tx:
        before = tx.last_write()
        tx.save_spend([first, first._replace(amount="12"), first._replace(day="2026-03-02")])
        assert tx.last_write() != before
    with store.reading() as tx:
        assert tx.spend("2026-03-01", "2026-03-02") == [first._replace(amount="12")]
        assert len(tx.spend("", "9999")) == 2
