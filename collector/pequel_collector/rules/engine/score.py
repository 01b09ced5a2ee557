"""Growth and scores.

A score with a half-life is kept as one whole number of points in units of 2**-128, with a bound of
its error. Each event brings it forward with one multiplication. It is rounded to six decimals.
Where the bound leaves the rounding open, which is very rare, the points are summed again from the
events, in decimals of 60 digits.

For example, with ``half_life = "7d"`` and ``points = [{ event = "used", add = 4 }]``: an event on
March 1st makes the points 4 · 2**128. On March 8th they are halved to 2 · 2**128, and another event
adds 4 · 2**128, so 6 points are observed. The kept error is then a few units of 2**-128. On March
9th they are 6 · 2**(-1/7) = 5.434342 points, since both ends of the error round to that.
"""

# ruff: noqa: ARG002 - methods ignore arguments that other aggregates need

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any

from msgspec import Struct

from ..language.analysis import is_least
from ..language.definition import (
    EventPoints,
    GrowthLeaf,
    ScoreLeaf,
    TraitPath,
    TraitPoints,
)
from ..language.values import EXACT, satisfies, settled, shares_in
from .aggregates import Aggregate, ComparedAggregate, EventCount, Test
from .state import NEVER, Fact
from .view import View

BITS = 128
FRACTION_BYTES = 12
FRACTION_BITS = 8 * FRACTION_BYTES
UNIT = Decimal(2**BITS)
DECIMALS = Decimal("0.000001")
_DEEP = Context(prec=60, rounding=ROUND_HALF_EVEN)
_WIDE = Context(prec=2_000, rounding=ROUND_HALF_EVEN)
_FIVES = 5**BITS  # number / 2**BITS is number * 5**BITS / 10**BITS

Bounds = Callable[[View], tuple[int, int]]
"""The first instant of a window at τ, and the first instant after it."""


def counts(fact: Fact, points: EventPoints) -> bool:
    """Whether an event earns these points."""
    matches = points.events.matches(fact.name or "")
    return matches and all(satisfies(fact.data.get(c.path), c) for c in points.where)


class Periods(Struct, array_like=True):
    """The number of events in the latest period, and in the one before."""

    latest: int = 0
    before: int = 0


class Growth(Aggregate):
    """The events of the latest period compared with those of the period before."""

    layout = Periods

    def __init__(self, leaf: GrowthLeaf) -> None:
        self.leaf = leaf
        self.spans = (leaf.over, 2 * leaf.over)

    def empty(self) -> Periods:
        return Periods()

    def add(self, acc: Periods, fact: Fact, view: View) -> None:
        acc.latest += 1

    def drop(self, acc: Periods, fact: Fact, view: View, span: int) -> None:
        if span == 0:
            acc.latest -= 1
            acc.before += 1
        else:
            acc.before -= 1

    def observed(self, acc: Periods, view: View) -> Any:
        return [acc.latest, acc.before]

    def needed(self, acc: Periods) -> int | Decimal:
        """How many events the latest period needs."""
        return exact_product(self.leaf.ratio, acc.before)

    def holds(self, acc: Periods, view: View) -> bool:
        return bool(acc.before >= self.leaf.base and acc.latest >= self.needed(acc))


def exact_product(one: int | Decimal, other: int) -> int | Decimal:
    """The exact product of two numbers."""
    return EXACT.multiply(Decimal(one), Decimal(other))


class _Roots(dict[int, int]):
    """2**-(digit/256**(place+1)) in units of 2**-128, by digit; computed when first used."""

    def __init__(self, place: int) -> None:
        super().__init__({0: 1 << BITS})
        self._divisor = Decimal(256 ** (place + 1))

    def __missing__(self, digit: int) -> int:
        exponent = _DEEP.divide(Decimal(-digit), self._divisor)
        root = int(_DEEP.multiply(_DEEP.power(Decimal(2), exponent), UNIT))
        self[digit] = root
        return root


_ROOTS = tuple(_Roots(place) for place in range(FRACTION_BYTES))


