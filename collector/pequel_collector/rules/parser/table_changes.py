"""What lies between two tables of definitions files, value by value.

before   {"sla": "3d", "when": {"event": "used", "gte": 3}}
after    {"sla": "4d", "when": {"event": "used", "gte": 3}}
so       sla: "3d" → "4d"
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ...model import JSON

SHOWN = 20
"""Changes that one line names."""


@dataclass(frozen=True, slots=True)
class Change:
    """A value at a path of a table: before and after, None where it is not there."""

    path: str
    before: JSON = None
    after: JSON = None

    def __str__(self) -> str:
        return f"{self.path}: {_shown(self.before)} → {_shown(self.after)}"


def what_changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """What lies between the tables of two versions of a definition, in one line."""
    found = [str(each) for each in changes_between(old, new)]
    if not found:
        return "another table of the file that it reads"
    more = f" … and {len(found) - SHOWN:,} more" if len(found) > SHOWN else ""
    return "; ".join(found[:SHOWN]) + more


def changes_between(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    """Each value that differs, with its path; a list of plain values is one value."""
    before, after = dict(_flat(old)), dict(_flat(new))
    for path in dict.fromkeys([*before, *after]):
        if before.get(path) != after.get(path):
            yield Change(path, before.get(path), after.get(path))


def _shown(value: JSON) -> str:
    return "nothing" if value is None else json.dumps(value, ensure_ascii=False)


def _flat(table: Any, path: str = "") -> Iterator[tuple[str, JSON]]:
    """Every value below a table, by its path; a list of plain values is one value."""
    if isinstance(table, Mapping) and table:
        for name, value in table.items():
            yield from _flat(value, f"{path}.{name}" if path else str(name))
    elif isinstance(table, list) and any(isinstance(each, Mapping) for each in table):
        for number, value in enumerate(table):
            yield from _flat(value, f"{path}[{number}]")
    else:
        yield path, table
