"""Marks are a pure function of the facts, and what that function is.

Random catalogues in the whole language and random streams of messages, delivered in any order, in
any batches, with duplicates, over restarts and changes of definitions: the marks are those of a
brute-force oracle that shares no code with the collector.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.long_oracle import case_of
from oracle import qualifications
from oracle.identity import placed
from oracle.streams import catalogues, streams
from oracle.toml import to_toml
from pequel_collector.app.bootstrap import Collector
from pequel_collector.marking import backfill, evaluators, history
from pequel_collector.rules.engine import keyed
from pequel_collector.rules.parser.catalogue import read_catalogue
from pequel_collector.store import open_store
from support.rehearsal import Rehearsal, batches, course_of, rehearse
from support.streams import NOW, answers, by_instant, collector_of, marks, messages_of

Plain = dict[str, Any]
many = settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
chances = st.randoms(use_true_random=False)


@pytest.fixture(autouse=True)
def _little_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small pages, cells put away from the first, and folds that are soon too long for the lock."""
    monkeypatch.setattr(history, "FACTS_PER_PAGE", 3)
    monkeypatch.setattr(keyed, "MAX_IN_STATE", 1)
    monkeypatch.setattr(backfill, "SUBJECTS_PER_STEP", 2)
    monkeypatch.setattr(evaluators, "LEAVES_UNDER_LOCK", 0)
    monkeypatch.setattr(evaluators, "MIN_UNDER_LOCK", 3)


def _deliver(collector: Collector, parts: Iterator[list[Plain]]) -> Collector:
    for batch in parts:
        collector.ingest.accept(messages_of(batch))
    return collector


def _first_copies(messages: list[Plain]) -> list[Plain]:
    first: dict[str, Plain] = {}
    for message in messages:
        first.setdefault(message["messageId"], message)
    return list(first.values())


@settings(many, max_examples=100)
@given(catalogue=catalogues(), messages=streams(max_size=30), chance=chances)
def test_marks_are_those_of_the_oracle(
    catalogue: Plain, messages: list[Plain], chance: random.Random
) -> None:
    """Live, batch by batch in order of arrival, over restarts, and at halts on the way."""
    rehearse(catalogue, messages, course_of(messages, chance))


@settings(many, max_examples=40)
@given(before=catalogues(), catalogue=catalogues(), messages=streams(max_size=25), chance=chances)
def test_after_a_change_of_definitions_marks_are_those_of_the_new_ones(
    before: Plain, catalogue: Plain, messages: list[Plain], chance: random.Random
) -> None:
    """Wherever in the stream they change, or after it; leads of old versions are left aside."""
    rehearse(catalogue, messages, course_of(messages, chance, before))


@settings(many, max_examples=30)
@given(catalogue=catalogues(), messages=streams(max_size=20), chance=chances)
def test_the_order_of_arrival_does_not_show(
    catalogue: Plain, messages: list[Plain], chance: random.Random
) -> None:
    """In another order, in other batches and sent twice: every answer of the API is the same.

    Messages of one instant stay in one batch and in order, because that order is part of them.
    """
    copies = _first_copies(messages)
    instants = by_instant(copies)
    shuffled = [*instants, *instants]
    chance.shuffle(shuffled)
    at_once, in_pieces = Rehearsal(), Rehearsal()
    for rehearsal in (at_once, in_pieces):
        rehearsal.now = NOW
        rehearsal.follow(read_catalogue(to_toml(catalogue)))
    at_once.collector.ingest.accept(messages_of(copies))
    parts = batches(shuffled, chance, 4)
    _deliver(in_pieces.collector, ([m for each in part for m in each] for part in parts))
    assert answers(in_pieces.collector) == answers(at_once.collector)


@settings(many, max_examples=30)
@given(catalogue=catalogues(), messages=streams(max_size=20))
def test_definitions_that_come_after_the_facts_find_the_same_leads(
    catalogue: Plain, messages: list[Plain]
) -> None:
    """A replay of history gives what live marking would have given, and nothing is left to find."""
    rehearsal = Rehearsal()
    rehearsal.now = NOW
    rehearsal.tell(messages)
    wanted = read_catalogue(to_toml(catalogue))
    rehearsal.follow(wanted)
    assert rehearsal.marks() == qualifications(catalogue, placed([messages]))
    assert rehearsal.collector.ingest.accept(messages_of(messages)).qualified == ()


@pytest.mark.parametrize("first", range(0, 100, 25))
def test_streams_of_the_long_run_agree(first: int) -> None:
    """A few of them: made by chance alone, with pages and states of many sizes."""
    for seed in range(first, first + 25):
        case_of(seed).run()


@pytest.mark.slow
@settings(many, max_examples=10)
@given(catalogue=catalogues(), messages=streams(max_size=20), chance=chances)
def test_on_postgres_marks_and_answers_are_the_same(
    catalogue: Plain, messages: list[Plain], chance: random.Random, postgres_server: Any
) -> None:
    """The same stream on both databases: the oracle's marks, and every answer of the API alike."""
    toml = to_toml(catalogue)
    parts = list(batches(messages, chance, 5))
    on_sqlite = _deliver(collector_of(toml), iter(parts))
    with postgres_server.database() as url:
        on_postgres = _deliver(collector_of(toml, url), iter(parts))
        assert marks(on_postgres) == qualifications(catalogue, placed(parts))
        assert answers(on_postgres) == answers(on_sqlite)
        on_postgres.close()


@pytest.mark.slow
@settings(many, max_examples=6)
@given(before=catalogues(), catalogue=catalogues(), messages=streams(max_size=20), chance=chances)
def test_on_postgres_restarts_and_changes_of_definitions_do_not_show(
    before: Plain,
    catalogue: Plain,
    messages: list[Plain],
    chance: random.Random,
    postgres_server: Any,
) -> None:
    """As on SQLite in memory, from the same course of events."""
    with postgres_server.database() as url:
        store = open_store(url)
        try:
            rehearse(catalogue, messages, course_of(messages, chance, before), store)
        finally:
            store.close()
