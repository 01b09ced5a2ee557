"""One leaf at τ: what was observed, what is needed, in which window, by which events."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import cached_property
from math import ceil, floor, isinf
from typing import Any

from ...model import JSON, is_number, iso
from ..engine.aggregates import Calendar, Distinct, Units, value_of
from ..engine.compiler import paths_of
from ..engine.keyed import Members, Parts, Values
from ..engine.score import Growth, Score
from ..engine.sequence import Sequence as Steps
from ..engine.state import Fact
from ..engine.view import EvalContext
from ..engine.windows import AllTimeWindow, AnchoredWindow, MinimumAge
from ..language.definition import (
    Comparison,
    Date,
    EventLeaf,
    EventPoints,
    GrowthLeaf,
    Leaf,
    PqlLeaf,
    ScoreLeaf,
    SequenceLeaf,
    TraitLeaf,
    UsersLeaf,
)
from ..language.measures import MEASURES
from ..language.sentence import amount, describe_leaf, events
from ..language.values import exact, settle

SHOWN = 20
"""Events that evidence shows of a leaf."""
MAX_TEXT = 200
"""Characters of a property that evidence shows."""
MAX_DIGITS = 4_300
"""A number of more digits is shown as text: it cannot be read back as a number."""


class LeafExplanation:
    """A leaf at the moment of its context.

    With ``looked_at``, the events that it counts are looked for among the first and the last so
    many facts of its window.
    """

    def __init__(
        self,
        leaf: Leaf,
        compiled: AllTimeWindow,
        ctx: EvalContext,
        looked_at: int | None = None,
    ) -> None:
        self.leaf, self.compiled, self.ctx, self.looked_at = leaf, compiled, ctx, looked_at
        self.holds = compiled.holds(ctx)
        self.acc = compiled.accumulator(ctx)
        self.observed = plain(compiled.observed(ctx))

    @property
    def needed(self) -> JSON:
        """The least that satisfies a minimum; for the other comparisons their operand."""
        comparison = getattr(self.leaf, "comparison", None)
        if comparison is None:
            return True
        settled = settle(comparison, self.ctx.trait)
        return None if settled is None else needed(settled, whole=counts(self.leaf))

    @property
    def share(self) -> float:
        """How much of what is needed was observed, 0 to 1."""
        asked = self.needed
        if isinstance(asked, dict) and asked.keys() == {"gt"}:
            asked = asked["gt"]
        return 1.0 if self.holds else _share(self.observed, asked)

    @property
    def events(self) -> list[JSON]:
        """The events that decided it, the latest first, at most ``SHOWN``."""
        return [self._event(fact) for fact in self.counted[: -SHOWN - 1 : -1]]

    @property
    def more_events(self) -> int:
        """How many events decided it beyond those that are shown."""
        found = len(self.counted)
        if counts(self.leaf) and found and is_number(self.observed):
            found = max(found, int(self.observed))
        return max(0, found - SHOWN)

    @cached_property
    def counted(self) -> list[Fact]:
        """The events that it counts."""
        return [] if self.acc is None else list(self.compiled.counted(self.ctx, self.looked_at))

    def more(self) -> dict[str, JSON]:
        """The keys that only this sort of leaf has."""
        return {}

    def _event(self, fact: Fact) -> JSON:
        """An event as evidence shows it: with the properties that the leaf reads."""
        read = paths_of(self.leaf, fact.name or "")
        return {
            "message_id": fact.mid,
            "time": iso(fact.time),
            "user": self._user(fact),
            "properties": {p: bounded(fact.data[p]) for p in read if p in fact.data},
        }

    def _user(self, fact: Fact | None) -> str | None:
        """Who sent a message of an account. Those of a user are all the user's own, so: None."""
        return None if fact is None or self.ctx.kind == "user" else fact.user

    def evidence(self) -> dict[str, JSON]:
        """The leaf as a lead shows it."""
        start, end = self.bounds()
        return {
            "measure": self.describe(),
            "holds": self.holds,
            "observed": self.observed,
            "needed": self.needed,
            "window": None if start is None and end is None else {"from": start, "to": end},
            "events": self.events,
            "more_events": self.more_events,
            **self.more(),
        }

    def progress(self) -> dict[str, JSON]:
        """The leaf as progress: also what is missing, and the seconds left in the window."""
        needed, observed = self.needed, self.observed
        known = is_number(needed) and is_number(observed)
        missing = plain(max(0, _decimal(needed) - _decimal(observed))) if known else None
        ends = self.ends()
        left = None if ends is None else max(0, ends - self.ctx.time) // 1000
        closed = self.is_closed
        return self.evidence() | {"missing": missing, "time_left": left, "closed": closed}

    @property
    def is_closed(self) -> bool:
        """Whether its anchored window is over without it: only a late event can still meet it."""
        return False

    def bounds(self) -> tuple[str | None, str | None]:
        """The window as two instants; None where it is open."""
        return None, None

    def ends(self) -> int | None:
        """When what was observed is lost, as the window closes or moves on; None for never."""
        return None

    def describe(self) -> str:
        """The leaf in words, which are the same at every moment."""
        if not self.compiled.description:
            self.compiled.description = describe_leaf(self.leaf)
        return self.compiled.description