class Decay:
    """What is left of points at an age: 2**(-age/half_life) of them."""

    __slots__ = ("_factor", "_shift")

    def __init__(self, age: int, half_life: int) -> None:
        halvings, rest = divmod(age, half_life)
        fraction = (rest << FRACTION_BITS) // half_life
        factor = 1 << BITS
        for roots, digit in zip(_ROOTS, fraction.to_bytes(FRACTION_BYTES, "big"), strict=True):
            if digit:
                factor = factor * roots[digit] >> BITS
        self._factor, self._shift = factor, BITS + halvings

    def of(self, number: int) -> int:
        """What is left of a number, off by less than one and by number/2**94."""
        return number * self._factor >> self._shift


class Decayed(Struct, array_like=True):
    """Points at an instant, in units of 2**-128, and how far they may be off."""

    points: int = 0
    time: int = NEVER
    error: int = 0


class Decaying:
    """The points of an event that halve."""

    layout = Decayed

    def __init__(self, points: EventPoints, half_life: int) -> None:
        self.points, self.half_life = points, half_life
        self._add = int(_DEEP.multiply(Decimal(points.add), UNIT))
        self._cap = None if points.cap is None else _units(points.cap) + 1

    def empty(self) -> Decayed:
        return Decayed()

    def change(self, acc: Decayed, fact: Fact, time: int, sign: int) -> None:
        """Add the points of an event at a time, or take them out again."""
        time = max(time, acc.time)
        points, error = self.at(acc, time)
        age = time - fact.time
        part = Decay(age, self.half_life).of(self._add) if age else self._add
        acc.points, acc.time = points + sign * part, time
        acc.error = error + (abs(part) >> 93) + 2

    def at(self, acc: Decayed, time: int) -> tuple[int, int]:
        """The points at an instant, and how far they may be off."""
        if acc.time in {NEVER, time}:
            return acc.points, acc.error
        decay = Decay(time - acc.time, self.half_life)
        return decay.of(acc.points), decay.of(acc.error) + (abs(acc.points) >> 93) + 2

    def most(self, acc: Decayed) -> int:
        """The most that the points can be from now on without another event, in units."""
        most = max(0, acc.points + acc.error)
        return most if self._cap is None else min(most, self._cap)

    def ends(self, acc: Decayed, view: View) -> tuple[Decimal, Decimal]:
        """The least and the most that the points may be at τ."""
        points, error = self.at(acc, view.time)
        return (
            capped(_from_units(points - error), self.points),
            capped(_from_units(points + error), self.points),
        )

    def exactly(self, acc: Decayed, view: View, since: int, until: int) -> Decimal:
        """The points in decimals, from the events of the instants [since, until)."""
        total = Decimal(0)
        for fact in view.events(since):
            if fact.time < until and counts(fact, self.points):
                age = _DEEP.divide(Decimal(fact.time - view.time), Decimal(self.half_life))
                part = _DEEP.multiply(Decimal(self.points.add), _DEEP.power(Decimal(2), age))
                total = _DEEP.add(total, part)
        return capped(total, self.points)


class Permanent:
    """The points of an event that stay: the accumulator is the number of events."""

    layout = EventCount

    def __init__(self, points: EventPoints) -> None:
        self.points = points

    def empty(self) -> EventCount:
        return EventCount()

    def change(self, acc: EventCount, fact: Fact, time: int, sign: int) -> None:
        """Add an event, or take it out again."""
        acc.count += sign

    def ends(self, acc: EventCount, view: View) -> tuple[Decimal, Decimal]:
        """The points of all events, twice."""
        points = capped(exact_product(self.points.add, acc.count), self.points)
        return points, points

    def exactly(self, acc: EventCount, view: View, since: int, until: int) -> Decimal:
        """The points of all events."""
        return self.ends(acc, view)[0]


Component = Decaying | Permanent


