"""What is kept of a refused event, so that it can be read again as if it had just come."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress

import msgspec
from msgspec import MsgspecError
from msgspec.json import format as reformat

from ..model import JSON
from . import decode, iso8601
from .event import Envelope

LONGEST = 262_144
"""Bytes that are kept of a refused event: a few kB of gzip may hold one of many MB."""

_KEY = re.compile(rb'"writeKey"\s*:\s*"(?:[^"\\]|\\.)*"')
_UNREADABLE = (MsgspecError, ValueError, RecursionError)


def surroundings(envelope: Envelope) -> Mapping[str, JSON] | None:
    """What the events of a request were read with besides; None where that is nothing."""
    stated = {
        "type": envelope.type,
        "context": envelope.context or None,
        "sentAt": envelope.sent_at if _is_time(envelope.sent_at) else None,
        "anonymousId": envelope.anonymous_id,
    }
    return {name: value for name, value in stated.items() if value is not None} or None


def as_it_came(payload: str, around: Mapping[str, JSON] | None) -> Envelope:
    """A refused event as it came."""
    given = around or {}
    return Envelope(
        [payload.encode("utf-8", "surrogatepass")],
        given.get("type"),
        given.get("context"),
        given.get("sentAt"),
        anonymous_id=given.get("anonymousId"),
    )


def payload(raw: bytes) -> str:
    """A refused event as it came, without its write key and the white space around its parts.

    Who may read what was refused may not learn to write. Of a very long one the start is kept.
    """
    if b"writeKey" in raw or b"\\u" in raw:
        raw = _without_key(raw)
    with suppress(*_UNREADABLE):  # what is no JSON stays as it is
        raw = reformat(raw, indent=-1)
    return raw[:LONGEST].decode(errors="replace")


def _is_time(value: JSON) -> bool:
    """Whether it is a time that can be read: any other would correct nothing."""
    return isinstance(value, str) and iso8601.parse(value) is not None


def _without_key(raw: bytes) -> bytes:
    try:
        fields = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    except _UNREADABLE:
        return _carefully_without_key(raw)
    if fields.pop("writeKey", None) is None:
        return raw
    return msgspec.json.encode(fields)


def _carefully_without_key(raw: bytes) -> bytes:
    """The same for what only the lenient parser reads, or none at all: that will not be read."""
    try:
        value = decode.anything(raw)
    except _UNREADABLE:
        return _KEY.sub(b'"writeKey":null', raw)
    if not isinstance(value, dict) or value.pop("writeKey", None) is None:
        return raw
    return json.dumps(value, separators=(",", ":")).encode()
