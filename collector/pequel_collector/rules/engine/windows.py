"""Windows: which events the aggregate of a leaf takes in, and which it drops again.

For each leaf there is one window. It keeps a `Slot` in the state under the number of the leaf: the
accumulator of its aggregate, and what the window itself needs. A leaf of ``when`` counts only the
events of the open cycle.

For example, ``{ event = "used", gte = 3, within = "7d" }`` has a `RollingWindow`. An event on March
1st makes the count 1, and becomes the window's oldest event; one on March 5th makes the count 2. On
March 9th the oldest event is more than seven days old: the window drops it, reads on from its
position to the event of March 5th, which is now the oldest, and the count is 1. With
``of = "signup"`` an `AnchoredWindow` takes in the events of the first seven days after sign-up.
"""

# ruff: noqa: ARG002 - methods ignore arguments that other aggregates need

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from msgspec import Struct

from ...model import Kind, fact_order
from ..language.definition import Catalogue, Condition, EventPattern, Window
from ..language.quantities import DAY
from ..language.values import satisfies
from .aggregates import Aggregate
from .slots import EventPosition, Slot
from .state import NEVER, Fact, Position, State
from .view import Anchor, EvalContext, View

NO_EVENT: tuple[()] = ()
"""In place of the oldest event of a span that has none; an empty list in JSON."""


class EventFilter:
    """Which events a leaf counts: those with a name, and the properties that ``where`` names."""

    def __init__(self, events: tuple[EventPattern, ...], where: tuple[Condition, ...] = ()) -> None:
        self.where = where
        self._exact_names = frozenset(name for pattern in events for name in pattern.names)
        prefixes = tuple(prefix for pattern in events for prefix in pattern.prefixes)
        others = EventPattern(frozenset(), prefixes, any(pattern.any for pattern in events))
        self._others = others if others.any or prefixes else None

    def names(self, name: str) -> bool:
        """Whether events of this name may count."""
        if name in self._exact_names:
            return True
        return self._others is not None and self._others.matches(name)

    def accepts(self, fact: Fact) -> bool:
        """Whether an event counts, given that its name may."""
        data = fact.data
        return all(satisfies(data.get(c.path), c) for c in self.where)

    def counts(self, fact: Fact) -> bool:
        """Whether a fact is an event that counts."""
        return fact.name is not None and self.names(fact.name) and self.accepts(fact)


class LeafContext:
    """What compiling a leaf needs to know: its number, and the definition that it belongs to.

    ``rule`` is the index of the definition. ``since`` is when a leaf of ``when`` begins to count;
    None for a leaf of ``unless``.
    """

    def __init__(
        self, kind: Kind, number: int, rule: int, catalogue: Catalogue, since: int | None
    ) -> None:
        self.kind, self.number, self.rule = kind, number, rule
        self.catalogue, self.since = catalogue, since

    @property
    def has_clock(self) -> bool:
        """Whether the definition is also evaluated when time passes without a fact."""
        return self.catalogue.of_kind(self.kind)[self.rule].clock

    @property
    def is_guard(self) -> bool:
        """Whether the leaf is in ``unless``."""
        return self.since is None


