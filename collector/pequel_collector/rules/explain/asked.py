"""What a comparison asked for, beside what was observed: *(3 needed)*, *(at most 5 allowed)*."""

from __future__ import annotations

from decimal import Decimal
from math import ceil
from typing import Any

from ...model import is_number
from ..language.definition import Comparison, Share
from ..language.values import dates_in, exact, settle
from . import figures
from .leaf import counts
from .leaf_of_events import EventExplanation
from .vocabulary import Vocabulary
from .words import is_plural


def needed_of(found: EventExplanation, words: Vocabulary) -> str:
    """What the comparison asked for, between brackets; nothing where that is plain."""
    leaf, comparison = found.leaf, found.leaf.comparison
    if isinstance(comparison.operand, Share):
        return _share(found, comparison.operand, words)
    if counts(leaf) and found.observed == 1 and comparison == Comparison("gte", 1):
        return ""
    if leaf.value == "@event" and comparison == Comparison("gte", len(leaf.events.names)):
        return ""
    settled = settle(comparison, found.ctx.trait)
    if settled is not None and leaf.value == "@minute" and leaf.events.any and found.observed:
        return _minutes(settled)
    path = "" if counts(leaf) else leaf.value or ""
    return "" if settled is None else asked(settled, path, counts(leaf))


def _minutes(comparison: Comparison) -> str:
    """A number of active minutes that is needed, as a length of time."""
    operator, operand = comparison.operator, comparison.operand
    if operator == "gte" and is_number(operand):
        return f" ({figures.minutes(max(0, ceil(operand)))} needed)"
    return asked(comparison, whole=True)


def asked(comparison: Comparison, path: str = "", whole: bool = False) -> str:
    """A comparison between brackets: *(3 needed)*, *(at most 5 allowed)*."""
    operator, operand = comparison.operator, comparison.operand

    def text(value: Any) -> str:
        return figures.quantity(path, value)

    match operator:
        case "gte":
            return f" ({text(ceil(operand) if whole else operand)} needed)"
        case "gt" if whole:
            return f" ({text(operand // 1 + 1)} needed)"
        case "gt" if dates_in(comparison):
            return f" (after {text(operand)} needed)"
        case "gt":
            return f" (more than {text(operand)} needed)"
        case "lte":
            return f" (at most {text(operand)} allowed)"
        case "lt":
            return f" (less than {text(operand)} allowed)"
        case "between":
            return f" ({text(operand[0])} to {text(operand[1])} needed)"
        case _:
            return ""


_OF_SHARES = {"gte": "{} needed", "gt": "more than {} needed", "lte": "at most {} allowed",
              "lt": "less than {} allowed"}  # fmt: skip


def _share(found: EventExplanation, share: Share, words: Vocabulary) -> str:
    """The share of a limit: *, 80% of their limit of 5 (80% needed)*."""
    limit, path = found.ctx.trait(share.trait), share.trait.path
    form = _OF_SHARES.get(found.leaf.comparison.operator, "")
    needed = f" ({form.format(figures.percent(share.ratio))})" if form else ""
    if not is_number(limit) or not is_number(found.observed):
        return needed
    whose = "their account's" if share.trait.account else "their"
    part = figures.percent(Decimal(exact(found.observed)) / Decimal(exact(limit)))
    noun, value = words.noun(path), figures.quantity(path, limit)
    of = f"{value} {noun}" if noun and is_plural(noun) else f"{noun or 'limit'} of {value}"
    return f", {part} of {whose} {of}{needed}"
