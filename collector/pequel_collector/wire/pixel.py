"""An event as a pixel carries it: in the parameters of its address.

``properties.url=/p`` is the property ``url``; dots nest further. ``properties``, ``context`` and
``traits`` may also be JSON as a whole. Every other value is the text that it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import MsgspecError

_OBJECTS = ("properties", "context", "traits")


def event(type_: str, parameters: Iterable[tuple[str, str]], max_depth: int) -> bytes:
    """An event of a type, as JSON. Of a parameter given twice the first counts."""
    given = {name: value for name, value in reversed([*parameters]) if name != "writeKey"}
    found: dict[str, Any] = {name: _whole(given.pop(name)) for name in _OBJECTS if name in given}
    for name, value in sorted(given.items()):
        _put(found, name, value, max_depth)
    if "anonymousId" in found:
        found["anonymousId"] = _unquoted(found["anonymousId"])
    return msgspec.json.encode(found | {"type": type_})


def _whole(text: str) -> Any:
    """An object where it is one; else what came, for whoever reads the event to refuse."""
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except (MsgspecError, ValueError, RecursionError):
        return text


def _put(found: dict[str, Any], name: str, value: str, max_depth: int) -> None:
    """Put a value where the dots of its name lead; where something else is, under its rest."""
    first, dot, rest = name.partition(".")
    inner = found.setdefault(first, {}) if dot and rest and max_depth else None
    if isinstance(inner, dict):
        _put(inner, rest, value, max_depth - 1)
    else:
        found[name] = value


def _unquoted(value: Any) -> Any:
    """AMP pages put their visitor's id in quotes."""
    if isinstance(value, str) and len(value) > 2 and value[0] == value[-1] == '"':
        return value[1:-1]
    return value
