"""What is kept of a rejected event, so that it can be read again later."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress

import msgspec
from msgspec.json import format as reformat

from ..model import JSON, RejectedEvent
from . import decode
from .decode import UNREADABLE
from .event import Envelope
from .event_time import time_sent

MAX_PAYLOAD = 262_144
"""Bytes that are kept of a rejected event. A few kB of gzip can hold an event of many MB."""

MAX_KEPT = 1_000
"""Rejected events of one request that are kept and listed. The others are only counted."""

_KEY = re.compile(rb'"writeKey"\s*:\s*"(?:[^"\\]|\\.)*"')


class KeptEvents:
    """What is kept of the rejected events of one request, up to a number and to ``max_bytes``."""

    def __init__(self, envelope: Envelope, max_bytes: int) -> None:
        self.envelope = kept_of_envelope(envelope)
        self._events, self._bytes = MAX_KEPT, max_bytes

    def payload(self, raw: bytes) -> str | None:
        """The text of the next rejected event; None if there is no room to keep it."""
        if not self._events or self._bytes <= 0:
            return None
        text = payload(raw)
        self._events -= 1
        self._bytes -= len(text) + (len(json.dumps(self.envelope)) if self.envelope else 0)
        return text


def kept_of_envelope(envelope: Envelope) -> Mapping[str, JSON] | None:
    """What is kept of the request of a rejected event; None if there is nothing to keep."""
    given = {
        "type": envelope.type,
        "context": envelope.context or None,
        "sentAt": None if time_sent(envelope.sent_at) is None else envelope.sent_at,
        "anonymousId": envelope.anonymous_id,
    }
    return {name: value for name, value in given.items() if value is not None} or None


def envelope_of(rejected: RejectedEvent) -> Envelope:
    """A rejected event as a request with this event only."""
    kept = rejected.envelope or {}
    return Envelope(
        [rejected.payload.encode("utf-8", "surrogatepass")],
        kept.get("type"),
        kept.get("context"),
        kept.get("sentAt"),
        anonymous_id=kept.get("anonymousId"),
    )


def payload(raw: bytes) -> str:
    """The text of a rejected event as it came, without its write key and without extra space.

    People who may read rejected events must not learn a write key. Of a very long event the start
    is kept.
    """
    if b"writeKey" in raw or b"\\u" in raw:
        raw = _without_key(raw)
    with suppress(*UNREADABLE):  # text that is not JSON stays unchanged
        raw = reformat(raw, indent=-1)
    return raw[:MAX_PAYLOAD].decode(errors="replace")


def _without_key(raw: bytes) -> bytes:
    try:
        fields = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    except UNREADABLE:
        return _leniently_without_key(raw)
    if fields.pop("writeKey", None) is None:
        return raw
    return msgspec.json.encode(fields)


def _leniently_without_key(raw: bytes) -> bytes:
    """The same for text that only the lenient parser can read, or that is not JSON."""
    try:
        value = decode.anything(raw)
    except UNREADABLE:
        return _KEY.sub(b'"writeKey":null', raw)
    if not isinstance(value, dict) or value.pop("writeKey", None) is None:
        return raw
    return json.dumps(value, separators=(",", ":")).encode()
