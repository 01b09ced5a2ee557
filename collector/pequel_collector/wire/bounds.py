"""Limits on the size and depth of an event, and of the context that a request's events share."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

import msgspec

from ..config import Settings
from ..errors import BadRequest, TooLarge
from ..model import JSON
from . import decode
from .decode import too_many_events
from .event import Envelope, Event, EventError

# Events over the limit of a batch are rejected one by one, so that the others are stored. A batch
# of more than so many times the limit is refused as a whole.
_MAX_TIMES_OVER = 10

MAX_DIGITS = 308
"""Digits of a whole number. Every such number is within the range of a double."""

_MAX_NUMBER = 10**MAX_DIGITS
_DIGITS = frozenset(b"0123456789")
_LONG_NUMBER = re.compile(rb"[0-9]{%d}" % (MAX_DIGITS + 1))


def max_events(settings: Settings) -> int:
    """Events in a body, over which it is refused as a whole."""
    return _MAX_TIMES_OVER * settings.max_batch


def check_shared(envelope: Envelope, settings: Settings) -> None:
    """Raises TooLarge for far too many events, TooLarge or BadRequest for the shared context.

    The shared context is stored with each event: without a limit, a small body could fill a disk.
    """
    if len(envelope.events) > max_events(settings):
        raise too_many_events(max_events(settings))
    if not envelope.context:
        return
    if _deeper_than(settings.max_depth - 1, [envelope.context]):
        message = f"context: nests deeper than {settings.max_depth - 1} levels"
        raise BadRequest(message, "bad_body", field="context")
    if _has_long_number(envelope.context):
        raise BadRequest(f"context: {_LONG}", "bad_body", field="context")
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
    if _may_hold_long_number(raw):
        for field in _PARTS:
            if _has_long_number(getattr(event, field)):
                raise EventError("too_long", f"{field}: {_LONG}", field)
    return event


def _may_hold_long_number(raw: bytes) -> bool:
    # So many digits in a row cover one of the bytes of the slice. Nearly every event ends here.
    if _DIGITS.isdisjoint(raw[MAX_DIGITS :: MAX_DIGITS + 1]):
        return False
    return _LONG_NUMBER.search(raw) is not None


def _has_long_number(value: JSON) -> bool:
    """Whether a value, which does not nest too deeply, has a whole number of too many digits."""
    if isinstance(value, dict):
        return any(map(_has_long_number, value.values()))
    if isinstance(value, list):
        return any(map(_has_long_number, value))
    return isinstance(value, int) and not -_MAX_NUMBER < value < _MAX_NUMBER


_PARTS = ("properties", "traits", "context", "name", "category")
_LONG = f"found a number of more than {MAX_DIGITS} digits"


def _parts(event: Event) -> tuple[Any, ...]:
    return tuple(getattr(event, field) for field in _PARTS)


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
