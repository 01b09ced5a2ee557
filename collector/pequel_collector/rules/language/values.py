"""Values of properties and traits: which are equal, and which meet a comparison.

Values come from JSON. 1 equals 1.0; a number, a text and true are never equal; lists and
objects are equal when their parts are. A missing value is None, as is ``null``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Context, Decimal, Inexact
from operator import eq, ge, gt, le, lt, ne
from typing import Any

from ...model import is_number
from .dates import instant_of
from .definition import Comparison, Condition, Date, Share, TraitPath

EXACT = Context(prec=10_000, traps=[Inexact])
"""Digits for the sum, or the product, of any numbers that are stored.

A whole number has at most 4,300 digits, and a fraction is a double: at most 324 decimals.
"""

_MAX_DIGITS = 4_300
"""Python turns no whole number of more digits into text."""

_MARK = "\ufdd1"  # a character that stands for nothing, in any text
_HALF = re.compile("[\ud800-\udfff]")

_COMPARES: dict[str, Callable[[Any, Any], Any]] = {
    "gte": ge, "gt": gt, "lte": le, "lt": lt, "eq": eq, "ne": ne,
}  # fmt: skip

Look = Callable[[TraitPath], Any]
"""Gives the value of a trait; None where it is missing."""


def key(value: Any) -> str:
    """A text that equal values share and different values do not."""
    match value:
        case str():
            return "s" + value
        case bool():
            return "b" + str(value)
        case int() | float() | Decimal():
            return "n" + _number(value)
        case list() | tuple():
            return "l[" + ",".join(_quoted(key(item)) for item in value) + "]"
        case Mapping():
            parts = sorted((str(name), key(item)) for name, item in value.items())
            return "o{" + ",".join(_quoted(n) + ":" + _quoted(k) for n, k in parts) + "}"
        case _:
            return "z"


def _number(value: float | Decimal) -> str:
    if isinstance(value, Decimal) and value.adjusted() >= _MAX_DIGITS:
        text = format(value, "f")
        return text.rstrip("0").rstrip(".") if "." in text else text
    if value == int(value):
        return str(int(value))
    if isinstance(value, Decimal) and Decimal(repr(float(value))) != value:
        return str(value).rstrip("0")
    return repr(float(value))


def _quoted(text: str) -> str:
    return f"{len(text)}'{text}"


def lookup(path: str, values: Mapping[str, Any]) -> Any:
    """The value at a path: the literal name first, then by dots into objects; None if missing."""
    literal = values.get(path)
    if literal is not None:
        return literal
    here: Any = values
    for step in path.split("."):
        if not isinstance(here, Mapping):
            return None
        here = here.get(step)
    return here


def satisfies(value: Any, condition: Condition) -> bool:
    """Whether a value, None where it is missing, meets a condition without shares."""
    if value is None and condition.or_missing:
        return True
    return all(compare(value, c) for c in condition.comparisons)


def settled(condition: Condition, look: Look) -> Condition | None:
    """A condition with every share worked out; None where one has no trait to be a share of."""
    found = [settle(comparison, look) for comparison in condition.comparisons]
    comparisons = tuple(c for c in found if c is not None)
    return replace(condition, comparisons=comparisons) if len(comparisons) == len(found) else None


def settle(comparison: Comparison, look: Look) -> Comparison | None:
    """A comparison with its shares worked out; None where one has no trait to be a share of."""
    operand = comparison.operand
    if isinstance(operand, Share):
        whole = share(operand, look)
        return None if whole is None else Comparison(comparison.operator, whole)
    if isinstance(operand, tuple) and any(isinstance(end, Share) for end in operand):
        ends = tuple(share(end, look) if isinstance(end, Share) else end for end in operand)
        return None if None in ends else Comparison(comparison.operator, ends)
    return comparison


def share(threshold: Share, look: Look) -> int | Decimal | None:
    """A share of a trait that is a number above 0."""
    whole = look(threshold.trait)
    if not is_number(whole) or whole <= 0:
        return None
    return EXACT.multiply(Decimal(threshold.ratio), Decimal(exact(whole)))


def shares_in(comparison: Comparison) -> list[Share]:
    """The shares among the thresholds of a comparison."""
    operand = comparison.operand
    ends = operand if isinstance(operand, tuple) else (operand,)
    return [end for end in ends if isinstance(end, Share)]


def compare(value: Any, comparison: Comparison) -> bool:
    """Whether one comparison holds of a value. Of a missing one only ``exists = false`` does."""
    operator, operand = comparison.operator, comparison.operand
    if operator == "exists":
        return (value is not None) is operand
    if value is None:
        return False
    match operator:
        case "eq":
            return key(value) == key(operand)
        case "ne":
            return key(value) != key(operand)
        case "in":
            return key(value) in comparison.keys(key)
        case "not_in":
            return key(value) not in comparison.keys(key)
        case "contains":
            return _contains(value, operand)
        case "starts_with" | "ends_with":
            return _affix(value, operator, operand)
        case "gte" if type(value) is int and type(operand) is not Date:
            return bool(value >= operand)
        case _:
            return _has_its_size(value, comparison)


def dates_in(comparison: Comparison) -> tuple[Date, ...]:
    """The dates among the thresholds of a comparison: all of them, or none."""
    operand = comparison.operand
    if type(operand) is Date:
        return (operand,)
    is_pair = type(operand) is tuple and operand and type(operand[0]) is Date
    return operand if is_pair else ()


def _has_its_size(value: Any, comparison: Comparison) -> bool:
    """Whether a value is a number, or where the thresholds are dates a date, that meets them."""
    dates = dates_in(comparison)
    if not dates:
        return is_number(value) and measures_up(exact(value), comparison)
    time = instant_of(value, dates[0].zone)
    times = tuple(threshold.time for threshold in dates)
    operand = times if comparison.operator == "between" else times[0]
    return time is not None and measures_up(time, replace(comparison, operand=operand))


def exact(number: float | Decimal) -> int | Decimal:
    """A number as it was written: 0.1 is a tenth, not the binary fraction next to it."""
    return Decimal(repr(number)) if isinstance(number, float) else number


def measures_up(number: Any, comparison: Comparison) -> bool:
    """Whether a number meets a comparison between numbers."""
    operand = comparison.operand
    if comparison.operator == "between":
        return bool(operand[0] <= number <= operand[1])
    return bool(_COMPARES[comparison.operator](number, operand))


def _contains(value: Any, operand: Any) -> bool:
    if isinstance(operand, tuple):
        return any(_contains(value, each) for each in operand)
    if isinstance(value, str):
        return isinstance(operand, str) and operand in value
    return isinstance(value, list | tuple) and any(key(v) == key(operand) for v in value)


def _affix(value: Any, operator: str, operand: Any) -> bool:
    if not isinstance(value, str):
        return False
    return value.startswith(operand) if operator == "starts_with" else value.endswith(operand)


def whole(value: Any) -> Any:
    """A value that every encoding can hold: half a pair of surrogates is written as its number.

    Different values stay different: the mark that stands before the number is doubled.
    """
    match value:
        case str():
            return value if value.isascii() else _whole_text(value)
        case list():
            return [whole(item) for item in value]
        case Mapping():
            return {whole(name): whole(item) for name, item in value.items()}
        case _:
            return value


def _whole_text(text: str) -> str:
    if _MARK not in text and not _HALF.search(text):
        return text
    doubled = text.replace(_MARK, _MARK * 2)
    return _HALF.sub(lambda half: f"{_MARK}{ord(half[0]):x}", doubled)
