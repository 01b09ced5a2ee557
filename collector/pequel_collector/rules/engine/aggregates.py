"""Aggregates: what a leaf draws from the events in its window, kept up to date event by event.

An aggregate works on a *cell*, a small piece of plain data that belongs to a state. Events are
added in order of (time, messageId); from a rolling window they are dropped in the same order.
``observed`` is exact at every moment, and ``holds`` says whether the comparison does. A ``steady``
aggregate changes only when an event is added or dropped; the others are evaluated at every moment.
"""

# ruff: noqa: ARG002 - `Aggregate` and `Measured` say what each method promises

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from decimal import Decimal
from hashlib import blake2b
from typing import Any

from ..language.definition import Comparison, Condition, EventLeaf
from ..language.quantities import HOUR
from ..language.values import (
    EXACT,
    compare,
    exact,
    is_number,
    key,
    satisfies,
    settle,
    shares_in,
)
from .calendar import unit
from .state import Fact
from .view import View

Test = Callable[[Any, View], bool]
Cell = list[Any]

LONGEST = 200
"""Characters of a value that are kept to tell it from others."""


def test_of(comparison: Comparison, or_missing: bool) -> Test:
    """Whether what was observed, None where that is missing, meets a comparison at a moment."""
    if shares_in(comparison):
        return _shared_test(comparison, or_missing)
    operand = comparison.operand
    match comparison.operator:
        case "gte" if not or_missing:
            return lambda found, _: is_number(found) and bool(exact(found) >= operand)
        case "gt" if not or_missing:
            return lambda found, _: is_number(found) and bool(exact(found) > operand)
    condition = Condition("", (comparison,), or_missing)
    return lambda found, _: satisfies(found, condition)


def whole_test(comparison: Comparison) -> Test:
    """The same for what is always there and a whole number, such as a count."""
    if shares_in(comparison):
        return _shared_test(comparison, or_missing=False)
    operand = comparison.operand
    match comparison.operator:
        case "gte":
            return lambda found, _: bool(found >= operand)
        case "gt":
            return lambda found, _: bool(found > operand)
        case _:
            return lambda found, _: compare(found, comparison)


def _shared_test(comparison: Comparison, or_missing: bool) -> Test:
    def test(found: Any, view: View) -> bool:
        if found is None:
            return or_missing
        whole = settle(comparison, view.trait)
        return whole is not None and compare(found, whole)

    return test


class Aggregate:
    """What all aggregates have. ``spans`` are the ages (ms) at which events are dropped.

    One that ``looks_back`` reads events of the past itself.
    """

    spans: tuple[int, ...] = ()
    steady = True
    looks_back = False

    def empty(self) -> Cell:
        """A cell that has seen nothing."""
        raise NotImplementedError

    def add(self, cell: Cell, fact: Fact, view: View) -> None:
        """Take in an event that counts."""
        raise NotImplementedError

    def drop(self, cell: Cell, fact: Fact, view: View, span: int) -> None:
        """Let go of the oldest event that has come to the age of a span, by its index."""
        raise NotImplementedError

    def observed(self, cell: Cell, view: View) -> Any:
        """What there is to compare; None where it is missing."""
        raise NotImplementedError

    def holds(self, cell: Cell, view: View) -> bool:
        """Whether the comparison holds at τ."""
        raise NotImplementedError


class Measured(Aggregate):
    """An aggregate that compares what it observes."""

    def __init__(self, test: Test, within: int | None = None) -> None:
        self.test = test
        self.within = within
        if within is not None:
            self.spans = (within,)

    def holds(self, cell: Cell, view: View) -> bool:
        return self.test(self.observed(cell, view), view)


class Count(Measured):
    """How many events."""

    def empty(self) -> Cell:
        return [0]

    def add(self, cell: Cell, fact: Fact, view: View) -> None:
        cell[0] += 1

    def drop(self, cell: Cell, fact: Fact, view: View, span: int) -> None:
        cell[0] -= 1

    def observed(self, cell: Cell, view: View) -> Any:
        return cell[0]

    def holds(self, cell: Cell, view: View) -> bool:
        return self.test(cell[0], view)


class Distinct(Measured):
    """How many different values: each with the number of events that have it."""

    def __init__(self, test: Test, within: int | None, value: Callable[[Fact], str | None]) -> None:
        super().__init__(test, within)
        self.value = value

    def empty(self) -> Cell:
        return [{}]

    def add(self, cell: Cell, fact: Fact, view: View) -> None:
        value = self.value(fact)
        if value is not None:
            cell[0][value] = cell[0].get(value, 0) + 1

    def drop(self, cell: Cell, fact: Fact, view: View, span: int) -> None:
        value = self.value(fact)
        if value is not None:
            cell[0][value] -= 1
            if not cell[0][value]:
                del cell[0][value]

    def observed(self, cell: Cell, view: View) -> Any:
        return len(cell[0])


class Units(Measured):
    """How many days, hours or minutes, in a window that only grows.

    Events come in order of time, so that a unit that is new is later than all before; but for the
    rare day that a zone enters twice, for which the latest few are remembered.
    """

    def __init__(self, test: Test, unit: Callable[[int], int]) -> None:
        super().__init__(test)
        self.unit = unit

    def empty(self) -> Cell:
        return [0]

    def add(self, cell: Cell, fact: Fact, view: View) -> None:
        number = self.unit(fact.time)
        if number not in cell[1:]:
            cell[0] += 1
            cell[1:] = [*cell[-2:], number] if len(cell) > 1 else [number]

    def observed(self, cell: Cell, view: View) -> Any:
        return cell[0]


