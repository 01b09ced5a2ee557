"""A condition on a lead as a plain sentence: why a route matched."""

from __future__ import annotations

from .definition import TraitLeaf
from .lead_condition import (
    FieldIs,
    LeadCondition,
    MappedTo,
    QualifiedFor,
    Several,
    TraitIs,
    UsageIs,
)
from .sentence import describe_leaf


def describe_condition(condition: LeadCondition | None) -> str:
    """What a condition asks for, in words."""
    match condition:
        case None:
            return "every lead"
        case FieldIs(name, values):
            return f"{name} is {' or '.join(values)}"
        case QualifiedFor(definitions):
            return f"qualified for {' or '.join(definitions)}"
        case MappedTo(partners):
            return f"its account is on the list of {' or '.join(partners)}"
        case TraitIs(test, account):
            return describe_leaf(TraitLeaf(test, account))
        case UsageIs(test):
            return describe_leaf(TraitLeaf(test))
        case Several(needed, parts):
            return _several(needed, parts)


def _several(needed: int, parts: tuple[LeadCondition, ...]) -> str:
    shown = [_bracketed(part) for part in parts]
    if needed == len(parts):
        return " and ".join(shown)
    if needed == 1:
        return " or ".join(shown)
    return f"at least {needed} of: {', '.join(shown)}"


def _bracketed(part: LeadCondition) -> str:
    words = describe_condition(part)
    is_mixed = isinstance(part, Several) and part.needed < len(part.parts)
    return f"({words})" if is_mixed else words
