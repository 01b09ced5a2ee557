"""Growth and scores.

A score with a half-life is kept as one whole number, in units of 2**-128, beside a bound of its
error, and brought forward by one multiplication for each event. It is rounded to six decimals;
where the bound leaves the rounding open, which hardly ever happens, the points are summed anew
from the events, in decimals of sixty digits.
"""

# ruff: noqa: ARG002 - `Aggregate` says what each method promises

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Context, Decimal
from functools import cache
from typing import Any

from ..language.definition import (
    EventPoints,
    GrowthLeaf,
    ScoreLeaf,
    TraitPath,
    TraitPoints,
)
from ..language.values import EXACT, satisfies, settled
from .aggregates import Aggregate, Cell, Measured, Test
from .state import NEVER, Fact
from .view import View

BITS = 128
FRACTION = 96
UNIT = Decimal(2**BITS)
DECIMALS = Decimal("0.000001")
_DEEP = Context(prec=60, rounding=ROUND_HALF_EVEN)
_WIDE = Context(prec=2_000, rounding=ROUND_HALF_EVEN)


Bounds = Callable[[View], tuple[int, int]]
"""The first instant of a window, and the one behind its last."""


def counts(fact: Fact, points: EventPoints) -> bool:
    """Whether an event earns these points."""
    matches = points.events.matches(fact.name or "")
    return matches and all(satisfies(fact.data.get(c.path), c) for c in points.where)


class Growth(Aggregate):
    """Events of the latest period beside those of the one before: ``[latest, before]``."""

    def __init__(self, leaf: GrowthLeaf) -> None:
        self.leaf = leaf
        self.spans = (leaf.over, 2 * leaf.over)

    def empty(self) -> Cell:
        return [0, 0]

    def add(self, cell: Cell, fact: Fact, view: View) -> None:
        cell[0] += 1

    def drop(self, cell: Cell, fact: Fact, view: View, span: int) -> None:
        cell[span] -= 1
        if span == 0:
            cell[1] += 1

    def observed(self, cell: Cell, view: View) -> Any:
        return list(cell)

    def needed(self, cell: Cell) -> int | Decimal:
        """How many events the latest period needs."""
        return exact_product(self.leaf.ratio, cell[1])

    def holds(self, cell: Cell, view: View) -> bool:
        return bool(cell[1] >= self.leaf.base and cell[0] >= self.needed(cell))


def exact_product(one: int | Decimal, other: int) -> int | Decimal:
    """A product of any two numbers, exactly."""
    return EXACT.multiply(Decimal(one), Decimal(other))


