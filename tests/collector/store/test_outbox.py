"""The outbox: queue, claim, retry, end, give up and redeliver, on both databases."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from pequel_collector.model import bucket_of
from pequel_collector.ports import (
    Attempted,
    Claimed,
    DeliveryFilter,
    DeliveryPlace,
    OutboxDepth,
    Queued,
    Store,
)
from pequel_collector.store.parts import outbox

LEASE = 100


def queue(store: Store, *rows: tuple[int, str, str], now: int = 10) -> None:
    with store.writing() as tx:
        tx.queue_deliveries([Queued(n, alert, lead, "won", n, now) for n, alert, lead in rows])


def claim(store: Store, alert: str = "a", now: int = 10, limit: int = 100) -> list[Claimed]:
    with store.writing() as tx:
        return tx.claim_deliveries(alert, now, now + LEASE, limit)


def attempted(claimed: Claimed) -> Attempted:
    return Attempted(claimed.change, claimed.alert, claimed.lead, claimed.attempt)


def end(store: Store, claimed: Claimed, state: str = "sent", now: int = 11) -> bool:
    with store.writing() as tx:
        return tx.end_delivery(attempted(claimed), state, now, "said", "ref")  # type: ignore[arg-type]


def plain_end(store: Store, claimed: Claimed, state: str, now: int) -> None:
    """End a delivery that has brought no reference."""
    with store.writing() as tx:
        assert tx.end_delivery(attempted(claimed), state, now, "said")  # type: ignore[arg-type]


def states(store: Store) -> dict[tuple[int, str], str]:
    with store.reading() as view:
        return {(d.change, d.alert): d.state for d in view.deliveries(DeliveryFilter(), 100)}


def test_what_is_queued_is_due_at_once_and_claimed_in_order(store: Store) -> None:
    queue(store, (2, "a", "l2"), (1, "a", "l1"), (3, "b", "l1"))
    assert [(c.change, c.attempt, c.began_at) for c in claim(store)] == [(1, 1, 10), (2, 1, 10)]
    assert claim(store) == []
    assert [c.change for c in claim(store, "b")] == [3]


def test_a_claim_takes_as_many_as_are_asked_for(store: Store) -> None:
    queue(store, *((n, "a", f"l{n}") for n in range(1, 6)))
    assert [c.change for c in claim(store, limit=2)] == [1, 2]
    assert [c.change for c in claim(store, limit=2)] == [3, 4]


def test_a_claim_holds_for_its_lease_and_then_another_one_counts_up(store: Store) -> None:
    queue(store, (1, "a", "l1"))
    [first] = claim(store)
    assert claim(store, now=10 + LEASE - 1) == []
    [second] = claim(store, now=10 + LEASE)
    assert (second.attempt, second.began_at) == (2, 10)
    assert not end(store, first)
    assert end(store, second)
    assert not end(store, second)


def test_a_delivery_waits_for_the_earlier_ones_of_its_lead_and_alert(store: Store) -> None:
    queue(store, (1, "a", "l1"), (2, "a", "l1"), (2, "b", "l1"))
    queue(store, (3, "a", "l1"))
    [first] = claim(store)
    assert [c.change for c in claim(store, "b")] == [2]
    assert claim(store) == []
    with store.writing() as tx:
        assert tx.retry_delivery(attempted(first), 50, "503")
    assert claim(store, now=49) == []
    [again] = claim(store, now=50)
    assert (again.change, again.attempt) == (1, 2)
    assert end(store, again, "dead", now=51)
    [second] = claim(store, now=51)
    assert second.change == 2
    assert end(store, second, now=52)
    assert [c.change for c in claim(store, now=52)] == [3]


def test_when_the_next_one_is_due(store: Store) -> None:
    with store.reading() as view:
        assert view.next_delivery("a") is None
    queue(store, (1, "a", "l1"), (2, "a", "l1"))
    with store.reading() as view:
        assert view.next_delivery("a") == 10
        assert view.next_delivery("b") is None


def test_the_depth_is_counted_by_alert(store: Store) -> None:
    queue(store, (1, "a", "l1"), (2, "a", "l1"), (3, "b", "l1"))
    queue(store, (4, "a", "l4"), now=12)
    [claimed] = claim(store, "b")
    end(store, claimed)
    with store.reading() as view:
        assert view.outbox() == [OutboxDepth("a", 3, 10)]


def test_the_latest_reference_of_a_lead_is_kept(store: Store) -> None:
    queue(store, (1, "a", "l1"))
    end(store, claim(store)[0])
    with store.reading() as view:
        assert view.reference("a", "l1") == "ref"
        assert view.reference("b", "l1") is None
        assert view.reference("a", "l2") is None


class TestGivingUp:
    def test_what_is_due_and_old_is_given_up_in_steps_and_those_behind_come_next(
        self, store: Store
    ) -> None:
        queue(store, *((n, "a", f"l{n}") for n in range(1, 5)))
        queue(store, (5, "a", "l1"))
        queue(store, (6, "a", "l6"), now=90)
        with store.writing() as tx:
            assert tx.give_up_deliveries("a", 50, 100, "gone", 3) == 3
            assert tx.give_up_deliveries("a", 50, 100, "gone", 3) == 2
            assert tx.give_up_deliveries("a", 50, 100, "gone", 3) == 0
        assert states(store)[6, "a"] == "waiting"
        assert list(states(store).values()).count("dead") == 5


class TestRedelivering:
    @pytest.fixture
    def again(self, store: Store) -> Callable[[int], bool]:
        def again(change: int) -> bool:
            with store.writing() as tx:
                return tx.redeliver(tx.deliveries_of_change(change)[0], 60)

        return again

    def test_a_dead_delivery_waits_again_with_a_new_day(
        self, store: Store, again: Callable[[int], bool]
    ) -> None:
        queue(store, (1, "a", "l1"))
        end(store, claim(store)[0], "dead")
        assert again(1)
        assert not again(1)
        [claimed] = claim(store, now=60)
        assert (claimed.change, claimed.attempt, claimed.began_at) == (1, 2, 60)

    def test_it_waits_for_one_of_its_lead_that_is_being_sent(
        self, store: Store, again: Callable[[int], bool]
    ) -> None:
        queue(store, (1, "a", "l1"), (2, "a", "l1"))
        end(store, claim(store)[0], "dead")
        [second] = claim(store, now=60)
        assert again(1)
        assert claim(store, now=60) == []
        end(store, second, now=61)
        assert [c.change for c in claim(store, now=61)] == [1]

    def test_several_of_one_lead_are_sent_in_their_order(
        self, store: Store, again: Callable[[int], bool]
    ) -> None:
        queue(store, (1, "a", "l1"), (2, "a", "l1"))
        for _ in range(2):
            end(store, claim(store, now=20)[0], "dead", now=20)
        assert again(2)
        assert again(1)
        order = []
        while claimed := claim(store, now=100):
            order += [c.change for c in claimed]
            end(store, claimed[0], now=100)
        assert sorted(order) == [1, 2]


class TestRemoving:
    def remove(self, store: Store, before: int, limit: int = 100) -> int:
        with store.writing() as tx:
            return tx.remove_deliveries(before, limit)

    def test_what_was_sent_or_dropped_goes_when_it_is_old_and_nothing_else(
        self, store: Store
    ) -> None:
        queue(store, *((n, "a", f"l{n}") for n in range(1, 6)))
        for claimed, state in zip(claim(store, limit=4), ("sent", "dropped", "dead"), strict=False):
            plain_end(store, claimed, state, now=20)
        assert self.remove(store, 20) == 0
        assert self.remove(store, 21) == 2
        assert states(store) == {(3, "a"): "dead", (4, "a"): "waiting", (5, "a"): "waiting"}

    def test_slices_are_bounded_and_the_oldest_come_first(self, store: Store) -> None:
        queue(store, *((n, "a", f"l{n}") for n in range(1, 6)))
        for claimed in claim(store):
            plain_end(store, claimed, "sent", now=30 - claimed.change)
        with store.reading() as view:
            assert view.oldest_ended_delivery() == 25
        assert self.remove(store, 100, 2) == 2
        assert states(store).keys() == {(1, "a"), (2, "a"), (3, "a")}
        assert [self.remove(store, 100, 2), self.remove(store, 100, 2)] == [2, 1]
        with store.reading() as view:
            assert view.oldest_ended_delivery() is None

    def test_the_last_delivery_with_a_reference_stays_because_it_ties_a_record_to_its_lead(
        self, store: Store
    ) -> None:
        queue(store, (1, "a", "l1"), (2, "a", "l1"), (3, "b", "l1"))
        for alert in ("a", "a", "b"):
            end(store, claim(store, alert, now=20)[0], now=20)
        assert self.remove(store, 100) == 1
        assert states(store).keys() == {(2, "a"), (3, "b")}
        with store.reading() as view:
            assert view.reference("a", "l1") == view.reference("b", "l1") == "ref"
            assert view.lead_of_reference("ref") == "l1"

    def test_sending_again_without_a_reference_forgets_none(self, store: Store) -> None:
        queue(store, (1, "a", "l1"))
        end(store, claim(store)[0])
        with store.writing() as tx:
            tx.redeliver(tx.deliveries_of_change(1)[0], 60)
        plain_end(store, claim(store, now=60)[0], "dead", now=60)
        with store.reading() as view:
            assert view.reference("a", "l1") == "ref"


class TestPlans:
    """However much waits, no statement reads all of it, also before there are statistics."""

    WAITING = 5_000
    STATEMENTS = (
        outbox._NEXT_DUE, outbox._CLAIM, outbox._WAITING_OF, outbox._OLDEST_ENDED, outbox._REMOVE,
        outbox._REFERENCE, outbox._RELEASE, outbox._GIVE_UP, outbox._SEND_NOW,
        outbox._ONE_REFERENCE,
    )  # fmt: skip
    VALUES = {  # noqa: RUF012 - it is read only
        "alert": "a", "now": 5, "until": 9, "limit": 4, "subjects": ["l1", "l2"], "before": 2,
        "lead": "l7", "bucket": bucket_of("l7"), "result": "x", "reference": "r", "change": 7,
    }  # fmt: skip

    def test_every_statement_uses_the_index_that_is_made_for_it(
        self, store: Store, store_url: str
    ) -> None:
        queue(store, *((n, "a", f"l{n}") for n in range(1, self.WAITING)))
        explain = "EXPLAIN QUERY PLAN " if store_url.startswith("sqlite") else "EXPLAIN "
        for statement in self.STATEMENTS:
            names = re.findall(r"(?<!:):([a-z]+)", statement)
            values = {name: self.VALUES[name] for name in names}
            with store.writing() as tx:
                rows = tx._session.run(explain + statement, **values)  # type: ignore[attr-defined]
            plan = "\n".join(str(row[-1]) for row in rows)
            assert "Seq Scan" not in plan, plan
            assert "SCAN delivery" not in plan, plan
            if ":lead" in statement or ":subjects" in statement:
                assert "delivery_due" not in plan, plan


class TestTheLog:
    def test_it_comes_in_pages_latest_change_first(self, store: Store) -> None:
        queue(store, *((n, alert, "l1") for n in (1, 2, 3) for alert in ("a", "b")))
        with store.reading() as view:
            page = view.deliveries(DeliveryFilter(), 4)
            rest = view.deliveries(
                DeliveryFilter(), 4, DeliveryPlace(page[-1].change, page[-1].alert)
            )
        assert [(d.change, d.alert) for d in [*page, *rest]] == [
            (3, "b"), (3, "a"), (2, "b"), (2, "a"), (1, "b"), (1, "a"),
        ]  # fmt: skip

    @pytest.mark.parametrize(
        ("wanted", "found"),
        [
            (DeliveryFilter(alert="a"), [1, 2]),
            (DeliveryFilter(lead="l2"), [2]),
            (DeliveryFilter(state="sent"), [1]),
            (DeliveryFilter("a", "waiting", "l1"), []),
        ],
    )
    def test_it_can_be_filtered(
        self, store: Store, wanted: DeliveryFilter, found: list[int]
    ) -> None:
        queue(store, (1, "a", "l1"), (2, "a", "l2"), (3, "b", "l3"))
        end(store, claim(store, limit=1)[0])
        with store.reading() as view:
            assert sorted(d.change for d in view.deliveries(wanted, 10)) == found

    def test_names_that_no_database_can_hold_are_read_back(self, store: Store) -> None:
        queue(store, (1, "a\0\ud800", "l\0"))
        [claimed] = claim(store, "a\0\ud800")
        assert (claimed.alert, claimed.lead) == ("a\0\ud800", "l\0")
        assert end(store, claimed)
        assert states(store) == {(1, "a\0\ud800"): "sent"}


class TestWaking:
    def test_a_commit_that_queued_calls_back_and_no_other(self, store: Store) -> None:
        called: list[int] = []
        store.on_queued = lambda: called.append(1)
        with store.writing() as tx:
            tx.set_meta("a", "b")
        assert called == []
        queue(store, (1, "a", "l1"))
        assert called == [1]

    def test_one_that_is_undone_does_not(self, store: Store) -> None:
        called: list[int] = []
        store.on_queued = lambda: called.append(1)

        def undone() -> None:
            with store.writing() as tx:
                tx.queue_deliveries([Queued(1, "a", "l1", "won", 1, 1)])
                raise RuntimeError("undo")

        with pytest.raises(RuntimeError, match="undo"):
            undone()
        assert called == []
        assert states(store) == {}
