"""Messages in the default format of ``importing``, which ``pequel`` reads back unchanged.

An import counts the messages of one instant in the order of its file. So a file in the order of
facts gives that order back.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from ..model import JSON, Message, id_of, iso

COLUMNS = (
    "messageId", "type", "event", "userId", "anonymousId", "groupId", "previousId", "timestamp",
    "properties", "traits", "context",
)  # fmt: skip

_encoder = msgspec.json.Encoder(decimal_format="number")


def record_of(message: Message) -> dict[str, JSON]:
    """A message in Segment's form, without what is empty. Its time is the corrected one."""
    is_visitor = message.subject.startswith("a:")
    found: dict[str, JSON] = {
        "messageId": message.mid,
        "type": message.type,
        "event": message.name if message.type == "track" else None,
        "userId": message.user_id,
        "anonymousId": id_of(message.subject) if is_visitor else message.anonymous_id,
        "groupId": message.account,
        "previousId": message.previous_id,
        "timestamp": iso(message.time),
        "properties": message.properties or None,
        "traits": message.traits or None,
        "context": message.context or None,
    }
    return {name: value for name, value in found.items() if value is not None}


def ndjson(messages: Iterable[Message]) -> Iterator[bytes]:
    """Messages as JSON, each on a line."""
    return (_json(record_of(message)) + b"\n" for message in messages)


def csv_lines(messages: Iterable[Message]) -> Iterator[bytes]:
    """Messages as CSV with a header. Objects are JSON in a cell."""
    buffer = io.StringIO(newline="")
    write = csv.writer(buffer).writerow
    write(COLUMNS)
    for message in messages:
        record = record_of(message)
        write([_cell(record.get(name, "")) for name in COLUMNS])
        yield _taken(buffer)
    yield _taken(buffer)


FORMATS: dict[str, Callable[[Iterable[Message]], Iterator[bytes]]] = {
    "ndjson": ndjson,
    "csv": csv_lines,
}


def _cell(value: Any) -> str:
    return value if isinstance(value, str) else _json(value).decode()


def _json(value: JSON) -> bytes:
    try:
        return _encoder.encode(value)
    except UnicodeEncodeError:  # a lone surrogate, which JSON can hold only as an escape
        return json.dumps(value, default=str).encode()


def _taken(buffer: io.StringIO) -> bytes:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text.encode()
