"""Leaves: which events come into the aggregate of a leaf, and which fall out of it again.

Everything that a leaf remembers stands in the state under its number: ``[cell, window]``, the cell
of its aggregate and what its window needs. A leaf of ``when`` sees only the open cycle's events.
"""

# ruff: noqa: ARG002 - `Aggregate` says what each method promises

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ..language.definition import Condition, EventPattern, Window
from ..language.quantities import DAY
from ..language.values import satisfies
from .aggregates import Aggregate, Cell
from .state import NEVER, Fact, Position, State
from .view import FIRST, Anchor, EvalContext, View, anchor

Slot = list[Any]


class EventFilter:
    """Which events a leaf counts: those of a name, with the properties that ``where`` asks for."""

    def __init__(self, events: tuple[EventPattern, ...], where: tuple[Condition, ...] = ()) -> None:
        self.where = where
        self._exactly = frozenset(name for pattern in events for name in pattern.names)
        prefixes = tuple(prefix for pattern in events for prefix in pattern.prefixes)
        self._unlike = EventPattern(frozenset(), prefixes, any(pattern.any for pattern in events))

    def names(self, name: str) -> bool:
        """Whether events of this name may count."""
        return name in self._exactly or self._unlike.matches(name)

    def accepts(self, fact: Fact) -> bool:
        """Whether an event whose name may count does."""
        data = fact.data
        return all(satisfies(data.get(c.path), c) for c in self.where)

    def counts(self, fact: Fact) -> bool:
        """Whether a fact is an event that counts."""
        return fact.name is not None and self.names(fact.name) and self.accepts(fact)


class AllTimeWindow:
    """A leaf that never lets go of an event."""

    def __init__(
        self, number: int, rule: int, feed: EventFilter, aggregate: Aggregate, since: int | None
    ) -> None:
        self.number, self.rule, self.aggregate = number, rule, aggregate
        self._since = since
        self.begins = NEVER
        """From when on its definition counts."""
        self.ends = False
        """Whether nobody asks what it says once its definition has qualified."""
        self._feed = feed
        self._chosen = bool(feed.where)
        self._looks_back = aggregate.looks_back
        self.said = ""
        """The leaf in words, once somebody has asked for them."""
        self.names, self.counts = feed.names, feed.counts

    def since(self, state: State) -> int:
        """Where the events begin that a leaf of ``when`` counts; guards count all of them."""
        return NEVER if self._since is None else state.cycles.get(self.rule, self._since)

    def feed(self, ctx: EvalContext, fact: Fact, position: Position) -> None:
        """Take in an event whose name may count; events come in order."""
        if self._chosen and not self._feed.accepts(fact):
            return
        if self._looks_back:
            ctx.since = self.since(ctx.state)
        self.aggregate.add(self.slot(ctx.state)[0], fact, ctx)

    def cell(self, ctx: EvalContext) -> Cell | None:
        """The aggregate's cell as it is at τ; None where there is no window to look at."""
        slot: Slot | None = ctx.state.slots.get(self.number)
        cell: Cell = self._begun(ctx.state)[0] if slot is None else slot[0]
        return cell

    def holds(self, ctx: EvalContext) -> bool:
        """Whether the comparison holds at τ."""
        if self._looks_back:
            ctx.since = self.since(ctx.state)
        cell = self.cell(ctx)
        return cell is not None and self.aggregate.holds(cell, ctx)

    def observed(self, ctx: EvalContext) -> Any:
        """What there is to compare at τ; None where it is missing."""
        if self._looks_back:
            ctx.since = self.since(ctx.state)
        cell = self.cell(ctx)
        return None if cell is None else self.aggregate.observed(cell, ctx)

    def bounds(self, view: View) -> tuple[int, int]:
        """The first instant of the window at τ, and the one behind its last."""
        return NEVER, view.time + 1

    def slot(self, state: State) -> Slot:
        """What the leaf remembers."""
        found: Slot | None = state.slots.get(self.number)
        return self._begun(state) if found is None else found

    def _begun(self, state: State) -> Slot:
        slot = state.slots[self.number] = [self.aggregate.empty(), None]
        return slot

    def counted(self, ctx: EvalContext) -> Iterator[Fact]:
        """The events in the window at τ, earliest first."""
        first, behind = self.bounds(ctx)
        first = max(first, self.since(ctx.state))
        for _, fact in ctx.facts(self._start(ctx, first)):
            if first <= fact.time < behind and self.counts(fact):
                yield fact

    def _start(self, ctx: EvalContext, first: int) -> Position:
        return FIRST if first == NEVER else ctx.memory.since(first)


