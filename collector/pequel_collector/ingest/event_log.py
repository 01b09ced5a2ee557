"""Event logs: a file of one JSON object a line, taken in through the same door as HTTP.

Two forms are read, line by line: Segment's, which has a ``type``, and the common form::

    {
        "event_id": "e1",
        "user_id": "u1",
        "account_id": "acme",
        "event": "project_created",
        "timestamp": "2026-03-01T10:00:00.000Z",
        "properties": {"project_id": "p9"},
    }

A line without a ``type`` that has a name of the wire, such as ``userId``, is a track call. Names of
the two forms may stand side by side; where both name one thing, that of the wire counts.

Times count as they stand: there is no clock of a client to correct, so ``sentAt`` is passed over.
An event of nobody gets its own id as anonymous id, and one without an id gets a digest of its
content as id: nothing is lost, and importing a file again changes nothing.
"""

from __future__ import annotations

import gzip
import io
import json
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from itertools import islice
from typing import BinaryIO, NamedTuple, Protocol

import msgspec
from msgspec import MsgspecError, Struct
from msgspec.json import Decoder

from ..config import Settings
from ..model import JSON, Lead, Message, RejectedEvent, anonymous_key
from ..wire import rejected_events
from ..wire.event import Envelope
from ..wire.ids import Ids
from ..wire.junk_ids import names_nobody
from ..wire.normalise import normalise

BATCH = 1_000
KEY = "import"  # what stands for the API key beside the events that are refused

_GZIP = b"\x1f\x8b"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_COMMON = {
    "event_id": "messageId",
    "user_id": "userId",
    "anonymous_id": "anonymousId",
    "account_id": "groupId",
    "event": "event",
    "timestamp": "timestamp",
    "properties": "properties",
}
_SYNONYMS = {ours: theirs for ours, theirs in _COMMON.items() if ours != theirs}


class Receipt(Protocol):
    """What is to be known of a batch that was taken in."""

    @property
    def accepted(self) -> int:
        """How many messages were stored."""

    @property
    def duplicates(self) -> int:
        """How many were stored before."""

    @property
    def qualified(self) -> Sequence[Lead]:
        """The leads that they opened."""


Accept = Callable[[Sequence[Message], Sequence[RejectedEvent], str], Receipt]


class Line(NamedTuple):
    """A line of a log: its number, from 1, and its bytes; ``whole`` unless it was too long."""

    number: int
    text: bytes
    whole: bool = True


