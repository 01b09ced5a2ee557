"""Cursors of lists: JSON in URL-safe base64, for clients to hand back and not to read.

A cursor begins with its list: a digest of the list's name and filters. Another list refuses it.
"""

from __future__ import annotations

import base64
import json
from hashlib import blake2b
from typing import Any

from ..errors import BadRequest
from ..ports import LeadCursor

LIMIT = 2**62
"""Beyond every time, and within what every database holds."""


def list_id(name: str, *filters: object) -> str:
    """What tells a list with its filters from others, in 8 characters."""
    text = repr((name, *filters)).encode("utf-8", "surrogatepass")
    return base64.urlsafe_b64encode(blake2b(text, digest_size=6).digest()).decode()


def encode(of: str, *parts: Any) -> str:
    """A cursor for a place in the list with this id."""
    return base64.urlsafe_b64encode(json.dumps([of, *parts]).encode()).decode().rstrip("=")


def decode_lead_cursor(of: str, cursor: str | None) -> LeadCursor | None:
    """The last lead of the page before. Raises BadRequest."""
    match None if cursor is None else _decode(of, cursor):
        case None:
            return None
        case [int(rank), int(marked_at), str(identifier)] if _in_range(rank, marked_at):
            return LeadCursor(rank, marked_at, identifier)
        case _:
            raise _bad_cursor()


def decode_time_cursor(of: str, cursor: str | None) -> tuple[int, str] | None:
    """The time and the id of the last item of the page before. Raises BadRequest."""
    match None if cursor is None else _decode(of, cursor):
        case None:
            return None
        case [int(time), str(identifier)] if _in_range(time):
            return time, identifier
        case _:
            raise _bad_cursor()


def decode_number_cursor(of: str, cursor: str | None) -> int:
    """The number of the last entry of the page before; 0 at the start. Raises BadRequest."""
    match None if cursor is None else _decode(of, cursor):
        case None:
            return 0
        case [int(number)] if _in_range(number):
            return number
        case _:
            raise _bad_cursor()


def decode_fact_cursor(of: str, cursor: str | None) -> tuple[int, int, str] | None:
    """The last message of the page before: its place in the order of facts. Raises BadRequest."""
    match None if cursor is None else _decode(of, cursor):
        case None:
            return None
        case [int(time), int(position), str(identifier)] if _in_range(time, position):
            return time, position, identifier
        case _:
            raise _bad_cursor()


def _decode(of: str, cursor: str) -> list[Any]:
    try:
        parts = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, RecursionError):
        parts = None
    match parts:
        case [str(found), *place] if found == of:
            return place
        case _:
            raise _bad_cursor()


def _in_range(*numbers: int) -> bool:
    return all(type(number) is int and abs(number) < LIMIT for number in numbers)


def _bad_cursor() -> BadRequest:
    message = "cursor: expected the next_cursor of an earlier page of this list, with its filters"
    return BadRequest(message, "bad_parameter", field="cursor")
