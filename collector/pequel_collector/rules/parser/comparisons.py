"""Comparisons, and the conditions on properties that ``where`` lists."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import get_args

from ..language.definition import Comparison, Condition, Operator, Share
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

Threshold = Number | Share

OPERATORS: tuple[Operator, ...] = get_args(Operator)
_PAIR = "a list of two numbers, the lower one first"


def pair(parser: Callable[[Item], Threshold]) -> Callable[[Item], tuple[Threshold, Threshold]]:
    """A parser of the two ends of ``between``."""
    ends = list_of(parser, _PAIR)

    def read(item: Item) -> tuple[Threshold, Threshold]:
        found = ends(item)
        if len(found) != 2 or _falls(*found):
            raise item.wrong(_PAIR)
        return found[0], found[1]

    return read


def _falls(low: Threshold, high: Threshold) -> bool:
    """Whether the first end is above the second; False if that depends on two traits."""
    if isinstance(low, Share) and isinstance(high, Share):
        return low.trait == high.trait and low.ratio > high.ratio
    return not isinstance(low, Share) and not isinstance(high, Share) and low > high


values = list_of(value, "a list of values")


def operands(threshold: Callable[[Item], Threshold]) -> dict[str, ItemParser]:
    """The parser of each operator's operand, given that of what is compared by size."""
    return {
        "gte": threshold, "gt": threshold, "lte": threshold, "lt": threshold,
        "eq": value, "ne": value, "between": pair(threshold), "in": values, "not_in": values,
        "exists": Item.boolean, "contains": value, "starts_with": Item.text, "ends_with": Item.text,
    }  # fmt: skip


OPERANDS = operands(Item.quantity)

CONDITION: dict[str, ItemParser] = {**OPERANDS, "or_missing": Item.boolean}


def where(item: Item) -> tuple[Condition, ...]:
    """The conditions on properties, all of which must hold."""
    if not item.table().value:
        raise item.wrong("a property and what it must be", "an empty table")
    return tuple(read_all(spread(item), lambda found: _condition(*found)))


def spread(item: Item, above: str = "") -> Iterator[tuple[str, Item]]:
    """Each property of a table with its item; a table made by dotted keys continues the path."""
    for child in item.children():
        path = above + str(child.key)
        if child.is_dotted and child.value and not CONDITION.keys() & child.value.keys():
            yield from spread(child, path + ".")
        else:
            yield path, child


def _condition(path: str, item: Item) -> Condition:
    match item.value:
        case dict():
            return compared(path, item, item.read(CONDITION, of="operator"))
        case list():
            return Condition(path, (Comparison("in", values(item)),))
        case _:
            return Condition(path, (Comparison("eq", value(item)),))


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
