"""What the definitions of a file come to, when each has its copy of what they share.

A metric, a feature or the guard ``internal`` is written once and used by many definitions. Each of
them is hashed, checked and explained with all of it. So a short file can mean much work:

    [features]   all = [1,000 names]
    [[pql]]      when = { event = { feature = "all" } }      counts 1,000 values
    [[pql]]      when = { event = { feature = "all" } }      counts 1,000 values again
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from itertools import chain, islice
from typing import Any

from ..language.definition import Catalogue, Internal
from .items import Item

MAX_VALUES = 200_000
"""Values of all definitions, what they share counted in each."""


def check_expanded(catalogue: Catalogue, file: Item) -> None:
    """Report a file whose definitions come to too much."""
    if len(list(islice(_values(catalogue), MAX_VALUES + 1))) > MAX_VALUES:
        file.child("pql").wrong(
            f"definitions with at most {MAX_VALUES:,} values, where each counts the values of the "
            "metrics, features and guards that it uses",
            "more",
        )


def _values(catalogue: Catalogue) -> Iterator[Any]:
    internal = catalogue.project.internal
    for definition in catalogue.definitions:
        yield from _parts(definition.when)
        yield from _parts(definition.unless)
        if Internal() in definition.unless:
            yield from _parts(internal)


def _parts(value: Any) -> Iterator[Any]:
    """A value and all that it consists of."""
    waiting = [iter((value,))]
    while waiting:
        for part in waiting[-1]:
            yield part
            if (inner := _inside(part)) is not None:
                waiting.append(inner)
                break
        else:
            waiting.pop()


def _inside(value: Any) -> Iterator[Any] | None:
    if is_dataclass(value):
        return iter([getattr(value, field.name) for field in fields(value) if field.init])
    if isinstance(value, Mapping):
        return chain(value.keys(), value.values())
    return iter(value) if isinstance(value, list | tuple | frozenset) else None
