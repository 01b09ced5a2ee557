"""What definitions share: ``[project]``, ``[features]``, ``[[metric]]`` and ``[[persona]]``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from itertools import chain
from typing import Any
from zoneinfo import available_timezones

from ...model import is_number
from ..language.addresses import normal_domain
from ..language.dates import zone_named
from ..language.definition import InternalRule, Label, Project
from ..language.quantities import Number
from .comparisons import spread, values
from .items import (
    Item,
    ItemParser,
    list_of,
    one_of,
    quoted,
    read_all,
    value,
)
from .leaves import DRAWN, draw, event_names
from .printer import plain
from .scope import Drawn, Scope

MAX_HOLDOUT = 0.5
"""The largest share of subjects that may be held out."""


def project(item: Item) -> Project:
    """The ``[project]`` table; what cannot be read of it is left at its default."""
    return Project(**item.read(PROJECT).values)


def _timezone(item: Item) -> str:
    name = item.text()
    if (found := zone_named(name)) is not None:
        return found
    known = get_close_matches(name, available_timezones(), n=1, cutoff=0.8)
    expected = one_of(known) or 'a time zone such as "Europe/Berlin"'
    raise item.wrong(expected, f"the unknown time zone {quoted(name)}")


def _internal(item: Item) -> InternalRule:
    fields = item.read({"email_domain": _domains, "trait": _traits})
    return InternalRule(frozenset(fields.get("email_domain", ())), fields.get("trait", ()))


def _domain(item: Item) -> str:
    domain = normal_domain(item.text())
    if domain is None or "@" in domain:
        raise item.wrong('a domain such as "example.com"')
    return domain


_domains = list_of(_domain, "a list of domains")
_names = list_of(Item.name, "a list of names")


def _holdout(item: Item) -> Number:
    share = item.number()
    if not 0 <= share <= MAX_HOLDOUT:
        raise item.wrong("a share from 0 to 0.5, such as 0.1")
    return share


def _personal_domains(item: Item) -> frozenset[str]:
    return frozenset(_domains(item))


def _traits(item: Item) -> tuple[tuple[str, Any], ...]:
    """Each trait with a value that makes internal; a list stands for any one of its values."""
    pairs = read_all(spread(item.table()), lambda found: _alternatives(*found))
    return tuple(chain.from_iterable(pairs))


def _alternatives(name: str, item: Item) -> list[tuple[str, Any]]:
    if isinstance(item.value, dict):
        raise item.wrong("a value or a list of values")
    listed = values(item) if isinstance(item.value, list) else (value(item),)
    return [(name, one) for one in listed]


def features(item: Item) -> dict[str, tuple[str, ...] | None]:
    """The events of each feature; None for one that cannot be read."""
    parsers = dict.fromkeys(item.table().value, event_names)
    fields = item.read(parsers)
    return {name: fields.get(name) for name in parsers}


# -- [labels] ------------------------------------------------------------------------------


def labels(item: Item) -> dict[str, Label]:
    """How events and properties read to people, by their names."""
    return dict(read_all(item.table().children(), lambda one: (str(one.key), _label(one))))


def _label(item: Item) -> Label:
    fields = item.read(LABEL)
    if not item.value:
        raise item.wrong(one_of(LABEL), "an empty table")
    return Label(**fields.values)


def _many(item: Item) -> str:
    """Words for several, in which ``{n}`` stands for how many."""
    words = item.text()
    if words.count("{n}") != 1 or re.search(r"[{}]", words.replace("{n}", "")):
        raise item.wrong('words with one {n} for the number, such as "created {n} projects"')
    return words


# -- [[metric]] ----------------------------------------------------------------------------


def metrics(item: Item, scope: Scope) -> dict[str, Drawn | None]:
    """Each metric by its name; None for one that cannot be read."""
    listed = tables(item, "metric")
    check_names(listed)
    known: dict[str, Drawn | None] = {stated_name(one): None for one in listed}
    for found in read_all(listed, lambda one: _metric(one, scope)):
        known[found.metric.name] = found
    return known


def _metric(item: Item, scope: Scope) -> Drawn:
    fields = item.read(METRIC)
    found = draw(item, fields, scope, fields.get("name", ""))
    fields.required("name")
    return found


# -- [[persona]] ---------------------------------------------------------------------------


def personas(item: Item) -> tuple[dict[str, Any], ...]:
    """The tables as plain data: each has a name, and numbers that are finite."""
    return tuple(read_all(tables(item, "persona"), _persona))


def _persona(item: Item) -> dict[str, Any]:
    if "name" not in item.value:
        raise item.wrong('the key "name"', 'no "name"')
    item.child("name").name()
    _check_numbers(item)
    return dict(plain(item.value))


def _check_numbers(item: Item) -> None:
    if isinstance(item.value, dict | list):
        read_all(item.children(), _check_numbers)
    elif is_number(item.value):
        item.number()


# -- arrays of tables ----------------------------------------------------------------------


def tables(item: Item, name: str) -> list[Item]:
    """The tables of an array; what is none is noted and left out."""
    if not isinstance(item.value, list):
        raise item.wrong(f"an array of tables, each headed by [[{name}]]")
    return read_all(item.children(), Item.table)


def stated_name(item: Item) -> str:
    """The name that a table states, whether or not the rest of it can be read."""
    name = item.value.get("name")
    return name if isinstance(name, str) else ""


def check_names(listed: Iterable[Item]) -> None:
    """Note every name that an earlier table of the list has already."""
    lines: dict[str, int] = {}
    for one in listed:
        if not isinstance(one.value.get("name"), str):
            continue
        name = one.child("name")
        if name.value in lines:
            first = lines[name.value]
            name.wrong(f"a name of its own: line {first} has it", f"{name.shown()} a second time")
        lines.setdefault(name.value, name.span.value.line)


PROJECT: dict[str, ItemParser] = {
    "timezone": _timezone,
    "signup": Item.pattern,
    "trial": Item.pattern,
    "conversion": Item.event_name,
    "expansion": Item.event_name,
    "key_events": event_names,
    "internal": _internal,
    "personal_domains": _personal_domains,
    "person_traits": _names,
    "partner_traits": _names,
    "claim": Item.duration,
    "due_soon": Item.duration,
    "alert_max_age": Item.duration,
    "contraction": Item.event_name,
    "churn": Item.event_name,
    "holdout": _holdout,
}

LABEL: dict[str, ItemParser] = {"one": Item.text, "many": _many, "kind": Item.text}

METRIC: dict[str, ItemParser] = {"name": Item.name, **DRAWN, "value_metric": Item.boolean}
