"""Routes that get no lead: they never match, or an earlier route takes all of theirs: L28, L29."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..rules.language.definition import Catalogue, Condition, Definition, leaves_of
from ..rules.language.lead_condition import (
    FieldIs,
    LeadCondition,
    MappedTo,
    QualifiedFor,
    Several,
    TraitIs,
    UsageIs,
    usage_names,
)
from ..rules.language.routing import Route, RoutingTables
from ..rules.language.values import key
from .case import Found

Values = frozenset[str]


def never_matches(catalogue: Catalogue, number: int) -> Iterator[Found]:
    """L28: no lead of any definition can match."""
    route = catalogue.routing.routes[number]
    if catalogue.definitions and not any(can_match(route, d) for d in catalogue.definitions):
        yield Found(
            f"no lead can match the route {route.name}: compare its when with the definitions of "
            "this file",
            "when",
        )


def is_shadowed(catalogue: Catalogue, number: int) -> Iterator[Found]:
    """L29: an earlier route that is never full takes every lead."""
    tables = catalogue.routing
    route = tables.routes[number]
    for earlier in tables.routes[:number]:
        if implies(route.when, earlier.when) and not can_be_full(tables, earlier):
            yield Found(
                f"the route {earlier.name} takes every lead of {route.name}: put {route.name} "
                "above it, or narrow the when of the other"
            )
            return


def can_match(route: Route, definition: Definition) -> bool:
    """Whether a lead of a definition can match a route, as far as the file says."""
    return _may_hold(route.when, definition)


def can_be_full(tables: RoutingTables, route: Route) -> bool:
    """Whether all of those whom a route assigns to can be without room."""
    if route.assign.kind == "team":
        return False
    names = route.assign.members or (route.assign.name,)
    return all(tables.capacity(route.assign, name) is not None for name in names)


def implies(narrow: LeadCondition | None, wide: LeadCondition | None) -> bool:
    """Whether a condition holds wherever another one does; False if that is not certain."""
    if wide is None or narrow == wide:
        return True
    if isinstance(wide, Several):
        return sum(implies(narrow, part) for part in wide.parts) >= wide.needed
    match narrow:
        case Several(needed, parts):
            enough = len(parts) - needed + 1  # however they hold, one of so many does
            return sum(implies(part, wide) for part in parts) >= enough
        case FieldIs(field, values) if isinstance(wide, FieldIs):
            return field == wide.field and {*values} <= {*wide.values}
        case QualifiedFor(definitions) if isinstance(wide, QualifiedFor):
            return {*definitions} <= {*wide.definitions}
        case MappedTo(partners) if isinstance(wide, MappedTo):
            return {*partners} <= {*wide.partners}
        case TraitIs(test, account) if isinstance(wide, TraitIs):
            return account == wide.account and _implies_value(test, wide.condition)
        case _:
            return False


def _implies_value(narrow: Condition, wide: Condition) -> bool:
    allowed, others = _allowed(narrow), _allowed(wide)
    if allowed is None or others is None:
        return False
    return narrow.path == wide.path and allowed <= others


def _may_hold(condition: LeadCondition | None, definition: Definition) -> bool:
    match condition:
        case FieldIs("definition", values):
            return definition.name in values
        case FieldIs("kind", values):
            return definition.kind in values
        case FieldIs("priority", values):
            return definition.priority in values
        case FieldIs("subject", values):
            return definition.subject in values
        case FieldIs("partner", _):
            return False  # a lead has a partner only after it was routed
        case UsageIs(test):
            return test.or_missing or test.path in _counted(definition)
        case Several(needed, parts):
            some = sum(_may_hold(part, definition) for part in parts) >= needed
            return some and not (needed == len(parts) and _contradicts(parts))
        case _:
            return True


def _counted(definition: Definition) -> list[str]:
    return [name for leaf in leaves_of(definition.when) for name in usage_names(leaf)]


def _contradicts(parts: Sequence[LeadCondition]) -> bool:
    """Whether two tests that must both hold allow a trait no value in common."""
    seen: dict[tuple[str, bool], Values] = {}
    for part in parts:
        if isinstance(part, TraitIs) and (allowed := _allowed(part.condition)) is not None:
            place = part.condition.path, part.account
            seen[place] = seen.get(place, allowed) & allowed
    return any(not values for values in seen.values())


def _allowed(test: Condition) -> Values | None:
    """The values that a test of a trait allows; None if they are not listed."""
    if test.or_missing or len(test.comparisons) != 1:
        return None
    [comparison] = test.comparisons
    match comparison.operator:
        case "eq":
            return frozenset({key(comparison.operand)})
        case "in":
            return frozenset(map(key, comparison.operand))
        case _:
            return None