class RollingWindow(AllTimeWindow):
    """A leaf over (τ − within, τ]. Its window is the oldest event of each span.

    That is ``[page, index, time]``, or None where the span has no event.
    """

    def feed(self, ctx: EvalContext, fact: Fact, position: Position) -> None:
        """Take in an event whose name may count; events come in order."""
        if self._chosen and not self._feed.accepts(fact):
            return
        slot = self.slot(ctx.state)
        self.aggregate.add(slot[0], fact, ctx)
        for oldest in slot[1]:
            if not oldest:
                oldest[:] = *position, fact.time

    def cell(self, ctx: EvalContext) -> Cell | None:
        """The aggregate's cell as it is at τ."""
        slot = self.slot(ctx.state)
        for span, length in enumerate(self.aggregate.spans):
            edge = ctx.time - length
            oldest = slot[1][span]
            if oldest and oldest[2] <= edge:
                self._let_go(slot, span, edge, ctx)
        cell: Cell = slot[0]
        return cell

    def bounds(self, view: View) -> tuple[int, int]:
        """The first instant of the window at τ, and the one behind its last."""
        return view.time - max(self.aggregate.spans, default=0) + 1, view.time + 1

    def _begun(self, state: State) -> Slot:
        slot = state.slots[self.number] = [
            self.aggregate.empty(),
            [[] for _ in self.aggregate.spans],
        ]
        return slot

    def _let_go(self, slot: Slot, span: int, edge: int, ctx: EvalContext) -> None:
        oldest = slot[1][span]
        for position, fact in ctx.facts((oldest[0], oldest[1])):
            if not self.counts(fact):
                continue
            if fact.time > edge:
                oldest[:] = *position, fact.time
                return
            self.aggregate.drop(slot[0], fact, ctx, span)
        oldest.clear()


class SlidingWindow(AllTimeWindow):
    """A leaf over a window that rolls by the calendar, or of which only the latest counts.

    Its aggregate looks at the time of τ itself and needs nothing dropped.
    """

    def __init__(
        self,
        number: int,
        rule: int,
        feed: EventFilter,
        aggregate: Aggregate,
        since: int | None,
        within: int,
    ) -> None:
        super().__init__(number, rule, feed, aggregate, since)
        self._within = within

    def bounds(self, view: View) -> tuple[int, int]:
        """The first instant of the window at τ, and the one behind its last.

        A day of the calendar may have begun earlier than a window of its length.
        """
        return view.time - self._within - DAY, view.time + 1


class AnchoredWindow(AllTimeWindow):
    """A leaf over [anchor + start, anchor + within). Its window is the anchor that it counted by.

    Where the anchor is found late or moves, the events are counted anew.
    """

    def __init__(
        self,
        number: int,
        rule: int,
        feed: EventFilter,
        aggregate: Aggregate,
        since: int | None,
        window: Window,
        find: Anchor,
    ) -> None:
        super().__init__(number, rule, feed, aggregate, since)
        self._window, self._anchor = window, find

    def feed(self, ctx: EvalContext, fact: Fact, position: Position) -> None:
        """Take in an event whose name may count; events come in order."""
        found = self._anchor(ctx)
        slot = self.slot(ctx.state)
        if found != slot[1]:
            self._count_anew(slot, found, ctx, fact)
        if found is None or not is_inside(fact.time, found, self._window):
            return
        if not self._chosen or self._feed.accepts(fact):
            self.aggregate.add(slot[0], fact, ctx)

    def cell(self, ctx: EvalContext) -> Cell | None:
        """The aggregate's cell as it is at τ; None without an anchor."""
        found = self._anchor(ctx)
        slot = self.slot(ctx.state)
        if found != slot[1]:
            self._count_anew(slot, found, ctx, None)
        return None if found is None else slot[0]

    def anchored_at(self, view: View) -> int | None:
        """The anchor as known at τ."""
        return self._anchor(view)

    def bounds(self, view: View) -> tuple[int, int]:
        """The first instant of the window at τ, and the one behind its last."""
        return window_at(self._anchor(view), self._window, view.time)

    def _count_anew(
        self, slot: Slot, found: int | None, ctx: EvalContext, before: Fact | None
    ) -> None:
        """Count the events in the window, up to one that is just being taken in."""
        slot[0], slot[1] = self.aggregate.empty(), found
        if found is None or found + self._window.start >= ctx.time:
            return
        for fact in self.counted(ctx):
            if before is not None and (fact.time, fact.mid) >= (before.time, before.mid):
                return
            self.aggregate.add(slot[0], fact, ctx)


