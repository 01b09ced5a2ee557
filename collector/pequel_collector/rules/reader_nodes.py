"""Conditions as trees: combinators of leaves, and the guards that ``unless`` lists."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from .definition import AllOf, AnyOf, Customer, Guard, Internal, Node, Window
from .reader_items import (
    Item,
    UnreadableError,
    keep,
    list_of,
    near,
    not_yet,
    one_of,
    quoted,
    read_all,
    read_table,
    required,
    table,
)
from .reader_later import LATER
from .reader_leaves import Scope, event_leaf, trait_leaf

NodeReader = Callable[[Item, Scope], Node]


def node(item: Item, scope: Scope) -> Node:
    """A condition: the one key among ``MEASURES`` says of which sort."""
    for key in table(item).value:
        if key in LATER["measure"]:
            raise not_yet(item.child(key), MEASURES)
    stated = [key for key in item.value if key in MEASURES]
    if not stated:
        raise _no_measure(item)
    if len(stated) > 1:
        raise item.child(stated[1]).wrong_key(
            "only one of them in a table", f"both {quoted(stated[0])} and {quoted(stated[1])}"
        )
    return MEASURES[stated[0]](item, scope)


def _no_measure(item: Item) -> UnreadableError:
    """Note that a table measures nothing, at the key that was probably meant to."""
    for child in item.children():
        expected = near(str(child.key), MEASURES)
        if expected != one_of(MEASURES):
            return child.wrong_key(expected, f"the unknown key {quoted(str(child.key))}")
    return item.wrong(one_of(MEASURES), "a table with none of them")


def _all(item: Item, scope: Scope) -> Node:
    return AllOf(_parts(item, "all", scope))


def _any(item: Item, scope: Scope) -> Node:
    return AnyOf(_parts(item, "any", scope))


def _parts(item: Item, key: str, scope: Scope) -> tuple[Node, ...]:
    listed = required(item, read_table(item, {key: keep}), key)
    return list_of(lambda part: node(part, scope), "a list of conditions")(listed)


MEASURES: dict[str, NodeReader] = {
    "event": event_leaf,
    "trait": trait_leaf,
    "all": _all,
    "any": _any,
}


# -- unless --------------------------------------------------------------------------------

GUARDS: dict[str, Guard] = {"internal": Internal(), "customer": Customer()}


def guards(item: Item, scope: Scope) -> tuple[Guard, ...]:
    """What ``unless`` lists: known guards, and conditions, which may ask for absence."""
    if not isinstance(item.value, list):
        raise item.wrong('a list of "internal", "customer" and conditions')
    inside = replace(scope, window=Window(), absence=True)
    return tuple(read_all(item.children(), lambda part: _guard(part, inside)))


def _guard(item: Item, scope: Scope) -> Guard:
    if not isinstance(item.value, str):
        return node(item, scope)
    if item.value not in GUARDS:
        raise item.wrong(near(item.value, GUARDS), f"the unknown guard {quoted(item.value)}")
    if item.value == "customer" and not scope.converts:
        raise item.wrong('a conversion event: set "conversion" in [project]')
    return GUARDS[item.value]
