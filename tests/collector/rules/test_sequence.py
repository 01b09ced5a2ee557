"""A sequence is made when different events, in order, can be found for all of its steps."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from pequel_collector.rules.engine.state import EmptyWorld, FactList, State
from pequel_collector.rules.engine.view import FIRST
from support.leaves import Event, OneLeaf

SPAN = 3_600_000
STEPS = ["a", ["a", "b"], "c"]
WRITTEN = '["a", ["a", "b"], "c"]'

steps = st.sampled_from([0, 0, 1, SPAN // 2, SPAN - 1, SPAN])
names = st.sampled_from(["a", "a", "b", "c", "other"])


@st.composite
def events(draw: st.DrawFn) -> list[Event]:
    at, found = 0, []
    for step, name in draw(st.lists(st.tuples(steps, names), min_size=1, max_size=7)):
        at += step
        found.append((at, name, {}))
    return found


def most_made(made: list[Event], span: int | None) -> int:
    """How many steps, from the first, were made: every choice of events is tried."""
    return max(n for n in range(len(STEPS) + 1) if n == 0 or can_be_made(made, n, span))


def can_be_made(made: list[Event], count: int, span: int | None) -> bool:
    for chosen in permutations(made, count):
        times = [at for at, _, _ in chosen]
        fits = all(name in step for (_, name, _), step in zip(chosen, STEPS, strict=False))
        in_time = span is None or times[-1] - times[0] < span
        if fits and in_time and times == sorted(times):
            return True
    return False


def first_time(made: list[Event], span: int | None) -> int | None:
    for at in sorted({at for at, _, _ in made}):
        if most_made([each for each in made if each[0] <= at], span) == len(STEPS):
            return at
    return None


@settings(deadline=None, max_examples=120)
@given(made=events())
def test_within_a_span_the_mark_is_the_first_moment_at_which_it_can_be_made(
    made: list[Event],
) -> None:
    """Events of one instant in any order; the last less than the span after the first."""
    leaf = OneLeaf(f'{{ sequence = {WRITTEN}, within = "1h" }}')
    assert leaf.marked_at(made) == first_time(made, SPAN)


@settings(deadline=None, max_examples=120)
@given(made=events())
def test_without_a_span_there_is_no_time_limit(made: list[Event]) -> None:
    leaf = OneLeaf(f"{{ sequence = {WRITTEN} }}")
    assert leaf.marked_at(made) == first_time(made, None)


@settings(deadline=None, max_examples=60)
@given(made=events())
def test_the_observed_value_is_the_number_of_steps_made(made: list[Event]) -> None:
    """Also when each instant is taken in by itself."""
    leaf = OneLeaf(f'{{ sequence = {WRITTEN}, within = "1h" }}')
    now = made[-1][0]
    if leaf.marked_at(made) is None:
        assert leaf.observed(made, now) == most_made(made, SPAN)
        assert leaf.observed_in_pages(made, now) == most_made(made, SPAN)


def test_one_event_is_not_two_steps() -> None:
    """What could be either step is only one of them."""
    leaf = OneLeaf('{ sequence = ["a", "*"] }')
    assert leaf.marked_at([(0, "a", {})]) is None
    assert leaf.marked_at([(0, "a", {}), (0, "a", {})]) == 0


def test_the_chain_that_began_last_has_the_most_time_left() -> None:
    leaf = OneLeaf('{ sequence = ["a", "b", "c"], within = "1h" }')
    made: list[Event] = [(0, "a", {}), (SPAN - 2, "a", {}), (SPAN - 1, "b", {}), (SPAN, "c", {})]
    assert leaf.marked_at(made) == SPAN


def folded(leaf: OneLeaf, made: list[Event]) -> State:
    state, facts = State(), leaf.facts(made)
    leaf.evaluator.fold(state, FactList(facts), facts, FIRST, EmptyWorld())
    return state


def test_only_a_few_of_many_events_of_one_instant_are_kept() -> None:
    """As many for each step as there are steps, whatever comes first."""
    leaf = OneLeaf('{ sequence = ["a", "*", "b", "never"] }')
    state = folded(leaf, [(0, name, {}) for name in ["a", "b", "other"] * 200])
    kept: Any = leaf.leaf.slot(state).acc
    assert len(kept.candidates) <= 4 * 4
    assert leaf.leaf.aggregate.observed(kept, None) == 3


def test_an_event_that_is_needed_may_be_the_last_of_many_of_its_instant() -> None:
    leaf = OneLeaf('{ sequence = ["a", "*", "b"] }')
    made: list[Event] = [(0, "other", {})] * 50 + [(0, "a", {})] * 50
    assert leaf.marked_at(made) is None
    assert leaf.marked_at([*made, (0, "b", {})]) == 0


def test_a_stored_state_that_kept_every_event_of_an_instant_goes_on() -> None:
    leaf = OneLeaf('{ sequence = ["a", "a", "b"] }')
    made: list[Event] = [(0, "a", {})] * 9
    plain: Any = msgspec.json.decode(msgspec.json.encode(folded(leaf, made).slots[0]))
    plain[0][1] += [[f"n{n}", 0, 1] for n in range(100)]
    state, facts = State(time=0, slots={0: plain}), leaf.facts([*made, (0, "b", {})])
    leaf.evaluator.fold(state, FactList(facts), facts[-1:], (1, 9), EmptyWorld())
    assert 0 in state.marks
