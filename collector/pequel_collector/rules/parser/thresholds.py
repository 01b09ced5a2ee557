"""What leaves compare with, and which comparisons each measure has."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from ..language import quantities
from ..language.absence import is_absence
from ..language.definition import Comparison, Leaf, Operator, Share
from ..language.measures import MEASURES
from ..language.quantities import UNITS, Number, QuantityError
from .comparisons import (
    OPERATORS,
    Threshold,
    at_most_one,
    no_comparison,
    operands,
    pair,
)
from .items import (
    Item,
    ItemParser,
    UnreadableError,
    one_of,
    quoted,
)
from .scope import Drawn, Scope

L = TypeVar("L", bound=Leaf)

NUMERIC: tuple[Operator, ...] = ("gte", "gt", "lte", "lt", "eq", "ne", "between")
SHARE: dict[str, ItemParser] = {"ratio": Item.above_zero, "of_trait": Item.text}

_NO_ABSENCE = (
    'a comparison that 0 does not meet: absence is allowed only in "unless", or with clock = true'
)


def threshold(scope: Scope) -> Callable[[Item], Threshold]:
    """A parser of a number, a quantity, or a share of a trait."""
    return _or_share(Item.quantity, scope)


def _or_share(plain: Callable[[Item], Threshold], scope: Scope) -> Callable[[Item], Threshold]:
    def read(item: Item) -> Threshold:
        return _share(item, scope) if isinstance(item.value, dict) else plain(item)

    return read


def _share(item: Item, scope: Scope) -> Share:
    ratio, path = item.read(SHARE).required_all(*SHARE)
    return Share(ratio, scope.trait(item.child("of_trait"), path))


def tests(scope: Scope) -> dict[str, ItemParser]:
    """The parsers of all comparisons of a value, and of what may stand beside them."""
    return {**operands(_or_share(Item.measurable, scope)), "or_missing": Item.boolean}


# -- comparisons of a leaf -----------------------------------------------------------------


def comparison_of(item: Item, drawn: Drawn, scope: Scope) -> Comparison:
    """The comparison that an event leaf states; of a count, at least one if it states none."""
    measure = MEASURES[drawn.metric.measure]
    if measure.takes_any_value:
        return _any_comparison(item, scope)
    if measure.is_count:
        return numeric(item, _whole(_counted(drawn, scope)), measure.noun, of_none=1)
    return numeric(item, threshold(scope), measure.noun)


def whole(item: Item, scope: Scope) -> Comparison:
    """The comparison of a plain count, or at least one."""
    return numeric(item, _whole(threshold(scope)), "a count", of_none=1)


def numeric(
    item: Item, parser: Callable[[Item], Threshold], noun: str, of_none: int | None = None
) -> Comparison:
    """The comparison of a number; where none is stated, at least ``of_none``."""
    operator = at_most_one(item)
    if operator is None and of_none is not None:
        return Comparison("gte", of_none)
    if operator is None:
        raise no_comparison(item, NUMERIC)
    stated = item.child(operator)
    if operator not in NUMERIC:
        raise stated.wrong_key(one_of(NUMERIC), f"{quoted(operator)} of {noun}")
    if operator in ("eq", "ne") and isinstance(stated.value, dict):
        raise stated.wrong("a number")
    return Comparison(operator, pair(parser)(stated) if operator == "between" else parser(stated))


def _any_comparison(item: Item, scope: Scope) -> Comparison:
    operator = at_most_one(item)
    if operator is None:
        raise no_comparison(item, OPERATORS)
    return Comparison(operator, tests(scope)[operator](item.child(operator)))


def may_be_missing(item: Item, drawn: Drawn) -> bool:
    """What ``or_missing`` says beside the comparison of an event leaf."""
    stated = item.value.get("or_missing", False)
    measure = MEASURES[drawn.metric.measure]
    if "or_missing" in item.value and not measure.may_be_missing:
        missable = [name for name, known in MEASURES.items() if known.may_be_missing]
        item.child("or_missing").wrong_key(
            f"{one_of(missable)} beside it: nothing else of events can be missing",
            f'"or_missing" of {measure.noun}',
        )
    return stated is True


def present(leaf: L, stated: Item, scope: Scope) -> L:
    """A leaf that may stand where it does; ``stated`` is the table with its comparison."""
    if scope.absence or not is_absence(leaf):
        return leaf
    operator = str(at_most_one(stated))
    operand = stated.child(operator)
    raise operand.wrong(_NO_ABSENCE, f"{operator} = {operand.shown()}")


# -- thresholds of counts ------------------------------------------------------------------


def _counted(drawn: Drawn, scope: Scope) -> Callable[[Item], Threshold]:
    """A parser of thresholds that may also be a duration, or ``"all"``."""
    unit = drawn.metric.value if drawn.metric.measure == "distinct" else None
    plain = threshold(scope)

    def read(item: Item) -> Threshold:
        if item.value == "all":
            return _every(item, drawn)
        if unit in UNITS and isinstance(item.value, str):
            return _units(item, unit)
        return plain(item)

    return read


def _units(item: Item, unit: str) -> Number:
    """A quantity, or a duration, which counts in the unit of what is distinct."""
    with suppress(QuantityError):
        return quantities.amount(item.value)
    count = quantities.count_in(UNITS[unit], item.duration())
    if count is None:
        raise item.wrong(f"a whole number of {unit[1:]}s, as {quoted(unit)} counts them")
    return count


def _every(item: Item, drawn: Drawn) -> int:
    """The number of names that a leaf lists one by one."""
    if drawn.listed is None:
        raise UnreadableError
    if not drawn.listed or (drawn.metric.measure, drawn.metric.value) != ("distinct", "@event"):
        raise item.wrong('a number; "all" is for distinct = "@event" over a list or a feature')
    return len(drawn.metric.events.names)


def _whole(parser: Callable[[Item], Threshold]) -> Callable[[Item], Threshold]:
    """The same parser, of whole numbers from 0 on; a share of a trait may be any number."""

    def read(item: Item) -> Threshold:
        found = parser(item)
        if not isinstance(found, int | Share) or (isinstance(found, int) and found < 0):
            raise item.wrong("a whole number, 0 or more")
        return found

    return read
