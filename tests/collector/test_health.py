"""Whether events can be stored: a disk that is full, a file that cannot grow, a store that lags."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pequel_collector.app.bootstrap import Collector, open_collector
from pequel_collector.config import Settings
from pequel_collector.errors import Unavailable
from pequel_collector.ingest import health
from pequel_collector.ingest.health import Health
from pequel_collector.rules.language.definition import Catalogue
from support.streams import NOW, messages_of, plain_event


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[Collector]:
    settings = Settings(database=f"sqlite:///{tmp_path / 'pequel.db'}")
    collector = open_collector(settings, Catalogue(), clock=lambda: NOW)
    yield collector
    collector.close()


def send(collector: Collector, mid: str) -> int:
    events = [plain_event("u1", "used", mid, NOW, properties={"text": "x" * 20_000})]
    return collector.intake.accept(messages_of(events)).accepted


def allow_pages(collector: Collector, number: int) -> None:
    """Let the file grow to so many pages, as if the disk had no room for more."""
    with collector.store.writing() as tx:
        tx._session.run(f"PRAGMA max_page_count = {number}")  # type: ignore[attr-defined]


class TestTheCollectorIsReady:
    def test_while_there_is_room(self, collector: Collector) -> None:
        assert collector.trouble() is None

    def test_on_a_store_without_a_disk_of_its_own(self, postgres_url: str) -> None:
        collector = open_collector(Settings(database=postgres_url), Catalogue())
        assert collector.trouble() is None
        collector.close()


class TestItIsNotReadyAndTakesNothingIn:
    def test_when_the_disk_is_nearly_full(self, tmp_path: Path) -> None:
        settings = Settings(database=f"sqlite:///{tmp_path / 'pequel.db'}", min_free=2**60)
        collector = open_collector(settings, Catalogue(), clock=lambda: NOW)
        assert str(collector.trouble()).startswith("the disk is full")
        with pytest.raises(Unavailable, match="the disk is full"):
            send(collector, "m1")
        with collector.store.reading() as view:
            assert view.totals()["messages"] == 0
        collector.close()

    def test_when_the_disk_has_no_room_though_no_minimum_is_set(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings = Settings(database=f"sqlite:///{tmp_path / 'pequel.db'}", min_free=0)
        collector = open_collector(settings, Catalogue(), clock=lambda: NOW)
        monkeypatch.setattr(collector.store, "free", lambda: 4096)
        assert str(collector.trouble()).startswith("the disk is full: 4096 bytes are free")
        collector.close()

    def test_when_a_write_needs_a_page_and_there_is_none(self, collector: Collector) -> None:
        allow_pages(collector, 1)
        assert collector.trouble() == "the database cannot be used at the moment: the disk is full"

    def test_when_the_file_cannot_grow_until_it_can(self, collector: Collector) -> None:
        send(collector, "before")
        allow_pages(collector, 1)
        refused = 0
        for number in range(40):
            try:
                send(collector, f"m{number}")
            except Unavailable:
                refused += 1
        assert refused > 20
        allow_pages(collector, 1_000_000)
        assert collector.trouble() is None
        for number in range(40):
            send(collector, f"m{number}")
        with collector.store.reading() as view:
            assert view.totals()["messages"] == 41

    def test_when_the_file_is_gone(self, collector: Collector, tmp_path: Path) -> None:
        collector.store.close()
        for path in tmp_path.iterdir():
            path.unlink()
        tmp_path.rmdir()
        assert collector.trouble() is not None
        with pytest.raises(Unavailable):
            send(collector, "m1")
        tmp_path.mkdir()

    def test_when_batches_wait_too_long(self, collector: Collector) -> None:
        watch = Health(collector.store, collector.settings)
        assert watch.probe(health.MAX_WAIT) is None
        found = watch.probe(health.MAX_WAIT + 2)
        assert found == "the store does not keep up: events have waited for 12 seconds"