class Score(ComparedAggregate):
    """The sum of points. The accumulator lists one accumulator for each component of events."""

    looks_back = True

    bounds: Bounds
    """The instants of the window; set by the compiler."""

    def __init__(self, leaf: ScoreLeaf, test: Test) -> None:
        within = leaf.window.within if leaf.window.of is None else None
        super().__init__(test, within)
        self.components = [_component(p, leaf) for p in leaf.points if isinstance(p, EventPoints)]
        self.traits = [_trait_points(p) for p in leaf.points if isinstance(p, TraitPoints)]
        self.steady = leaf.half_life is None and not self.traits
        self._decaying = [c for c in self.components if isinstance(c, Decaying)]
        self._needed = _least_of(leaf) if self._decaying else None

    def empty(self) -> list[Any]:
        return [component.empty() for component in self.components]

    def restored(self, plain: Any) -> list[Any]:
        pairs = zip(self.components, plain, strict=True)
        return [component.layout(*part) for component, part in pairs]

    def add(self, acc: list[Any], fact: Fact, view: View) -> None:
        self._change(acc, fact, fact.time, 1)

    def drop(self, acc: list[Any], fact: Fact, view: View, span: int) -> None:
        self._change(acc, fact, fact.time + self.spans[span], -1)

    def observed(self, acc: list[Any], view: View) -> Any:
        """The points, rounded to six decimals, half to even."""
        low = high = self._of_traits(view)
        for component, part in zip(self.components, acc, strict=True):
            least, most = component.ends(part, view)
            low, high = _WIDE.add(low, least), _WIDE.add(high, most)
        total = rounded(low)
        return total if total == rounded(high) else self._exactly(acc, view)

    def holds(self, acc: list[Any], view: View) -> bool:
        if self._needed is not None:
            # Most moments are far from the threshold, and points only shrink.
            pairs = zip(self._decaying, acc, strict=True)
            if sum(component.most(part) for component, part in pairs) < self._needed:
                return False
        return super().holds(acc, view)

    def parts(self, acc: list[Any], view: View) -> list[Decimal]:
        """The points of each component of events, rounded, as evidence lists them."""
        pairs = zip(self.components, acc, strict=True)
        return [rounded(component.ends(part, view)[0]) for component, part in pairs]

    def _change(self, acc: list[Any], fact: Fact, time: int, sign: int) -> None:
        for component, part in zip(self.components, acc, strict=True):
            if counts(fact, component.points):
                component.change(part, fact, time, sign)

    def _of_traits(self, view: View) -> Decimal:
        total = Decimal(0)
        for points in self.traits:
            total = _WIDE.add(total, points(view))
        return total

    def _exactly(self, acc: list[Any], view: View) -> Decimal:
        total = self._of_traits(view)
        since, until = self.bounds(view)
        for component, part in zip(self.components, acc, strict=True):
            total = _DEEP.add(total, component.exactly(part, view, since, until))
        return rounded(total)


def _component(points: EventPoints, leaf: ScoreLeaf) -> Component:
    return Permanent(points) if leaf.half_life is None else Decaying(points, leaf.half_life)


def _least_of(leaf: ScoreLeaf) -> int | None:
    """How many units of 2**-128 events have to bring before a minimum can be reached.

    None if the comparison is not a minimum. Rounding may add half a millionth.
    """
    comparison = leaf.comparison
    if not is_least(comparison) or shares_in(comparison):
        return None
    of_traits = sum(max(0, p.add) for p in leaf.points if isinstance(p, TraitPoints))
    return _units(_WIDE.subtract(Decimal(comparison.operand), Decimal(of_traits) + DECIMALS))


def _units(number: int | Decimal) -> int:
    return int(_WIDE.multiply(Decimal(number), UNIT))


def _trait_points(points: TraitPoints) -> Callable[[View], Decimal]:
    path = TraitPath(points.condition.path, points.account)
    worth = Decimal(points.add)

    def found(view: View) -> Decimal:
        condition = settled(points.condition, view.trait)
        value = view.trait(path)
        holds = condition is not None and satisfies(value, condition)
        return worth if holds else Decimal(0)

    return found


def _from_units(number: int) -> Decimal:
    """A number of units of 2**-128, exactly."""
    return Decimal(number * _FIVES).scaleb(-BITS, _WIDE)


def capped(total: int | Decimal, points: EventPoints) -> Decimal:
    """The points of a component, no more than its cap."""
    return Decimal(total if points.cap is None else min(total, points.cap))


def rounded(total: Decimal) -> Decimal:
    """A number of points rounded to six decimals, half to even."""
    return total.quantize(DECIMALS, rounding=ROUND_HALF_EVEN, context=_WIDE)
