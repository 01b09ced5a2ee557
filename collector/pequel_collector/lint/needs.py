"""What a definition needs to be sent: events, properties of theirs, and traits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ..model import Kind
from ..rules.language.addresses import EMAIL_DOMAIN, SOURCE
from ..rules.language.analysis import traits_of
from ..rules.language.definition import (
    CONTEXT,
    Condition,
    EventLeaf,
    EventPattern,
    EventPoints,
    Leaf,
    ScoreLeaf,
    UsersLeaf,
    window_of,
)
from .case import Case, names_in, patterns, where_of
from .compared import kind_of_trait


class Counted(NamedTuple):
    """Events that are counted together, and the properties of theirs that are looked at."""

    events: list[EventPattern]
    properties: list[str]

    @property
    def names(self) -> list[str]:
        """The events as they are written; ``*`` for any."""
        return [*names_in(self.events), *("*" for pattern in self.events if pattern.any)]


def counted_by(leaf: Leaf) -> Iterator[Counted]:
    """What a leaf counts; not what a leaf inside of ``users`` does, which is a leaf itself."""
    match leaf:
        case ScoreLeaf(points):
            for part in points:
                if isinstance(part, EventPoints):
                    yield Counted([part.events], _paths(part.where))
        case EventLeaf():
            own = [name for name in (leaf.value, leaf.per) if name and not name.startswith("@")]
            yield Counted([leaf.events], _properties([*_paths(leaf.where), *own]))
        case _ if events := patterns(leaf):
            yield Counted(events, _paths(where_of(leaf)))


def beginnings(case: Case) -> list[str]:
    """The events with which a definition's windows begin."""
    project = case.catalogue.project
    declared = {"signup": project.signup, "trial": project.trial}
    named = (declared.get(of, of.removeprefix("first:")) for of in _anchors(case))
    return _unique([name for name in named if name is not None])


def traits_in(leaf: Leaf, case: Case) -> list[tuple[Kind, str]]:
    """The traits that a leaf looks at: whose they are, and their paths."""
    if isinstance(leaf, UsersLeaf):
        return [("account", trait.path) for trait in sorted(traits_of(leaf.comparison), key=str)]
    return sorted(
        (kind_of_trait(trait.account, leaf, case), sent(trait.path))
        for trait in case.traits_of(leaf)
    )


def sent(trait: str) -> str:
    """The trait that has to be sent for a trait to be known."""
    return SOURCE if trait == EMAIL_DOMAIN else trait


def _anchors(case: Case) -> Iterator[str]:
    """What the windows of a definition begin with, traits aside."""
    for leaf in case.all_leaves:
        of = window_of(leaf).of
        if of is not None and not of.startswith("trait:"):
            yield of


def _paths(where: tuple[Condition, ...]) -> list[str]:
    return _properties([condition.path for condition in where])


def _properties(paths: list[str]) -> list[str]:
    """The paths that are properties: what of the context there is, the sample does not say."""
    return _unique([path for path in paths if not path.startswith(CONTEXT)])


def _unique(names: list[str]) -> list[str]:
    return list(dict.fromkeys(names))
