"""Histories that are newer in memory than in the store: a crash loses nothing of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pequel_collector.app.bootstrap import Collector, open_collector
from pequel_collector.audit.compare import Difference
from pequel_collector.audit.verify import verify
from pequel_collector.config import Settings
from pequel_collector.model import user_key
from pequel_collector.rules.parser.catalogue import read_catalogue
from support.api import Api
from support.streams import NOW, marks, messages_of, plain_event

HOUR = 3_600_000
THREE = """[[pql]]
name = "three"
when = { event = "used", distinct = "thing", gte = 3, within = "7d" }
[[pql]]
name = "many"
when = { event = "used", distinct = "thing", gte = 100 }
"""
BOUGHT = '[project]\nconversion = "paid"\n' + THREE + 'unless = ["customer"]\n'
ADA = user_key("ada")

Open = Callable[[], Collector]


@pytest.fixture
def start(store_url: str) -> Iterator[Open]:
    """Opens collectors on one database; none of them knows of the others."""
    opened: list[Collector] = []

    def start(toml: str = THREE) -> Collector:
        settings = Settings(database=store_url)
        opened.append(open_collector(settings, read_catalogue(toml), clock=lambda: NOW))
        return opened[-1]

    yield start
    for collector in opened:
        collector.store.close()


def used(collector: Collector, number: int, user: str = "ada", **fields: Any) -> None:
    """A user uses another thing, one at a time; later numbers are later."""
    time = NOW - 100 * HOUR + number * HOUR
    thing = {"thing": f"t{number}"}
    event = plain_event(user, "used", f"{user}-{number}", time, properties=thing, **fields)
    collector.ingest.accept(messages_of([event]))


def stale(collector: Collector) -> set[str]:
    with collector.store.reading() as view:
        return view.stale([ADA, user_key("bob"), user_key("eve")])


def differences(collector: Collector) -> list[Difference]:
    found: list[Difference] = []
    verify(collector.store, collector.clock, found.append)
    return found


def observed(collector: Collector) -> Any:
    """How many things were used, as the API shows it."""
    [many] = Api(collector).status("user", "ada")["progress"][-1:]
    return many["leaves"][0]["observed"]


class TestAHistoryInMemory:
    def test_is_written_with_its_first_batch_and_goes_stale_with_later_ones(
        self, start: Open
    ) -> None:
        collector = start()
        used(collector, 1)
        assert stale(collector) == set()
        with collector.store.reading() as view:
            written = view.histories([ADA])
        used(collector, 2)
        used(collector, 3)
        assert stale(collector) == {ADA}
        with collector.store.reading() as view:
            assert view.histories([ADA]) == written
        assert marks(collector) == {("three", "user", "ada"): [NOW - 97 * HOUR]}

    def test_is_current_in_answers(self, start: Open) -> None:
        collector = start()
        for number in (1, 2):
            used(collector, number)
        assert stale(collector) == {ADA}
        assert observed(collector) == 2
        assert observed(start()) == 2

    def test_differs_in_nothing_from_what_the_messages_say(self, start: Open) -> None:
        collector = start()
        for number in range(1, 6):
            used(collector, number)
            used(collector, number, "bob")
            assert differences(collector) == []

    def test_is_written_when_a_page_is_full(
        self, start: Open, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("pequel_collector.marking.history.FACTS_PER_PAGE", 4)
        collector = start()
        for number in range(1, 4):
            used(collector, number)
        assert stale(collector) == {ADA}
        used(collector, 4)
        assert stale(collector) == set()
        for number in range(5, 11):
            used(collector, number)
        assert differences(collector) == []

    def test_is_written_when_there_is_no_room_for_it(self, start: Open) -> None:
        collector = start()
        for number in (1, 2):
            used(collector, number)
        cache = collector.ingest.evaluators.cache
        cache.max_bytes = 2 * cache.size
        assert stale(collector) == {ADA}
        for user in ("bob", "eve"):
            used(collector, 3, user)
        assert stale(collector) == set()
        used(collector, 4)
        assert observed(collector) == 3

    def test_is_written_with_every_batch_where_others_ask_about_it(self, start: Open) -> None:
        collector = start(BOUGHT)
        for number in (1, 2, 3):
            used(collector, number)
        assert stale(collector) == set()


class TestAfterACrash:
    def test_the_next_event_is_counted_with_all_before(self, start: Open) -> None:
        crashed = start()
        for number in (1, 2):
            used(crashed, number)
        collector = start()
        used(collector, 3)
        assert marks(collector) == {("three", "user", "ada"): [NOW - 97 * HOUR]}
        assert differences(collector) == []

    def test_a_late_event_finds_its_place(self, start: Open) -> None:
        crashed = start()
        for number in (1, 3, 5):
            used(crashed, number)
        assert marks(crashed) == {("three", "user", "ada"): [NOW - 95 * HOUR]}
        collector = start()
        used(collector, 2)
        assert marks(collector) == {("three", "user", "ada"): [NOW - 97 * HOUR]}
        assert differences(collector) == []

    def test_two_users_who_turn_out_to_be_one_are_joined(self, start: Open) -> None:
        crashed = start()
        for number in (1, 2):
            used(crashed, number)
            used(crashed, number + 2, "bob")
        collector = start()
        link = {"type": "alias", "previousId": "bob"}
        collector.ingest.accept(
            messages_of([plain_event("ada", "", "alias", NOW - 50 * HOUR, **link)])
        )
        assert marks(collector) == {("three", "user", "ada"): [NOW - 97 * HOUR]}
        assert differences(collector) == []

    def test_nothing_is_stale_after_a_clean_stop(self, start: Open) -> None:
        stopped = start()
        for number in (1, 2):
            used(stopped, number)
        stopped.close()
        collector = start()
        assert stale(collector) == set()
        assert observed(collector) == 2


class TestTwoCollectors:
    def test_that_write_in_turn_count_together(self, start: Open) -> None:
        one, other = start(), start()
        for number in range(1, 20, 4):
            for collector, of in ((one, 0), (one, 1), (other, 2), (other, 3)):
                used(collector, number + of)
                assert observed(one) == observed(other) == number + of
        assert marks(one) == {("three", "user", "ada"): [NOW - 97 * HOUR]}
        assert differences(one) == []

    def test_are_not_in_each_others_way_when_one_stops(self, start: Open) -> None:
        one, other = start(), start()
        for number in (1, 2):
            used(one, number)
        used(other, 3)
        used(other, 4)
        one.close()
        assert observed(other) == 4
        assert differences(other) == []
