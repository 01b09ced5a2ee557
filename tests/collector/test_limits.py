"""Rates and quotas of keys, under a clock that is set by hand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pequel_collector.app.bootstrap import Collector, open_collector
from pequel_collector.config import Settings
from pequel_collector.errors import TooMany
from pequel_collector.ingest.limits import Limits
from pequel_collector.model import Key
from pequel_collector.rules.language.definition import Catalogue
from support.streams import NOW, messages_of, plain_event

WEB = Key("k1", "write", "web", "", 0)
MONTH = 31 * 86_400_000


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def collector(clock: Clock) -> Iterator[Collector]:
    collector = open_collector(Settings(database="sqlite://"), Catalogue(), clock=clock)
    yield collector
    collector.close()


def limits(collector: Collector, clock: Clock, **settings: int) -> Limits:
    return Limits(collector.store, Settings(**settings), clock)  # type: ignore[arg-type]


def put_off(limits: Limits, key: Key, events: int = 1) -> int:
    """After how many seconds a batch is to come again."""
    with pytest.raises(TooMany) as error:
        limits.admit(key, events)
    found: int = error.value.details["retry_after"]
    return found


class TestARate:
    def test_lets_in_as_many_as_a_second_may_have_and_more_a_second_later(
        self, collector: Collector, clock: Clock
    ) -> None:
        rated = limits(collector, clock, rate_limit=10)
        rated.admit(WEB, 4)
        rated.admit(WEB, 6)
        assert put_off(rated, WEB) == 1
        clock.now += 1_000
        rated.admit(WEB, 1)

    def test_makes_up_for_a_batch_that_was_larger(self, collector: Collector, clock: Clock) -> None:
        rated = limits(collector, clock, rate_limit=10)
        rated.admit(WEB, 110)
        assert put_off(rated, WEB) == 11
        clock.now += 10_000
        assert put_off(rated, WEB) == 1
        clock.now += 1_000
        rated.admit(WEB, 1)

    def test_is_of_each_key_by_itself(self, collector: Collector, clock: Clock) -> None:
        rated = limits(collector, clock, rate_limit=1)
        own = Key("k2", "write", "own", "", 0, rate=100)
        free = Key("k3", "write", "free", "", 0, rate=0)
        rated.admit(WEB, 1)
        put_off(rated, WEB)
        for _ in range(3):
            rated.admit(own, 30)
            rated.admit(free, 10_000)

    def test_is_none_by_default(self, collector: Collector, clock: Clock) -> None:
        for _ in range(3):
            limits(collector, clock).admit(WEB, 1_000_000)

    @given(batches=st.lists(st.tuples(st.integers(0, 3_000), st.integers(1, 40)), max_size=30))
    def test_is_not_gone_over_in_the_long_run(self, batches: list[tuple[int, int]]) -> None:
        """But for what one second may have, and one batch that was larger than what was left."""
        clock = Clock()
        collector = open_collector(Settings(database="sqlite://"), Catalogue(), clock=clock)
        rated, let_in = limits(collector, clock, rate_limit=10), 0
        for pause, events in batches:
            clock.now += pause
            with suppress(TooMany):
                rated.admit(WEB, events)
                let_in += events
        assert let_in <= 10 * (1 + (clock.now - NOW) / 1_000) + 40
        collector.close()


class TestAQuota:
    def test_counts_what_came_in_this_month(self, collector: Collector, clock: Clock) -> None:
        limited = limits(collector, clock, monthly_quota=3)
        events = [plain_event("u1", "used", f"m{n}", NOW) for n in range(2)]
        collector.ingest.accept(messages_of(events), (), WEB.id)
        limited.admit(WEB, 1)
        assert put_off(limited, WEB) == 300
        clock.now += MONTH
        limited.admit(WEB, 1)

    def test_lets_a_batch_in_whole(self, collector: Collector, clock: Clock) -> None:
        limited = limits(collector, clock, monthly_quota=3)
        limited.admit(WEB, 100)
        put_off(limited, WEB)

    def test_counts_what_other_processes_let_in_after_a_while(
        self, collector: Collector, clock: Clock
    ) -> None:
        limited = limits(collector, clock, monthly_quota=3)
        limited.admit(WEB, 1)
        events = [plain_event("u1", "used", f"m{n}", NOW) for n in range(3)]
        collector.ingest.accept(messages_of(events), (), WEB.id)
        limited.admit(WEB, 0)
        clock.now += 6_000
        put_off(limited, WEB)

    def test_may_be_the_keys_own(self, collector: Collector, clock: Clock) -> None:
        limited = limits(collector, clock)
        own = Key("k2", "write", "own", "", 0, quota=1)
        limited.admit(own, 1)
        put_off(limited, own)
