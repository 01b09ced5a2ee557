"""Limits on the size and depth of an event, and of the context that a request's events share."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import msgspec

from ..config import Settings
from ..errors import BadRequest, TooLarge
from ..model import JSON
from . import decode
from .event import Envelope, Event, EventError

# Events over the limit of a batch are rejected one by one, so that the others are stored. A batch
# of more than so many times the limit is refused as a whole.
_MAX_TIMES_OVER = 10


def check_shared(envelope: Envelope, settings: Settings) -> None:
    """Raises TooLarge for far too many events, TooLarge or BadRequest for the shared context.

    The shared context is stored with each event: without a limit, a small body could fill a disk.
    """
    most = _MAX_TIMES_OVER * settings.max_batch
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


def read_event(raw: bytes, settings: Settings) -> Event:
    """An event whose size, shape and depth are checked. Raises EventError."""
    if len(raw) > settings.max_event:
        found = f"{len(raw)} bytes, expected at most {settings.max_event}"
        raise EventError("too_large", found)
    event = decode.event(raw)
    # An event with no more brackets than levels cannot nest deeper: that is nearly every event.
    most = settings.max_depth
    if raw.count(b"{") + raw.count(b"[") > most and _deeper_than(most - 1, _parts(event)):
        raise EventError("too_deep", f"nests deeper than {most} levels")
    return event


def _parts(event: Event) -> tuple[Any, ...]:
    return event.properties, event.traits, event.context, event.name, event.category


def _deeper_than(levels: int, parts: Iterable[Any]) -> bool:
    layer = [part for part in parts if isinstance(part, (dict, list))]
    while layer and levels > 0:
        levels -= 1
        inner = (one.values() if isinstance(one, dict) else one for one in layer)
        layer = [part for one in inner for part in one if isinstance(part, (dict, list))]
    return bool(layer)


def _size(value: JSON) -> int:
    """Bytes of JSON. A lone surrogate counts as the escape that it is written as."""
    try:
        return len(msgspec.json.encode(value))
    except UnicodeEncodeError:
        return len(json.dumps(value))
