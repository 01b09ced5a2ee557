"""Compiles the leaves of a definition, each to a window with an aggregate."""

# ruff: noqa: ARG002 - methods ignore arguments that other aggregates need

from __future__ import annotations

from typing import Any

from ..language.analysis import LeafNeeds, needs_of, traits_of
from ..language.definition import (
    Catalogue,
    EventLeaf,
    EventPoints,
    GrowthLeaf,
    Leaf,
    PqlLeaf,
    ScoreLeaf,
    SequenceLeaf,
    TraitLeaf,
    TraitPath,
    UsersLeaf,
    Window,
    window_of,
)
from ..language.values import satisfies, settled
from .aggregates import (
    Aggregate,
    Distinct,
    aggregate_of,
    test_of,
    value_of,
    whole_test,
)
from .keyed import Members, Parts, Values
from .score import Bounds, Growth, Score
from .sequence import Sequence
from .state import NEVER, Fact
from .view import View, anchor
from .windows import (
    AllTimeWindow,
    AnchoredWindow,
    EventFilter,
    LeafContext,
    MemberWindow,
    MinimumAge,
    RollingWindow,
    SlidingWindow,
    bare,
)


def compiled(leaf: Leaf, context: LeafContext) -> AllTimeWindow:
    """The window of a leaf."""
    events, window = event_filter_of(leaf), window_of(leaf)
    needs = needs_of(leaf, knows_account=context.kind == "user")
    aggregate = _aged(_aggregate(leaf, context, context.number), leaf, needs, context)
    if window.of is None:
        return _windowed(context, events, aggregate, window)
    zone = context.catalogue.project.timezone
    find = anchor(window.of, context.kind == "user", zone)
    found = AnchoredWindow(context, events, aggregate, window, find)
    _bind(aggregate, found.bounds)
    return found


def _windowed(
    context: LeafContext, events: EventFilter, aggregate: Aggregate, window: Window
) -> AllTimeWindow:
    if aggregate.spans:
        found: AllTimeWindow = RollingWindow(context, events, aggregate)
    elif window.within is not None and not isinstance(aggregate, Sequence):
        found = SlidingWindow(context, events, aggregate, window.within)
    else:
        found = AllTimeWindow(context, events, aggregate)
    _bind(aggregate, found.bounds)
    return found


def event_filter_of(leaf: Leaf) -> EventFilter:
    """Which events a leaf counts: none if it tests a trait or another definition."""
    match leaf:
        case EventLeaf() | GrowthLeaf():
            return EventFilter((leaf.events,), leaf.where)
        case SequenceLeaf():
            return EventFilter(leaf.steps, leaf.where)
        case ScoreLeaf():
            points = [p for p in leaf.points if isinstance(p, EventPoints)]
            return EventFilter(tuple(p.events for p in points))
        case UsersLeaf(inner):
            return event_filter_of(inner)
        case _:
            return EventFilter(())


def paths_of(leaf: Leaf, name: str) -> list[str]:
    """The properties that a leaf reads of an event of this name."""
    match leaf:
        case EventLeaf():
            words = [word for word in (leaf.value, leaf.per) if word and word[0] != "@"]
            return [*(c.path for c in leaf.where), *words]
        case GrowthLeaf() | SequenceLeaf():
            return [c.path for c in leaf.where]
        case ScoreLeaf():
            points = [p for p in leaf.points if isinstance(p, EventPoints)]
            return [c.path for p in points if p.events.matches(name) for c in p.where]
        case UsersLeaf(inner):
            return paths_of(inner, name)
        case _:
            return []


def all_paths_of(leaf: Leaf) -> list[str]:
    """The properties that a leaf reads of events of any name."""
    if isinstance(leaf, UsersLeaf):
        return all_paths_of(leaf.inner)
    if isinstance(leaf, ScoreLeaf):
        points = [p for p in leaf.points if isinstance(p, EventPoints)]
        return [c.path for p in points for c in p.where]
    return paths_of(leaf, "")


def _aged(aggregate: Aggregate, leaf: Leaf, needs: LeafNeeds, context: LeafContext) -> Aggregate:
    """The aggregate, which may also need a subject of some age, or a fact at τ."""
    if context.is_guard:
        return aggregate
    own_facts = context.has_clock and isinstance(leaf, GrowthLeaf | ScoreLeaf)
    if needs.age is None and not own_facts:
        return aggregate
    return MinimumAge(aggregate, needs.age, own_facts)


