"""Event logs: files of one JSON object a line, stored in the same way as requests.

A line has one of two forms: Segment's, which has a ``type``, or the common form::

    {
        "event_id": "e1",
        "user_id": "u1",
        "account_id": "acme",
        "event": "project_created",
        "timestamp": "2026-03-01T10:00:00.000Z",
        "properties": {"project_id": "p9"},
    }

A line without a ``type`` but with a name of Segment's form, such as ``userId``, is a track call. A
line may mix names of both forms; for one value under two names, Segment's name counts.

Times are not corrected, because there is no client whose clock could be wrong: ``sentAt`` is
ignored. An event without a user gets its message id as anonymous id. An event without a message id
gets a hash of its content as message id, so importing a file again stores nothing twice.
"""

from __future__ import annotations

import gzip
import io
import json
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from itertools import islice
from typing import BinaryIO, NamedTuple

import msgspec
from msgspec import Struct
from msgspec.json import Decoder

from ..config import Settings
from ..model import JSON, Clock, Message, RejectedEvent, anonymous_key
from ..wire import rejected_events
from ..wire.decode import UNREADABLE
from ..wire.event import Envelope
from ..wire.ids import Ids
from ..wire.junk_ids import is_junk
from ..wire.normalise import normalise
from .positions import FileInstants
from .receipts import Receipt

BATCH = 1_000
KEY = "import"  # in place of the id of an API key

_GZIP = b"\x1f\x8b"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_SEGMENT_NAMES = {
    "event_id": "messageId",
    "user_id": "userId",
    "anonymous_id": "anonymousId",
    "account_id": "groupId",
    "event": "event",
    "timestamp": "timestamp",
    "properties": "properties",
}
_SYNONYMS = {own: segment for own, segment in _SEGMENT_NAMES.items() if own != segment}


Accept = Callable[[Sequence[Message], Sequence[RejectedEvent], str, FileInstants], Receipt]


class Line(NamedTuple):
    """A line of a log. Numbers begin at 1. If it is too long, ``text`` is only its start."""

    number: int
    text: bytes
    is_whole: bool = True


class BadLine(Exception):
    """Why a line is not an event."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(slots=True)
class ImportSummary:
    """Numbers of lines and leads: ``read`` is stored + duplicates + rejected, by code.

    Of the events that are not rejected, ``of_nobody`` have no user, and ``undated`` happened when
    they were imported: they have no time, or one in the future.
    """

    read: int = 0
    stored: int = 0
    duplicates: int = 0
    of_nobody: int = 0
    undated: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    marked: Counter[str] = field(default_factory=Counter)


class Import:
    """Stores lines in batches, each before the next one is read."""

    def __init__(self, accept: Accept, settings: Settings, clock: Clock) -> None:
        self.summary = ImportSummary()
        self._accept = accept
        self._settings = replace(settings, max_batch=BATCH)
        self._clock = clock
        self._new_id = Ids(clock)

    def run(
        self, lines: Iterable[Line], on_batch: Callable[[], None] | None = None
    ) -> ImportSummary:
        """Store all lines; ``on_batch`` is called after each batch."""
        iterator = iter(lines)
        with closing(FileInstants()) as instants:
            while batch := list(islice(iterator, BATCH)):
                self._store(batch, instants)
                if on_batch:
                    on_batch()
        return self.summary

    def _store(self, batch: Sequence[Line], instants: FileInstants) -> None:
        events, numbers, rejected = [], [], []
        for line in batch:
            try:
                events.append(event_of(line))
                numbers.append(line.number)
            except BadLine as bad:
                payload = rejected_events.payload(line.text[: self._settings.max_event])
                rejected.append(RejectedEvent(line.number, bad.code, str(bad), payload=payload))
        messages, invalid = normalise(Envelope(events), self._settings, self._clock(), self._new_id)
        rejected += [replace(r, index=numbers[r.index]) for r in invalid]
        rejected = [replace(r, message=f"line {r.index}: {r.message}") for r in rejected]
        receipt = self._accept(messages, rejected, KEY, instants)
        self._count(len(batch), receipt, rejected)
        self.summary.of_nobody += sum(m.subject == anonymous_key(m.mid) for m in messages)
        self.summary.undated += sum(m.time == m.received for m in messages)

    def _count(self, read: int, receipt: Receipt, rejected: Sequence[RejectedEvent]) -> None:
        self.summary.read += read
        self.summary.stored += receipt.accepted
        self.summary.duplicates += receipt.duplicates
        self.summary.rejected.update(r.code for r in rejected)
        self.summary.marked.update(lead.definition for lead in receipt.qualified)


class Log:
    """The lines of a log that are not blank. A gzip file is inflated.

    Of a line over ``max_line`` bytes only the start is read. ``broken`` says why the log could not
    be read to its end; the lines before that are returned.
    """

    def __init__(self, stream: BinaryIO, max_line: int) -> None:
        self.broken: str | None = None
        self._max_line = max_line
        self._stream = _inflated(stream)

    def __iter__(self) -> Iterator[Line]:
        number = 0
        while text := self._next():
            number += 1
            is_whole = len(text) <= self._max_line or text.endswith(b"\n")
            if not is_whole:
                self._skip()
            if number == 1:
                text = text.removeprefix(_BYTE_ORDER_MARK)
            if text.strip():
                yield Line(number, text.strip(), is_whole)

    def _next(self) -> bytes:
        try:
            return self._stream.readline(self._max_line + 1)
        except (OSError, EOFError, zlib.error) as error:
            self.broken = str(error)
            return b""

    def _skip(self) -> None:
        while (rest := self._next()) and not rest.endswith(b"\n"):
            pass


def event_of(line: Line) -> bytes:
    """The event on a line, in Segment's form. Raises BadLine."""
    if not line.is_whole:
        raise BadLine("too_large", f"is over {len(line.text) - 1} bytes")
    try:
        text = line.text.decode()
        if _is_complete(line.text):
            return line.text
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadLine("bad_json", f"not JSON: {error}") from None
    if not isinstance(value, dict):
        raise BadLine("not_an_object", "expected an object")
    return _encoded(_with_ids(_from_segment(value) if _is_segment(value) else _from_common(value)))


