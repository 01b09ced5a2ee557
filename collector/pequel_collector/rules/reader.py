"""Reading a definitions file: from TOML to a catalogue, or to every problem in it.

The language is in tables from key to reader: ``FILE``, ``PROJECT`` and ``DEFINITION`` here,
``MEASURES`` and ``GUARDS`` beside the conditions, ``EVENT``, ``TRAIT`` and ``OPERANDS`` beside the
leaves. ``LATER`` holds the words that are not in this release.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from difflib import get_close_matches
from itertools import chain
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from ..errors import DefinitionError, Problem
from .definition import Catalogue, Definition, InternalRule, Project, Window
from .reader_conditions import spread, values
from .reader_hash import content_hash
from .reader_items import (
    Item,
    Reader,
    Sheet,
    UnreadableError,
    choice,
    duration,
    keep,
    list_of,
    one_of,
    quoted,
    read_all,
    read_table,
    required,
    table,
    text,
    value,
)
from .reader_leaves import Scope, anchor, event_names
from .reader_nodes import guards, node
from .toml import TomlError, parse

LONGEST_NAME = 128


def read_catalogue(text: str, file: str = "pequel.toml") -> Catalogue:
    """What a definitions file says; raises ``DefinitionError`` with every problem found in it."""
    try:
        document = parse(text)
    except TomlError as error:
        problem = Problem("valid TOML", f"a mistake: {error}", "toml", file, *error.position)
        raise DefinitionError([problem]) from None
    sheet = Sheet(file, document.places)
    catalogue = _catalogue(Item(document.data, (), sheet))
    if sheet.problems:
        raise DefinitionError(sorted(sheet.problems, key=lambda p: (p.line, p.column)))
    return replace(catalogue, text=text)


def _catalogue(item: Item) -> Catalogue:
    fields = read_table(item, FILE, later="file")
    project: Project = fields.get("project", Project())
    features = fields.get("features", {})
    scope = Scope(features=features, converts=project.conversion is not None)
    fields.refine("pql", lambda listed: _definitions(listed, scope, project))
    return Catalogue(project, fields.get("pql", ()), features)


def _definition_name(item: Item) -> str:
    name = text(item)
    if len(name) > LONGEST_NAME or not name.isprintable():
        raise item.wrong(f"a name of at most {LONGEST_NAME} printable characters")
    return name


# -- [project] and [features] --------------------------------------------------------------


def _project(item: Item) -> Project:
    return Project(**read_table(item, PROJECT).values)


def _timezone(item: Item) -> str:
    name = text(item)
    try:
        return ZoneInfo(name).key
    except (KeyError, ValueError, OSError):  # whichever, depending on what the name looks like
        known = get_close_matches(name, available_timezones(), n=1, cutoff=0.8)
        expected = one_of(known) or 'a time zone such as "Europe/Berlin"'
        raise item.wrong(expected, f"the unknown time zone {quoted(name)}") from None


def _internal(item: Item) -> InternalRule:
    fields = read_table(
        item, {"email_domain": list_of(_domain, "a list of domains"), "trait": _traits}
    )
    return InternalRule(frozenset(fields.get("email_domain", ())), fields.get("trait", ()))


def _domain(item: Item) -> str:
    domain = text(item).lower()
    if "@" in domain:
        raise item.wrong('a domain such as "example.com"')
    return domain


def _traits(item: Item) -> tuple[tuple[str, Any], ...]:
    """Each trait with a value that makes internal; a list stands for any one of its values."""
    pairs = read_all(spread(table(item)), lambda found: _alternatives(*found))
    return tuple(chain.from_iterable(pairs))


def _alternatives(name: str, item: Item) -> list[tuple[str, Any]]:
    if isinstance(item.value, dict):
        raise item.wrong("a value or a list of values")
    listed = values(item) if isinstance(item.value, list) else (value(item),)
    return [(name, one) for one in listed]


def _features(item: Item) -> dict[str, tuple[str, ...]]:
    """The names of each feature; one that cannot be read is known all the same."""
    readers = dict.fromkeys(table(item).value, event_names)
    fields = read_table(item, readers)
    return {name: fields.get(name, ()) for name in readers}


# -- [[pql]] -------------------------------------------------------------------------------


def _definitions(item: Item, scope: Scope, project: Project) -> tuple[Definition, ...]:
    if not isinstance(item.value, list):
        raise item.wrong("an array of tables, each headed by [[pql]]")
    tables = read_all(item.children(), table)
    _check_names(tables)
    return tuple(read_all(tables, lambda one: _definition(one, scope, project)))


def _check_names(definitions: Iterable[Item]) -> None:
    lines: dict[str, int] = {}
    for definition in definitions:
        if not isinstance(definition.value.get("name"), str):
            continue
        name = definition.child("name")
        if name.value in lines:
            first = lines[name.value]
            name.wrong(f"a name of its own: line {first} has it", f"{name.shown()} a second time")
        lines.setdefault(name.value, name.place.value.line)


def _definition(item: Item, scope: Scope, project: Project) -> Definition:
    fields = read_table(item, DEFINITION, later="definition")
    window = Window(fields.values.pop("within", None), fields.values.pop("of", None))
    inside = replace(scope, subject=fields.get("subject", "user"), window=window)
    fields.refine("when", lambda when: node(when, inside))
    fields.refine("unless", lambda unless: guards(unless, inside))
    if len(read_all(("name", "when"), lambda key: required(item, fields, key))) < 2:
        raise UnreadableError
    definition = Definition(**fields.values, source=_plain(item.value))
    return replace(definition, hash=content_hash(definition, project))


def _plain(written: Any) -> Any:
    """A value of the file as plain JSON."""
    match written:
        case dict():
            return {key: _plain(part) for key, part in written.items()}
        case list():
            return [_plain(part) for part in written]
        case Decimal():
            return float(written)
        case str() | int():
            return written
        case _:
            return str(written)


DEFINITION: dict[str, Reader] = {
    "name": _definition_name,
    "subject": choice("user", "account"),
    "when": keep,
    "unless": keep,
    "within": duration,
    "of": anchor,
    "title": text,
    "kind": choice("new", "upgrade", "cross_sell", "expansion", "nudge"),
    "priority": choice("high", "normal", "low"),
    "sla": duration,
    "play": text,
    "owner": text,
    "on_change": choice("retroactive"),
}

PROJECT: dict[str, Reader] = {
    "timezone": _timezone,
    "signup": text,
    "trial": text,
    "conversion": text,
    "key_events": event_names,
    "internal": _internal,
}

FILE: dict[str, Reader] = {"project": _project, "features": _features, "pql": keep}