class AllTimeWindow:
    """The window of a leaf that counts all events, and the base of the other windows.

    ``number`` is the number of the leaf, ``rule`` the index of its definition. ``counts_from`` is
    when the definition begins to count. ``stops_when_qualified`` is true if the leaf is not needed
    any more once its definition has qualified. ``description`` caches the leaf in words.
    """

    def __init__(
        self, context: LeafContext, event_filter: EventFilter, aggregate: Aggregate
    ) -> None:
        self.number, self.rule, self.aggregate = context.number, context.rule, aggregate
        self._since = context.since
        self.counts_from = NEVER
        self.stops_when_qualified = False
        self.description = ""
        self._filter = event_filter
        self._has_conditions = bool(event_filter.where)
        self._looks_back = aggregate.looks_back
        self._advances = aggregate.advances
        self.names, self.counts = event_filter.names, event_filter.counts

    def since(self, state: State) -> int:
        """When the events begin that a leaf of ``when`` counts; guards count all events."""
        return NEVER if self._since is None else state.cycles.get(self.rule, self._since)

    def take(self, ctx: EvalContext, fact: Fact, position: Position) -> None:
        """Take in an event whose name may count; events come in order."""
        if self._has_conditions and not self._filter.accepts(fact):
            return
        if self._looks_back:
            ctx.since = self.since(ctx.state)
        self.aggregate.add(self.slot(ctx.state).acc, fact, ctx)

    def accumulator(self, ctx: EvalContext) -> Any:
        """The aggregate's accumulator, brought to τ; None if there is no window at τ.

        This changes the state: a rolling window drops events. It is exact to do so while facts are
        folded, since τ never goes back. Readers decode a state of their own before they look.
        """
        acc = self.slot(ctx.state).acc
        if self._advances:
            self.aggregate.advance(acc, ctx)
        return acc

    def holds(self, ctx: EvalContext) -> bool:
        """Whether the comparison holds at τ."""
        if self._looks_back:
            ctx.since = self.since(ctx.state)
        acc = self.accumulator(ctx)
        return acc is not None and self.aggregate.holds(acc, ctx)

    def observed(self, ctx: EvalContext) -> Any:
        """What there is to compare at τ; None if it is missing."""
        if self._looks_back:
            ctx.since = self.since(ctx.state)
        acc = self.accumulator(ctx)
        return None if acc is None else self.aggregate.observed(acc, ctx)

    def bounds(self, view: View) -> tuple[int, int]:
        """The first instant of the window at τ, and the first instant after it."""
        return NEVER, view.time + 1

    def slot(self, state: State) -> Slot:
        """What the leaf keeps."""
        found = state.slots.get(self.number)
        if found.__class__ is Slot:
            return found  # faster than isinstance
        slot = self._empty_slot() if found is None else self._restored(*found)
        state.slots[self.number] = slot
        return slot

    def counted(self, ctx: EvalContext, looked_at: int | None = None) -> Iterator[Fact]:
        """The events in the window at τ, earliest first.

        With ``looked_at``, those among the first and the last so many facts of the window.
        """
        first, behind = self.bounds(ctx)
        first = max(first, self.since(ctx.state))
        return filter(self.counts, ctx.between(first, behind, looked_at))

    def oldest(self, ctx: EvalContext, looked_at: int | None = None) -> int | None:
        """The time of the first event in the window at τ, which was brought to τ."""
        first = next(self.counted(ctx, looked_at), None)
        return None if first is None else first.time

    def _empty_slot(self) -> Slot:
        return Slot(self.aggregate.empty(), None)

    def _restored(self, acc: Any, window: Any) -> Slot:
        """The slot that was read from JSON."""
        return Slot(self.aggregate.restored(acc), window)


class RollingWindow(AllTimeWindow):
    """The window (τ − within, τ]. It keeps the oldest event of each span of the aggregate."""

    def take(self, ctx: EvalContext, fact: Fact, position: Position) -> None:
        if self._has_conditions and not self._filter.accepts(fact):
            return
        slot = self.slot(ctx.state)
        self.aggregate.add(slot.acc, fact, ctx)
        for span, oldest in enumerate(slot.window):
            if not oldest:
                slot.window[span] = EventPosition(*position, fact.time)

    def accumulator(self, ctx: EvalContext) -> Any:
        slot = self.slot(ctx.state)
        for span, length in enumerate(self.aggregate.spans):
            edge = ctx.time - length
            oldest = slot.window[span]
            if oldest and oldest.time <= edge:
                slot.window[span] = self._drop(slot, span, edge, oldest, ctx)
        if self._advances:
            self.aggregate.advance(slot.acc, ctx)
        return slot.acc

    def bounds(self, view: View) -> tuple[int, int]:
        return view.time - max(self.aggregate.spans, default=0) + 1, view.time + 1

    def _empty_slot(self) -> Slot:
        return Slot(self.aggregate.empty(), [NO_EVENT for _ in self.aggregate.spans])

    def _restored(self, acc: Any, window: Any) -> Slot:
        oldest = [EventPosition(*found) if found else NO_EVENT for found in window]
        return Slot(self.aggregate.restored(acc), oldest)

    def oldest(self, ctx: EvalContext, looked_at: int | None = None) -> int | None:
        window = self.slot(ctx.state).window
        return window[-1].time if window and window[-1] else None

    def _drop(
        self, slot: Slot, span: int, edge: int, oldest: EventPosition, ctx: EvalContext
    ) -> EventPosition | tuple[()]:
        """Drop the events of a span up to an instant; the oldest event that is left."""
        if self.aggregate.can_restart and (ctx.state.last or NEVER) <= edge:
            slot.acc = self.aggregate.empty()
            return NO_EVENT
        for position, fact in ctx.facts(oldest.position):
            if not self.counts(fact):
                continue
            if fact.time > edge:
                return EventPosition(*position, fact.time)
            self.aggregate.drop(slot.acc, fact, ctx, span)
        return NO_EVENT


