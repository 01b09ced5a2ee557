"""Aggregates: the number or value that a leaf takes from the events in its window.

An aggregate works on an *accumulator*, a small piece of plain data that belongs to a state. Events
are added in the order of facts, and dropped in the same order when they leave a rolling
window. ``observed`` is exact at every moment, and ``holds`` says whether the comparison does.
Neither changes the accumulator.

For example, ``{ event = "used", sum = "n", gte = 5, within = "7d" }``: `Sum` starts with a total
of 0; an event with ``n = 2`` makes it 2 and one with ``n = 4`` makes it 6, so it holds. When the
first event is seven days old its window drops it, and the total is 4 again.
"""

# ruff: noqa: ARG002 - methods ignore arguments that other aggregates need

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from decimal import Decimal
from hashlib import blake2b
from operator import attrgetter, ge, le
from typing import Any

from msgspec import Struct

from ...model import is_number
from ..language.definition import Comparison, Condition, EventLeaf
from ..language.measures import MEASURES
from ..language.quantities import HOUR
from ..language.values import (
    EXACT,
    compare,
    dates_in,
    exact,
    key,
    satisfies,
    settle,
    shares_in,
)
from .calendar import unit
from .state import Fact
from .view import View

Test = Callable[[Any, View], bool]

MAX_KEY_LENGTH = 200
"""Longer texts are replaced by their hash where they are keys."""

MAX_INT = 10**4_000
"""Sums beyond this are kept as text: JSON integers may have 4,300 digits and no more."""


def test_of(comparison: Comparison, or_missing: bool) -> Test:
    """The test of an observed value, None if it is missing, against a comparison."""
    if shares_in(comparison):
        return _shared_test(comparison, or_missing)
    operand, is_plain = comparison.operand, not or_missing and not dates_in(comparison)
    match comparison.operator:
        case "gte" if is_plain:
            return lambda found, _: is_number(found) and bool(exact(found) >= operand)
        case "gt" if is_plain:
            return lambda found, _: is_number(found) and bool(exact(found) > operand)
    condition = Condition("", (comparison,), or_missing)
    return lambda found, _: satisfies(found, condition)


def whole_test(comparison: Comparison) -> Test:
    """The test of a whole number that is never missing, such as a count."""
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
    """Base of all aggregates.

    ``spans`` are the ages (ms) at which events are dropped. A ``steady`` aggregate changes only
    when an event is added or dropped; the others can change as time or a trait does. One that
    ``looks_back`` reads past events itself. One that ``advances`` has to be brought to τ first. One
    that ``can_restart`` has an empty accumulator again once every event was dropped, so that they
    need not be dropped one by one.
    """

    layout: Any = None
    """The type of the accumulator, if it is a record."""
    spans: tuple[int, ...] = ()
    steady = True
    looks_back = False
    advances = False
    can_restart = False

    def empty(self) -> Any:
        """An accumulator without events."""
        raise NotImplementedError

    def restored(self, plain: Any) -> Any:
        """An accumulator that was read from JSON, as records."""
        return plain if self.layout is None or plain is None else self.layout(*plain)

    def add(self, acc: Any, fact: Fact, view: View) -> None:
        """Take in an event that counts."""
        raise NotImplementedError

    def drop(self, acc: Any, fact: Fact, view: View, span: int) -> None:
        """Drop the oldest event, which has reached the age ``spans[span]``."""
        raise NotImplementedError

    def advance(self, acc: Any, view: View) -> None:
        """Bring an accumulator to τ, after events were dropped."""

    def observed(self, acc: Any, view: View) -> Any:
        """What there is to compare; None if it is missing."""
        raise NotImplementedError

    def holds(self, acc: Any, view: View) -> bool:
        """Whether the comparison holds at τ."""
        raise NotImplementedError


class ComparedAggregate(Aggregate):
    """An aggregate that compares what it observes."""

    def __init__(self, test: Test, within: int | None = None) -> None:
        self.test = test
        self.within = within
        if within is not None:
            self.spans = (within,)

    def holds(self, acc: Any, view: View) -> bool:
        return self.test(self.observed(acc, view), view)


class EventCount(Struct, array_like=True):
    """The number of events."""

    count: int = 0


class Count(ComparedAggregate):
    """How many events."""

    layout = EventCount
    can_restart = True

    def empty(self) -> EventCount:
        return EventCount()

    def add(self, acc: EventCount, fact: Fact, view: View) -> None:
        acc.count += 1

    def drop(self, acc: EventCount, fact: Fact, view: View, span: int) -> None:
        acc.count -= 1

    def observed(self, acc: EventCount, view: View) -> Any:
        return acc.count

    def holds(self, acc: EventCount, view: View) -> bool:
        return self.test(acc.count, view)


