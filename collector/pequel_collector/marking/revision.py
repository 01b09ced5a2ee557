"""What a change of definitions changes besides versions.

Only what decides who qualifies makes a version. The rest of the file counts too: a title, the time
that a lead has to be answered in, who gets it, where alerts go.

    in force       set_up, version 1, sla = "3d"
    the new file   set_up, version 1, sla = "4d", and another [[route]]
    the revision   fields: set_up → sla: "3d" → "4d"; tables: route
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from ..rules.language.content_hash import DECIDING
from ..rules.language.definition import Catalogue
from ..rules.parser.printer import plain
from ..rules.parser.table_changes import what_changed
from ..rules.parser.toml import parse


class FieldsChange(Struct, frozen=True):
    """Fields of a definition that differ, while its version stays: their names, and how."""

    version: int
    fields: list[str]
    said: str


class Revision(Struct, frozen=True):
    """What differs in a file besides the versions of its definitions.

    ``definitions`` are by name. ``tables`` are the names of the other tables that differ, such as
    ``route``. ``is_rewritten`` says that the text differs at all, if only in comments or order.
    """

    definitions: dict[str, FieldsChange] = msgspec.field(default_factory=dict)
    tables: list[str] = msgspec.field(default_factory=list)
    is_rewritten: bool = False

    @property
    def names(self) -> list[str]:
        """The names of the fields and tables that differ: ``sla``, ``[labels]``."""
        fields = [name for each in self.definitions.values() for name in each.fields]
        return list(dict.fromkeys([*fields, *(f"[{table}]" for table in self.tables)]))


def revision(before: str, new: Catalogue, versions: dict[str, int]) -> Revision:
    """What lies between the text in force and a catalogue, besides versions.

    ``versions`` are the numbers of the versions that stay, by name of their definition.
    """
    if before == new.text:
        return Revision()
    old, now = parse(before).data, parse(new.text).data
    sources = {each.get("name"): plain(each) for each in old.get("pql", ())}
    definitions = {}
    for each in new.definitions:
        if each.name in versions and each.name in sources:
            was, is_ = _other_fields(sources[each.name]), _other_fields(each.source)
            if fields := _differing(was, is_):
                said = what_changed(was, is_)
                definitions[each.name] = FieldsChange(versions[each.name], fields, said)
    tables = [name for name in _differing(old, now) if name != "pql"]
    return Revision(definitions, tables, is_rewritten=True)


def revision_lines(found: Revision, changes: Collection[str] = ()) -> list[str]:
    """One line for each definition and table that differs besides versions.

    ``changes`` are the definitions whose version changed: without any of them, and with nothing
    else, a line says that only the writing differs.
    """
    lines = [
        f"{name}, still version {each.version}: {each.said}"
        for name, each in found.definitions.items()
    ]
    lines += [f"[{table}] changed" for table in found.tables]
    if found.is_rewritten and not lines and not changes:
        return ["only comments or the order changed"]
    return lines


def _differing(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """The keys under which two tables differ."""
    return [key for key in dict.fromkeys([*old, *new]) if old.get(key) != new.get(key)]


def _other_fields(source: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a definition that make no version.

    Where the version stays, a condition may be written in another way, and means the same.
    """
    return {key: value for key, value in source.items() if key not in DECIDING}