class Calendar(Measured):
    """How many days or hours of the calendar: τ's own and those before it, ``length`` in all.

    The cell lists them in order. Days are numbers, hours the instants at which they began.
    """

    steady = False

    def __init__(self, test: Test, unit: Callable[[int], int], length: int) -> None:
        super().__init__(test)
        self.unit, self.length = unit, length

    def empty(self) -> Cell:
        return []

    def add(self, cell: Cell, fact: Fact, view: View) -> None:
        number = self.unit(fact.time)
        if number not in cell[-3:]:
            cell.insert(bisect_right(cell, number), number)
            del cell[: bisect_right(cell, number - 2 * self.length)]

    def sees(self, time: int, now: int) -> bool:
        """Whether an instant lies in the window at τ."""
        latest = self.unit(now)
        return latest - self.length < self.unit(time) <= latest

    def observed(self, cell: Cell, view: View) -> Any:
        now = self.unit(view.time)
        return bisect_right(cell, now) - bisect_right(cell, now - self.length)


class Sum(Measured):
    """The exact sum of a property, passing over what is no number."""

    def __init__(self, test: Test, within: int | None, path: str) -> None:
        super().__init__(test, within)
        self.path = path

    def empty(self) -> Cell:
        return [0]

    def add(self, cell: Cell, fact: Fact, view: View) -> None:
        self._change(cell, fact, 1)

    def drop(self, cell: Cell, fact: Fact, view: View, span: int) -> None:
        self._change(cell, fact, -1)

    def observed(self, cell: Cell, view: View) -> Any:
        return _number(cell[0])

    def _change(self, cell: Cell, fact: Fact, sign: int) -> None:
        value = fact.data.get(self.path)
        if type(value) is int and type(cell[0]) is int:
            cell[0] += sign * value
        elif is_number(value):
            cell[0] = _plain(EXACT.add(Decimal(_number(cell[0])), sign * Decimal(exact(value))))


class Max(Measured):
    """The largest number that a property has: of those that later ones have not outdone."""

    def __init__(self, test: Test, within: int | None, path: str) -> None:
        super().__init__(test)
        self.path, self.within = path, within
        self.steady = within is None

    def empty(self) -> Cell:
        return []

    def add(self, cell: Cell, fact: Fact, view: View) -> None:
        value = fact.data.get(self.path)
        if not is_number(value):
            return
        if self.within is None:
            cell[:] = cell if cell and exact(cell[0][1]) >= exact(value) else [[fact.time, value]]
            return
        while cell and exact(cell[-1][1]) <= exact(value):
            cell.pop()
        cell.append([fact.time, value])

    def observed(self, cell: Cell, view: View) -> Any:
        if self.within is not None:
            while cell and cell[0][0] <= view.time - self.within:
                del cell[0]
        return cell[0][1] if cell else None


class Last(Measured):
    """The latest value of a property."""

    def __init__(self, test: Test, within: int | None, path: str) -> None:
        super().__init__(test)
        self.path, self.within = path, within
        self.steady = within is None

    def empty(self) -> Cell:
        return []

    def add(self, cell: Cell, fact: Fact, view: View) -> None:
        value = fact.data.get(self.path)
        if value is not None:
            cell[:] = fact.time, value

    def observed(self, cell: Cell, view: View) -> Any:
        if not cell or (self.within is not None and cell[0] <= view.time - self.within):
            return None
        return cell[1]


def aggregate_of(leaf: EventLeaf, timezone: str) -> Aggregate:
    """The aggregate of the events of a leaf, without what ``per`` makes of it."""
    within = leaf.window.within if leaf.window.of is None else None
    counts = leaf.measure in {"count", "distinct"}
    test = whole_test(leaf.comparison) if counts else test_of(leaf.comparison, leaf.or_missing)
    value = leaf.value or ""
    match leaf.measure:
        case "count":
            return Count(test, within)
        case "sum":
            return Sum(test, within, value)
        case "max":
            return Max(test, within, value)
        case "last":
            return Last(test, within, value)
        case "distinct":
            return _distinct(value, test, within, timezone)


def _distinct(value: str, test: Test, within: int | None, timezone: str) -> Aggregate:
    if value not in {"@day", "@hour", "@minute"}:
        return Distinct(test, within, value_of(value))
    number = unit(value, timezone)
    if within is None:
        return Units(test, number)
    if value == "@minute":
        return Distinct(test, within, lambda fact: str(number(fact.time)))
    return Calendar(test, number, within if value == "@hour" else within // (24 * HOUR))


def value_of(word: str) -> Callable[[Fact], str | None]:
    """What makes two events different, as a text; None passes an event over."""
    match word:
        case "@user":
            return lambda fact: fact.user
        case "@event":
            return lambda fact: fact.name
        case path:
            return lambda fact: None if (v := fact.data.get(path)) is None else short(key(v))


def short(text: str) -> str:
    """A text that fits into an index: a long one is named by its hash, which no key begins like."""
    if len(text) <= LONGEST:
        return text
    return "#" + blake2b(text.encode("utf-8", "surrogatepass"), digest_size=32).hexdigest()


def _number(stored: int | str) -> int | Decimal:
    return Decimal(stored) if isinstance(stored, str) else stored


def _plain(number: Decimal) -> int | str:
    return int(number) if number == number.to_integral_value() else str(number)