class ValueCounts(Struct, array_like=True):
    """The number of events with each value."""

    by_value: dict[str, int]


class Distinct(ComparedAggregate):
    """How many different values the events have."""

    layout = ValueCounts
    can_restart = True

    def __init__(self, test: Test, within: int | None, value: Callable[[Fact], str | None]) -> None:
        super().__init__(test, within)
        self.value = value

    def empty(self) -> ValueCounts:
        return ValueCounts({})

    def add(self, acc: ValueCounts, fact: Fact, view: View) -> None:
        value = self.value(fact)
        if value is not None:
            acc.by_value[value] = acc.by_value.get(value, 0) + 1

    def drop(self, acc: ValueCounts, fact: Fact, view: View, span: int) -> None:
        value = self.value(fact)
        if value is not None:
            acc.by_value[value] -= 1
            if not acc.by_value[value]:
                del acc.by_value[value]

    def observed(self, acc: ValueCounts, view: View) -> Any:
        return len(acc.by_value)


class Units(ComparedAggregate):
    """How many days, hours or minutes, in a window that only grows.

    The accumulator is ``[count, unit, …]``, the number and the latest few units. Events come in
    order of time, so a new unit is later than all before, except on the rare day that a time zone
    enters twice.
    """

    def __init__(self, test: Test, unit: Callable[[int], int]) -> None:
        super().__init__(test)
        self.unit = unit

    def empty(self) -> list[int]:
        return [0]

    def add(self, acc: list[int], fact: Fact, view: View) -> None:
        count, *latest = acc
        number = self.unit(fact.time)
        if number not in latest:
            acc[:] = [count + 1, *latest[-2:], number]

    def observed(self, acc: list[int], view: View) -> Any:
        return acc[0]


class Calendar(ComparedAggregate):
    """How many of the latest ``length`` days or hours of the calendar, τ's own included.

    The accumulator lists them in order. Days are numbers, hours the instants at which they began.
    """

    steady = False

    def __init__(self, test: Test, unit: Callable[[int], int], length: int) -> None:
        super().__init__(test)
        self.unit, self.length = unit, length

    def empty(self) -> list[int]:
        return []

    def add(self, acc: list[int], fact: Fact, view: View) -> None:
        number = self.unit(fact.time)
        if number not in acc[-3:]:
            acc.insert(bisect_right(acc, number), number)
            del acc[: bisect_right(acc, number - 2 * self.length)]

    def sees(self, time: int, now: int) -> bool:
        """Whether an instant is in the window at τ."""
        latest = self.unit(now)
        return latest - self.length < self.unit(time) <= latest

    def observed(self, acc: list[int], view: View) -> Any:
        now = self.unit(view.time)
        return bisect_right(acc, now) - bisect_right(acc, now - self.length)


class Total(Struct, array_like=True):
    """A sum: an integer, or the text of a decimal."""

    total: int | str = 0


class Sum(ComparedAggregate):
    """The exact sum of a property. Values that are not numbers are skipped."""

    layout = Total
    can_restart = True

    def __init__(self, test: Test, within: int | None, path: str) -> None:
        super().__init__(test, within)
        self.path = path

    def empty(self) -> Total:
        return Total()

    def add(self, acc: Total, fact: Fact, view: View) -> None:
        self._change(acc, fact, 1)

    def drop(self, acc: Total, fact: Fact, view: View, span: int) -> None:
        self._change(acc, fact, -1)

    def observed(self, acc: Total, view: View) -> Any:
        return Decimal(acc.total) if isinstance(acc.total, str) else acc.total

    def _change(self, acc: Total, fact: Fact, sign: int) -> None:
        value = fact.data.get(self.path)
        if type(value) is int and type(acc.total) is int:
            total = acc.total + sign * value
            acc.total = total if -MAX_INT < total < MAX_INT else str(Decimal(total))
        elif is_number(value):
            change = EXACT.add if sign > 0 else EXACT.subtract
            acc.total = _plain(change(Decimal(acc.total), Decimal(exact(value))))


class TimedValue(Struct, array_like=True):
    """A number that an event had, and the time of the event."""

    time: int
    value: Any


