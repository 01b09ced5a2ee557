"""What definitions compare, with what: properties of events, and traits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..insights.sample import Sample
from ..insights.values import Values
from ..model import Kind
from ..rules.language.analysis import traits_of
from ..rules.language.definition import (
    Comparison,
    Condition,
    EventLeaf,
    EventPattern,
    EventPoints,
    Leaf,
    ScoreLeaf,
    TraitLeaf,
    TraitPath,
    TraitPoints,
    UsersLeaf,
    trait_path,
    window_of,
)
from ..rules.language.measures import MEASURES
from .case import Case, patterns, shown, where_of


@dataclass(frozen=True, slots=True)
class Compared:
    """A property of some events, or a trait of users or accounts, and what is asked of its values.

    ``of`` has the events, or the kind of subject. ``role`` says what it is used as: ``compared`` or
    ``latest`` (by the ``comparisons``), ``number`` (added up, the smallest, the largest), ``key``
    (told apart), ``whole`` (a threshold is a share of it) or ``date`` (a window begins at it).
    """

    path: str
    of: EventPattern | Kind
    role: str = "compared"
    comparisons: tuple[Comparison, ...] = ()

    def values(self, sample: Sample) -> Values:
        """The values in the data."""
        if isinstance(self.of, EventPattern):
            return sample.values(self.path, [self.of])
        return sample.traits(self.of, self.path)

    def bearers(self, sample: Sample) -> int:
        """How many events, or subjects, there are that could have a value."""
        if isinstance(self.of, EventPattern):
            return sum(each.count for each in sample.arrivals([self.of]))
        return len(sample.of(self.of))

    @property
    def whose(self) -> str:
        """What has it, in words."""
        return f"{shown([self.of])} events" if isinstance(self.of, EventPattern) else f"{self.of}s"


def compared_by(leaf: Leaf, case: Case) -> Iterator[Compared]:
    """What a leaf compares; not what a leaf inside of ``users`` does, which is a leaf itself."""
    match leaf:
        case TraitLeaf(condition, account):
            yield _of_trait(condition, kind_of_trait(account, leaf, case))
        case ScoreLeaf(points):
            for part in points:
                yield from _by_points(part, leaf, case)
        case _:
            for pattern in patterns(leaf):
                yield from _by_where(where_of(leaf), pattern)
    if isinstance(leaf, EventLeaf):
        yield from _by_measure(leaf)
    yield from _by_thresholds(leaf, case)


def kind_of_trait(account: bool, leaf: Leaf, case: Case) -> Kind:
    """Whose trait a leaf looks at; ``account`` where it says the account of a user."""
    of_user = case.definition.subject == "user" or _is_inside_users(leaf, case)
    return "account" if account or not of_user else "user"


def _is_inside_users(leaf: Leaf, case: Case) -> bool:
    return any(isinstance(other, UsersLeaf) and other.inner == leaf for other in case.all_leaves)


def _by_points(part: EventPoints | TraitPoints, leaf: Leaf, case: Case) -> Iterator[Compared]:
    if isinstance(part, EventPoints):
        yield from _by_where(part.where, part.events)
    else:
        yield _of_trait(part.condition, kind_of_trait(part.account, leaf, case))


def _by_where(where: tuple[Condition, ...], events: EventPattern) -> Iterator[Compared]:
    for condition in where:
        yield Compared(condition.path, events, "compared", condition.comparisons)


def _of_trait(condition: Condition, kind: Kind) -> Compared:
    return Compared(condition.path, kind, "compared", condition.comparisons)


def _by_measure(leaf: EventLeaf) -> Iterator[Compared]:
    """The property that a number is drawn from, and the one that parts the events."""
    if leaf.per is not None and not leaf.per.startswith("@"):
        yield Compared(leaf.per, leaf.events, "key")
    if leaf.value is None or leaf.value.startswith("@"):
        return
    measure = MEASURES[leaf.measure]
    if measure.takes_any_value:
        yield Compared(leaf.value, leaf.events, "latest", (leaf.comparison,))
    else:
        yield Compared(leaf.value, leaf.events, "key" if measure.is_count else "number")


def _by_thresholds(leaf: Leaf, case: Case) -> Iterator[Compared]:
    """The traits of which a threshold is a share, and the one at which a window begins."""
    for trait in sorted(_wholes(leaf), key=str):
        inside = isinstance(leaf, UsersLeaf)
        kind = "account" if inside else kind_of_trait(trait.account, leaf, case)
        yield Compared(trait.path, kind, "whole")
    of = window_of(leaf).of or ""
    if of.startswith("trait:"):
        named = trait_path(of.removeprefix("trait:"), case.definition.subject == "user")
        yield Compared(named.path, kind_of_trait(named.account, leaf, case), "date")


def _wholes(leaf: Leaf) -> set[TraitPath]:
    match leaf:
        case EventLeaf() | UsersLeaf():
            return traits_of(leaf.comparison)
        case TraitLeaf(condition):
            return set().union(*map(traits_of, condition.comparisons))
        case ScoreLeaf(points):
            tests = [point.condition for point in points if isinstance(point, TraitPoints)]
            asked = [leaf.comparison, *(c for test in tests for c in test.comparisons)]
            return set().union(*map(traits_of, asked))
        case _:
            return set()
