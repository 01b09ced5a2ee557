"""How much arrived within the last minute, out of the log of arrivals, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from pequel_collector.app.bootstrap import Collector, open_collector
from pequel_collector.config import Settings
from pequel_collector.queries.events.last_minute import LastMinute, last_minute
from pequel_collector.store.parts.arrivals import KEPT
from pequel_collector.web.app import create_app

NOW = 1_772_366_400_000


class Site:
    """A collector that gets events at times that tests say."""

    def __init__(self, store_url: str) -> None:
        self.now = NOW
        settings = Settings(database=store_url, write_key="write-key")
        self.collector: Collector = open_collector(settings, clock=lambda: self.now)
        self._client = create_app(self.collector).test_client()

    def send(self, *events: dict[str, Any]) -> None:
        body = {"batch": [{"type": "track", **event} for event in events]}
        headers = {"X-Write-Key": "write-key"}
        assert self._client.post("/v1/batch", json=body, headers=headers).status_code == 200

    def counted(self) -> LastMinute:
        with self.collector.store.reading() as tx:
            return last_minute(tx, self.now)


@pytest.fixture
def site(store_url: str) -> Iterator[Site]:
    site = Site(store_url)
    with closing(site.collector):
        yield site


def test_nothing_arrived(site: Site) -> None:
    assert site.counted() == LastMinute(0, 0, is_whole=True)


def test_only_what_came_within_a_minute_counts(site: Site) -> None:
    site.send({"userId": "u1", "event": "old"})
    site.now += 60_000
    site.send({"userId": "u1", "event": "a"}, {"userId": "u1", "event": "b"}, {"event": "nobody"})
    site.now += 59_999
    site.send({"event": "nobody"})
    assert site.counted() == LastMinute(2, 2, is_whole=True)
    site.now += 1
    assert site.counted() == LastMinute(0, 1, is_whole=True)


def test_the_time_that_an_event_says_does_not_matter(site: Site) -> None:
    site.send({"userId": "u1", "event": "a", "timestamp": "2020-01-01T00:00:00Z"})
    assert site.counted().events == 1


def test_more_than_the_log_names_are_counted(site: Site) -> None:
    site.send(*({"userId": "u1", "event": "a"} for _ in range(700)))
    assert site.counted() == LastMinute(700, 0, is_whole=True)


def test_says_so_where_the_log_does_not_go_back_so_far(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pequel_collector.store.parts.arrivals.KEPT", 64)
    for number in range(140):
        site.send({"userId": f"u{number}", "event": "a"})
    found = site.counted()
    assert not found.is_whole
    assert 64 <= found.events <= 140
    assert KEPT > 64