class WindowedExplanation(LeafExplanation):
    """A leaf that looks at the events of a window."""

    leaf: EventLeaf | SequenceLeaf | ScoreLeaf

    def bounds(self) -> tuple[str | None, str | None]:
        window, time = self.leaf.window, self.ctx.time
        if window.of is None:
            return (None if window.within is None else iso(time - window.within)), iso(time)
        anchor = self.anchor()
        if anchor is None:
            return None, None
        end = None if window.within is None else iso(anchor + window.within)
        return iso(anchor + window.start), end

    def ends(self) -> int | None:
        anchor, within = self.anchor(), self.leaf.window.within
        if anchor is None or within is None or self.acc is None:
            return None
        return anchor + within

    def anchor(self) -> int | None:
        """The time of the window's anchor; None if it has none."""
        compiled = self.compiled
        return compiled.anchored_at(self.ctx) if isinstance(compiled, AnchoredWindow) else None

    @property
    def is_closed(self) -> bool:
        """A trait can change, so a window that a trait anchors is never closed for good."""
        window, anchor = self.leaf.window, self.anchor()
        if self.holds or anchor is None or (window.of or "").startswith("trait:"):
            return False
        return window.within is not None and anchor + window.within <= self.ctx.time


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

    def _counted(self) -> str:
        names, value, found = events(self.leaf.events), self.leaf.value or "", self.observed
        if self.leaf.measure == "distinct":
            plural = "s" if found != 1 else ""
            is_unit = value.startswith("@")
            what = f"{value.removeprefix('@')}{plural}" if is_unit else f"different {value}"
            return f"{_shown(found)} {what} of {names}"
        phrase = MEASURES[self.leaf.measure].found
        return phrase.format(value=value, events=names, found=_shown(found))

    def _asked(self) -> str:
        threshold = self.needed
        if is_number(threshold):
            return _shown(threshold)
        settled = settle(self.leaf.comparison, self.ctx.trait)
        if settled is None:
            return "a share of a missing trait"
        if counts(self.leaf):
            return amount(settled)[0]
        return _threshold_in_words(threshold)


class TraitExplanation(LeafExplanation):
    """The value of a trait."""

    leaf: TraitLeaf

    @property
    def needed(self) -> JSON:
        """The comparisons with their operands."""
        settled = (settle(c, self.ctx.trait) for c in self.leaf.condition.comparisons)
        return {c.operator: plain(c.operand) for c in settled if c is not None}

    @property
    def events(self) -> list[JSON]:
        """The message that set it, with its value among the properties."""
        path = self.leaf.condition.path
        held = self.ctx.state.traits.get(path)
        if held is None or self.leaf.account:
            return []
        setting = next(iter(facts_of([held.mid], held.time, self.ctx)), None)
        return [
            {
                "message_id": held.mid,
                "time": iso(held.time),
                "user": self._user(setting),
                "properties": {path: bounded(held.value)},
            }
        ]


