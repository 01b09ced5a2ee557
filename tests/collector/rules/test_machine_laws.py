"""The laws of the engine alone: no store, no clock, users who have no accounts."""

from __future__ import annotations

from dataclasses import replace
from operator import attrgetter
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oracle import qualifications
from oracle.streams import FIRST, catalogues, streams
from oracle.toml import to_toml
from pequel_collector.rules.definition import Catalogue, EventLeaf, leaves_of
from pequel_collector.rules.facts import Alone, Fact, State
from pequel_collector.rules.machine import Machine, qualify
from pequel_collector.rules.reader import read_catalogue
from pequel_collector.rules.values import measures_up
from support.streams import messages_of

Plain = dict[str, Any]
USERS_ONLY = replace(FIRST, subjects=("user",))
many = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=100)
stories = streams(identity=False, groups=False, duplicates=False, max_size=25)


def _read(catalogue: Plain) -> Catalogue:
    return read_catalogue(to_toml({k: v for k, v in catalogue.items() if k != "metric"}))


def _facts(machine: Machine, messages: list[Plain]) -> dict[str, list[Fact]]:
    """What the machine sees of each user, in order."""
    seen: dict[str, list[Fact]] = {}
    for message in messages_of(messages):
        fact = machine.fact(message, None)
        if fact is not None and message.user_id is not None:
            seen.setdefault(message.user_id, []).append(fact)
    return {user: sorted(facts, key=attrgetter("time", "mid")) for user, facts in seen.items()}


@many
@given(catalogue=catalogues(USERS_ONLY), messages=stories)
def test_to_qualify_is_a_function_of_a_definition_and_facts(
    catalogue: Plain, messages: list[Plain]
) -> None:
    """In whatever order they are given; it is what the oracle decides from scratch."""
    read = _read(catalogue)
    facts = _facts(Machine("user", read), messages)
    found = {
        (definition.name, "user", user): [time]
        for definition in read.definitions
        for user, each in facts.items()
        if (time := qualify(definition, reversed(each), read)) is not None
    }
    assert found == qualifications(catalogue, messages)


@many
@given(catalogue=catalogues(USERS_ONLY), messages=stories, cut=st.integers(0, 25))
def test_folding_in_steps_is_folding_at_once(
    catalogue: Plain, messages: list[Plain], cut: int
) -> None:
    """Wherever the facts are parted, as long as no instant is."""
    machine = Machine("user", _read(catalogue))
    for facts in _facts(machine, messages).values():
        edge = facts[min(cut, len(facts) - 1)].time
        at_once, in_steps = State(), State()
        machine.fold(at_once, facts, Alone())
        machine.fold(in_steps, [fact for fact in facts if fact.time < edge], Alone())
        in_steps = in_steps.copy()
        machine.fold(in_steps, [fact for fact in facts if fact.time >= edge], Alone())
        assert in_steps == at_once


@many
@given(catalogue=catalogues(USERS_ONLY), messages=stories)
def test_what_the_fold_keeps_decides_as_the_exact_count_does(
    catalogue: Plain, messages: list[Plain]
) -> None:
    """After all facts, and at the edge at which each leaves each window: two forms, one answer."""
    read = _read(catalogue)
    machine = Machine("user", read)
    nodes = [node for d in read.definitions for node in (d.when, *d.unless)]
    leaves = [leaf for node in nodes for leaf in leaves_of(node) if isinstance(leaf, EventLeaf)]
    for facts in _facts(machine, messages).values():
        for leaf in leaves:
            _assert_agree(machine, leaf, facts)


def _assert_agree(machine: Machine, leaf: EventLeaf, facts: list[Fact]) -> None:
    state, measure = State(), machine.measure(leaf)
    machine.fold(state, facts, Alone())
    edges = {fact.time + (leaf.window.within or 0) + beside for fact in facts for beside in (-1, 0)}
    for time in sorted({state.time, *(edge for edge in edges if edge > state.time)}):
        anchor = machine.anchor(leaf.window.of, state, time, Alone())
        counted = measure.matching(facts, time, anchor)
        known = leaf.window.of is None or anchor is not None
        exact = known and measures_up(len(counted), leaf.comparison)
        assert measure.holds(state, time, anchor) == exact, (leaf, time)
