"""One leaf read at τ: what was observed, what is needed, in which window, by which events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any

from ..model import JSON, iso
from .definition import Comparison, EventLeaf, TraitLeaf
from .facts import Fact
from .quantities import DAY
from .sentence import amount, describe_leaf, events, length
from .values import lookup, measures_up, satisfies

SHOWN = 10
UNITS = {"@day": "day", "@hour": "hour", "@minute": "minute", "@user": "user", "@event": "event"}


class EventReading:
    """A count at τ. ``counted`` are the events that make it up, earliest first."""

    def __init__(
        self, leaf: EventLeaf, counted: Sequence[Fact], time: int, anchor: int | None
    ) -> None:
        self.leaf, self.counted, self.time, self.anchor = leaf, counted, time, anchor
        self.observed = len(counted)
        self.needed = needed(leaf.comparison)
        self.holds = (leaf.window.of is None or anchor is not None) and measures_up(
            self.observed, leaf.comparison
        )

    @property
    def share(self) -> float:
        """How much of what is needed was observed, 0 to 1."""
        if self.holds:
            return 1.0
        return min(self.observed / self.needed, 1.0) if isinstance(self.needed, int) else 0.0

    def evidence(self) -> dict[str, JSON]:
        """The reading as a lead carries it; of many events the first five and the last five."""
        start, end = self._bounds()
        mids = [fact.mid for fact in self.counted]
        return {
            "measure": describe_leaf(self.leaf),
            "holds": self.holds,
            "observed": self.observed,
            "needed": self.needed,
            "window": {"from": _iso(start), "to": _iso(end)},
            "events": mids if len(mids) <= SHOWN else mids[: SHOWN // 2] + mids[-SHOWN // 2 :],
        }

    def progress(self) -> dict[str, JSON]:
        """The reading as progress: also what is missing, and the seconds left in the window."""
        missing = max(0, self.needed - self.observed) if isinstance(self.needed, int) else None
        ends = self._ends()
        left = None if ends is None else max(0, ends - self.time) // 1000
        return self.evidence() | {"missing": missing, "time_left": left}

    def phrase(self) -> str:
        """The reading in words: ``3 different project_id of project_created (3 needed) …``."""
        return f"{self._counted()} ({asked(self.leaf.comparison)} needed){self._span()}"

    def _bounds(self) -> tuple[int | None, int | None]:
        within = self.leaf.window.within
        if self.leaf.window.of is None:
            return (None if within is None else self.time - within), self.time
        if self.anchor is None or within is None:
            return self.anchor, None
        return self.anchor, self.anchor + within

    def _ends(self) -> int | None:
        """When an anchored window closes, or when a rolling one loses its first event."""
        within = self.leaf.window.within
        if within is None or self.leaf.window.of is not None:
            return self._bounds()[1] if within is not None else None
        return self.counted[0].time + within if self.counted else None

    def _counted(self) -> str:
        names = events(self.leaf.events)
        distinct = self.leaf.distinct
        if distinct is None:
            return f"{self.observed} × {names}"
        plural = "s" if self.observed != 1 and distinct in UNITS else ""
        return f"{self.observed} {UNITS.get(distinct, f'different {distinct}')}{plural} of {names}"

    def _span(self) -> str:
        within = self.leaf.window.within
        if within is None:
            return " since sign-up" if self.leaf.window.of else ""
        if self.leaf.window.of is None or self.anchor is None:
            return f" within {length(within)}"
        if within % DAY:
            return f" within {length(within)} of sign-up"
        used = max(1, ceil((self.time - self.anchor) / DAY))
        return f" within {used} of the {within // DAY} days after sign-up"


class TraitReading:
    """The value of a trait at τ."""

    def __init__(self, leaf: TraitLeaf, traits: Mapping[str, Any]) -> None:
        self.leaf = leaf
        self.observed = lookup(leaf.condition.path, traits)
        self.holds = satisfies(self.observed, leaf.condition)

    @property
    def share(self) -> float:
        """1 where it holds, else 0."""
        return 1.0 if self.holds else 0.0

    def evidence(self) -> dict[str, JSON]:
        """The reading as a lead carries it."""
        return {
            "measure": describe_leaf(self.leaf),
            "holds": self.holds,
            "observed": self.observed,
            "needed": {c.operator: plain(c.operand) for c in self.leaf.condition.comparisons},
            "window": None,
            "events": [],
        }

    def progress(self) -> dict[str, JSON]:
        """The reading as progress: nothing to count, no window."""
        return self.evidence() | {"missing": None, "time_left": None}

    def phrase(self) -> str:
        """The reading in words."""
        value = "missing" if self.observed is None else self.observed
        return f"{self.leaf.condition.path} is {value}"


LeafReading = EventReading | TraitReading


def needed(comparison: Comparison) -> JSON:
    """The smallest count that satisfies a threshold; for the other comparisons their operand."""
    match comparison.operator:
        case "gte":
            return ceil(comparison.operand)
        case "gt":
            return int(comparison.operand // 1) + 1
        case operator:
            return {operator: plain(comparison.operand)}


def asked(comparison: Comparison) -> str:
    """What a comparison of a count asks for, in words: the bare number where it is a minimum."""
    threshold = needed(comparison)
    return str(threshold) if isinstance(threshold, int) else amount(comparison)[0]


def plain(operand: Any) -> JSON:
    """An operand as JSON: tuples become lists, exact decimals numbers."""
    if isinstance(operand, tuple | list | frozenset):
        return [plain(item) for item in operand]
    if isinstance(operand, str | bool | int | None):
        return operand
    return int(operand) if operand == int(operand) else float(operand)


def _iso(time: int | None) -> str | None:
    return None if time is None else iso(time)
