"""What an accumulator gives is what counting all events from the start gives.

At every edge: when an event comes, a millisecond before it leaves the window, and when it leaves.
The thresholds are out of reach, so the leaves go on counting.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Context, Decimal, localcontext
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pequel_collector.marking import history
from pequel_collector.rules.engine import keyed
from pequel_collector.rules.engine.aggregates import MAX_INT, Aggregate
from pequel_collector.rules.engine.state import EmptyWorld, Fact, FactList, State
from pequel_collector.rules.engine.view import EvalContext
from support.leaves import DAY, HOUR, MINUTE, Event, OneLeaf

WITHIN = 3 * HOUR
AGES = (0, 1, HOUR - 1, HOUR, WITHIN - 1, WITHIN, WITHIN + 1)
values = st.sampled_from([1, 2, 1.0, 0.1, 0.2, -3, True, "1", "x", None, [1], {"a": 1}])
steps = st.sampled_from([0, 1, MINUTE, HOUR - 1, HOUR, WITHIN - 1, WITHIN, WITHIN + 1])
Reference = Callable[[list[tuple[int, Any]]], Any]


@st.composite
def events(draw: st.DrawFn) -> list[Event]:
    """Events one after the other, some of them at one instant or just within the window."""
    at, found = 0, []
    for step, value in draw(st.lists(st.tuples(steps, values), min_size=1, max_size=12)):
        at += step
        found.append((at, "used", {} if value is None else {"v": value}))
    return found


@pytest.fixture(autouse=True)
def _spill_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "FACTS_PER_PAGE", 2)
    monkeypatch.setattr(keyed, "MAX_IN_STATE", 1)


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def numbers(found: list[tuple[int, Any]]) -> list[Decimal]:
    return [Decimal(str(value)) for _, value in found if is_number(value)]


def there(found: list[tuple[int, Any]]) -> list[Any]:
    return [value for _, value in found if value is not None]


def same(value: Any) -> str:
    """1 and 1.0 are one value; true and "1" are others."""
    return str(float(value)) if is_number(value) else repr(value)


def exactly(value: Any) -> Any:
    """A number as a decimal; the text of anything else, so that true is not 1."""
    return Decimal(str(value)) if is_number(value) or isinstance(value, Decimal) else repr(value)


REFERENCES: dict[str, tuple[str, Reference]] = {
    "count": ("gte = 999", len),
    "distinct": ('distinct = "v", gte = 999', lambda found: len({same(v) for v in there(found)})),
    "sum": ('sum = "v", gte = 999', lambda found: sum(numbers(found), Decimal(0))),
    "min": ('min = "v", lte = -999', lambda found: min(numbers(found), default=None)),
    "max": ('max = "v", gte = 999', lambda found: max(numbers(found), default=None)),
    "last": ('last = "v", eq = "never"', lambda found: (there(found) or [None])[-1]),
    "minutes": (
        'distinct = "@minute", gte = 999',
        lambda found: len({time // MINUTE for time, _ in found}),
    ),
    "most in one part": (
        'per = "v", gte = 999',
        lambda found: max(
            (sum(same(v) == part for v in there(found)) for part in map(same, there(found))),
            default=None,
        ),
    ),
}
WINDOWS: dict[str, tuple[str, Callable[[int, int], bool]]] = {
    "of all time": ("", lambda _at, _now: True),
    "rolling": (', within = "3h"', lambda at, now: now - WITHIN < at),
    "anchored": (', within = "3h", of = "first:used"', lambda at, _now: at < WITHIN),
}


def edges(made: list[Event]) -> Iterator[tuple[list[Event], int]]:
    """Each number of events from the first, and the instants at which to look at them."""
    for number in range(1, len(made) + 1):
        last = made[number - 1][0]
        if number < len(made) and made[number][0] == last:
            continue
        instants = {at + age for at, _, _ in made[:number] for age in AGES if at + age >= last}
        for now in sorted(instants):
            yield made[:number], now


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("measure", REFERENCES)
def test_an_accumulator_gives_what_counting_from_the_start_gives(measure: str, window: str) -> None:
    """Folded at once, and over pages of two facts with every value stored apart."""
    compared, reference = REFERENCES[measure]
    written, is_inside = WINDOWS[window]
    leaf = OneLeaf(f'{{ event = "used", {compared}{written} }}')

    @settings(deadline=None, max_examples=15)
    @given(made=events())
    def agrees(made: list[Event]) -> None:
        first = made[0][0]
        for seen, now in edges(made):
            found = [(at, p.get("v")) for at, _, p in seen if is_inside(at - first, now - first)]
            wanted = exactly(reference(found))
            assert exactly(leaf.observed(seen, now)) == wanted
            assert exactly(leaf.observed_in_pages(seen, now)) == wanted

    agrees()


@settings(deadline=None, max_examples=40)
@given(hours=st.lists(st.integers(0, 80), min_size=1, max_size=12), back=st.integers(1, 3))
def test_days_are_dates_in_the_zone_of_the_project(hours: list[int], back: int) -> None:
    """The date of the moment and those before it; the clocks change on the fourth day."""
    leaf = OneLeaf(
        f'{{ event = "used", distinct = "@day", gte = 99, within = "{back}d" }}',
        'timezone = "Europe/Berlin"',
    )
    made: list[Event] = [(hour * HOUR, "used", {}) for hour in sorted(hours)]
    now = made[-1][0]
    dates = {_date(at) for at, _, _ in made}
    wanted = len({date for date in dates if date > _date(now) - back})
    assert leaf.observed(made, now) == wanted
    assert leaf.observed_in_pages(made, now) == wanted


def _date(at: int) -> int:
    """The date in Berlin, where it is UTC + 1 until 73 hours after the start, then UTC + 2."""
    return (at + (HOUR if at < 73 * HOUR else 2 * HOUR)) // DAY


# -- numbers of very many digits ---------------------------------------------------------------

LARGEST = 10**4_300 - 1
"""The largest whole number that an event can have."""
numbers_of_any_size = st.sampled_from(
    [1, -1, 0.1, 5e-324, 1.7976931348623157e308, 10**40 + 1, MAX_INT - 1, LARGEST, -(LARGEST // 10)]
)


def exact_sum(values: list[Any]) -> Decimal:
    with localcontext(Context(prec=20_000)):
        return sum((Decimal(str(v) if isinstance(v, float) else v) for v in values), Decimal(0))


@pytest.mark.parametrize("window", ["", ', within = "3h"', ', within = "3h", of = "first:used"'])
@settings(deadline=None, max_examples=25)
@given(values=st.lists(numbers_of_any_size, min_size=1, max_size=8))
def test_a_sum_is_exact_at_any_size(window: str, values: list[Any]) -> None:
    """Also when the state is stored between, and the sum is longer than any number in JSON."""
    leaf = OneLeaf(f'{{ event = "used", sum = "v", eq = 999{window} }}')
    made: list[Event] = [(n * MINUTE, "used", {"v": value}) for n, value in enumerate(values)]
    found = leaf.observed(made, made[-1][0]), leaf.observed_in_pages(made, made[-1][0])
    assert [Decimal(each) for each in found] == [exact_sum(values)] * 2
    if window == ', within = "3h"':
        late = made[-1][0] + WITHIN
        assert Decimal(leaf.observed_in_pages(made, late)) == 0


def test_a_large_number_that_leaves_the_window_leaves_the_sum_exact() -> None:
    leaf = OneLeaf('{ event = "used", sum = "v", gte = 999, within = "3h" }')
    made: list[Event] = [(0, "used", {"v": LARGEST}), (HOUR, "used", {"v": 0.1})]
    assert leaf.marked_at(made) == 0
    assert leaf.observed_in_pages(made, WITHIN) == Decimal("0.1")


@pytest.mark.parametrize("compared", ["eq = 5", "ne = 0", "between = [1, 2]", "gt = 1"])
def test_a_sum_longer_than_any_number_in_json_can_be_compared(compared: str) -> None:
    leaf = OneLeaf(f'{{ event = "used", sum = "v", {compared} }}')
    made: list[Event] = [(0, "used", {"v": LARGEST}), (0, "used", {"v": LARGEST})]
    expected = 0 if compared in {"ne = 0", "gt = 1"} else None
    assert leaf.marked_at(made) == expected


@pytest.mark.parametrize("seats", [10**2_101 + 1, LARGEST])
def test_a_share_of_a_trait_of_many_digits_is_a_threshold(seats: int) -> None:
    leaf = OneLeaf('{ event = "used", gte = { ratio = 0.5, of_trait = "seats" } }')
    facts = [Fact(1, "m1", traits={"seats": seats}), Fact(2, "m2", "used")]
    state = State()
    leaf.evaluator.fold(state, FactList(facts), facts, (1, 0), EmptyWorld())
    assert not state.marks


# -- reading -----------------------------------------------------------------------------------


@pytest.mark.parametrize("measure", REFERENCES)
@settings(deadline=None, max_examples=15)
@given(made=events(), age=st.sampled_from(AGES))
def test_observing_changes_nothing(measure: str, made: list[Event], age: int) -> None:
    leaf = OneLeaf(f'{{ event = "used", {REFERENCES[measure][0]}, within = "3h" }}')
    state, facts = State(), leaf.facts(made)
    history = FactList(facts)
    leaf.evaluator.fold(state, history, facts, (1, 0), EmptyWorld())
    aggregate: Aggregate = leaf.leaf.aggregate
    ctx = EvalContext("user", state, EmptyWorld(), history, state.time + age)
    acc = leaf.leaf.accumulator(ctx)
    before = msgspec.json.encode(state)
    aggregate.observed(acc, ctx)
    aggregate.holds(acc, ctx)
    assert msgspec.json.encode(state) == before