class UsersExplanation(LeafExplanation):
    """How many members a leaf holds for."""

    leaf: UsersLeaf

    @cached_property
    def counted(self) -> list[Fact]:
        """No events: the evidence names the members instead."""
        return []

    def more(self) -> dict[str, JSON]:
        """The members for whom it holds, at most ten."""
        aggregate = bare(self.compiled)
        if not isinstance(aggregate, Members) or self.acc is None:
            return {"users": []}
        return {"users": sorted(aggregate.holding(self.acc, self.ctx))[:SHOWN]}


class SequenceExplanation(WindowedExplanation):
    """How many steps of a sequence were made."""

    leaf: SequenceLeaf

    @property
    def needed(self) -> JSON:
        """The number of steps."""
        return len(self.leaf.steps)

    @cached_property
    def counted(self) -> list[Fact]:
        """The events that make the steps, earliest first."""
        aggregate = bare(self.compiled)
        if not isinstance(aggregate, Steps) or self.acc is None:
            return []
        start, mids = aggregate.chain(self.acc)
        return facts_of(mids, start, self.ctx)

    def bounds(self) -> tuple[str | None, str | None]:
        """The anchored window; without an anchor the steps may be anywhere in time."""
        return (None, None) if self.leaf.window.of is None else super().bounds()


class GrowthExplanation(LeafExplanation):
    """How many events there were in two periods, one after the other."""

    leaf: GrowthLeaf

    def __init__(
        self,
        leaf: Leaf,
        compiled: AllTimeWindow,
        ctx: EvalContext,
        looked_at: int | None = None,
    ) -> None:
        super().__init__(leaf, compiled, ctx, looked_at)
        self.latest, self.before = compiled.observed(ctx) or [0, 0]
        self.observed = {"latest": self.latest, "before": self.before}

    @property
    def needed(self) -> JSON:
        """How many events each of the two periods needs."""
        aggregate = bare(self.compiled)
        latest = aggregate.needed(self.acc) if isinstance(aggregate, Growth) and self.acc else 0
        return {"latest": plain(latest), "before": plain(self.leaf.base)}

    @property
    def share(self) -> float:
        """The smaller of the two periods' shares."""
        if self.holds:
            return 1.0
        asked = self.needed
        return min(_share(self.latest, asked["latest"]), _share(self.before, asked["before"]))

    def bounds(self) -> tuple[str | None, str | None]:
        """The start of the first period and the end of the second."""
        return iso(self.ctx.time - 2 * self.leaf.over), iso(self.ctx.time)


class ScoreExplanation(WindowedExplanation):
    """The points of a score, in sum and by component."""

    leaf: ScoreLeaf

    def more(self) -> dict[str, JSON]:
        """What each component adds."""
        return {"points": self.points()}

    def points(self) -> list[JSON]:
        """What each component adds, in the order of the definition."""
        aggregate = bare(self.compiled)
        if not isinstance(aggregate, Score) or self.acc is None:
            return []
        of_events = iter(aggregate.parts(self.acc, self.ctx))
        of_traits = iter(points(self.ctx) for points in aggregate.traits)
        return [
            {"of": events(p.events), "points": plain(next(of_events))}
            if isinstance(p, EventPoints)
            else {"of": p.condition.path, "points": plain(next(of_traits))}
            for p in self.leaf.points
        ]


class PqlExplanation(LeafExplanation):
    """Whether another definition was met."""

    leaf: PqlLeaf