def _aggregate(leaf: Leaf, context: LeafContext, slot: int | None) -> Aggregate:
    match leaf:
        case EventLeaf():
            return _event_aggregate(leaf, context, slot)
        case SequenceLeaf():
            return Sequence(leaf)
        case GrowthLeaf():
            return Growth(leaf)
        case ScoreLeaf():
            return Score(leaf, test_of(leaf.comparison, or_missing=False))
        case TraitLeaf():
            return TraitTest(leaf)
        case PqlLeaf():
            return QualifiedTest(leaf, context.catalogue)
        case UsersLeaf():
            return _members(leaf, context)


def _event_aggregate(leaf: EventLeaf, context: LeafContext, slot: int | None) -> Aggregate:
    timezone = context.catalogue.project.timezone
    aggregate = aggregate_of(leaf, timezone)
    within = leaf.window.within if leaf.window.of is None else None
    if leaf.per is not None:
        return Parts(aggregate, within, value_of(leaf.per), slot, leaf.comparison)
    if isinstance(aggregate, Distinct) and slot is not None:
        return Values(aggregate.test, within, aggregate.value, slot)
    return aggregate


def _members(leaf: UsersLeaf, context: LeafContext) -> Members:
    inner, window = _aggregate(leaf.inner, context, None), window_of(leaf.inner)
    if window.of is not None:
        find = anchor(window.of, True, context.catalogue.project.timezone)
        inner = MemberWindow(inner, window, event_filter_of(leaf.inner).counts, find)
        _bind(inner.inner, inner.bounds)
    elif isinstance(inner, Score):
        _bind(inner, _rolling_bounds(window))
    needs = needs_of(leaf.inner, knows_account=True)
    inner = _aged(inner, leaf.inner, needs, context)
    needs_age = needs.age is not None and not context.is_guard
    personal = needs.any_fact or needs_age or window.of is not None
    idle = needs.nothing or isinstance(leaf.inner, TraitLeaf | PqlLeaf)
    idle = idle or (isinstance(leaf.inner, ScoreLeaf) and bool(needs.traits))
    return Members(
        inner,
        whole_test(leaf.comparison),
        context.number,
        independent=inner.steady and not personal and not idle,
        idle=idle,
        personal=personal or inner.looks_back,
    )


def _rolling_bounds(window: Window) -> Bounds:
    first = window.within
    return lambda view: (NEVER if first is None else view.time - first + 1, view.time + 1)


def _bind(aggregate: Aggregate, bounds: Bounds) -> None:
    """Give a score the bounds of its window."""
    score = bare(aggregate)
    if isinstance(score, Score):
        score.bounds = bounds


class EventlessAggregate(Aggregate):
    """An aggregate that takes in no events: it reads the subject at τ."""

    steady = False

    def empty(self) -> list[Any]:
        return []

    def add(self, acc: list[Any], fact: Fact, view: View) -> None:
        """Not called: no event counts."""

    def drop(self, acc: list[Any], fact: Fact, view: View, span: int) -> None:
        """Not called: no event counts."""


class TraitTest(EventlessAggregate):
    """The value of a trait."""

    def __init__(self, leaf: TraitLeaf) -> None:
        self.path = TraitPath(leaf.condition.path, leaf.account)
        self.condition = leaf.condition
        self._shared = any(map(traits_of, leaf.condition.comparisons))

    def observed(self, acc: list[Any], view: View) -> object:
        return view.trait(self.path)

    def holds(self, acc: list[Any], view: View) -> bool:
        found = view.trait(self.path)
        if not self._shared:
            return satisfies(found, self.condition)
        condition = settled(self.condition, view.trait)
        if condition is None:
            return found is None and self.condition.or_missing
        return satisfies(found, condition)


class QualifiedTest(EventlessAggregate):
    """Whether the subject, or the user's account, has qualified for another definition."""

    def __init__(self, leaf: PqlLeaf, catalogue: Catalogue) -> None:
        place = catalogue.place(leaf.name)
        if place is None:
            raise LookupError(f"there is no definition {leaf.name}")
        self.kind, self.rule = place.definition.subject, place.in_kind

    def observed(self, acc: list[Any], view: View) -> object:
        return view.is_marked(self.kind, self.rule)

    def holds(self, acc: list[Any], view: View) -> bool:
        return view.is_marked(self.kind, self.rule)