def halved(number: int, age: int, half_life: int) -> int:
    """A number times 2**(-age/half_life), off by less than one and by number/2**94."""
    whole, rest = divmod(age, half_life)
    fraction = (rest << FRACTION) // half_life
    factor = 1 << BITS
    for place in range(FRACTION // 8):
        digit = fraction >> (FRACTION - 8 - 8 * place) & 255
        if digit:
            factor = factor * _root(place, digit) >> BITS
    return number * factor >> (BITS + whole)


@cache
def _root(place: int, digit: int) -> int:
    """2**-(digit/256**(place+1)), in units of 2**-128."""
    exponent = _DEEP.divide(Decimal(-digit), Decimal(256 ** (place + 1)))
    return int(_DEEP.multiply(_DEEP.power(Decimal(2), exponent), UNIT))


class Decaying:
    """Points that halve: ``[points at an instant, the instant, bound of the error]``."""

    def __init__(self, points: EventPoints, half_life: int) -> None:
        self.points, self.half_life = points, half_life
        self._add = int(_DEEP.multiply(Decimal(points.add), UNIT))

    def empty(self) -> Cell:
        return [0, NEVER, 0]

    def change(self, cell: Cell, fact: Fact, time: int, sign: int) -> None:
        """Add, or take out again, the points of an event at a later or equal time."""
        time = max(time, cell[1])
        value, error = self.at(cell, time)
        part = halved(self._add, time - fact.time, self.half_life)
        cell[0], cell[1] = value + sign * part, time
        cell[2] = error + (abs(part) >> 93) + 2

    def at(self, cell: Cell, time: int) -> tuple[int, int]:
        """The points at an instant, and how far they may be off."""
        value, since, error = cell
        if since in {NEVER, time}:
            return value, error
        age = time - since
        doubt = halved(error, age, self.half_life) + (abs(value) >> 93) + 2
        return halved(value, age, self.half_life), doubt

    def exactly(self, view: View, since: int, until: int) -> Decimal:
        """The points in decimals, from the events of the instants [since, until)."""
        total = Decimal(0)
        for fact in view.events(since):
            if fact.time < until and counts(fact, self.points):
                age = _DEEP.divide(Decimal(fact.time - view.time), Decimal(self.half_life))
                part = _DEEP.multiply(Decimal(self.points.add), _DEEP.power(Decimal(2), age))
                total = _DEEP.add(total, part)
        return total


class Counting:
    """Points that stay: the number of events."""

    def __init__(self, points: EventPoints) -> None:
        self.points = points

    def empty(self) -> Cell:
        return [0]

    def change(self, cell: Cell, fact: Fact, time: int, sign: int) -> None:
        """Add, or take out again, an event."""
        cell[0] += sign

    def total(self, cell: Cell) -> Decimal:
        """The points of all events."""
        return capped(exact_product(self.points.add, cell[0]), self.points)


Component = Decaying | Counting


class Score(Measured):
    """The sum of points. The cell has one cell for each component of events."""

    looks_back = True

    bounds: Bounds
    """Which instants the window has; set by whoever knows."""

    def __init__(self, leaf: ScoreLeaf, test: Test) -> None:
        within = leaf.window.within if leaf.window.of is None else None
        super().__init__(test, within)
        self.components = [_component(p, leaf) for p in leaf.points if isinstance(p, EventPoints)]
        self.traits = [_trait_points(p) for p in leaf.points if isinstance(p, TraitPoints)]
        self.steady = leaf.half_life is None and not self.traits

    def empty(self) -> Cell:
        return [component.empty() for component in self.components]

    def add(self, cell: Cell, fact: Fact, view: View) -> None:
        self._change(cell, fact, fact.time, 1)

    def drop(self, cell: Cell, fact: Fact, view: View, span: int) -> None:
        self._change(cell, fact, fact.time + self.spans[span], -1)

    def observed(self, cell: Cell, view: View) -> Any:
        """The points, rounded to six decimals, half to even."""
        low = high = sum((points(view) for points in self.traits), Decimal(0))
        for component, part in zip(self.components, cell, strict=True):
            least, most = self._ends(component, part, view)
            low, high = _WIDE.add(low, least), _WIDE.add(high, most)
        total = rounded(low)
        return total if total == rounded(high) else self._exactly(cell, view)

    def parts(self, cell: Cell, view: View) -> list[Decimal]:
        """The points of each component of events, rounded, as evidence lists them."""
        return [
            rounded(self._ends(component, part, view)[0])
            for component, part in zip(self.components, cell, strict=True)
        ]

    def _change(self, cell: Cell, fact: Fact, time: int, sign: int) -> None:
        for component, part in zip(self.components, cell, strict=True):
            if counts(fact, component.points):
                component.change(part, fact, time, sign)

    def _exactly(self, cell: Cell, view: View) -> Decimal:
        total = sum((points(view) for points in self.traits), Decimal(0))
        since, until = self.bounds(view)
        for component, part in zip(self.components, cell, strict=True):
            if isinstance(component, Counting):
                total = _DEEP.add(total, self._ends(component, part, view)[0])
            else:
                points = component.exactly(view, since, until)
                total = _DEEP.add(total, capped(points, component.points))
        return rounded(total)

    def _ends(self, component: Component, part: Cell, view: View) -> tuple[Decimal, Decimal]:
        """The points of a component: no less than the one, no more than the other."""
        if isinstance(component, Counting):
            points = component.total(part)
            return points, points
        value, error = component.at(part, view.time)
        ends = (_WIDE.divide(Decimal(end), UNIT) for end in (value - error, value + error))
        least, most = (capped(end, component.points) for end in ends)
        return least, most


def _component(points: EventPoints, leaf: ScoreLeaf) -> Component:
    return Counting(points) if leaf.half_life is None else Decaying(points, leaf.half_life)


def _trait_points(points: TraitPoints) -> Callable[[View], Decimal]:
    path = TraitPath(points.condition.path, points.account)
    worth = Decimal(points.add)

    def found(view: View) -> Decimal:
        condition = settled(points.condition, view.trait)
        value = view.trait(path)
        holds = condition is not None and satisfies(value, condition)
        return worth if holds else Decimal(0)

    return found


def capped(total: int | Decimal, points: EventPoints) -> Decimal:
    """The points of a component, no more than its cap."""
    return Decimal(total if points.cap is None else min(total, points.cap))


def rounded(total: Decimal) -> Decimal:
    """A number of points rounded to six decimals, half to even."""
    return total.quantize(DECIMALS, rounding=ROUND_HALF_EVEN, context=_WIDE)