def window_at(anchor: int | None, window: Window, time: int) -> tuple[int, int]:
    """The first instant of an anchored window at τ, and the one behind its last."""
    if anchor is None:
        return time + 1, time + 1
    end = time + 1 if window.within is None else min(anchor + window.within, time + 1)
    return anchor + window.start, end


def is_inside(time: int, anchor: int, window: Window) -> bool:
    """Whether an instant lies in an anchored window."""
    return anchor + window.start <= time and (
        window.within is None or time < anchor + window.within
    )


class MemberWindow(Aggregate):
    """An anchored window of a member: the anchor is theirs. The cell is ``[cell, anchor]``."""

    steady = False
    looks_back = True

    def __init__(self, inner: Aggregate, window: Window, counts: Callable[[Fact], bool]) -> None:
        self.inner, self._window, self._counts = inner, window, counts
        self._anchor = anchor(window.of or "", knows_account=True)

    def empty(self) -> Cell:
        return [self.inner.empty(), None]

    def add(self, cell: Cell, fact: Fact, view: View) -> None:
        found = self._anchor(view)
        if found != cell[1]:
            self._count_anew(cell, found, view, fact)
        if found is not None and is_inside(fact.time, found, self._window):
            self.inner.add(cell[0], fact, view)

    def bounds(self, view: View) -> tuple[int, int]:
        """The first instant of the window at τ, and the one behind its last."""
        return window_at(self._anchor(view), self._window, view.time)

    def observed(self, cell: Cell, view: View) -> Any:
        self._look(cell, view)
        return self.inner.observed(cell[0], view)

    def holds(self, cell: Cell, view: View) -> bool:
        return self._look(cell, view) is not None and self.inner.holds(cell[0], view)

    def _look(self, cell: Cell, view: View) -> int | None:
        found = self._anchor(view)
        if found != cell[1]:
            self._count_anew(cell, found, view, None)
        return found

    def _count_anew(self, cell: Cell, found: int | None, view: View, before: Fact | None) -> None:
        cell[0], cell[1] = self.inner.empty(), found
        if found is None:
            return
        for fact in view.events(found + self._window.start):
            if before is not None and (fact.time, fact.mid) >= (before.time, before.mid):
                return
            if self._counts(fact) and is_inside(fact.time, found, self._window):
                self.inner.add(cell[0], fact, view)


class MinimumAge(Aggregate):
    """An aggregate of absence: it holds only for a subject at least as old as the window.

    With ``own_facts`` it does not hold at moments that only the clock adds.
    """

    def __init__(self, inner: Aggregate, age: int | None, own_facts: bool) -> None:
        self.inner, self._age, self._own_facts = inner, age, own_facts
        self.spans = inner.spans
        self.steady = inner.steady and age is None and not own_facts
        self.looks_back = inner.looks_back

    def empty(self) -> Cell:
        return self.inner.empty()

    def add(self, cell: Cell, fact: Fact, view: View) -> None:
        self.inner.add(cell, fact, view)

    def drop(self, cell: Cell, fact: Fact, view: View, span: int) -> None:
        self.inner.drop(cell, fact, view, span)

    def observed(self, cell: Cell, view: View) -> Any:
        return self.inner.observed(cell, view)

    def holds(self, cell: Cell, view: View) -> bool:
        if self._own_facts and view.clock_only:
            return False
        return self._is_old_enough(view) and self.inner.holds(cell, view)

    def _is_old_enough(self, view: View) -> bool:
        if self._age is None:
            return True
        acted = view.acted()
        return acted is not None and view.time - acted >= self._age