class SlidingWindow(AllTimeWindow):
    """A rolling window whose aggregate looks at τ itself, so that no event has to be dropped."""

    def __init__(
        self, context: LeafContext, event_filter: EventFilter, aggregate: Aggregate, within: int
    ) -> None:
        super().__init__(context, event_filter, aggregate)
        self._within = within

    def bounds(self, view: View) -> tuple[int, int]:
        """The first instant of the window at τ, and the first instant after it.

        A day of the calendar may have begun earlier than a window of its length.
        """
        return view.time - self._within - DAY, view.time + 1


class AnchoredWindow(AllTimeWindow):
    """The window [anchor + start, anchor + within). It keeps the anchor that it counted by.

    When the anchor appears late or moves, the events are counted again.
    """

    def __init__(
        self,
        context: LeafContext,
        event_filter: EventFilter,
        aggregate: Aggregate,
        window: Window,
        find: Anchor,
    ) -> None:
        super().__init__(context, event_filter, aggregate)
        self._window, self._anchor = window, find

    def take(self, ctx: EvalContext, fact: Fact, position: Position) -> None:
        found = self._anchor(ctx)
        slot = self.slot(ctx.state)
        if found != slot.window:
            self._recount(slot, found, ctx, fact)
        if found is None or not is_inside(fact.time, found, self._window):
            return
        if not self._has_conditions or self._filter.accepts(fact):
            self.aggregate.add(slot.acc, fact, ctx)

    def accumulator(self, ctx: EvalContext) -> Any:
        found = self._anchor(ctx)
        slot = self.slot(ctx.state)
        if found != slot.window:
            self._recount(slot, found, ctx, None)
        if found is None:
            return None
        if self._advances:
            self.aggregate.advance(slot.acc, ctx)
        return slot.acc

    def anchored_at(self, view: View) -> int | None:
        """The anchor as known at τ."""
        return self._anchor(view)

    def bounds(self, view: View) -> tuple[int, int]:
        return window_at(self._anchor(view), self._window, view.time)

    def _recount(
        self, slot: Slot, found: int | None, ctx: EvalContext, before: Fact | None
    ) -> None:
        """Count the events in the window, or only those before an event that is being taken in.

        In a window that begins now there are none before, unless τ's facts came in parts.
        """
        slot.acc, slot.window = self.aggregate.empty(), found
        if found is None:
            return
        begins = found + self._window.start
        if begins > ctx.time or (begins == ctx.time and ctx.state.begun is None):
            return
        for fact in self.counted(ctx):
            if before is not None and fact_order(fact) >= fact_order(before):
                return
            self.aggregate.add(slot.acc, fact, ctx)


def window_at(anchor: int | None, window: Window, time: int) -> tuple[int, int]:
    """The first instant of an anchored window at τ, and the first instant after it."""
    if anchor is None:
        return time + 1, time + 1
    end = time + 1 if window.within is None else min(anchor + window.within, time + 1)
    return anchor + window.start, end


def is_inside(time: int, anchor: int, window: Window) -> bool:
    """Whether an instant is in an anchored window."""
    return anchor + window.start <= time and (
        window.within is None or time < anchor + window.within
    )