class _Complete(Struct, rename="camel"):
    """The required and forbidden members of a line that is stored unchanged."""

    type: str
    message_id: str
    user_id: str
    sent_at: None = None
    anonymous: None = msgspec.field(default=None, name="anonymous_id")
    account: None = msgspec.field(default=None, name="account_id")


_complete = Decoder(_Complete).decode


def _is_complete(text: bytes) -> bool:
    """Whether a line is a message in Segment's form that needs no change."""
    try:
        found = _complete(text)
    except UNREADABLE:
        return False
    return not (_is_missing(found.message_id) or _is_missing(found.user_id))


def _inflated(stream: BinaryIO) -> io.BufferedIOBase:
    buffered = stream if isinstance(stream, io.BufferedReader) else io.BufferedReader(stream)  # type: ignore[type-var]
    return gzip.GzipFile(fileobj=buffered) if buffered.peek(2).startswith(_GZIP) else buffered


def _is_segment(line: Mapping[str, JSON]) -> bool:
    return any(line.get(name) is not None for name in ("type", *_SYNONYMS.values()))


def _from_segment(line: Mapping[str, JSON]) -> dict[str, JSON]:
    event = {name: line[name] for name in line if name not in _SYNONYMS}
    if event.get("type") is None:
        event["type"] = "track"
    for own, segment in _SYNONYMS.items():
        if own in line and _is_blank(event.get(segment)):
            event[segment] = line[own]
    return event


def _from_common(line: Mapping[str, JSON]) -> dict[str, JSON]:
    event = {"type": "track"}
    return event | {segment: line[own] for own, segment in _SEGMENT_NAMES.items() if own in line}


def _with_ids(event: dict[str, JSON]) -> dict[str, JSON]:
    """The event with a message id and a user or anonymous id, and without ``sentAt``."""
    event.pop("sentAt", None)
    if _is_missing(event.get("messageId")):
        event["messageId"] = _digest(event)
    if _is_missing(event.get("userId")) and _is_missing(event.get("anonymousId")):
        event["anonymousId"] = event["messageId"]
    return event


def _is_missing(identifier: JSON) -> bool:
    return _is_blank(identifier) or (isinstance(identifier, str) and is_junk(identifier))


def _is_blank(identifier: JSON) -> bool:
    return identifier is None or (isinstance(identifier, str) and not identifier.strip())


def _digest(event: Mapping[str, JSON]) -> str:
    text = json.dumps(event, sort_keys=True)
    return "import-" + blake2b(text.encode(), digest_size=16).hexdigest()


def _encoded(event: Mapping[str, JSON]) -> bytes:
    try:
        return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:  # a lone surrogate, which JSON can hold only as an escape
        return json.dumps(event, separators=(",", ":")).encode()