class BadLine(Exception):
    """A line that holds no event."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(slots=True)
class Summary:
    """What became of a log: ``read`` is stored + duplicates + rejected.

    Of those that are not rejected, ``of_nobody`` name nobody, and ``undated`` happened when they
    were imported: they say no time, or one in the future.
    """

    read: int = 0
    stored: int = 0
    duplicates: int = 0
    of_nobody: int = 0
    undated: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    marked: Counter[str] = field(default_factory=Counter)


class Import:
    """Reads lines and hands them on in batches, each stored before the next one is read."""

    def __init__(self, accept: Accept, settings: Settings, clock: Callable[[], int]) -> None:
        self.summary = Summary()
        self._accept = accept
        self._settings = replace(settings, max_batch=BATCH)
        self._clock = clock
        self._new_id = Ids(clock)

    def run(self, lines: Iterable[Line], progress: Callable[[], None] | None = None) -> Summary:
        """Take in all lines; ``progress`` is called after each batch."""
        iterator = iter(lines)
        while batch := list(islice(iterator, BATCH)):
            self._take(batch)
            if progress:
                progress()
        return self.summary

    def _take(self, batch: Sequence[Line]) -> None:
        events, numbers, rejected = [], [], []
        for line in batch:
            try:
                events.append(event_of(line))
                numbers.append(line.number)
            except BadLine as bad:
                payload = rejected_events.payload(line.text[: self._settings.max_event])
                rejected.append(RejectedEvent(line.number, bad.code, str(bad), payload=payload))
        messages, refused = normalise(Envelope(events), self._settings, self._clock(), self._new_id)
        rejected += [replace(r, index=numbers[r.index]) for r in refused]
        rejected = [replace(r, message=f"line {r.index}: {r.message}") for r in rejected]
        receipt = self._accept(messages, rejected, KEY)
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
    """The lines of a log that are not blank, inflated where its first bytes say that it is gzip.

    Of a line over ``longest`` bytes only the start is kept. ``broken`` says why the log could not
    be read to its end; what stood before that is given all the same.
    """

    def __init__(self, stream: BinaryIO, longest: int) -> None:
        self.broken: str | None = None
        self._longest = longest
        self._stream = _inflated(stream)

    def __iter__(self) -> Iterator[Line]:
        number = 0
        while text := self._next():
            number += 1
            whole = len(text) <= self._longest or text.endswith(b"\n")
            if not whole:
                self._skip()
            if number == 1:
                text = text.removeprefix(_BYTE_ORDER_MARK)
            if text.strip():
                yield Line(number, text.strip(), whole)

    def _next(self) -> bytes:
        try:
            return self._stream.readline(self._longest + 1)
        except (OSError, EOFError, zlib.error) as error:
            self.broken = str(error)
            return b""

    def _skip(self) -> None:
        while (rest := self._next()) and not rest.endswith(b"\n"):
            pass


def event_of(line: Line) -> bytes:
    """The event on a line, as it would come over the wire. Raises BadLine."""
    if not line.whole:
        raise BadLine("too_large", f"is over {len(line.text) - 1} bytes")
    try:
        text = line.text.decode()
        if _is_complete(line.text):
            return line.text
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadLine("bad_json", f"no JSON: {error}") from None
    if not isinstance(value, dict):
        raise BadLine("not_an_object", "expected an object")
    return _encoded(_named(_wire(value) if _is_wire(value) else _common(value)))


class _Complete(Struct, rename="camel"):
    """What a line says that is taken as it stands: nothing of it is in the other form."""

    type: str
    message_id: str
    user_id: str
    sent_at: None = None
    anonymous: None = msgspec.field(default=None, name="anonymous_id")
    account: None = msgspec.field(default=None, name="account_id")


_complete = Decoder(_Complete).decode


def _is_complete(text: bytes) -> bool:
    """Whether a line is a message to which nothing is added, and from which nothing is taken."""
    try:
        found = _complete(text)
    except (MsgspecError, ValueError, RecursionError):
        return False
    return not (_is_nobody(found.message_id) or _is_nobody(found.user_id))


def _inflated(stream: BinaryIO) -> io.BufferedIOBase:
    buffered = stream if isinstance(stream, io.BufferedReader) else io.BufferedReader(stream)  # type: ignore[type-var]
    return gzip.GzipFile(fileobj=buffered) if buffered.peek(2).startswith(_GZIP) else buffered


def _is_wire(line: Mapping[str, JSON]) -> bool:
    return any(line.get(name) is not None for name in ("type", *_SYNONYMS.values()))


def _wire(line: Mapping[str, JSON]) -> dict[str, JSON]:
    event = {name: line[name] for name in line if name not in _SYNONYMS}
    if event.get("type") is None:
        event["type"] = "track"
    for ours, theirs in _SYNONYMS.items():
        if ours in line and _is_blank(event.get(theirs)):
            event[theirs] = line[ours]
    return event


def _common(line: Mapping[str, JSON]) -> dict[str, JSON]:
    event = {"type": "track"}
    return event | {theirs: line[ours] for ours, theirs in _COMMON.items() if ours in line}


def _named(event: dict[str, JSON]) -> dict[str, JSON]:
    """The event without its time of sending, with an id, and with somebody who did it."""
    event.pop("sentAt", None)
    if _is_nobody(event.get("messageId")):
        event["messageId"] = _digest(event)
    if _is_nobody(event.get("userId")) and _is_nobody(event.get("anonymousId")):
        event["anonymousId"] = event["messageId"]
    return event


def _is_nobody(identifier: JSON) -> bool:
    return _is_blank(identifier) or (isinstance(identifier, str) and names_nobody(identifier))


def _is_blank(identifier: JSON) -> bool:
    return identifier is None or (isinstance(identifier, str) and not identifier.strip())


def _digest(event: Mapping[str, JSON]) -> str:
    text = json.dumps(event, sort_keys=True)
    return "import-" + blake2b(text.encode(), digest_size=16).hexdigest()


def _encoded(event: Mapping[str, JSON]) -> bytes:
    try:
        return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:  # half a character, which only an escape can hold
        return json.dumps(event, separators=(",", ":")).encode()
