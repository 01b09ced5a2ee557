"""Absence: leaves that a subject can meet by having done nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

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
from .values import measures_up, satisfies


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
    """Whether 0 meets a comparison. A share of a trait is above 0, so that 1 may stand for it."""
    if comparison.operator == "between":
        low, high = map(_without_share, comparison.operand)
        return bool(low <= 0 <= high)
    return measures_up(0, replace(comparison, operand=_without_share(comparison.operand)))


def _without_share(operand: Any) -> Any:
    return 1 if isinstance(operand, Share) else operand


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
