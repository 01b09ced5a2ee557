"""The memory of the histories that are kept between batches."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import pytest

from pequel_collector.app.bootstrap import Collector, open_collector
from pequel_collector.config import Settings
from pequel_collector.marking.history import History
from pequel_collector.rules.parser.catalogue import read_catalogue
from support.streams import NOW, messages_of, plain_event

DEFINITIONS = """[[pql]]
name = "things"
when = { event = "used", distinct = "thing", gte = 100000, within = "7d" }
[[pql]]
name = "often"
when = { event = "used", gte = 100000 }
[[pql]]
name = "steps"
when = { sequence = ["used", "paid"], within = "1h" }
"""
HOUR = 3_600_000


def opened(max_bytes: int) -> Collector:
    settings = Settings(database="sqlite:///:memory:", history_cache=max_bytes)
    return open_collector(settings, read_catalogue(DEFINITIONS), clock=lambda: NOW)


def used(collector: Collector, users: int, number: int, text: str = "") -> None:
    """Each user uses another thing."""
    time, properties = NOW - 400 * HOUR + number * HOUR, {"thing": f"t{number}{text}"}
    events = [
        plain_event(f"user-{user}", "used", f"{user}-{number}", time, properties=properties)
        for user in range(users)
    ]
    collector.ingest.accept(messages_of(events))


def memory(value: Any, seen: set[int]) -> int:
    """The bytes of an object and of all that it refers to, each counted once."""
    if value is None or isinstance(value, bool) or id(value) in seen:
        return 0
    seen.add(id(value))
    if isinstance(value, Mapping):
        parts = [*value.keys(), *value.values()]
    elif isinstance(value, (list, tuple, set)):
        parts = list(value)
    else:
        names = [*getattr(value, "__struct_fields__", ()), *getattr(value, "__dict__", ())]
        parts = [getattr(value, name) for name in names if name != "_store"]
    return sys.getsizeof(value) + sum(memory(part, seen) for part in parts)


def histories(collector: Collector) -> list[History]:
    return [history for history, _ in collector.ingest.evaluators.cache._histories.values()]


@pytest.mark.parametrize("events", [1, 8, 40, 300])
@pytest.mark.parametrize("text", ["", "x" * 200, "x" * 5_000])
def test_the_size_of_a_history_is_about_its_memory(events: int, text: str) -> None:
    collector = opened(10**9)
    for number in range(events):
        used(collector, 2, number, text)
    for history in histories(collector):
        assert 0.5 < history.size / memory(history, set()) < 2


def test_the_size_of_the_cache_is_that_of_its_histories() -> None:
    collector = opened(10**9)
    for number in range(12):
        used(collector, 5, number)
    cache = collector.ingest.evaluators.cache
    assert cache.size == sum(history.size for history in histories(collector)) > 0


def test_the_histories_take_no_more_than_the_setting_allows() -> None:
    collector = opened(50_000)
    for number in range(20):
        used(collector, 20, number)
        assert 0 < collector.ingest.evaluators.cache.size <= 50_000
    assert 0 < len(histories(collector)) < 20


def test_large_events_leave_room_for_fewer_histories() -> None:
    kept = []
    for text in ("", "x" * 10_000):
        collector = opened(100_000)
        used(collector, 20, 1, text)
        kept.append(len(histories(collector)))
    assert kept[0] > kept[1] > 0


def test_a_cache_of_no_bytes_keeps_nothing_and_marks_the_same() -> None:
    collector = opened(0)
    for number in range(3):
        used(collector, 3, number)
    assert histories(collector) == []
    with collector.store.reading() as tx:
        assert len(tx.histories([f"u:user-{user}" for user in range(3)])) == 3
