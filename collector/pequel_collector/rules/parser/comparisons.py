"""Comparisons, and the conditions on properties that ``where`` lists."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import date
from typing import Any, get_args

from ..language.definition import CONTEXT, Comparison, Condition, Date, Operator, Share
from ..language.quantities import Number
from .items import (
    Fields,
    Item,
    ItemParser,
    UnreadableError,
    list_of,
    one_of,
    quoted,
    read_all,
    value,
)

Threshold = Number | Share | Date

OPERATORS: tuple[Operator, ...] = get_args(Operator)
_DATES = 'dates are compared by "gte", "gt", "lte", "lt" and "between"'
_PAIR = "a list of two numbers, the lower one first"
_PAIR_OF_VALUES = "a list of two numbers or two dates, the lower one first"


def pair(
    parser: Callable[[Item], Threshold], expected: str = _PAIR
) -> Callable[[Item], tuple[Threshold, Threshold]]:
    """A parser of the two ends of ``between``."""
    ends = list_of(parser, expected)

    def read(item: Item) -> tuple[Threshold, Threshold]:
        found = ends(item)
        if len(found) != 2 or _falls(*found):
            raise item.wrong(expected)
        return found[0], found[1]

    return read


def _falls(low: Threshold, high: Threshold) -> bool:
    """Whether the first end is above the second, or of another sort; False if traits decide."""
    if isinstance(low, Date) and isinstance(high, Date):
        return low > high
    if isinstance(low, Date) or isinstance(high, Date):
        return True
    if isinstance(low, Share) and isinstance(high, Share):
        return low.trait == high.trait and low.ratio > high.ratio
    return not isinstance(low, Share) and not isinstance(high, Share) and low > high


def comparable(item: Item) -> Any:
    """Any value that a property or a trait may be equal to."""
    if isinstance(item.value, date):
        raise item.wrong(f"a text, a number, true or false; {_DATES}", f"the date {item.shown()}")
    return value(item)


values = list_of(comparable, "a list of values")


def any_of(parser: ItemParser, expected: str) -> ItemParser:
    """A parser of one thing, or of a list of which any one is enough."""
    several = list_of(parser, expected)

    def read(item: Item) -> Any:
        if not isinstance(item.value, list):
            return parser(item)
        found = several(item)
        return found if len(found) > 1 else found[0]

    return read


_PART = any_of(comparable, "a list of values")
_AFFIX = any_of(Item.affix, "a list of texts")


def operands(threshold: Callable[[Item], Threshold]) -> dict[str, ItemParser]:
    """The parser of each operator's operand, given that of what is compared by size."""
    return {
        "gte": threshold, "gt": threshold, "lte": threshold, "lt": threshold,
        "between": pair(threshold, _PAIR_OF_VALUES),
        "eq": comparable, "ne": comparable, "in": values, "not_in": values,
        "exists": Item.boolean, "contains": _PART, "starts_with": _AFFIX, "ends_with": _AFFIX,
    }  # fmt: skip


OPERANDS = operands(Item.measurable)

CONDITION: dict[str, ItemParser] = {**OPERANDS, "or_missing": Item.boolean}


def where(item: Item) -> tuple[Condition, ...]:
    """The conditions on properties, all of which must hold."""
    if not item.table().value:
        raise item.wrong("a property and what it must be", "an empty table")
    return tuple(read_all(spread(item), lambda found: _condition(*found)))


def spread(item: Item, above: str = "") -> Iterator[tuple[str, Item]]:
    """Each property of a table with its item; a table made by dotted keys continues the path.

    So does one in braces below ``context``.
    """
    for child in item.children():
        path = above + str(child.key)
        if _goes_down(child, path) and not CONDITION.keys() & child.value.keys():
            yield from spread(child, path + ".")
        else:
            yield path, child


def _goes_down(item: Item, path: str) -> bool:
    """Whether a table is there for the paths below it, if it compares with nothing."""
    is_in_context = isinstance(item.value, dict) and f"{path}.".startswith(CONTEXT)
    return (item.is_dotted or is_in_context) and bool(item.value)


def _condition(path: str, item: Item) -> Condition:
    match item.value:
        case dict():
            return compared(path, item, item.read(CONDITION, of="operator"))
        case list():
            return Condition(path, (Comparison("in", values(item)),))
        case _:
            return Condition(path, (Comparison("eq", comparable(item)),))


def compared(path: str, item: Item, fields: Fields) -> Condition:
    """A condition from the comparisons of a table, of which there must be one."""
    found = tuple(Comparison(op, fields.values[op]) for op in OPERATORS if op in fields.values)
    if not found and not fields.failed:
        raise no_comparison(item, OPERATORS)
    return Condition(path, found, fields.get("or_missing", False))


def no_comparison(item: Item, known: Iterable[str]) -> UnreadableError:
    """Note that a table compares with nothing."""
    return item.wrong(f"a comparison: {one_of(known)}", "no comparison")


def at_most_one(item: Item) -> Operator | None:
    """The one operator that a leaf states, or none."""
    order = list(item.value)
    stated = sorted((op for op in OPERATORS if op in item.value), key=order.index)
    if len(stated) > 1:
        first, second = quoted(stated[0]), quoted(stated[1])
        raise item.child(stated[1]).wrong_key(
            'one comparison; "between" has two ends', f"{second} beside {first}"
        )
    return stated[0] if stated else None
