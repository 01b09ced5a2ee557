"""What a rule looks at: one definition, the text of its parts, and a sample of the data."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from ..insights.sample import Sample
from ..rules.language.absence import is_absence
from ..rules.language.analysis import names_in as definitions_named_by
from ..rules.language.analysis import needs_of
from ..rules.language.definition import (
    Catalogue,
    Condition,
    Definition,
    EventLeaf,
    EventPattern,
    EventPoints,
    GrowthLeaf,
    Leaf,
    Node,
    PqlLeaf,
    ScoreLeaf,
    SequenceLeaf,
    TraitPath,
    all_leaves,
)
from .finding import Level


class Found(NamedTuple):
    """The message of a rule, and its leaf: the ``path``, or "" for the whole definition.

    ``level`` where it differs from the rule's own.
    """

    message: str
    path: str = ""
    level: Level | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """A definition among the others of its catalogue.

    ``written`` has the text of every value of the definition by its path, such as ``when.gte``.
    ``capacity`` is how many leads somebody can follow up in a week. ``decided`` has the answers to
    questions by question and definition; the cases of a catalogue can share it.
    """

    catalogue: Catalogue
    definition: Definition
    written: Mapping[str, str] = field(default_factory=dict)
    sample: Sample | None = None
    capacity: int | None = None
    decided: dict[tuple[Hashable, str], bool] = field(default_factory=dict)

    @property
    def when(self) -> Node:
        """What must hold."""
        return self.definition.when

    @property
    def leaves(self) -> list[Leaf]:
        """Every leaf of ``when``; of ``users`` the leaf inside as well."""
        return list(all_leaves(self.when))

    @property
    def all_leaves(self) -> list[Leaf]:
        """Every leaf of ``when`` and ``unless``."""
        return list(all_leaves(self.when, *self.definition.unless))

    @property
    def counted(self) -> list[EventLeaf]:
        """The leaves of ``when`` that draw a number from events, absences aside."""
        return [x for x in self.leaves if isinstance(x, EventLeaf) and not is_absence(x)]

    @property
    def sells(self) -> bool:
        """Whether its leads are for new business: neither customers already, nor only nudged."""
        return self.definition.kind == "new"

    def traits_of(self, leaf: Leaf) -> set[TraitPath]:
        """The traits that a leaf, other than ``users``, looks at."""
        return needs_of(leaf, knows_account=self.definition.subject == "user").traits

    def of(self, leaf: PqlLeaf) -> Case:
        """The case of the definition that a leaf names, which is one of the catalogue."""
        return self.among([leaf.name])[0]

    def decide(self, question: Hashable, ask: Callable[[Case], bool]) -> bool:
        """Ask a question about every definition that this one names, each once, and then about it.

        A chain of definitions may be longer than Python can recurse, and many may name the same
        one. ``ask`` can decide the question of those that it names.
        """
        waiting = [] if (question, self.definition.name) in self.decided else [self]
        while waiting:
            case = waiting[-1]
            below = case.among(
                name
                for name in definitions_named_by(case.definition)
                if (question, name) not in self.decided
            )
            if below:
                waiting += below
            else:
                self.decided[question, waiting.pop().definition.name] = ask(case)
        return self.decided[question, self.definition.name]

    def among(self, names: Iterable[str]) -> list[Case]:
        """The cases of the definitions with these names, in the order of the file."""
        found = filter(None, map(self.catalogue.place, frozenset(names)))
        in_order = sorted(found, key=lambda place: place.in_file)
        return [replace(self, definition=place.definition) for place in in_order]


def patterns(leaf: Leaf) -> list[EventPattern]:
    """The events that count for a leaf; not those inside of ``users``, which is a leaf itself."""
    match leaf:
        case EventLeaf(events) | GrowthLeaf(events):
            return [events]
        case SequenceLeaf(steps):
            return list(steps)
        case ScoreLeaf(points):
            return [p.events for p in points if isinstance(p, EventPoints) and p.add > 0]
        case _:
            return []


def where_of(leaf: Leaf) -> tuple[Condition, ...]:
    """The conditions on the properties of its events."""
    match leaf:
        case EventLeaf() | SequenceLeaf() | GrowthLeaf():
            return leaf.where
        case _:
            return ()


def names_in(patterns: Iterable[EventPattern]) -> list[str]:
    """The events that patterns name, as they are written, in order."""
    found = [
        name
        for pattern in patterns
        for name in (*sorted(pattern.names), *(f"{prefix}*" for prefix in pattern.prefixes))
    ]
    return list(dict.fromkeys(found))


def shown(patterns: Iterable[EventPattern]) -> str:
    """Patterns as words."""
    found = list(patterns)
    anything = ["any event"] if any(pattern.any for pattern in found) else []
    return ", ".join([*names_in(found), *anything])
