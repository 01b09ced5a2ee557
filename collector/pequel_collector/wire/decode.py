"""JSON to events: first with msgspec, which is fast, then with a lenient parser.

If msgspec cannot read the bytes, the lenient parser decides: the parser of the standard library
with the schema of ``schema``. It accepts everything that msgspec accepts, with the same result.

The lenient parser reads ``NaN``, ``Infinity`` and numbers outside the range of a double as null.
It keeps whole numbers exactly up to 4,300 digits, and cuts longer ones; ``bounds`` rejects events
with such numbers. The last of several equal keys counts.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from math import isinf
from typing import Any

from marshmallow import ValidationError
from msgspec import MsgspecError, Raw, Struct
from msgspec.json import Decoder

from ..errors import BadRequest, TooLarge
from ..model import JSON
from .event import Envelope, Event, EventError, EventType, describe
from .schema import BatchSchema, EventSchema

UNREADABLE = (MsgspecError, ValueError, RecursionError)
"""What a parser raises for text that it cannot read."""

_MAX_DIGITS = 4300
_MAX_OBJECTS = 10
"""Objects for each event that a batch may have, to be counted fast."""

_MAX_BRACKETS = 1_000_000
"""Lists and objects in a body."""

_MASK = ":***"


class _Batch(Struct, rename="camel"):
    """The same as ``BatchSchema``, for msgspec."""

    batch: list[Raw]
    context: Any = None
    sent_at: Any = None
    write_key: Any = None
    report: Any = None


class _Object(Struct, gc=False):
    """Any object; its members are skipped."""


class _Objects(Struct):
    """A body with a batch of objects. Skipping them takes little memory."""

    batch: list[_Object]


class _MessageId(Struct, rename="camel"):
    message_id: Any = None


class _WriteKey(Struct, rename="camel"):
    write_key: Any = None


_batch = Decoder(_Batch).decode
_objects = Decoder(_Objects).decode
_message_id, _write_key = Decoder(_MessageId).decode, Decoder(_WriteKey).decode
_event = Decoder(Event).decode
_checked = Decoder(Raw).decode


def batch(body: bytes, most: int = sys.maxsize) -> Envelope:
    """The events of a body with a batch. Raises BadRequest, TooLarge for more than ``most``."""
    _check_brackets(body)
    if not _has_few_events(body, most):
        return lenient_batch(body, most)
    try:
        found = _batch(body)
    except UNREADABLE:
        return lenient_batch(body, most)
    events = [bytes(event) for event in found.batch]
    return _envelope(events, found.context, found.sent_at, found.write_key, found.report)


def _has_few_events(body: bytes, most: int) -> bool:
    """Whether a batch has at most so many events; False if only the lenient parser can say.

    An event in the batch of 2 bytes takes 60 bytes when it is decoded, so events are counted first.
    """
    if body.count(b",") < most:
        return True
    if body.count(b"{") > _MAX_OBJECTS * most:
        return False
    try:
        return len(_objects(body).batch) <= most
    except UNREADABLE:
        return False


def _check_brackets(body: bytes) -> None:
    """Raises TooLarge for too many lists and objects, which take 60 bytes and more each."""
    if len(body) > _MAX_BRACKETS and body.count(b"{") + body.count(b"[") > _MAX_BRACKETS:
        raise TooLarge(f"more than {_MAX_BRACKETS} lists and objects in a body")


def too_many_events(most: int) -> TooLarge:
    return TooLarge(f"more than {most} events in a batch", limit=most)


def single(body: bytes, type_: EventType) -> Envelope:
    """The event of a body with one event, of the type of the path. Raises BadRequest, TooLarge."""
    _check_brackets(body)
    try:
        _checked(body)
    except UNREADABLE:
        with _bad_json_as_bad_request():
            _Scanner(body.decode()).check()
    if not body.lstrip().startswith(b"{"):
        raise BadRequest("the body is not an object, expected an event", "bad_body")
    return Envelope([body], type_)


def event(raw: bytes) -> Event:
    """One event whose shape is checked. Raises EventError."""
    try:
        return _event(raw)
    except UNREADABLE:
        return lenient_event(raw)


def anything(raw: bytes) -> JSON:
    """Any JSON, read leniently. Raises ValueError, and RecursionError if it nests too deeply."""
    return _JSON.decode(raw.decode())


def message_id(raw: bytes) -> JSON:
    """The ``messageId`` of an event, which may be invalid otherwise."""
    try:
        return _message_id(raw).message_id
    except UNREADABLE:
        return _lenient_member(raw, "messageId")


def write_key(envelope: Envelope) -> str | None:
    """The write key of a body, or of its first event."""
    if envelope.write_key is not None or not envelope.events:
        return envelope.write_key
    raw = envelope.events[0]
    try:
        return _key(_write_key(raw).write_key)
    except UNREADABLE:
        return _key(_lenient_member(raw, "writeKey"))


def lenient_batch(body: bytes, most: int = sys.maxsize) -> Envelope:
    """The same as ``batch``, with the lenient parser."""
    with _bad_json_as_bad_request():
        members = _members(body.decode(), most)
    try:
        found = BatchSchema().load(members)
    except ValidationError as error:
        raise BadRequest(f"batch: {_first(error)[1]}", "bad_body", field="batch") from None
    if found["batch"] is None:
        raise BadRequest("batch: not there, expected a list of events", "bad_body", field="batch")
    common = ("batch", "context", "sent_at", "write_key", "report")
    return _envelope(*(found[name] for name in common))


def _members(text: str, most: int) -> dict[str, Any]:
    """The members of the object in a body. Raises BadRequest for other JSON."""
    if text.lstrip().startswith("{"):
        return _Scanner(text).members(most)
    _Scanner(text).check()
    raise BadRequest("the body is not an object, expected one with a list batch", "bad_body")


def lenient_event(raw: bytes) -> Event:
    """The same as ``event``, with the lenient parser."""
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
    """A key; None for blank text, and for the masked key that Jitsu's library sends: ``id:***``."""
    is_key = isinstance(value, str) and value.strip() and not value.endswith(_MASK)
    return value if is_key else None