class AnchoredAccumulator(Struct, array_like=True):
    """The accumulator of a member, and the anchor that its events were counted by."""

    acc: Any
    anchor: int | None


class MemberWindow(Aggregate):
    """An aggregate over an anchored window of a member, whose anchor is the member's own."""

    steady = False
    looks_back = True

    def __init__(
        self, inner: Aggregate, window: Window, counts: Callable[[Fact], bool], find: Anchor
    ) -> None:
        self.inner, self._window, self._counts = inner, window, counts
        self._anchor = find

    def empty(self) -> AnchoredAccumulator:
        return AnchoredAccumulator(self.inner.empty(), None)

    def restored(self, plain: Any) -> AnchoredAccumulator:
        acc, anchored = plain
        return AnchoredAccumulator(self.inner.restored(acc), anchored)

    def add(self, acc: AnchoredAccumulator, fact: Fact, view: View) -> None:
        self._follow_anchor(acc, view, fact)
        if acc.anchor is not None and is_inside(fact.time, acc.anchor, self._window):
            self.inner.add(acc.acc, fact, view)

    def bounds(self, view: View) -> tuple[int, int]:
        """The first instant of the window at τ, and the first instant after it."""
        return window_at(self._anchor(view), self._window, view.time)

    def observed(self, acc: AnchoredAccumulator, view: View) -> Any:
        self._follow_anchor(acc, view, None)
        return self.inner.observed(acc.acc, view)

    def holds(self, acc: AnchoredAccumulator, view: View) -> bool:
        self._follow_anchor(acc, view, None)
        return acc.anchor is not None and self.inner.holds(acc.acc, view)

    def _follow_anchor(self, acc: AnchoredAccumulator, view: View, before: Fact | None) -> None:
        """Count the events again if the anchor is another than they were counted by.

        An event that is being taken in is not among them. To keep the new count is a cache: the
        anchor is compared each time, so it makes no difference to what is observed later.
        """
        found = self._anchor(view)
        if found == acc.anchor:
            return
        acc.acc, acc.anchor = self.inner.empty(), found
        acted = view.acted()
        if found is None or acted is None:
            return
        for fact in view.events(max(acted, found + self._window.start)):
            if before is not None and fact_order(fact) >= fact_order(before):
                return
            if self._counts(fact) and is_inside(fact.time, found, self._window):
                self.inner.add(acc.acc, fact, view)


class MinimumAge(Aggregate):
    """An aggregate of absence: it holds only for a subject at least as old as the window.

    With ``own_facts`` it does not hold at moments that only the clock adds.
    """

    def __init__(self, inner: Aggregate, age: int | None, own_facts: bool) -> None:
        self.inner, self._age, self._own_facts = inner, age, own_facts
        self.spans, self.looks_back = inner.spans, inner.looks_back
        self.steady = inner.steady and age is None and not own_facts
        self.advances, self.can_restart = inner.advances, inner.can_restart

    def empty(self) -> Any:
        return self.inner.empty()

    def restored(self, plain: Any) -> Any:
        return self.inner.restored(plain)

    def add(self, acc: Any, fact: Fact, view: View) -> None:
        self.inner.add(acc, fact, view)

    def drop(self, acc: Any, fact: Fact, view: View, span: int) -> None:
        self.inner.drop(acc, fact, view, span)

    def advance(self, acc: Any, view: View) -> None:
        self.inner.advance(acc, view)

    def observed(self, acc: Any, view: View) -> Any:
        return self.inner.observed(acc, view)

    def holds(self, acc: Any, view: View) -> bool:
        if self._own_facts and view.clock_only:
            return False
        return self._is_old_enough(view) and self.inner.holds(acc, view)

    def _is_old_enough(self, view: View) -> bool:
        if self._age is None:
            return True
        acted = view.acted()
        return acted is not None and view.time - acted >= self._age


def bare(aggregate: Aggregate) -> Aggregate:
    """An aggregate without the minimum age that it may need."""
    return aggregate.inner if isinstance(aggregate, MinimumAge) else aggregate
