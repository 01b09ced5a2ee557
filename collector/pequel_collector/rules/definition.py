"""A definition as data: what a ``[[pql]]`` table means once it has been read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from ..model import Kind

Operator = Literal[
    "gte", "gt", "lte", "lt", "eq", "ne", "between", "in", "not_in",
    "exists", "contains", "starts_with", "ends_with",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Comparison:
    """One operator and its operand, a plain value: a quantity such as ``10GB`` is a number."""

    operator: Operator
    operand: Any


@dataclass(frozen=True, slots=True)
class Condition:
    """A test of a property or trait: every comparison holds, or it is missing and may be."""

    path: str
    comparisons: tuple[Comparison, ...]
    or_missing: bool = False


@dataclass(frozen=True, slots=True)
class Window:
    """Which instants a leaf looks at.

    ``of`` None: rolling, (τ − within, τ], or all of the past where ``within`` is None too.
    ``of`` an anchor: [anchor, anchor + within), without end where ``within`` is None.
    Lengths are milliseconds.
    """

    within: int | None = None
    of: str | None = None


@dataclass(frozen=True, slots=True)
class EventPattern:
    """Which event names a leaf counts: exact names, prefixes, or every event."""

    names: frozenset[str] = frozenset()
    prefixes: tuple[str, ...] = ()
    any: bool = False

    def matches(self, name: str) -> bool:
        """Whether an event of this name is counted."""
        return self.any or name in self.names or name.startswith(self.prefixes)


@dataclass(frozen=True, slots=True)
class EventLeaf:
    """A number of events, or of different values among them, and one comparison."""

    events: EventPattern
    comparison: Comparison
    where: tuple[Condition, ...] = ()
    distinct: str | None = None
    window: Window = Window()
    path: str = ""


@dataclass(frozen=True, slots=True)
class TraitLeaf:
    """A test of the value that a trait of the subject has at τ."""

    condition: Condition
    path: str = ""


@dataclass(frozen=True, slots=True)
class AllOf:
    """Holds where every part holds, at the same τ."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Holds where at least one part holds."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Internal:
    """The guard ``internal``: the subject is one of our own."""


@dataclass(frozen=True, slots=True)
class Customer:
    """The guard ``customer``: the subject, or a user's account, has converted at or before τ."""


Leaf = EventLeaf | TraitLeaf
Node = EventLeaf | TraitLeaf | AllOf | AnyOf
Guard = Node | Internal | Customer


@dataclass(frozen=True, slots=True)
class Definition:
    """One ``[[pql]]``: what must hold, for whom, and what to do with the lead that it opens.

    ``sla`` is in milliseconds. ``source`` is the table as it was written, as plain data.
    ``hash`` names this content: equal content has an equal hash.
    """

    name: str
    when: Node
    subject: Kind = "user"
    unless: tuple[Guard, ...] = ()
    title: str | None = None
    kind: str = "new"
    priority: str = "normal"
    sla: int | None = None
    play: str | None = None
    owner: str | None = None
    on_change: str = "retroactive"
    source: dict[str, Any] = field(default_factory=dict, compare=False)
    hash: str = ""


@dataclass(frozen=True, slots=True)
class InternalRule:
    """Who is internal: a domain of the trait ``email``, or a trait with this value."""

    email_domains: frozenset[str] = frozenset()
    traits: tuple[tuple[str, Any], ...] = ()

    @property
    def names(self) -> frozenset[str]:
        """The traits that it reads."""
        email = {"email"} if self.email_domains else set()
        return frozenset(email | {name for name, _ in self.traits})


@dataclass(frozen=True, slots=True)
class Project:
    """The ``[project]`` table: what the definitions share."""

    timezone: str = "UTC"
    signup: str | None = None
    trial: str | None = None
    conversion: str | None = None
    key_events: tuple[str, ...] = ()
    internal: InternalRule = InternalRule()


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All that a definitions file says. ``text`` is the file as written."""

    project: Project = Project()
    definitions: tuple[Definition, ...] = ()
    features: dict[str, tuple[str, ...]] = field(default_factory=dict)
    text: str = ""

    def of_kind(self, kind: Kind) -> tuple[Definition, ...]:
        """The definitions for users, or for accounts."""
        return tuple(d for d in self.definitions if d.subject == kind)

    def named(self, name: str) -> Definition | None:
        """The definition of this name, if there is one."""
        return next((d for d in self.definitions if d.name == name), None)


def leaves_of(node: Guard) -> Iterator[Leaf]:
    """Every leaf below a node, in the order of the text."""
    match node:
        case AllOf(parts) | AnyOf(parts):
            for part in parts:
                yield from leaves_of(part)
        case EventLeaf() | TraitLeaf():
            yield node
        case _:
            return
