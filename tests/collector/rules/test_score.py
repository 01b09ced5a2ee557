"""Scores and growth, brought forward event by event, are what summing all events gives.

The reference sums in decimals of fifty digits and rounds once.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pequel_collector.marking import history
from support.leaves import DAY, HOUR, Event, OneLeaf

HALF_LIFE = DAY
CAP = Decimal(12)
ADD = {"made": Decimal(5), "asked": Decimal("2.5"), "left": Decimal(-3)}
POINTS = """
  points = [
    { event = "made", add = 5, cap = 12 },
    { event = "asked", add = 2.5 },
    { event = "left", add = -3 },
  ]
""".replace("\n", " ")
steps = st.sampled_from([0, 1, HOUR, DAY - 1, DAY, DAY + 1, 10 * DAY])
ages = st.sampled_from([0, 1, HOUR, DAY, 3 * DAY, 400 * DAY])


@st.composite
def events(draw: st.DrawFn) -> list[Event]:
    at, found = 0, []
    some = st.lists(st.tuples(steps, st.sampled_from([*ADD])), min_size=1, max_size=12)
    for step, name in draw(some):
        at += step
        found.append((at, name, {}))
    return found


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "FACTS_PER_PAGE", 2)


def summed(made: list[Event], now: int, half_life: int | None) -> Decimal:
    with localcontext(Context(prec=50)):
        totals = dict.fromkeys(ADD, Decimal(0))
        for at, name, _ in made:
            age = Decimal(0 if half_life is None else at - now) / Decimal(half_life or 1)
            totals[name] += ADD[name] * Decimal(2) ** age
        total = min(totals["made"], CAP) + totals["asked"] + totals["left"]
        return total.quantize(Decimal("0.000001"), rounding=ROUND_HALF_EVEN)


@settings(deadline=None, max_examples=60)
@given(made=events(), age=ages)
def test_points_that_halve_are_summed_to_six_decimals(made: list[Event], age: int) -> None:
    leaf = OneLeaf(f'{{ score = {{ gte = 9999 }}, half_life = "1d", {POINTS} }}')
    now = made[-1][0] + age
    assert leaf.observed(made, now) == summed(made, now, HALF_LIFE)
    assert leaf.observed_in_pages(made, now) == summed(made, now, HALF_LIFE)


@settings(deadline=None, max_examples=60)
@given(made=events(), age=ages)
def test_points_that_stay_are_summed_exactly(made: list[Event], age: int) -> None:
    leaf = OneLeaf(f"{{ score = {{ gte = 9999 }}, {POINTS} }}")
    now = made[-1][0] + age
    assert leaf.observed(made, now) == summed(made, now, None)
    assert leaf.observed_in_pages(made, now) == summed(made, now, None)


@pytest.mark.parametrize("half_life", [None, HALF_LIFE])
@settings(deadline=None, max_examples=40)
@given(made=events(), age=ages)
def test_in_a_window_only_what_is_in_it_has_points(
    half_life: int | None, made: list[Event], age: int
) -> None:
    """Also long after, when all points have been taken out again."""
    halving = "" if half_life is None else 'half_life = "1d", '
    leaf = OneLeaf(f'{{ score = {{ gte = 9999 }}, {halving}within = "2d", {POINTS} }}')
    now = made[-1][0] + age
    inside = [each for each in made if now - 2 * DAY < each[0]]
    assert leaf.observed(made, now) == summed(inside, now, half_life)
    assert leaf.observed_in_pages(made, now) == summed(inside, now, half_life)


def test_points_are_summed_again_where_the_rounding_is_open() -> None:
    """Half a millionth, exactly: to even, and not as the last bit of a float would have it."""
    halves = "{ score = { gte = 9999 }, half_life = '1d', points = [{ event = 'made', add = %s }] }"
    for add, wanted in (("0.000005", "0.000002"), ("0.000007", "0.000004")):
        leaf = OneLeaf((halves % add).replace("'", '"'))
        assert leaf.observed([(0, "made", {})], DAY) == Decimal(wanted)


@settings(deadline=None, max_examples=60)
@given(made=events(), age=ages)
def test_growth_counts_two_periods_side_by_side(made: list[Event], age: int) -> None:
    """(τ - P, τ] and (τ - 2P, τ - P]."""
    leaf = OneLeaf('{ event = "*", growth = 9999, over = "1d" }')
    now = made[-1][0] + age
    latest = sum(now - DAY < at for at, _, _ in made)
    before = sum(now - 2 * DAY < at <= now - DAY for at, _, _ in made)
    assert leaf.observed(made, now) == [latest, before]
    assert leaf.observed_in_pages(made, now) == [latest, before]
