"""JSON to events: quickly where the bytes are as they should be, else with care.

The quick road is msgspec's; the careful one is the standard library's parser and the schema of
``schema``. Both find the same: whatever the quick one cannot read, the careful one decides on.

What clients send beyond JSON is read as follows. ``NaN``, ``Infinity`` and numbers past the
range of a double are null, and so are whole numbers of more than 4,300 digits; other whole
numbers are kept exactly. Of a repeated key the last counts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from math import isinf
from typing import Any

from marshmallow import ValidationError
from msgspec import MsgspecError, Raw, Struct
from msgspec.json import Decoder

from ..errors import BadRequest
from ..model import JSON
from .event import Envelope, Event, EventError, EventType, describe
from .schema import BatchSchema, EventSchema

_DIGITS = 4300
_MASK = ":***"


class _Batch(Struct, rename="camel"):
    """What ``BatchSchema`` says, compiled."""

    batch: list[Raw]
    context: Any = None
    sent_at: Any = None
    write_key: Any = None
    report: Any = None


# The quick road gives up with one of these; the careful one then says why.
_UNREADABLE = (MsgspecError, ValueError, RecursionError)

_batch = Decoder(_Batch).decode
_event = Decoder(Event).decode
_any = Decoder().decode
_checked = Decoder(Raw).decode


def batch(body: bytes) -> Envelope:
    """The events of a body with several."""
    try:
        found = _batch(body)
    except _UNREADABLE:
        return careful_batch(body)
    events = [bytes(event) for event in found.batch]
    return _envelope(events, found.context, found.sent_at, found.write_key, found.report)


def single(body: bytes, type_: EventType) -> Envelope:
    """The one event that a body is, of the type that its path says."""
    try:
        _checked(body)
    except _UNREADABLE:
        with _reading():
            _Scanner(body.decode()).check()
    if not body.lstrip().startswith(b"{"):
        raise BadRequest("the body is no object, expected an event", "bad_body")
    return Envelope([body], type_)


def event(raw: bytes) -> Event:
    """One event, its shape checked. Raises EventError."""
    try:
        return _event(raw)
    except _UNREADABLE:
        return careful_event(raw)


def anything(raw: bytes) -> JSON:
    """Any JSON, read leniently. Raises ValueError, and RecursionError where it nests too deeply."""
    return _JSON.decode(raw.decode())


def message_id(raw: bytes) -> JSON:
    """The ``messageId`` of an event, whatever else is wrong with it."""
    return _member(raw, "messageId")


def write_key(envelope: Envelope) -> str | None:
    """The write key in a body, or in the first of its events."""
    if envelope.write_key is not None or not envelope.events:
        return envelope.write_key
    return _key(_member(envelope.events[0], "writeKey"))


def careful_batch(body: bytes) -> Envelope:
    """As ``batch``, by the schema."""
    with _reading():
        members = _members(body.decode())
    try:
        found = BatchSchema().load(members)
    except ValidationError as error:
        raise BadRequest(f"batch: {_first(error)[1]}", "bad_body", field="batch") from None
    if found["batch"] is None:
        raise BadRequest("batch: not there, expected a list of events", "bad_body", field="batch")
    common = ("batch", "context", "sent_at", "write_key", "report")
    return _envelope(*(found[name] for name in common))


def _members(text: str) -> dict[str, Any]:
    """What stands in the object that a body is. Raises BadRequest where it is other JSON."""
    if text.lstrip().startswith("{"):
        return _Scanner(text).members()
    _Scanner(text).check()
    raise BadRequest("the body is no object, expected one with a list batch", "bad_body")


def careful_event(raw: bytes) -> Event:
    """As ``event``, by the schema."""
    try:
        value = anything(raw)
    except RecursionError:
        raise EventError("too_deep", "nests too deeply to be read") from None
    if not isinstance(value, dict):
        raise EventError("not_an_object", f"found {describe(value)}, expected an event")
    try:
        found: Event = _EVENT.load(value)
    except ValidationError as error:
        field, message = _first(error)
        raise EventError("bad_value", f"{field}: {message}", field) from None
    return found


def _envelope(
    events: list[bytes], context: JSON, sent_at: JSON, key: JSON, report: JSON
) -> Envelope:
    shared = context if isinstance(context, dict) else None
    return Envelope(events, None, shared, sent_at, _key(key), report=report)


def _key(value: JSON) -> str | None:
    """A key; blanks are none, nor is what Jitsu's library leaves of one: ``id:***``."""
    is_key = isinstance(value, str) and value.strip() and not value.endswith(_MASK)
    return value if is_key else None


