"""Marks are a pure function of the facts, and what that function is.

Random catalogues and random streams of messages, delivered in any order, in any batches, with
duplicates: the marks are those of a brute-force oracle that shares no code with the collector.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oracle import qualifications
from oracle.streams import FIRST, catalogues, streams
from oracle.toml import to_toml
from pequel_collector import history
from pequel_collector.bootstrap import Collector
from support.streams import answers, collector_of, marks, messages_of

Plain = dict[str, Any]
many = settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Histories are cut into pages of a few facts, so that rewinding crosses pages."""
    monkeypatch.setattr(history, "FULL", 3)


def _toml(catalogue: dict[str, Any]) -> str:
    return to_toml({name: part for name, part in catalogue.items() if name != "metric"})


def _batches(messages: list[Plain], sizes: random.Random, largest: int) -> Iterator[list[Plain]]:
    start = 0
    while start < len(messages):
        stop = start + sizes.randint(1, largest)
        yield messages[start:stop]
        start = stop


def _deliver(collector: Collector, batches: Iterator[list[Plain]]) -> Collector:
    for batch in batches:
        collector.ingest.accept(messages_of(batch))
    return collector


def _first_copies(messages: list[Plain]) -> list[Plain]:
    first: dict[str, Plain] = {}
    for message in messages:
        first.setdefault(message["messageId"], message)
    return list(first.values())


@settings(many, max_examples=150)
@given(
    catalogue=catalogues(FIRST),
    messages=streams(identity=False, max_size=30),
    sizes=st.randoms(use_true_random=False),
    largest=st.integers(1, 10),
)
def test_marks_are_those_of_the_oracle(
    catalogue: dict[str, Any], messages: list[Plain], sizes: random.Random, largest: int
) -> None:
    """Live marking, batch by batch in order of arrival, agrees with deciding from scratch."""
    collector = collector_of(_toml(catalogue))
    _deliver(collector, _batches(messages, sizes, largest))
    assert marks(collector) == qualifications(catalogue, messages)


@settings(many, max_examples=60)
@given(
    catalogue=catalogues(FIRST),
    messages=streams(identity=False, max_size=20),
    sizes=st.randoms(use_true_random=False),
)
def test_the_order_of_arrival_does_not_show(
    catalogue: dict[str, Any], messages: list[Plain], sizes: random.Random
) -> None:
    """In another order, in other batches and sent twice: every answer of the API is the same."""
    toml, copies = _toml(catalogue), _first_copies(messages)
    at_once = collector_of(toml)
    at_once.ingest.accept(messages_of(copies))
    shuffled = [*copies, *copies]
    sizes.shuffle(shuffled)
    in_pieces = _deliver(collector_of(toml), _batches(shuffled, sizes, 4))
    assert answers(in_pieces) == answers(at_once)


@settings(many, max_examples=40)
@given(catalogue=catalogues(FIRST), messages=streams(identity=False, max_size=20))
def test_definitions_that_come_after_the_facts_find_the_same_leads(
    catalogue: dict[str, Any], messages: list[Plain]
) -> None:
    """A replay of history under new definitions gives what live marking would have given."""
    from pequel_collector.backfill import refresh
    from pequel_collector.bootstrap import Ingest, Queries
    from pequel_collector.rules.reader import read_catalogue

    live = collector_of(_toml(catalogue))
    live.ingest.accept(messages_of(messages))
    late = collector_of("")
    late.ingest.accept(messages_of(messages))
    wanted = read_catalogue(_toml(catalogue))
    refresh(late.store, wanted, late.clock)
    assert marks(late) == marks(live)
    assert Ingest(late.store, wanted, late.clock).accept(messages_of(messages)).qualified == ()
    assert Queries(late.store, wanted, late.clock).machines.version == live.ingest.machines.version


@pytest.mark.slow
@settings(many, max_examples=25)
@given(
    catalogue=catalogues(FIRST),
    messages=streams(identity=False, max_size=20),
    sizes=st.randoms(use_true_random=False),
)
def test_both_databases_answer_alike(
    catalogue: dict[str, Any],
    messages: list[Plain],
    sizes: random.Random,
    postgres_server: Any,
) -> None:
    """The same stream on SQLite and on PostgreSQL: every answer of the API is the same."""
    toml = _toml(catalogue)
    batches = list(_batches(messages, sizes, 5))
    on_sqlite = _deliver(collector_of(toml), iter(batches))
    with postgres_server.database() as url:
        on_postgres = _deliver(collector_of(toml, url), iter(batches))
        assert answers(on_postgres) == answers(on_sqlite)
        on_postgres.close()
