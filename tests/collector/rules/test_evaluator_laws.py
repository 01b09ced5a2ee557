"""Laws of the engine alone: no store, no clock, users without accounts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from oracle import qualifications
from oracle.streams import GRID, START, STEPS, WHOLE, catalogues, streams
from oracle.toml import to_toml
from pequel_collector.model import Stored, fact_order
from pequel_collector.rules.engine.evaluator import Evaluator, qualify
from pequel_collector.rules.engine.state import EmptyWorld, Fact, FactList, State
from pequel_collector.rules.engine.view import FIRST
from pequel_collector.rules.language.definition import Catalogue
from pequel_collector.rules.parser.catalogue import read_catalogue
from support.streams import messages_of

Plain = dict[str, Any]
USERS_ONLY = replace(
    WHOLE,
    subjects=("user",),
    options=tuple(option for option in WHOLE.options if option not in ("account.", "clock")),
)
many = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=100)
stories = streams(identity=False, groups=False, duplicates=False, max_size=25)
instants = st.integers(START, START + STEPS * GRID)


def _read(catalogue: Plain) -> Catalogue:
    return read_catalogue(to_toml(catalogue))


def _facts(evaluator: Evaluator, messages: list[Plain]) -> dict[str, list[Fact]]:
    """The facts of each user, in order."""
    seen: dict[str, list[Fact]] = {}
    for message in messages_of(messages):
        fact = evaluator.fact(Stored(message, None, message.subject))
        if fact is not None and message.user_id is not None:
            seen.setdefault(message.user_id, []).append(fact)
    return {user: sorted(facts, key=fact_order) for user, facts in seen.items()}


def _folded(evaluator: Evaluator, facts: list[Fact]) -> State:
    state = State()
    evaluator.fold(state, FactList(facts), facts, FIRST, EmptyWorld())
    return state


@many
@given(catalogue=catalogues(USERS_ONLY), messages=stories)
def test_qualifying_depends_on_the_definition_and_the_facts_alone(
    catalogue: Plain, messages: list[Plain]
) -> None:
    """Not on their order; and the oracle agrees."""
    read = _read(catalogue)
    facts = _facts(Evaluator("user", read), messages)
    found = {
        (definition.name, "user", user): time
        for definition in read.definitions
        for user, each in facts.items()
        if (time := qualify(definition, reversed(each), read)) is not None
    }
    wanted = qualifications(catalogue, messages)
    assert found == {key: times[0] for key, times in wanted.items()}


@many
@given(catalogue=catalogues(USERS_ONLY), messages=stories, cut=st.integers(0, 25))
def test_folding_in_steps_is_folding_at_once(
    catalogue: Plain, messages: list[Plain], cut: int
) -> None:
    """Wherever the facts are cut, also within an instant, and with the state stored between."""
    evaluator = Evaluator("user", _read(catalogue))
    for facts in _facts(evaluator, messages).values():
        first, rest = facts[:cut], facts[cut:]
        goes_on = bool(first and rest) and first[-1].time == rest[0].time
        begun = State()
        evaluator.fold(begun, FactList(first), first, FIRST, EmptyWorld(), goes_on=goes_on)
        in_steps = msgspec.json.decode(msgspec.json.encode(begun), type=State)
        evaluator.fold(in_steps, FactList(facts), rest, (1, len(first)), EmptyWorld())
        at_once = msgspec.json.encode(_folded(evaluator, facts))
        assert msgspec.json.decode(msgspec.json.encode(in_steps)) == msgspec.json.decode(at_once)


@many
@given(
    catalogue=catalogues(USERS_ONLY),
    messages=stories,
    ends=st.lists(instants, min_size=1, max_size=3),
)
def test_nothing_qualifies_during_the_cooldown_after_a_lead_ended(
    catalogue: Plain, messages: list[Plain], ends: list[int]
) -> None:
    """The ends of leads are facts too."""
    evaluator = Evaluator("user", _read(catalogue))
    seen = _facts(evaluator, messages)
    assume(seen)
    endings = {(rule.name, "user", user): ends for rule in evaluator.rules for user in seen}
    wanted = qualifications(catalogue, messages, endings=endings)
    found: dict[tuple[str, str, str], list[int]] = {}
    for user, facts in seen.items():
        ended = [Fact(end, "", ended=rule.name) for rule in evaluator.rules for end in ends]
        state = _folded(evaluator, sorted((*facts, *ended), key=fact_order))
        for rule, marks in state.marks.items():
            key = evaluator.rules[rule].name, "user", user
            found[key] = [mark.time for mark in marks]
    assert found == wanted


@many
@given(catalogue=catalogues(USERS_ONLY), messages=stories, instant=instants)
def test_later_facts_change_no_earlier_mark(
    catalogue: Plain, messages: list[Plain], instant: int
) -> None:
    """Folding the facts up to an instant gives the same marks up to then as folding all."""
    evaluator = Evaluator("user", _read(catalogue))
    for facts in _facts(evaluator, messages).values():
        earlier = _folded(evaluator, [fact for fact in facts if fact.time <= instant])
        until = {
            rule: [mark for mark in marks if mark.time <= instant]
            for rule, marks in _folded(evaluator, facts).marks.items()
        }
        assert earlier.marks == {rule: marks for rule, marks in until.items() if marks}
