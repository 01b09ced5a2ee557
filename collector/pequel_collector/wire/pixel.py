"""An event in the query parameters of a pixel's URL.

``properties.url=/p`` is the property ``url``; more dots nest deeper. ``properties``, ``context``
and ``traits`` may also be one JSON object each. Every other value is text.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from .decode import UNREADABLE

_OBJECTS = ("properties", "context", "traits")


def event(type_: str, parameters: Iterable[tuple[str, str]], max_depth: int) -> bytes:
    """An event of a type, as JSON. The first of several equal parameters counts."""
    given = {name: value for name, value in reversed([*parameters]) if name != "writeKey"}
    found: dict[str, Any] = {name: _object(given.pop(name)) for name in _OBJECTS if name in given}
    for name, value in sorted(given.items()):
        _put(found, name, value, max_depth)
    if "anonymousId" in found:
        found["anonymousId"] = _unquoted(found["anonymousId"])
    return msgspec.json.encode(found | {"type": type_})


def _object(text: str) -> Any:
    """A JSON object; other text unchanged, which makes the event rejected later."""
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except UNREADABLE:
        return text


def _put(found: dict[str, Any], name: str, value: str, max_depth: int) -> None:
    """Put a value at the path that its name spells with dots.

    If there is another value on the path, the rest of the name becomes one key.
    """
    first, dot, rest = name.partition(".")
    inner = found.setdefault(first, {}) if dot and rest and max_depth else None
    if isinstance(inner, dict):
        _put(inner, rest, value, max_depth - 1)
    else:
        found[name] = value


def _unquoted(value: Any) -> Any:
    """An id without the quotes that AMP pages put around it."""
    if isinstance(value, str) and len(value) > 2 and value[0] == value[-1] == '"':
        return value[1:-1]
    return value