def _lenient_member(raw: bytes, name: str) -> JSON:
    try:
        value = anything(raw)
    except RecursionError:
        return None
    return value.get(name) if isinstance(value, dict) else None


def _first(error: ValidationError) -> tuple[str, str]:
    """The first invalid field of a schema error, and its message."""
    field, messages = next(iter(error.messages_dict.items()))
    return field, messages[0]


@contextmanager
def _bad_json_as_bad_request() -> Iterator[None]:
    try:
        yield
    except json.JSONDecodeError as error:
        raise BadRequest(
            f"the body is not JSON: {error}", "bad_json", line=error.lineno, column=error.colno
        ) from None
    except RecursionError:
        raise BadRequest("the body nests too deeply to be read", "bad_json") from None


def _whole(text: str) -> int:
    return int(text[: _MAX_DIGITS + text.startswith("-")])


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
    """Reads the members of an object, and cuts its ``batch`` into the bytes of each event."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def members(self, most: int) -> dict[str, Any]:
        """The members of the text, which is one object. The last of several equal keys counts."""
        members = {}
        for _ in self._parts("{", "}"):
            name = self._name()
            self._take(":")
            events = name == "batch" and self._next() == "["
            members[name] = self._slices(most) if events else self._value()
        if self._next():
            raise self._error("Extra data")
        return members

    def check(self) -> None:
        """Raises JSONDecodeError unless the whole text is one value."""
        self._slice()
        if self._next():
            raise self._error("Extra data")

    def _slices(self, most: int) -> list[bytes]:
        slices: list[bytes] = []
        for _ in self._parts("[", "]"):
            if len(slices) == most:
                raise too_many_events(most)
            slices.append(self._slice())
        return slices

    def _slice(self) -> bytes:
        self._next()
        start = self._at
        try:
            self._value()
        except RecursionError:  # only this event is rejected for it, later
            self._skip()
        return self._text[start : self._at].encode()

    def _skip(self) -> None:
        """Move behind a list or an object that nests too deeply to be read."""
        depth = 0
        for found in _STRING_OR_BRACKET.finditer(self._text, self._at):
            depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(found[0], 0)
            if depth == 0:
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
        """Yield at each part of a list or an object."""
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
