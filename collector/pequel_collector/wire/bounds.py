"""How much there may be of an event, and of what the events of a request share."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import msgspec

from ..config import Settings
from ..errors import BadRequest, TooLarge
from ..model import JSON
from .event import Envelope, Event, EventError

# Each event over the limit is refused by itself, so that the others are kept; but not without end.
_GROSSLY = 10


def check_shared(envelope: Envelope, settings: Settings) -> None:
    """Raises TooLarge for far too many events; that and BadRequest for the context they share.

    That context is stored with each of them: without a limit, a small body would fill a disk.
    """
    most = _GROSSLY * settings.max_batch
    if len(envelope.events) > most:
        raise TooLarge(f"{len(envelope.events)} events in a batch, more than {most}", limit=most)
    if not envelope.context:
        return
    if _deeper_than(settings.max_depth - 1, [envelope.context]):
        message = f"context: nests deeper than {settings.max_depth - 1} levels"
        raise BadRequest(message, "bad_body", field="context")
    size = _size(envelope.context)
    for found, most, what in (
        (size, settings.max_event, "bytes"),
        (size * len(envelope.events), settings.max_inflated, "bytes for all events together"),
    ):
        if found > most:
            message = f"context: {found} {what}, expected at most {most}"
            raise TooLarge(message, field="context", limit=most)


def check_size(raw: bytes, most: int) -> None:
    """Raises EventError for an event of more bytes."""
    if len(raw) > most:
        raise EventError("too_large", f"{len(raw)} bytes, expected at most {most}")


def check_depth(event: Event, raw: bytes, most: int) -> None:
    """Raises EventError for an event of more levels, of which it is the first."""
    # An event that opens no more brackets than this cannot nest deeper: nearly all are done here.
    if raw.count(b"{") + raw.count(b"[") <= most:
        return
    parts = (event.properties, event.traits, event.context, event.name, event.category)
    if _deeper_than(most - 1, parts):
        raise EventError("too_deep", f"nests deeper than {most} levels")


def _deeper_than(levels: int, parts: Iterable[Any]) -> bool:
    layer = [part for part in parts if isinstance(part, (dict, list))]
    while layer and levels > 0:
        levels -= 1
        inner = (one.values() if isinstance(one, dict) else one for one in layer)
        layer = [part for one in inner for part in one if isinstance(part, (dict, list))]
    return bool(layer)


def _size(value: JSON) -> int:
    """Bytes of JSON; half characters count as the escapes that they are written as."""
    try:
        return len(msgspec.json.encode(value))
    except UnicodeEncodeError:
        return len(json.dumps(value))
