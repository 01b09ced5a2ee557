"""Exported, then imported into an empty store, messages give the same leads."""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oracle.streams import WHOLE, catalogues, streams
from oracle.toml import to_toml
from pequel_collector.app.bootstrap import Collector, assemble
from pequel_collector.config import Settings
from pequel_collector.importing.export import FORMATS
from pequel_collector.importing.files import Log
from pequel_collector.ingest.event_log import Import
from pequel_collector.model import Stored, fact_order
from pequel_collector.ports import Store
from pequel_collector.queries.events import message_log
from pequel_collector.queries.events.message_log import LogFilter
from pequel_collector.rules.parser.catalogue import read_catalogue
from pequel_collector.store import open_store
from support.streams import NOW, answers, by_instant, marks, messages_of, plain_event, refresh

Plain = dict[str, Any]
SETTINGS = Settings()


def clock() -> int:
    return NOW


def collector_of(store: Store, toml: str) -> Collector:
    catalogue = read_catalogue(toml)
    refresh(store, catalogue, clock)
    return assemble(SETTINGS, store, catalogue, clock)


def fill(collector: Collector, messages: list[Plain], chance: random.Random) -> None:
    """Send messages in requests of random sizes."""
    parts = by_instant(messages)
    while parts:
        size = chance.randint(1, 3)
        request, parts = parts[:size], parts[size:]
        collector.ingest.accept(messages_of(m for part in request for m in part))


def exported(store: Store, form: str = "ndjson", wanted: LogFilter = LogFilter()) -> bytes:  # noqa: B008 - a constant
    log = message_log.message_log(store, wanted)
    return b"".join(FORMATS[form](each.message for each in log))


def read(collector: Collector, text: bytes) -> None:
    job = Import(collector.ingest.accept_batch, SETTINGS, clock)
    summary = job.run(Log(io.BytesIO(text), 1_000_000))
    assert summary.refused == []


def check_the_law(
    catalogue: Plain, messages: list[Plain], chance: random.Random, form: str, urls: list[str]
) -> None:
    toml = to_toml(catalogue)
    with closing(open_store(urls[0], block_size=4)) as one, closing(open_store(urls[1])) as two:
        first, second = collector_of(one, toml), collector_of(two, toml)
        fill(first, messages, chance)
        text = exported(one, form)
        read(second, text)
        assert marks(second) == marks(first)
        assert answers(second) == answers(first)
        assert exported(two, form) == text


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=40)
@given(
    catalogue=catalogues(WHOLE),
    messages=streams(max_size=24),
    chance=st.randoms(use_true_random=False),
    form=st.sampled_from(["ndjson", "csv"]),
)
def test_export_then_import_gives_the_same(
    catalogue: Plain, messages: list[Plain], chance: random.Random, form: str
) -> None:
    check_the_law(catalogue, messages, chance, form, ["sqlite://", "sqlite://"])


@settings(suppress_health_check=list(HealthCheck), max_examples=4)
@given(
    catalogue=catalogues(WHOLE),
    messages=streams(max_size=24),
    chance=st.randoms(use_true_random=False),
)
def test_the_same_from_postgres_to_sqlite_and_back(
    catalogue: Plain, messages: list[Plain], chance: random.Random, postgres_server: Any
) -> None:
    for postgres_first in (True, False):
        with postgres_server.database() as url:
            urls = [url, "sqlite://"] if postgres_first else ["sqlite://", url]
            check_the_law(catalogue, messages, chance, "ndjson", urls)


@pytest.fixture
def filled(store_url: str) -> Any:
    """A store with 60 messages in blocks of 4 that overlap in time, with ties."""
    chance = random.Random(7)
    plain = [
        plain_event(f"u{n % 5}", chance.choice("ab"), f"m{n:02}", chance.randrange(20) * 1_000)
        for n in range(60)
    ]
    with closing(open_store(store_url, block_size=4)) as store:
        fill(collector_of(store, ""), plain, chance)
        yield store


def log_of(store: Store, wanted: LogFilter) -> list[Stored]:
    return list(message_log.message_log(store, wanted))


@pytest.mark.parametrize("at_once", [1, 7, 4_000])
def test_messages_come_in_the_order_of_facts(
    filled: Store, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(message_log, "AT_ONCE", at_once)
    found = log_of(filled, LogFilter())
    assert len({stored.message.mid for stored in found}) == len(found) == 60
    assert found == sorted(found, key=lambda stored: fact_order(stored.message))


KEEP: dict[str, tuple[LogFilter, Callable[[Stored], bool]]] = {
    "from": (LogFilter(since=5_000), lambda s: s.message.time >= 5_000),
    "to": (LogFilter(until=5_000), lambda s: s.message.time < 5_000),
    "both": (LogFilter(5_000, 9_000), lambda s: 5_000 <= s.message.time < 9_000),
    "event": (LogFilter(event="a"), lambda s: s.message.name == "a"),
    "user": (LogFilter(user="u3"), lambda s: s.message.user_id == "u3"),
    "all": (
        LogFilter(5_000, 15_000, "b", "u2"),
        lambda s: (
            5_000 <= s.message.time < 15_000 and (s.message.name, s.message.user_id) == ("b", "u2")
        ),
    ),
}


@pytest.mark.parametrize("name", KEEP)
def test_a_filter_keeps_what_it_says(filled: Store, name: str) -> None:
    wanted, keep = KEEP[name]
    assert log_of(filled, wanted) == [each for each in log_of(filled, LogFilter()) if keep(each)]