_EXPLANATIONS: dict[type, type[LeafExplanation]] = {
    EventLeaf: EventExplanation,
    TraitLeaf: TraitExplanation,
    UsersLeaf: UsersExplanation,
    SequenceLeaf: SequenceExplanation,
    GrowthLeaf: GrowthExplanation,
    ScoreLeaf: ScoreExplanation,
    PqlLeaf: PqlExplanation,
}


def explain_leaf(
    leaf: Leaf, compiled: AllTimeWindow, ctx: EvalContext, looked_at: int | None = None
) -> LeafExplanation:
    """A leaf at the moment of a context, explained by the class for its sort."""
    return _EXPLANATIONS[type(leaf)](leaf, compiled, ctx, looked_at)


def bare(compiled: AllTimeWindow) -> object:
    """The aggregate of a leaf, without the ``MinimumAge`` around it."""
    aggregate = compiled.aggregate
    return aggregate.inner if isinstance(aggregate, MinimumAge) else aggregate


def counts(leaf: Leaf) -> bool:
    """Whether a leaf observes a number of things, which is whole."""
    if isinstance(leaf, EventLeaf):
        return MEASURES[leaf.measure].is_count
    return isinstance(leaf, UsersLeaf)


def needed(comparison: Comparison, whole: bool) -> JSON:
    """The least that satisfies a minimum; for the other comparisons their operand."""
    operand = comparison.operand
    match comparison.operator:
        case "gte" if whole:
            return ceil(operand)
        case "gt" if whole:
            return floor(operand) + 1
        case "gte":
            return plain(operand)
        case operator:
            return {operator: plain(operand)}


def plain(value: Any) -> JSON:
    """A value as JSON: tuples become lists, exact decimals numbers."""
    match value:
        case tuple() | list() | frozenset():
            return [plain(item) for item in value]
        case Date():
            return iso(value.time)
        case Decimal() if value.adjusted() >= MAX_DIGITS:
            return str(value)
        case Decimal():
            whole = int(value)
            return whole if value == whole or isinf(float(value)) else float(value)
        case _:
            return value


def bounded(value: Any) -> JSON:
    """A value of a property as evidence shows it: a long one is cut off."""
    if value is None or isinstance(value, bool | int | float | Decimal):
        return plain(value)
    text = value if isinstance(value, str) else json.dumps(plain(value), ensure_ascii=False)
    if len(text) > MAX_TEXT:
        return f"{text[: MAX_TEXT - 1]}…"
    return plain(value)


def facts_of(mids: Sequence[str], since: int, ctx: EvalContext) -> list[Fact]:
    """The facts with these ids, none of which is before an instant, in order."""
    left, found = set(mids), []
    for _, fact in ctx.facts(ctx.history.since(since)) if mids else ():
        if fact.mid in left:
            left.remove(fact.mid)
            found.append(fact)
            if not left:
                break
    return found


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


def _since(of: str) -> str:
    match of.partition(":"):
        case ("signup", _, _):
            return "sign-up"
        case ("trial", _, _):
            return "the start of the trial"
        case ("first", _, name):
            return f"the first {name}"
        case (_, _, name):
            return name


def _share(observed: JSON, asked: JSON) -> float:
    if not is_number(observed) or not is_number(asked) or asked <= 0:
        return 0.0
    return max(0.0, min(float(_decimal(observed) / _decimal(asked)), 1.0))


def _decimal(number: float | Decimal) -> Decimal:
    return Decimal(exact(number))


def _shown(value: JSON) -> str:
    """A value in words: a text as it is if there is something to see, anything else as JSON."""
    if value is None:
        return "missing"
    visible = isinstance(value, str) and value.strip()
    return value if visible else json.dumps(value, ensure_ascii=False)


def _threshold_in_words(threshold: JSON) -> str:
    if isinstance(threshold, dict):
        return ", ".join(f"{name} {_shown(value)}" for name, value in threshold.items())
    return _shown(threshold)
