"""Conditions as trees: combinators of leaves, and the guards that ``unless`` lists."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ..language.definition import (
    AllOf,
    AnyOf,
    AtLeast,
    Customer,
    GrowthLeaf,
    Guard,
    Internal,
    Leaf,
    Node,
    Personal,
    PqlLeaf,
    TraitLeaf,
    UsersLeaf,
    Window,
)
from .comparisons import OPERATORS
from .hints import nearest, phrase
from .items import (
    Item,
    ItemParser,
    UnreadableError,
    list_of,
    one_of,
    quoted,
    read_all,
)
from .leaves import (
    event_leaf,
    growth_leaf,
    metric_leaf,
    path_of,
    sequence_leaf,
    trait_leaf,
)
from .references import pql_leaf
from .scope import Scope
from .scores import score_leaf
from .thresholds import present, whole
from .windows import WINDOW, window

USERS: dict[str, ItemParser] = {"users": Item.keep, **WINDOW, **dict.fromkeys(OPERATORS, Item.keep)}
AT_LEAST: dict[str, ItemParser] = {"at_least": Item.keep, "of_these": Item.keep}

_ALONE = (TraitLeaf, GrowthLeaf, PqlLeaf)  # the leaves that look at no window of their own


def node(item: Item, scope: Scope) -> Node:
    """A condition. Its one key among ``CONDITIONS`` gives the sort."""
    if isinstance(item.value, list):
        name = f"{item.key}.all" if isinstance(item.key, str) else "{ all = […] }"
        raise item.wrong(f"a table (did you mean {name}?)")
    return CONDITIONS[_sort(item)](item, scope)


def leaf(item: Item, scope: Scope) -> Leaf:
    """A condition that is not a combinator."""
    for child in item.table().children():
        if child.key in COMBINATORS:
            raise child.wrong_key(
                f"one leaf: {one_of(LEAVES)}", f"the combinator {quoted(str(child.key))}"
            )
    return LEAVES[_sort(item)](item, scope)


def _sort(item: Item) -> str:
    """The key that gives the sort of a condition."""
    stated = [key for key in item.table().value if key in CONDITIONS]
    if {*stated} == {"event", "growth"}:
        return "growth"
    if not stated:
        raise _no_measure(item)
    if len(stated) > 1:
        raise _two_measures(item, *stated[:2])
    return str(stated[0])


def _two_measures(item: Item, first: str, second: str) -> UnreadableError:
    """Note that a table measures two things, or counts one of them in the words of the other."""
    if "of_these" not in item.value and {first, second} & {*COMBINATORS} == {"at_least"}:
        other = first if second == "at_least" else second
        return item.child("at_least").wrong_key('"gte"', f'"at_least" beside {quoted(other)}')
    return item.child(second).wrong_key(
        "only one of them in a table", f"both {quoted(first)} and {quoted(second)}"
    )


def _no_measure(item: Item) -> UnreadableError:
    """Note that a table measures nothing, at the key that was probably meant to."""
    if "of_these" in item.value:
        return item.wrong('the key "at_least"', 'no "at_least"')
    for child in item.children() if item.source.gives_hints else ():
        key = str(child.key)
        if phrase(key, item.value, CONDITIONS) or len(nearest(key, CONDITIONS)) == 1:
            return child.unknown_key(item, CONDITIONS)
    return item.wrong(one_of(CONDITIONS), "a table with none of them")


# -- combinators ---------------------------------------------------------------------------


def _all(item: Item, scope: Scope) -> Node:
    return AllOf(_parts(item.read({"all": Item.keep}).required("all"), scope))


def _any(item: Item, scope: Scope) -> Node:
    return AnyOf(_parts(item.read({"any": Item.keep}).required("any"), scope))


def _at_least(item: Item, scope: Scope) -> Node:
    fields = item.read(AT_LEAST)
    fields.refine("of_these", lambda listed: _parts(listed, scope))
    fields.refine("at_least", lambda needed: _needed(needed, item.value.get("of_these")))
    return AtLeast(*fields.required_all(*AT_LEAST))


def _needed(item: Item, listed: object) -> int:
    """How many parts must hold: at least one, and no more than there are."""
    most = len(listed) if isinstance(listed, list) and listed else None
    number = item.value
    whole_one = isinstance(number, int) and not isinstance(number, bool) and number >= 1
    if not whole_one or (most is not None and number > most):
        raise item.wrong(
            f"a whole number from 1 to {most}" if most else "a whole number, 1 or more"
        )
    return int(number)


def _parts(listed: Item, scope: Scope) -> tuple[Node, ...]:
    return list_of(lambda part: node(part, scope), "a list of conditions")(listed)


# -- users ---------------------------------------------------------------------------------


def _users(item: Item, scope: Scope) -> UsersLeaf:
    """A leaf about the account's members, one by one."""
    if scope.subject == "user":
        raise item.child("users").wrong_key(
            'a leaf about one user: "users" is for definitions with subject = "account"',
            '"users"',
        )
    fields = item.read(USERS)
    looked_at = window(item, fields, scope)
    inside = replace(scope, subject="user", among_users=True, window=looked_at)
    fields.refine("users", lambda one: leaf(one, inside))
    comparison = whole(item, scope)
    inner = fields.required("users")
    _check_window(item, inner)
    return present(UsersLeaf(inner, comparison, path_of(item)), item, scope)


def _check_window(item: Item, inner: Leaf) -> None:
    """A window beside ``users`` is for the leaf inside."""
    for key in item.value:
        if key in WINDOW and isinstance(inner, _ALONE):
            item.child(key).wrong_key(
                'no window: the leaf inside "users" looks at none', f"{quoted(key)}"
            )


LEAVES: dict[str, Callable[[Item, Scope], Leaf]] = {
    "event": event_leaf,
    "metric": metric_leaf,
    "trait": trait_leaf,
    "users": _users,
    "sequence": sequence_leaf,
    "growth": growth_leaf,
    "score": score_leaf,
    "pql": pql_leaf,
}
COMBINATORS: dict[str, Callable[[Item, Scope], Node]] = {
    "all": _all,
    "any": _any,
    "at_least": _at_least,
}
CONDITIONS: dict[str, Callable[[Item, Scope], Node]] = {**LEAVES, **COMBINATORS}


# -- unless --------------------------------------------------------------------------------

GUARDS: dict[str, Guard] = {
    "internal": Internal(),
    "customer": Customer(),
    "personal": Personal(),
}


def guards(item: Item, scope: Scope) -> tuple[Guard, ...]:
    """What ``unless`` lists: known guards, and conditions, which may ask for absence."""
    if not isinstance(item.value, list):
        raise item.wrong('a list of "internal", "customer", "personal" and conditions')
    inside = replace(scope, window=Window(), absence=True)
    return tuple(read_all(item.children(), lambda part: _guard(part, inside)))


def _guard(item: Item, scope: Scope) -> Guard:
    if not isinstance(item.value, str):
        return node(item, scope)
    if item.value not in GUARDS:
        raise item.wrong(item.near(item.value, GUARDS), f"the unknown guard {quoted(item.value)}")
    if item.value == "customer" and "conversion" not in scope.settings:
        raise item.wrong('a conversion event: set "conversion" in [project]')
    return GUARDS[item.value]
