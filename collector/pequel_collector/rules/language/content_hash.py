"""The name of a definition's content: equal meaning, equal hash.

Only what decides who qualifies, and when, goes in: a new title or owner makes no new version.
Fields at their default are left out, so that a definition keeps its hash when a later release
gives the records another field.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from decimal import Decimal
from hashlib import blake2b
from typing import Any

from .definition import (
    Customer,
    Definition,
    EventLeaf,
    Internal,
    Leaf,
    Personal,
    PqlLeaf,
    Project,
    all_leaves,
    window_of,
)
from .personal import digest
from .quantities import CALENDAR

_OPTIONS = ("after_silence", "cooldown", "clock")
DECIDING = frozenset({"subject", "when", "unless", "on_change", *_OPTIONS})
"""The keys of a definition that decide who qualifies, and when."""

_UNORDERED = ("where", "comparisons", "traits")  # all of them count, whichever comes first


def content_hash(definition: Definition, project: Project, named: Mapping[str, str]) -> str:
    """The hex digest of what a definition means, and of what it uses of the project.

    ``named`` has the digests of the definitions that it names.
    """
    leaves = list(all_leaves(definition.when, *definition.unless))
    content: dict[str, Any] = {
        "subject": definition.subject,
        "when": definition.when,
        "unless": definition.unless,
        "project": _used(definition, leaves, project),
        "options": {key: getattr(definition, key) for key in _OPTIONS if getattr(definition, key)},
        "named": {leaf.name: named[leaf.name] for leaf in leaves if isinstance(leaf, PqlLeaf)},
    }
    if definition.on_change == "forward":
        content["on_change"] = "forward"
    text = json.dumps(canonical(content), sort_keys=True, separators=(",", ":"))
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _used(definition: Definition, leaves: list[Leaf], project: Project) -> dict[str, Any]:
    """The parts of the project that the definition's meaning depends on."""
    anchors = {window_of(leaf).of for leaf in leaves}
    used: dict[str, Any] = {}
    if "signup" in anchors:
        used["signup"] = project.signup
    if "trial" in anchors:
        used["trial"] = project.trial
    if any(isinstance(leaf, EventLeaf) and leaf.value in CALENDAR for leaf in leaves):
        used["timezone"] = project.timezone
    if Customer() in definition.unless:
        used["conversion"] = project.conversion
    if Internal() in definition.unless:
        used["internal"] = project.internal
    if Personal() in definition.unless:
        used["personal"] = digest(project.personal_domains)
    if project.timezone != "UTC" and any((of or "").startswith("trait:") for of in anchors):
        used["timezone"] = project.timezone  # of a date without a time
    return used


def canonical(value: Any) -> Any:
    """A value as plain JSON with one form for each meaning; arrays of ours begin with a tag."""
    if is_dataclass(value) and not isinstance(value, type):
        return [type(value).__name__, _record(value)]
    match value:
        case Decimal():
            return ["decimal", format(value, "f")]
        case Mapping():
            return {name: canonical(part) for name, part in value.items()}
        case frozenset():
            return ["set", *_in_order(map(canonical, value))]
        case list() | tuple():
            return ["list", *map(canonical, value)]
        case _:
            return value


def _record(record: Any) -> dict[str, Any]:
    """The fields of a record that are not at their default, without where it was written."""
    written = {f.name: (getattr(record, f.name), f.default) for f in fields(record) if f.init}
    if isinstance(record, Leaf):
        del written["path"]
        written.pop("metric", None)  # what it stands for is there
    return {
        name: _in_order(map(canonical, value)) if name in _UNORDERED else canonical(value)
        for name, (value, default) in written.items()
        if value != default
    }


def _in_order(parts: Iterable[Any]) -> list[Any]:
    return sorted(parts, key=lambda part: json.dumps(part, sort_keys=True))
