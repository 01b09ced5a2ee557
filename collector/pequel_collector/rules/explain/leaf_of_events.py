"""A number that is drawn from events, at τ, and the events that decide it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

from ...model import JSON
from ..engine.aggregates import Calendar, Distinct, Units, value_of
from ..engine.keyed import Parts, Values
from ..engine.state import Fact
from ..engine.windows import AllTimeWindow
from ..language.definition import (
    EventLeaf,
)
from ..language.measures import MEASURES
from .leaf import WindowedExplanation, bare, counts
from .plain import plain


class EventExplanation(WindowedExplanation):
    """A number that is drawn from events."""

    leaf: EventLeaf

    @cached_property
    def counted(self) -> list[Fact]:
        """The events that it counts: the first of each distinct value, those of the best part."""
        if self.acc is None or (counts(self.leaf) and not self.observed):
            return []
        found = [f for f in self.compiled.counted(self.ctx, self.looked_at) if self._is_inside(f)]
        part = self._part()
        if part is not None:
            value = value_of(self.leaf.per or "")
            found = [fact for fact in found if value(fact) == part]
        return _deciding(self.leaf, found, self.observed, self.compiled)

    def more(self) -> dict[str, JSON]:
        """The value of the ``per`` property in the part that has the most."""
        if self.leaf.per is None:
            return {}
        facts = self.counted
        found = facts[0].data.get(self.leaf.per) if facts and self.leaf.per[0] != "@" else None
        return {"per": {self.leaf.per: found}}

    def ends(self) -> int | None:
        """When an anchored window closes, or when a rolling one loses its first event."""
        within = self.leaf.window.within
        if within is None or self.leaf.window.of is not None or self.acc is None:
            return super().ends()
        first = self.compiled.oldest(self.ctx, self.looked_at)
        return None if first is None else first + within

    def _is_inside(self, fact: Fact) -> bool:
        """Whether an event is in the window where the calendar, or its latest value, decides."""
        now, within = self.ctx.time, self.leaf.window.within
        if within is None or self.leaf.window.of is not None:
            return True
        aggregate = _drawing(self.compiled)
        return (
            aggregate.sees(fact.time, now)
            if isinstance(aggregate, Calendar)
            else fact.time > now - within
        )

    def _part(self) -> str | None:
        aggregate = bare(self.compiled)
        if not isinstance(aggregate, Parts) or self.acc is None:
            return None
        best = aggregate.best(self.acc, self.ctx)
        return "" if best is None else best[0]


def _deciding(
    leaf: EventLeaf, found: list[Fact], observed: JSON, compiled: AllTimeWindow
) -> list[Fact]:
    """The events that make up what was observed."""
    path = leaf.value or ""
    match MEASURES[leaf.measure].evidence:
        case "all":
            return found
        case "first of each":
            return _first_of_each(found, _value_of(compiled))
        case "latest":
            return [fact for fact in found if fact.data.get(path) is not None][-1:]
        case "latest observed":
            return [fact for fact in found if _is_observed(fact.data.get(path), observed)][-1:]


def _first_of_each(found: list[Fact], value_of_fact: Callable[[Fact], Any]) -> list[Fact]:
    first: dict[Any, Fact] = {}
    for fact in found:
        if (value := value_of_fact(fact)) is not None:
            first.setdefault(value, fact)
    return list(first.values())


def _is_observed(value: Any, observed: JSON) -> bool:
    return value is not None and bool(plain(value) == observed)


def _drawing(compiled: AllTimeWindow) -> object:
    """The aggregate that draws the value, within a part or without parts."""
    aggregate = bare(compiled)
    return aggregate.inner if isinstance(aggregate, Parts) else aggregate


def _value_of(compiled: AllTimeWindow) -> Callable[[Fact], Any]:
    """What makes two events different for a leaf of distinct values."""
    match _drawing(compiled):
        case Distinct(value=value) | Values(value=value):
            return value
        case Units(unit=unit) | Calendar(unit=unit):
            return lambda fact: unit(fact.time)
        case other:
            raise TypeError(f"{other} draws no different values")
