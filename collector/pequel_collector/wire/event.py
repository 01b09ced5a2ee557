"""An event as it came in: its shape is checked, its meaning is not read yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from msgspec import Struct

from ..model import JSON

EventType = Literal["track", "identify", "group", "page", "screen", "alias"]

Code = Literal[
    "bad_json",
    "not_an_object",
    "bad_value",
    "missing_field",
    "unknown_type",
    "too_long",
    "bad_text",
    "junk_id",
    "bad_timestamp",
    "too_large",
    "too_deep",
    "batch_full",
]


class Event(Struct, rename="camel"):
    """One event. Absent and null are the same. Other keys are ignored.

    The field types are those of ``schema.EventSchema``, which writes the error texts.
    """

    type: str | None = None
    event: str | None = None
    user_id: str | int | float | None = None
    anonymous_id: str | int | float | None = None
    group_id: str | int | float | None = None
    previous_id: str | int | float | None = None
    message_id: str | int | float | None = None
    name: Any = None
    category: Any = None
    properties: dict[str, Any] | None = None
    traits: dict[str, Any] | None = None
    context: dict[str, Any] | None = None
    timestamp: Any = None
    original_timestamp: Any = None
    sent_at: Any = None


class Envelope(NamedTuple):
    """The events of one request, each as its bytes, and what they share.

    ``type`` is that of the path. ``anonymous_id`` is for events without an id of their own.
    ``report`` is the client report, not read yet.
    """

    events: Sequence[bytes]
    type: EventType | None = None
    context: Mapping[str, JSON] | None = None
    sent_at: JSON = None
    write_key: str | None = None
    anonymous_id: str | None = None
    report: JSON = None


class EventError(Exception):
    """Why one event is rejected. The other events of its request are stored."""

    def __init__(self, code: Code, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.code: Code = code
        self.message = message
        self.field = field


def mismatch(code: Code, field: str, value: JSON, expected: str) -> EventError:
    """The error for a field with a wrong value."""
    return EventError(code, f"{field}: found {describe(value)}, expected {expected}", field)


def missing(field: str, expected: str) -> EventError:
    """The error for a field that is absent or blank."""
    return EventError("missing_field", f"{field}: not there, expected {expected}", field)


def describe(value: JSON) -> str:
    """A JSON value for an error message: short and printable."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, str):
        return f"the text {_short(value)!a}"
    if value is None or isinstance(value, bool):
        return str({None: "null", True: "true", False: "false"}[value])
    return f"the number {_short(str(value))}"


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:40] + "..."
