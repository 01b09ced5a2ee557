"""The rounds of the dispatcher: what is sent, in which order, and what a bad endpoint costs."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Lock

import pytest

from pequel_collector.delivery.dispatcher import LEASE, MOST_AT_ONCE, Dispatcher
from pequel_collector.delivery.records import Gone, Refused, Result, Retry, Sent
from pequel_collector.delivery.schedule import LIFETIME
from pequel_collector.errors import Unavailable
from pequel_collector.ports import Claimed, DeliveryFilter, Queued, Store, StoredDelivery
from pequel_collector.rules.language.alerts import Alert
from pequel_collector.store import open_store

BUSY = Retry("503", is_endpoint=True)
ALERTS = (Alert("a", ("won",)), Alert("b", ("won",)))

Answer = Callable[[Claimed], Result | Gone]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(f"sqlite:///{tmp_path}/pequel.db")
    yield opened
    opened.close()


class Stage:
    """A dispatcher whose clock is set by hand and whose endpoints are functions."""

    def __init__(self, store: Store, answer: Answer = lambda _: Sent("200")) -> None:
        self.store, self.answer, self.now = store, answer, 1_000
        self.made: list[Claimed] = []
        self.ended = Event()
        self._lock = Lock()
        self.dispatcher = self.another()

    def another(self, seed: int = 1) -> Dispatcher:
        chance = random.Random(seed).random
        return Dispatcher(
            self.store, lambda: ALERTS, self._make, lambda: self.now, chance, wake=self.ended.set
        )

    def _make(self, alert: Alert, claimed: Claimed) -> Result | Gone:
        assert alert.name == claimed.alert
        with self._lock:
            self.made.append(claimed)
        return self.answer(claimed)

    def queue(self, *rows: tuple[int, str, str]) -> None:
        with self.store.writing() as tx:
            tx.queue_deliveries([Queued(n, a, lead, "won", n, self.now) for n, a, lead in rows])

    def settle(self, dispatcher: Dispatcher | None = None) -> None:
        """Rounds until nothing is due and nothing runs."""
        dispatcher = dispatcher or self.dispatcher
        while True:
            self.ended.clear()
            before = dispatcher.running
            dispatcher.run_once()
            if not (before or dispatcher.running):
                return
            if dispatcher.running:
                assert self.ended.wait(10)

    def run_for(self, milliseconds: int, step: int) -> None:
        for _ in range(0, milliseconds, step):
            self.now += step
            self.settle()

    def deliveries(self) -> dict[tuple[int, str], StoredDelivery]:
        with self.store.reading() as view:
            return {(d.change, d.alert): d for d in view.deliveries(DeliveryFilter(), 10_000)}

    def totals(self) -> dict[str, int]:
        with self.store.reading() as view:
            found = view.totals()
        prefix = "deliveries_"
        return {n.removeprefix(prefix): v for n, v in found.items() if n.startswith(prefix)}


def test_what_is_queued_is_sent_once(store: Store) -> None:
    stage = Stage(store)
    stage.queue((1, "a", "l1"), (2, "b", "l1"), (3, "a", "l2"))
    stage.settle()
    stage.settle()
    assert sorted((c.change, c.alert) for c in stage.made) == [(1, "a"), (2, "b"), (3, "a")]
    assert {d.state for d in stage.deliveries().values()} == {"sent"}
    assert {d.result for d in stage.deliveries().values()} == {"200"}
    assert stage.totals() == {"sent": 3}


@pytest.mark.parametrize(
    ("result", "state"), [(Refused("410 Gone"), "dead"), (Gone(), "dropped"), (BUSY, "waiting")]
)
def test_what_came_of_an_attempt_is_recorded(
    store: Store, result: Result | Gone, state: str
) -> None:
    stage = Stage(store, lambda _: result)
    stage.queue((1, "a", "l1"))
    stage.settle()
    [found] = stage.deliveries().values()
    assert (found.state, found.attempts) == (state, 1)
    assert found.result == result.reason  # type: ignore[union-attr]


def test_an_attempt_that_raises_is_one_that_failed(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    def answer(_: Claimed) -> Result:
        raise ZeroDivisionError

    stage = Stage(store, answer)
    stage.queue((1, "a", "l1"))
    stage.settle()
    assert stage.deliveries()[1, "a"].state == "waiting"
    assert "an attempt of the alert a failed" in caplog.text


def test_a_delivery_that_fails_for_a_day_is_dead_and_the_next_of_its_lead_comes(
    store: Store,
) -> None:
    stage = Stage(store, lambda c: Retry("404") if c.change == 1 else Sent("200"))
    stage.queue((1, "a", "l1"), (2, "a", "l1"))
    stage.settle()
    stage.run_for(LIFETIME + 3_600_000, 900_000)
    assert stage.deliveries()[1, "a"].state == "dead"
    assert stage.deliveries()[2, "a"].state == "sent"
    assert 10 <= stage.totals()["retried"] <= 30
    assert stage.totals()["dead"] == 1


def test_a_slow_endpoint_takes_its_share_and_delays_no_other(store: Store) -> None:
    free = Event()

    def answer(claimed: Claimed) -> Result:
        if claimed.alert == "a":
            free.wait(10)
        return Sent("200")

    stage = Stage(store, answer)
    stage.queue(*((n, "a", f"l{n}") for n in range(1, 51)))
    stage.queue(*((n, "b", f"l{n}") for n in range(51, 101)))
    while sum(c.alert == "b" for c in stage.made) < 50:
        stage.dispatcher.run_once()
        stage.ended.wait(0.05)
        stage.ended.clear()
    assert sum(c.alert == "a" for c in stage.made) == MOST_AT_ONCE
    free.set()
    stage.settle()
    assert {d.state for d in stage.deliveries().values()} == {"sent"}


def test_a_dead_endpoint_is_asked_once_a_minute_however_much_waits_for_it(store: Store) -> None:
    stage = Stage(store, lambda c: BUSY if c.alert == "a" else Sent("200"))
    stage.queue(*((n, "a", f"l{n}") for n in range(1, 1_001)))
    stage.settle()
    stage.run_for(600_000, 1_000)
    assert len(stage.made) < 30
    stage.queue((2_000, "b", "l1"))
    stage.settle()
    assert stage.deliveries()[2_000, "b"].state == "sent"


def test_what_waits_for_an_endpoint_that_failed_for_a_day_is_given_up(store: Store) -> None:
    stage = Stage(store, lambda _: BUSY)
    stage.queue(*((n, "a", f"l{n}") for n in range(1, 701)))
    stage.settle()
    stage.run_for(LIFETIME + 1_200_000, 300_000)
    states = [d.state for d in stage.deliveries().values()]
    assert states.count("dead") == stage.totals()["dead"]
    assert states.count("dead") >= 690  # those that were tried late have their own day


class TestSharing:
    def test_what_a_process_that_died_had_claimed_is_sent_after_its_lease(
        self, store: Store
    ) -> None:
        stage = Stage(store)
        stage.queue((1, "a", "l1"))
        with store.writing() as tx:
            tx.claim_deliveries("a", stage.now, stage.now + LEASE, 1)
        stage.run_for(LEASE - 1_000, 7_000)
        assert stage.made == []
        stage.now += 1_000
        stage.settle()
        [again] = stage.made
        assert again.attempt == 2

    def test_an_attempt_that_outlasts_its_lease_counts_no_more(self, store: Store) -> None:
        free = Event()

        def answer(claimed: Claimed) -> Result:
            if claimed.attempt == 1:
                free.wait(10)
                return Refused("late")
            return Sent("200")

        stage = Stage(store, answer)
        stage.queue((1, "a", "l1"))
        stage.dispatcher.run_once()
        stage.now += LEASE
        other = stage.another()
        stage.settle(other)
        assert stage.deliveries()[1, "a"].state == "sent"
        free.set()
        stage.settle()
        assert stage.deliveries()[1, "a"].state == "sent"
        assert stage.totals() == {"sent": 1, "outrun": 1}

    def test_two_dispatchers_send_nothing_twice(self, store: Store) -> None:
        stage = Stage(store)
        other = stage.another(2)
        stage.queue(*((n, "a", f"l{n % 7}") for n in range(1, 101)))
        while any(d.state == "waiting" for d in stage.deliveries().values()):
            stage.dispatcher.run_once()
            other.run_once()
        assert sorted(c.change for c in stage.made) == list(range(1, 101))
        by_lead = defaultdict(list)
        for claimed in stage.made:
            by_lead[claimed.lead].append(claimed.change)
        assert all(changes == sorted(changes) for changes in by_lead.values())


def test_a_result_that_cannot_be_recorded_now_is_recorded_later(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage(store)
    stage.queue((1, "a", "l1"))
    stage.dispatcher.run_once()
    assert stage.ended.wait(10)

    @contextmanager
    def broken() -> Iterator[None]:
        raise Unavailable("the disk is full")
        yield

    with monkeypatch.context() as patched, suppress(Unavailable):
        patched.setattr(store, "writing", broken)
        stage.dispatcher.run_once()
    assert stage.deliveries()[1, "a"].state == "waiting"
    stage.settle()
    assert stage.deliveries()[1, "a"].state == "sent"
    assert len(stage.made) == 1


def test_when_it_stops_it_records_and_claims_nothing_more(store: Store) -> None:
    stage = Stage(store)
    stage.queue(*((n, "a", f"l{n}") for n in range(1, 11)))
    stage.dispatcher.run_once()
    while stage.dispatcher.running:
        stage.dispatcher.run_once(claims=False)
    assert len(stage.made) == MOST_AT_ONCE
    states = [d.state for d in stage.deliveries().values()]
    assert (states.count("sent"), states.count("waiting")) == (4, 6)