class Max(ComparedAggregate):
    """The largest number that a property has.

    The accumulator lists the events that can still be the largest, in order of time: each has a
    larger number than all later ones. In a window of all time that is one event.
    """

    outdoes = staticmethod(ge)

    def __init__(self, test: Test, within: int | None, path: str) -> None:
        super().__init__(test)
        self.path, self.within = path, within
        self.steady = within is None

    def empty(self) -> list[TimedValue]:
        return []

    def restored(self, plain: Any) -> list[TimedValue]:
        return [TimedValue(*each) for each in plain]

    def add(self, acc: list[TimedValue], fact: Fact, view: View) -> None:
        value = fact.data.get(self.path)
        if not is_number(value):
            return
        if self.within is None:
            if not acc or not self.outdoes(exact(acc[0].value), exact(value)):
                acc[:] = [TimedValue(fact.time, value)]
            return
        while acc and self.outdoes(exact(value), exact(acc[-1].value)):
            acc.pop()
        acc.append(TimedValue(fact.time, value))
        self.forget_left(acc, fact.time)

    def forget(self, acc: list[TimedValue], until: int) -> bool:
        """Forget the events up to an instant; whether there were any."""
        first = _first_after(acc, until)
        del acc[:first]
        return first > 0

    def forget_left(self, acc: list[TimedValue], now: int) -> bool:
        """Forget the events that have left the window by an instant; whether there were any."""
        return self.within is not None and self.forget(acc, now - self.within)

    def current(self, acc: list[TimedValue]) -> Any:
        """The largest number, those that left the window but were not forgotten included."""
        return acc[0].value if acc else None

    def observed(self, acc: list[TimedValue], view: View) -> Any:
        first = 0 if self.within is None else _first_after(acc, view.time - self.within)
        return acc[first].value if first < len(acc) else None


class Min(Max):
    """The smallest number that a property has."""

    outdoes = staticmethod(le)


class Last(ComparedAggregate):
    """The latest value of a property. The accumulator is ``[time, value]``, or empty."""

    def __init__(self, test: Test, within: int | None, path: str) -> None:
        super().__init__(test)
        self.path, self.within = path, within
        self.steady = within is None

    def empty(self) -> list[Any]:
        return []

    def add(self, acc: list[Any], fact: Fact, view: View) -> None:
        value = fact.data.get(self.path)
        if value is not None:
            acc[:] = fact.time, value

    def forget(self, acc: list[Any], until: int) -> bool:
        """Forget the event if it is not later than an instant; whether it was forgotten."""
        forgets = bool(acc) and acc[0] <= until
        if forgets:
            acc.clear()
        return forgets

    def forget_left(self, acc: list[Any], now: int) -> bool:
        """Forget the event if it has left the window by an instant; whether it was forgotten."""
        return self.within is not None and self.forget(acc, now - self.within)

    def current(self, acc: list[Any]) -> Any:
        """The latest value, also if it left the window but was not forgotten."""
        return acc[1] if acc else None

    def observed(self, acc: list[Any], view: View) -> Any:
        if not acc:
            return None
        time, value = acc
        return None if self.within is not None and time <= view.time - self.within else value


OF_PROPERTY: dict[str, Callable[[Test, int | None, str], Aggregate]] = {
    "sum": Sum,
    "min": Min,
    "max": Max,
    "last": Last,
}


def aggregate_of(leaf: EventLeaf, timezone: str) -> Aggregate:
    """The aggregate of a leaf, not yet split by ``per``."""
    within = leaf.window.within if leaf.window.of is None else None
    is_count = MEASURES[leaf.measure].is_count
    test = whole_test(leaf.comparison) if is_count else test_of(leaf.comparison, leaf.or_missing)
    value = leaf.value or ""
    match leaf.measure:
        case "count":
            return Count(test, within)
        case "distinct":
            return _distinct(value, test, within, timezone)
        case drawn:
            return OF_PROPERTY[drawn](test, within, value)


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
    """A function from an event to its value, as a text; None where it has none."""
    match word:
        case "@user":
            return lambda fact: fact.user
        case "@event":
            return lambda fact: fact.name
        case path:
            return lambda fact: None if (v := fact.data.get(path)) is None else short(key(v))


def short(text: str) -> str:
    """A text that fits into an index: a long one becomes its hash, with a prefix no key has."""
    if len(text) <= MAX_KEY_LENGTH:
        return text
    return "#" + blake2b(text.encode("utf-8", "surrogatepass"), digest_size=32).hexdigest()


def _first_after(acc: list[TimedValue], time: int) -> int:
    """The index of the first event later than a time."""
    if not acc or acc[0].time > time:
        return 0
    return bisect_right(acc, time, key=attrgetter("time"))


def _plain(number: Decimal) -> int | str:
    """A sum as JSON can hold it."""
    is_whole = number == number.to_integral_value()
    return int(number) if is_whole and -MAX_INT < number < MAX_INT else str(number)
