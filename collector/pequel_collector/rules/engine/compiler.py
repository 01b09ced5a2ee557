"""From the leaves of a definition to what keeps them up to date: a window and an aggregate each."""

# ruff: noqa: ARG002 - `Aggregate` says what each method promises

from __future__ import annotations

from ...model import Kind
from ..language.absence import is_absence, window_of_absence
from ..language.analysis import holds_of_nothing, of_leaf, traits_of
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
)
from ..language.values import satisfies, settled
from .aggregates import (
    Aggregate,
    Cell,
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
    MemberWindow,
    MinimumAge,
    RollingWindow,
    SlidingWindow,
)


class Place:
    """Where a leaf stands: the number of its slot, its definition, and on which side of it.

    ``since`` is where a leaf of ``when`` begins to count; None for a leaf of ``unless``.
    """

    def __init__(
        self, kind: Kind, number: int, rule: int, catalogue: Catalogue, since: int | None
    ) -> None:
        self.kind, self.number, self.rule = kind, number, rule
        self.catalogue, self.since = catalogue, since

    @property
    def has_clock(self) -> bool:
        """Whether its definition is also looked at when there is no fact."""
        return self.catalogue.of_kind(self.kind)[self.rule].clock

    @property
    def is_guard(self) -> bool:
        """Whether the leaf stands in ``unless``."""
        return self.since is None


def compiled(leaf: Leaf, place: Place) -> AllTimeWindow:
    """A leaf of a definition, ready to take events in."""
    if isinstance(leaf, UsersLeaf):
        feed = event_filter_of(leaf.inner)
        aggregate: Aggregate = _members(leaf, place, feed)
        return _windowed(place, feed, _aged(aggregate, leaf, place), Window())
    feed = event_filter_of(leaf)
    window = _window_of(leaf)
    aggregate = _aged(_aggregate(leaf, place, place.number), leaf, place)
    if window.of is None:
        return _windowed(place, feed, aggregate, window)
    find = anchor(window.of, knows_account=place.kind == "user")
    found = AnchoredWindow(place.number, place.rule, feed, aggregate, place.since, window, find)
    _bind(aggregate, found.bounds)
    return found


def _windowed(
    place: Place, feed: EventFilter, aggregate: Aggregate, window: Window
) -> AllTimeWindow:
    if aggregate.spans:
        found: AllTimeWindow = RollingWindow(place.number, place.rule, feed, aggregate, place.since)
    elif window.within is not None and not isinstance(aggregate, Sequence):
        found = SlidingWindow(place.number, place.rule, feed, aggregate, place.since, window.within)
    else:
        found = AllTimeWindow(place.number, place.rule, feed, aggregate, place.since)
    _bind(aggregate, found.bounds)
    return found


def event_filter_of(leaf: Leaf) -> EventFilter:
    """Which events a leaf counts; none for a trait or a definition."""
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


def _window_of(leaf: Leaf) -> Window:
    return leaf.window if isinstance(leaf, EventLeaf | SequenceLeaf | ScoreLeaf) else Window()


def _aged(aggregate: Aggregate, leaf: Leaf, place: Place) -> Aggregate:
    """The aggregate, with the subject's age or a fact of its own as a further condition."""
    if place.is_guard:
        return aggregate
    age = window_of_absence(leaf) if is_absence(leaf) else None
    own_facts = place.has_clock and isinstance(leaf, GrowthLeaf | ScoreLeaf)
    return MinimumAge(aggregate, age, own_facts) if age is not None or own_facts else aggregate


def _aggregate(leaf: Leaf, place: Place, slot: int | None) -> Aggregate:
    match leaf:
        case EventLeaf():
            return _event_aggregate(leaf, place, slot)
        case SequenceLeaf():
            return Sequence(leaf)
        case GrowthLeaf():
            return Growth(leaf)
        case ScoreLeaf():
            return Score(leaf, test_of(leaf.comparison, or_missing=False))
        case TraitLeaf():
            return Trait(leaf)
        case PqlLeaf():
            return Marked(leaf, place.catalogue)
        case UsersLeaf():
            raise TypeError("users inside users")


