"""A leaf of any sort at τ: what was observed and needed, in which window, by which events."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from ...model import JSON, is_number, iso
from ..engine.compiler import paths_of
from ..engine.state import Fact
from ..engine.view import EvalContext
from ..engine.windows import AllTimeWindow, AnchoredWindow, MinimumAge
from ..language.definition import (
    EventLeaf,
    Leaf,
    ScoreLeaf,
    SequenceLeaf,
    UsersLeaf,
)
from ..language.measures import MEASURES
from ..language.sentence import describe_leaf
from ..language.values import settle
from .plain import bounded, decimal_of, needed, plain, share_of

SHOWN = 20
"""Events that evidence shows of a leaf."""


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
        return 1.0 if self.holds else share_of(self.observed, asked)

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
        missing = plain(max(0, decimal_of(needed) - decimal_of(observed))) if known else None
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


def bare(compiled: AllTimeWindow) -> object:
    """The aggregate of a leaf, without the ``MinimumAge`` around it."""
    aggregate = compiled.aggregate
    return aggregate.inner if isinstance(aggregate, MinimumAge) else aggregate


def counts(leaf: Leaf) -> bool:
    """Whether a leaf observes a number of things, which is whole."""
    if isinstance(leaf, EventLeaf):
        return MEASURES[leaf.measure].is_count
    return isinstance(leaf, UsersLeaf)


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
