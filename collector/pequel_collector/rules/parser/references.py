"""Definitions that ask about each other: the names that ``pql`` leaves state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter

from ..language.definition import PqlLeaf
from .items import Item, ItemParser, quoted
from .leaves import path_of
from .scope import Scope

PQL: dict[str, ItemParser] = {"pql": Item.text}

MAX_CIRCLES = 50
"""Circles of a file that are reported. Finding each takes as long as reading all names."""

MAX_SHOWN = 20
"""Names of a circle that its report shows."""


def pql_leaf(item: Item, scope: Scope) -> PqlLeaf:
    """Another definition, which the subject or its account must have met."""
    name = item.read(PQL).required("pql")
    called = item.child("pql")
    if name not in scope.subjects:
        expected = called.near(name, scope.subjects) or "the name of a definition of this file"
        raise called.wrong(expected, f"the unknown definition {quoted(name)}")
    _check_kind(called, name, scope)
    scope.calls.append((scope.name, called))
    return PqlLeaf(name, path_of(item))


def _check_kind(called: Item, name: str, scope: Scope) -> None:
    """A definition of the subject's own kind, or of a user's account; of members their own."""
    kind = scope.subjects[name]
    found = f"{quoted(name)}, a definition for {kind}s"
    if scope.among_users and kind == "account":
        raise called.wrong('a definition for users, as this is about one of the "users"', found)
    if scope.subject == "account" and kind == "user":
        users = f"users = {{ pql = {quoted(name)} }}"
        raise called.wrong(f"a definition for accounts, or a count of its users: {users}", found)


def check_circles(stated: Iterable[tuple[str, Item]]) -> None:
    """Report each circle of definitions once, at the first of them; of many, the first 50.

    ``stated`` has each name that a ``pql`` leaf states, with the definition that it stands in.
    """
    left: dict[str, dict[str, Item]] = {}
    for caller, item in stated:
        left.setdefault(caller, {}).setdefault(item.value, item)
    for _ in range(MAX_CIRCLES):
        if not (circle := _circle(left)):
            break
        first, second = circle[:2]
        left[first].pop(second).wrong(
            "a definition that does not depend on this one", f"a circle: {_shown(circle)}"
        )


def _shown(circle: list[str]) -> str:
    names = [quoted(name) for name in circle]
    if len(names) > MAX_SHOWN:
        names[MAX_SHOWN - 1 : -1] = ["…"]
    return " names ".join(names)


def _circle(calls: Mapping[str, Iterable[str]]) -> list[str]:
    """Names each of which names the next one, the last being the first again."""
    try:
        TopologicalSorter(calls).prepare()
    except CycleError as error:
        names = error.args[1][:0:-1]
        order = {name: place for place, name in enumerate(calls)}
        start = min(range(len(names)), key=lambda at: order[names[at]])
        return [*names[start:], *names[: start + 1]]
    return []
