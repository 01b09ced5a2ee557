"""Cursors of lists: JSON in URL-safe base64, for clients to hand back and not to read."""

from __future__ import annotations

import base64
import json
from typing import Any

from ..errors import BadRequest
from ..ports import LeadCursor

LIMIT = 2**62
"""Beyond every time, and within what every database holds."""


def encode(*parts: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


def decode_lead_cursor(cursor: str | None) -> LeadCursor | None:
    """The last lead of the page before. Raises BadRequest."""
    match None if cursor is None else _decode(cursor):
        case None:
            return None
        case [int(rank), int(marked_at), str(identifier)] if _in_range(rank, marked_at):
            return LeadCursor(rank, marked_at, identifier)
        case _:
            raise _bad_cursor()


def decode_time_cursor(cursor: str | None) -> tuple[int, str] | None:
    """The time and the id of the last item of the page before. Raises BadRequest."""
    match None if cursor is None else _decode(cursor):
        case None:
            return None
        case [int(time), str(identifier)] if _in_range(time):
            return time, identifier
        case _:
            raise _bad_cursor()


def decode_number_cursor(cursor: str | None) -> int:
    """The number of the last entry of the page before; 0 at the start. Raises BadRequest."""
    match None if cursor is None else _decode(cursor):
        case None:
            return 0
        case [int(number)] if _in_range(number):
            return number
        case _:
            raise _bad_cursor()


def decode_fact_cursor(cursor: str | None) -> tuple[int, int, str] | None:
    """The place of the last message of the page before, in the order of facts. Raises BadRequest.

    A cursor without a position comes from before messages had one. It means position 0.
    """
    match None if cursor is None else _decode(cursor):
        case None:
            return None
        case [int(time), int(position), str(identifier)] if _in_range(time, position):
            return time, position, identifier
        case [int(time), str(identifier)] if _in_range(time):
            return time, 0, identifier
        case _:
            raise _bad_cursor()


def _decode(cursor: str) -> list[Any]:
    try:
        parts = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, RecursionError):
        parts = None
    if not isinstance(parts, list):
        raise _bad_cursor()
    return parts


def _in_range(*numbers: int) -> bool:
    return all(type(number) is int and abs(number) < LIMIT for number in numbers)


def _bad_cursor() -> BadRequest:
    message = "cursor: expected the next_cursor of an earlier page of this list"
    return BadRequest(message, "bad_parameter", field="cursor")