def _event_aggregate(leaf: EventLeaf, place: Place, slot: int | None) -> Aggregate:
    timezone = place.catalogue.project.timezone
    aggregate = aggregate_of(leaf, timezone)
    within = leaf.window.within if leaf.window.of is None else None
    if leaf.per is not None:
        shared = bool(traits_of(leaf.comparison))
        return Parts(aggregate, within, value_of(leaf.per), slot, shared)
    if isinstance(aggregate, Distinct) and slot is not None:
        return Values(aggregate.test, within, aggregate.value, slot)
    return aggregate


def _members(leaf: UsersLeaf, place: Place, feed: EventFilter) -> Members:
    inner = _aggregate(leaf.inner, place, None)
    window = _window_of(leaf.inner)
    if window.of is not None:
        inner = MemberWindow(inner, window, feed.counts)
        _bind(inner.inner, inner.bounds)
    elif isinstance(inner, Score):
        _bind(inner, _rolling_bounds(window))
    inner = _aged(inner, leaf.inner, place)
    needs = of_leaf(leaf.inner, knows_account=True)
    personal = bool(needs.traits or needs.anchor or needs.mark) or (
        window.of is not None or (is_absence(leaf.inner) and not place.is_guard)
    )
    idle = holds_of_nothing(leaf.inner) or isinstance(leaf.inner, TraitLeaf | PqlLeaf)
    idle = idle or (isinstance(leaf.inner, ScoreLeaf) and bool(needs.traits))
    return Members(
        inner,
        whole_test(leaf.comparison),
        place.number,
        alone=inner.steady and not personal and not idle,
        idle=idle,
        personal=personal or inner.looks_back,
    )


def _rolling_bounds(window: Window) -> Bounds:
    first = window.within
    return lambda view: (NEVER if first is None else view.time - first + 1, view.time + 1)


def _bind(aggregate: Aggregate, bounds: Bounds) -> None:
    """Tell a score which instants its window has."""
    inner = aggregate.inner if isinstance(aggregate, MinimumAge) else aggregate
    if isinstance(inner, Score):
        inner.bounds = bounds


class Asking(Aggregate):
    """An aggregate that no event feeds: it asks about the subject at τ."""

    steady = False

    def empty(self) -> Cell:
        return []

    def add(self, cell: Cell, fact: Fact, view: View) -> None:
        """No event counts."""

    def drop(self, cell: Cell, fact: Fact, view: View, span: int) -> None:
        """No event counts."""


class Trait(Asking):
    """A trait of the subject."""

    def __init__(self, leaf: TraitLeaf) -> None:
        self.path = TraitPath(leaf.condition.path, leaf.account)
        self.condition = leaf.condition
        self._shared = any(map(traits_of, leaf.condition.comparisons))

    def observed(self, cell: Cell, view: View) -> object:
        return view.trait(self.path)

    def holds(self, cell: Cell, view: View) -> bool:
        found = view.trait(self.path)
        if not self._shared:
            return satisfies(found, self.condition)
        condition = settled(self.condition, view.trait)
        if condition is None:
            return found is None and self.condition.or_missing
        return satisfies(found, condition)


class Marked(Asking):
    """Another definition, of the subject or of the user's account."""

    def __init__(self, leaf: PqlLeaf, catalogue: Catalogue) -> None:
        named = catalogue.named(leaf.name)
        if named is None:
            raise LookupError(f"there is no definition {leaf.name}")
        self.kind = named.subject
        self.rule = catalogue.of_kind(named.subject).index(named)

    def observed(self, cell: Cell, view: View) -> object:
        return view.is_marked(self.kind, self.rule)

    def holds(self, cell: Cell, view: View) -> bool:
        return view.is_marked(self.kind, self.rule)
