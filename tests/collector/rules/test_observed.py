"""What each leaf observes is what the oracle counts from scratch: as progress, and as evidence.

One test for each measure, on random streams; and the guards that block.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oracle import Key, Reading, blocking_guards, observed, qualifications
from oracle.definitions import is_missing_without_events
from oracle.streams import GRID, START, STEPS, WHOLE, catalogues, streams
from oracle.toml import to_toml
from oracle.values import canonical
from pequel_collector.marking import history
from pequel_collector.marking.snapshot import Snapshot
from pequel_collector.model import subject_key
from pequel_collector.rules.engine import keyed
from pequel_collector.rules.explain.evidence import Explainer
from pequel_collector.rules.parser.catalogue import read_catalogue
from support.rehearsal import Rehearsal
from support.streams import NOW

Plain = dict[str, Any]
many = settings(
    deadline=None,
    max_examples=25,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
MEASURES = {
    name: (name,) for name in ("count", "distinct", "sum", "min", "max", "last", "metric")
} | {
    "trait": ("trait",),
    "sequence": ("sequence",),
    "growth": ("count", "growth"),
    "score": ("count", "score"),
    "pql": ("count", "pql"),
    "users": ("count", "distinct", "sum", "trait", "users"),
    "users with the rest": ("sequence", "score", "growth", "last", "users"),
}
moments = st.integers(START + GRID, START + STEPS * GRID * 2)


@pytest.fixture(autouse=True)
def _little_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of a few facts, and cells put away from the first."""
    monkeypatch.setattr(history, "FACTS_PER_PAGE", 3)
    monkeypatch.setattr(keyed, "MAX_IN_STATE", 1)


@pytest.mark.parametrize("measure", MEASURES)
def test_the_observed_value_is_the_one_of_the_oracle(measure: str) -> None:
    """Of who has not qualified, at any moment; and of each mark, at its own."""
    language = replace(WHOLE, measures=MEASURES[measure])

    @many
    @given(catalogue=catalogues(language), messages=streams(max_size=20), now=moments)
    def agrees(catalogue: Plain, messages: list[Plain], now: int) -> None:
        known = [message for message in messages if message["time"] <= now]
        if known:
            assert_progress(catalogue, known, now)
        assert_evidence(catalogue, messages)

    agrees()


@many
@given(catalogue=catalogues(), messages=streams(max_size=20), now=moments)
def test_the_guards_that_block_are_those_of_the_oracle(
    catalogue: Plain, messages: list[Plain], now: int
) -> None:
    """At any moment, of whoever has not qualified."""
    known = [message for message in messages if message["time"] <= now]
    if not known:
        return
    for key, explained in waiting(catalogue, known, now):
        guards = explained.guards()
        found = [place for place, guard in enumerate(guards) if guard["blocks"]]
        assert found == blocking_guards(catalogue, known, key, now), key


def assert_progress(catalogue: Plain, messages: list[Plain], now: int) -> None:
    for key, explained in waiting(catalogue, messages, now):
        wanted = observed(catalogue, messages, key, now)
        leaves = explained.progress()["leaves"]
        assert [leaf["holds"] for leaf in leaves] == [reading.holds for reading in wanted], key
        assert_same(leaves, wanted)


def waiting(catalogue: Plain, messages: list[Plain], now: int) -> Iterator[tuple[Key, Explainer]]:
    """Each subject and definition that has not qualified, as it stands at a moment."""
    rehearsal = rehearsed(catalogue, messages, now)
    marked = qualifications(catalogue, messages, now)
    evaluators = rehearsal.collector.ingest.evaluators
    with rehearsal.store.reading() as view:
        for subject in subjects(messages):
            evaluator = evaluators.of(subject_key(*subject))
            ctx = Snapshot(view, evaluators, now).ctx(subject_key(*subject))
            for rule in evaluator.rules:
                key = rule.name, *subject
                if ctx is not None and key not in marked:
                    yield key, Explainer(evaluator, rule, ctx)


def assert_evidence(catalogue: Plain, messages: list[Plain]) -> None:
    rehearsal = rehearsed(catalogue, messages, NOW)
    with rehearsal.store.reading() as view:
        leads = view.leads_of(view.subjects())
    for lead in (lead for each in leads.values() for lead in each if lead.state != "voided"):
        kind = "account" if lead.subject.startswith("g:") else "user"
        key = lead.definition, kind, lead.subject[2:]
        wanted = observed(catalogue, messages, key, lead.qualified_at)
        assert_same(lead.evidence["leaves"], wanted)


def assert_same(leaves: list[Plain], wanted: list[Reading]) -> None:
    """Equal readings; which part is shown is open where their values have no order."""
    for leaf, reading in zip(leaves, wanted, strict=True):
        if "per" not in reading.leaf or not is_missing_without_events(reading.leaf):
            assert comparable(leaf["observed"]) == as_shown(reading.observed, reading.leaf), leaf


def rehearsed(catalogue: Plain, messages: list[Plain], now: int) -> Rehearsal:
    rehearsal = Rehearsal()
    rehearsal.follow(read_catalogue(to_toml(catalogue)))
    half = len(messages) // 2
    for batch in filter(None, (messages[:half], messages[half:])):
        rehearsal.tell(batch)
    rehearsal.wait_until(now)
    return rehearsal


def subjects(messages: list[Plain]) -> list[tuple[Any, str]]:
    users = {("user", message["userId"]) for message in messages if message["userId"]}
    return sorted(users | {("account", account) for account in ("acme", "brix")})


def as_shown(found: Any, leaf: Plain) -> Any:
    """What the oracle observes, as evidence would show it."""
    if "pql" in leaf:
        found = found is not None
    elif "growth" in leaf:
        found = {"latest": found[0], "before": found[1]}
    return comparable(found)


def comparable(found: Any) -> Any:
    """A form in which 1 is 1.0, and true is not."""
    return canonical(found) if not isinstance(found, float) else canonical(round(found, 9))
