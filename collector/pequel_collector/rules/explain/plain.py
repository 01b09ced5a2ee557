"""Values of definitions and events as JSON."""

from __future__ import annotations

import json
from decimal import Decimal
from math import ceil, floor, isinf
from typing import Any

from ...model import JSON, is_number, iso
from ..language.definition import (
    Comparison,
    Date,
)
from ..language.values import exact

MAX_TEXT = 200
"""Characters of a property that evidence shows."""
MAX_DIGITS = 4_300
"""A number of more digits is shown as text: it cannot be read back as a number."""


def needed(comparison: Comparison, whole: bool) -> JSON:
    """The least that satisfies a minimum; for the other comparisons their operand."""
    operand = comparison.operand
    match comparison.operator:
        case "gte" if whole:
            return ceil(operand)
        case "gt" if whole:
            return floor(operand) + 1
        case "gte":
            return plain(operand)
        case operator:
            return {operator: plain(operand)}


def plain(value: Any) -> JSON:
    """A value as JSON: tuples become lists, exact decimals numbers."""
    match value:
        case tuple() | list() | frozenset():
            return [plain(item) for item in value]
        case Date():
            return iso(value.time)
        case Decimal() if value.adjusted() >= MAX_DIGITS:
            return str(value)
        case Decimal():
            whole = int(value)
            return whole if value == whole or isinf(float(value)) else float(value)
        case _:
            return value


def bounded(value: Any) -> JSON:
    """A value of a property as evidence shows it: a long one is cut off."""
    if value is None or isinstance(value, bool | int | float | Decimal):
        return plain(value)
    text = value if isinstance(value, str) else json.dumps(plain(value), ensure_ascii=False)
    if len(text) > MAX_TEXT:
        return f"{text[: MAX_TEXT - 1]}…"
    return plain(value)


def share_of(observed: JSON, asked: JSON) -> float:
    if not is_number(observed) or not is_number(asked) or asked <= 0:
        return 0.0
    return max(0.0, min(float(decimal_of(observed) / decimal_of(asked)), 1.0))


def decimal_of(number: float | Decimal) -> Decimal:
    return Decimal(exact(number))
