"""The measures of a leaf: what it remembers of each fact, and what it says at τ.

Each measure has two forms of one meaning. ``observe`` and ``holds`` fold facts in order of time
and keep no more than the comparison needs: of a count of at least 3, the three latest times.
``matching`` and ``observed`` look at all facts at once and give the exact value, for evidence
and progress. The tests hold the two together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from .clockwork import LENGTH, unit
from .definition import EventLeaf
from .facts import Fact, State
from .values import ceiling, key, measures_up, satisfies

CALENDAR = ("@day", "@hour")


class EventMeasure:
    """Counts the events that a leaf names, or the different values among them."""

    def __init__(self, leaf: EventLeaf, number: int, timezone: str) -> None:
        self.leaf = leaf
        self.number = str(number)
        self.cap = ceiling(leaf.comparison)
        self.anchor = leaf.window.of
        self.value = _value_of(leaf.distinct, timezone)
        self.rolling = leaf.window.of is None and leaf.window.within is not None
        self._position, self._span = _position(leaf, timezone)

    @property
    def paths(self) -> tuple[str, ...]:
        """The properties that it looks at."""
        wanted = [condition.path for condition in self.leaf.where]
        if self.leaf.distinct and not self.leaf.distinct.startswith("@"):
            wanted.append(self.leaf.distinct)
        return tuple(wanted)

    def accepts(self, fact: Fact) -> bool:
        """Whether an event whose name matches is counted: the ``where`` holds."""
        return all(satisfies(fact.data.get(c.path), c) for c in self.leaf.where)

    def observe(self, state: State, fact: Fact, anchor: int | None) -> None:
        """Take in one event that the leaf names; facts come in order of time."""
        if self.leaf.where and not self.accepts(fact):
            return
        if self.anchor is not None and not self.inside(fact.time, anchor):
            return
        found = self.value(fact)
        if found is not None:
            state.slots[self.number] = self._remember(state.slots.get(self.number), fact, found)

    def inside(self, time: int, anchor: int | None) -> bool:
        """Whether an instant lies in the anchored window; a leaf without anchor has no such."""
        if self.anchor is None:
            return True
        within = self.leaf.window.within
        return anchor is not None and anchor <= time and (within is None or time < anchor + within)

    def _remember(self, slot: Any, fact: Fact, found: str) -> Any:
        if self.leaf.distinct is None:
            return _recent(slot, fact.time, self.cap) if self.rolling else (slot or 0) + 1
        values: dict[str, int] = {} if slot is None else slot
        if self.rolling:
            values.pop(found, None)
            values[found] = self._position(fact.time)
            if len(values) > self.cap:
                del values[next(iter(values))]
        elif len(values) < self.cap:
            values.setdefault(found, fact.time)
        return values

    def holds(self, state: State, time: int, anchor: int | None) -> bool:
        """Whether the comparison holds at τ, given what was observed up to it."""
        if self.anchor is not None and anchor is None:
            return False
        return measures_up(self._count(state.slots.get(self.number), time), self.leaf.comparison)

    def _count(self, slot: Any, time: int) -> int:
        if slot is None:
            return 0
        if not self.rolling:
            return slot if isinstance(slot, int) else len(slot)
        edge = self._position(time) - self._span
        positions: Iterable[int] = slot.values() if isinstance(slot, dict) else slot
        return sum(1 for position in positions if position > edge)

    def matching(self, facts: Sequence[Fact], time: int, anchor: int | None) -> list[Fact]:
        """The events that count at τ, earliest first, one for each different value."""
        if self.anchor is not None and anchor is None:
            return []
        edge = self._position(time) - self._span
        counted = (
            fact for fact in facts
            if fact.name is not None and fact.time <= time
            and self.leaf.events.matches(fact.name) and self.accepts(fact)
            and self.inside(fact.time, anchor)
            and not (self.rolling and self._position(fact.time) <= edge)
        )  # fmt: skip
        first: dict[str, Fact] = {}
        for fact in counted:
            found = self.value(fact)
            if found is not None:
                first.setdefault(found, fact)
        return list(first.values())


def _recent(times: list[int] | None, time: int, cap: int) -> list[int]:
    times = [] if times is None else times
    times.append(time)
    if len(times) > cap:
        del times[0]
    return times


def _value_of(distinct: str | None, timezone: str) -> Callable[[Fact], str | None]:
    """What makes two events different for a leaf: the message itself where nothing is named."""
    match distinct:
        case None:
            return lambda fact: fact.mid
        case "@user":
            return lambda fact: fact.user
        case "@event":
            return lambda fact: fact.name
        case "@day" | "@hour" | "@minute":
            number = unit(distinct, timezone)
            return lambda fact: str(number(fact.time))
        case path:
            return lambda fact: None if (v := fact.data.get(path)) is None else key(v)


def _position(leaf: EventLeaf, timezone: str) -> tuple[Callable[[int], int], int]:
    """Where an instant lies on the axis along which a window rolls, and the window's length there.

    The axis is time in ms; for ``@day`` and ``@hour`` it is the number of the calendar unit.
    """
    within = leaf.window.within or 0
    if leaf.distinct in CALENDAR and leaf.window.of is None:
        return unit(leaf.distinct, timezone), within // LENGTH[leaf.distinct]
    return (lambda time: time), within
