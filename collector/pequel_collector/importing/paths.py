"""Paths of keys in records: ``actor.id``, ``contexts[0].id`` or ``contexts.0.id``."""

from __future__ import annotations

import re
from collections.abc import Collection

from ..model import JSON
from .format import Record

_INDEX = re.compile(r"\[(\d{1,6})\]")


def at(value: JSON | Record, path: str) -> JSON:
    """The value at a path; a key with dots in it counts too. None if there is none."""
    if isinstance(value, list):
        index, _, rest = path.partition(".")
        inner = value[int(index)] if _is_index(index) and int(index) < len(value) else None
        return at(inner, rest) if rest else inner
    if not isinstance(value, dict):
        return None
    if path in value:
        return value[path]
    first, dot, rest = path.partition(".")
    return at(value.get(first), rest) if dot else None


def with_dots(path: str) -> str:
    """A path with its indexes as parts: ``a[0].b`` is ``a.0.b``."""
    return _INDEX.sub(r".\1", path)


def without(record: Record, paths: Collection[str]) -> dict[str, JSON]:
    """A record without what is at some paths. A list of which a part is named stays whole."""
    rest: dict[str, JSON] = {}
    for name, value in record.items():
        if name in paths:
            continue
        inner = [path.removeprefix(f"{name}.") for path in paths if path.startswith(f"{name}.")]
        left = without(value, inner) if inner and isinstance(value, dict) else value
        if left != {} or not inner:
            rest[name] = left
    return rest


def _is_index(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 7
