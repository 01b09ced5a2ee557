"""Absence: leaves that a subject can meet by having done nothing."""

from __future__ import annotations

from collections.abc import Iterator

from .definition import (
    Comparison,
    Condition,
    EventLeaf,
    Guard,
    Leaf,
    ScoreLeaf,
    SequenceLeaf,
    Share,
    UsersLeaf,
    all_leaves,
    window_of,
)
from .measures import MEASURES
from .values import satisfies


def is_absence(leaf: Leaf) -> bool:
    """Whether a count, a sum or a score of 0 meets the comparison of a leaf."""
    match leaf:
        case EventLeaf() if MEASURES[leaf.measure].may_be_missing:
            return False
        case EventLeaf() | UsersLeaf() | ScoreLeaf():
            return met_by_zero(leaf.comparison)
        case _:
            return False


def met_by_missing(leaf: EventLeaf) -> bool:
    """Whether a leaf holds where none of its events has a value."""
    if leaf.per is not None or not MEASURES[leaf.measure].may_be_missing:
        return False
    return satisfies(None, Condition("", (leaf.comparison,), leaf.or_missing))


def met_by_zero(comparison: Comparison) -> bool:
    """Whether a comparison holds of 0; a share of a trait is a number above 0."""
    operand = comparison.operand
    match comparison.operator:
        case "gte":
            return not isinstance(operand, Share) and bool(operand <= 0)
        case "gt":
            return not isinstance(operand, Share) and bool(operand < 0)
        case "lte":
            return isinstance(operand, Share) or bool(operand >= 0)
        case "lt":
            return isinstance(operand, Share) or bool(operand > 0)
        case "between":
            low, high = (Comparison("gte", operand[0]), Comparison("lte", operand[1]))
            return met_by_zero(low) and met_by_zero(high)
        case "ne":
            return bool(operand != 0)
        case _:
            return bool(operand == 0)


def window_of_absence(leaf: Leaf) -> int:
    """How old a subject must be for its absence to mean something, in ms; 0 without a window."""
    match leaf:
        case UsersLeaf(inner):
            return window_of_absence(inner)
        case SequenceLeaf() if leaf.window.of is None:
            return 0
        case _:
            return window_of(leaf).within or 0


def absences(node: Guard) -> Iterator[Leaf]:
    """Every leaf of absence below a node, those inside ``users`` too."""
    return filter(is_absence, all_leaves(node))
