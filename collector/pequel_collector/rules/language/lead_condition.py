"""Conditions on a lead, as data, and whether one holds: what ``when`` of a route or an alert says.

A condition looks at a lead and at what is known of its subject now. It has no moment and no window,
unlike the ``when`` of a definition.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ...model import JSON, Kind
from .addresses import EMAIL_DOMAIN, SOURCE, domain_of
from .definition import (
    Condition,
    Definition,
    EventLeaf,
    EventPattern,
    Leaf,
    ScoreLeaf,
    UsersLeaf,
    leaves_of,
)
from .values import lookup, satisfies

Field = Literal["definition", "kind", "priority", "subject", "account", "partner"]
"""What of a lead is compared as a text."""

SCORE, USERS = "score", "users"
"""The names of the usage that a ``score`` and a ``users`` leaf observed."""


@dataclass(frozen=True, slots=True)
class FieldIs:
    """A part of the lead is one of several texts."""

    field: Field
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class QualifiedFor:
    """The lead's subject, or its account, has a lead of one of several definitions."""

    definitions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TraitIs:
    """A test of a trait of the lead's subject, or of its ``account``."""

    condition: Condition
    account: bool = False


@dataclass(frozen=True, slots=True)
class UsageIs:
    """A test of a number that the evidence of the lead states, by event or metric."""

    condition: Condition


@dataclass(frozen=True, slots=True)
class MappedTo:
    """The lead's account is on the list of accounts of one of several partners."""

    partners: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Several:
    """Holds where at least ``needed`` of the parts hold: all of them, any, or so many."""

    needed: int
    parts: tuple[LeadCondition, ...]


LeadCondition = FieldIs | QualifiedFor | TraitIs | UsageIs | MappedTo | Several


@dataclass(frozen=True, slots=True)
class LeadView:
    """What a condition sees of a lead.

    ``account`` is the id of its account; ``traits`` are those of its subject, ``account_traits``
    those of its account. ``usage`` has the numbers of its evidence by event, metric, ``score`` and
    ``users``. ``qualified`` are the definitions that its subject and its account have leads of,
    ``mapped_to`` the partners that have its account on their lists.
    """

    definition: str
    kind: str
    priority: str
    subject: Kind
    account: str | None = None
    partner: str | None = None
    traits: Mapping[str, JSON] = field(default_factory=dict)
    account_traits: Mapping[str, JSON] = field(default_factory=dict)
    usage: Mapping[str, Collection[JSON]] = field(default_factory=dict)
    qualified: Collection[str] = ()
    mapped_to: Collection[str] = ()


def holds(condition: LeadCondition | None, lead: LeadView) -> bool:
    """Whether a condition holds of a lead; no condition always does."""
    match condition:
        case None:
            return True
        case FieldIs(name, values):
            return getattr(lead, name) in values
        case QualifiedFor(definitions):
            return any(each in lead.qualified for each in definitions)
        case MappedTo(partners):
            return any(each in lead.mapped_to for each in partners)
        case TraitIs(test, account):
            return satisfies(_trait(lead.account_traits if account else lead.traits, test), test)
        case UsageIs(test):
            seen = lead.usage.get(test.path, ())
            return any(satisfies(each, test) for each in seen or (None,))
        case Several(needed, parts):
            return sum(holds(part, lead) for part in parts) >= needed


def usage_of(definition: Definition, evidence: Mapping[str, JSON]) -> dict[str, list[JSON]]:
    """The numbers that evidence states, by what they count. It has a leaf for each of ``when``."""
    found: dict[str, list[JSON]] = {}
    leaves = list(leaves_of(definition.when))
    shown = evidence.get("leaves", ())
    if len(shown) != len(leaves):
        return found
    for leaf, told in zip(leaves, shown, strict=True):
        for name in usage_names(leaf):
            found.setdefault(name, []).append(told.get("observed"))
    return found


def usage_names(leaf: Leaf) -> list[str]:
    """The names under which a condition finds what a leaf observed."""
    match leaf:
        case EventLeaf():
            return [*([leaf.metric] if leaf.metric else []), *event_names(leaf.events)]
        case UsersLeaf():
            return [USERS]
        case ScoreLeaf():
            return [SCORE]
        case _:
            return []


def event_names(pattern: EventPattern) -> list[str]:
    """The events of a pattern as they are written."""
    starred = [prefix + "*" for prefix in pattern.prefixes]
    return [*sorted(pattern.names), *starred, *(["*"] if pattern.any else [])]


def _trait(traits: Mapping[str, JSON], test: Condition) -> Any:
    if test.path == EMAIL_DOMAIN:
        return domain_of(traits.get(SOURCE))
    return lookup(test.path, traits)


def parts_of(condition: LeadCondition | None) -> list[LeadCondition]:
    """A condition and all conditions inside it."""
    if condition is None:
        return []
    inner = condition.parts if isinstance(condition, Several) else ()
    return [condition, *(each for part in inner for each in parts_of(part))]