def _member(raw: bytes, name: str) -> JSON:
    try:
        value = _any(raw)
    except _UNREADABLE:
        value = _careful_any(raw)
    return value.get(name) if isinstance(value, dict) else None


def _careful_any(raw: bytes) -> JSON:
    try:
        return anything(raw)
    except RecursionError:
        return None


def _first(error: ValidationError) -> tuple[str, str]:
    """The first field that a schema found wrong, and what it said about it."""
    field, messages = next(iter(error.messages_dict.items()))
    return field, messages[0]


@contextmanager
def _reading() -> Iterator[None]:
    """Turn what the standard library's parser raises into an error of the caller's."""
    try:
        yield
    except json.JSONDecodeError as error:
        raise BadRequest(
            f"the body is no JSON: {error}", "bad_json", line=error.lineno, column=error.colno
        ) from None
    except RecursionError:
        raise BadRequest("the body nests too deeply to be read", "bad_json") from None


def _whole(text: str) -> int | None:
    return int(text) if len(text.lstrip("-")) <= _DIGITS else None


def _decimal(text: str) -> float | None:
    value = float(text)
    return None if isinf(value) else value


def _constant(_: str) -> None:
    return None


_JSON = json.JSONDecoder(parse_int=_whole, parse_float=_decimal, parse_constant=_constant)
_SPACE = re.compile(r"[ \t\n\r]*")
_STRING_OR_BRACKET = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)
_EVENT = EventSchema()


class _Scanner:
    """Walks over the members of an object, and cuts its ``batch`` into the events as they stand."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def members(self) -> dict[str, Any]:
        """The whole text as one object; of a key given twice, the last."""
        members = {}
        for _ in self._parts("{", "}"):
            name = self._name()
            self._take(":")
            events = name == "batch" and self._next() == "["
            members[name] = self._slices() if events else self._value()
        if self._next():
            raise self._error("Extra data")
        return members

    def check(self) -> None:
        """Raises JSONDecodeError unless the whole text is one value."""
        self._slice()
        if self._next():
            raise self._error("Extra data")

    def _slices(self) -> list[bytes]:
        return [self._slice() for _ in self._parts("[", "]")]

    def _slice(self) -> bytes:
        self._next()
        start = self._at
        try:
            self._value()
        except RecursionError:  # an event is refused for that by itself
            self._skip()
        return self._text[start : self._at].encode()

    def _skip(self) -> None:
        """Go behind a list or an object that nests too deeply to be read."""
        open_ = 0
        for found in _STRING_OR_BRACKET.finditer(self._text, self._at):
            open_ += {"{": 1, "[": 1, "}": -1, "]": -1}.get(found[0], 0)
            if open_ == 0:
                self._at = found.end()
                return
        raise self._error("Expecting the end of a list or an object")

    def _name(self) -> str:
        if self._next() != '"':
            raise self._error("Expecting a name in double quotes")
        return str(self._value())

    def _value(self) -> Any:
        self._next()
        value, self._at = _JSON.raw_decode(self._text, self._at)
        return value

    def _parts(self, opening: str, closing: str) -> Iterator[None]:
        """Stop at each part of a list or an object."""
        self._take(opening)
        if self._next() == closing:
            self._take(closing)
            return
        more = True
        while more:
            yield
            more = self._take("," + closing) == ","

    def _take(self, expected: str) -> str:
        found = self._next()
        if not found or found not in expected:
            raise self._error(f"Expecting {' or '.join(map(repr, expected))}")
        self._at += 1
        return found

    def _next(self) -> str:
        space = _SPACE.match(self._text, self._at)
        self._at = space.end() if space else self._at
        return self._text[self._at : self._at + 1]

    def _error(self, message: str) -> json.JSONDecodeError:
        return json.JSONDecodeError(message, self._text, self._at)
