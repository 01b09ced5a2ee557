"""Values, parts and members count the same in the state as stored apart from it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oracle import qualifications
from oracle.toml import to_toml
from pequel_collector.marking import history
from pequel_collector.rules.engine import keyed
from pequel_collector.rules.engine.state import EmptyWorld, Fact, FactList, State
from pequel_collector.rules.parser.catalogue import read_catalogue
from support.leaves import DAY, HOUR, START, Event, OneLeaf
from support.rehearsal import Rehearsal
from support.streams import NOW, plain_event

steps = st.sampled_from([0, 1, HOUR, DAY])
keys = st.integers(0, 5)
Made = list[tuple[int, int]]


@pytest.fixture(autouse=True)
def _spill_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "FACTS_PER_PAGE", 2)
    monkeypatch.setattr(keyed, "MAX_IN_STATE", 1)


def events_of(made: Made) -> list[Event]:
    at, found = 0, []
    for step, key in made:
        at += step
        found.append((at, "used", {"v": key}))
    return found


@pytest.mark.parametrize("of", ['distinct = "v"', 'per = "v"', 'per = "v", distinct = "@day"'])
@pytest.mark.parametrize("window", ["", ', within = "2d"', ', within = "3d", of = "first:used"'])
def test_a_number_is_the_same_in_the_state_and_stored_apart(of: str, window: str) -> None:
    """At the last event, and a day later when some events have left the window."""
    leaf = OneLeaf(f'{{ event = "used", {of}, gte = 99{window} }}')

    @settings(deadline=None, max_examples=25)
    @given(made=st.lists(st.tuples(steps, keys), min_size=1, max_size=14))
    def same(made: Made) -> None:
        events = events_of(made)
        for now in (events[-1][0], events[-1][0] + DAY):
            assert leaf.observed_in_pages(events, now) == leaf.observed(events, now)

    same()


@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    made=st.lists(st.tuples(steps, keys), min_size=1, max_size=14),
    order=st.randoms(use_true_random=False),
)
def test_rewinding_takes_back_what_was_stored_apart(made: Made, order: Any) -> None:
    """Values, parts and members of an account, in any order of arrival, one message at a time."""
    tables = [
        {"event": "used", "distinct": "v", "gte": 3, "within": "2d"},
        {"event": "used", "per": "v", "gte": 3},
        {"users": {"event": "used", "gte": 2, "within": "2d"}, "gte": 2},
        {"event": "used", "distinct": "@user", "gte": 3, "within": "1d"},
    ]
    catalogue = {
        "project": {"timezone": "UTC"},
        "pql": [
            {"name": f"p{n}", "subject": "account", "when": table} for n, table in enumerate(tables)
        ],
    }
    messages = [
        plain_event(f"u{p['v']}", "used", f"m{n}", START + at, groupId="acme", properties=p)
        for n, (at, _, p) in enumerate(events_of(made))
    ]
    order.shuffle(messages)
    rehearsal = Rehearsal()
    rehearsal.now = NOW
    rehearsal.follow(read_catalogue(to_toml(catalogue)))
    for message in messages:
        rehearsal.tell([message])
    assert rehearsal.marks() == qualifications(catalogue, messages)


# -- parts whose answer changes as time passes -------------------------------------------------

Part = list[tuple[int, int]]
"""The time and the number of each event."""

PARTS: dict[str, tuple[str, Callable[[Part, int], bool]]] = {
    "max": ('max = "n", gte = 3, within = "2d"', lambda part, _: max(n for _, n in part) >= 3),
    "last": ('last = "n", gte = 3, within = "2d"', lambda part, _: part[-1][1] >= 3),
    "low last": ('last = "n", lte = 0, within = "2d"', lambda part, _: part[-1][1] <= 0),
    "days": (
        'distinct = "@day", eq = 2, within = "2d"',
        lambda part, _: len({at // DAY for at, _ in part}) == 2,
    ),
}
sized = st.lists(
    st.tuples(
        st.sampled_from([0, HOUR, 20 * HOUR, DAY, 2 * DAY]), st.integers(0, 3), st.integers(0, 3)
    ),
    min_size=1,
    max_size=14,
)


def sized_events(made: list[tuple[int, int, int]]) -> list[Event]:
    at, found = 0, []
    for step, part, number in made:
        at += step
        found.append((at, "used", {"v": part, "n": number}))
    return found


def first_time(events: list[Event], kind: str) -> int | None:
    """The first instant at which it holds within one part, counted from the start each time."""
    for now in sorted({at for at, _, _ in events}):
        parts: dict[int, Part] = {}
        for at, _, p in events:
            is_inside = at // DAY > now // DAY - 2 if kind == "days" else at > now - 2 * DAY
            if at <= now and is_inside:
                parts.setdefault(p["v"], []).append((at, p["n"]))
        if any(PARTS[kind][1](part, now) for part in parts.values()):
            return now
    return None


@pytest.mark.parametrize("kind", PARTS)
def test_a_part_holds_from_the_instant_that_counting_from_the_start_gives(kind: str) -> None:
    leaf = OneLeaf(f'{{ event = "used", per = "v", {PARTS[kind][0]} }}')

    @settings(deadline=None, max_examples=80)
    @given(made=sized)
    def agrees(made: list[tuple[int, int, int]]) -> None:
        assert leaf.marked_at(sized_events(made)) == first_time(sized_events(made), kind)

    agrees()


@pytest.mark.parametrize("kind", PARTS)
def test_a_state_that_never_counted_the_parts_goes_on(kind: str) -> None:
    """As versions before wrote it, with values left of events that are out of the window."""
    leaf = OneLeaf(f'{{ event = "used", per = "v", {PARTS[kind][0]} }}')

    @settings(deadline=None, max_examples=60)
    @given(made=sized, cut=st.integers(1, 14))
    def agrees(made: list[tuple[int, int, int]], cut: int) -> None:
        events = sized_events(made)
        facts = leaf.facts(events)
        edge = facts[min(cut, len(facts)) - 1].time
        first = [fact for fact in facts if fact.time <= edge]
        state, history = State(), FactList(facts)
        leaf.evaluator.fold(state, FactList(first), first, (1, 0), EmptyWorld())
        plain = msgspec.json.decode(msgspec.json.encode(state))
        for slot in plain[10].values():
            slot[0][0], slot[0][4:] = 0, []
            if kind == "max":
                for _, values in slot[0][3].values():
                    values[:0] = [[START - 9 * DAY, 99]]
        state = msgspec.convert(plain, State, strict=False)
        if rest := facts[len(first) :]:
            leaf.evaluator.fold(state, history, rest, (1, len(first)), EmptyWorld())
        marked = state.marks[0][0].time - START if 0 in state.marks else None
        assert marked == first_time(events, kind)

    agrees()


def test_while_neither_threshold_nor_day_changes_no_part_is_looked_at() -> None:
    """What all parts need is one share of a trait, so they are counted when the trait changes."""
    leaf = OneLeaf('{ event = "used", per = "v", gte = { ratio = 1, of_trait = "seats" } }')
    counted: list[int] = []
    aggregate: Any = leaf.leaf.aggregate
    was = aggregate.all

    def seen(*arguments: Any) -> Any:
        counted.append(1)
        return was(*arguments)

    aggregate.all = seen
    facts = [Fact(START, "a", traits={"seats": 3})]
    facts += [Fact(START + n, f"m{n:03}", "used", {"v": n}) for n in range(1, 60)]
    facts += [Fact(START + 60, "n", traits={"seats": 1})]
    state = State()
    leaf.evaluator.fold(state, FactList(facts), facts, (1, 0), EmptyWorld())
    assert [mark.time for mark in state.marks[0]] == [START + 60]
    assert len(counted) <= 3
