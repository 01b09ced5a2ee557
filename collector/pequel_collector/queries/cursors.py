"""Cursors of lists: JSON in URL-safe base64, for clients to hand back and not to read.

A cursor begins with its list: a digest of the list's name and filters. Another list refuses it.
"""

from __future__ import annotations

import base64
import json
from hashlib import blake2b
from typing import Any

from ..errors import BadRequest
from ..ports import LeadCursor, SearchHit, Seen
from .likely import LikelyCursor
from .near import NearCursor
from .people import PeopleCursor

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
        case [int(rank), int(time), str(identifier)] if _in_range(rank, time):
            return LeadCursor(rank, time, identifier)
        case _:
            raise bad_cursor()


def decode_time_cursor(of: str, cursor: str | None) -> tuple[int, str] | None:
    """The time and the id of the last item of the page before. Raises BadRequest."""
    match None if cursor is None else _decode(of, cursor):
        case None:
            return None
        case [int(time), str(identifier)] if _in_range(time):
            return time, identifier
        case _:
            raise bad_cursor()


def decode_number_cursor(of: str, cursor: str | None) -> int:
    """The number of the last entry of the page before; 0 at the start. Raises BadRequest."""
    match None if cursor is None else _decode(of, cursor):
        case None:
            return 0
        case [int(number)] if _in_range(number):
            return number
        case _:
            raise bad_cursor()


def decode_change_cursor(of: str, cursor: str | None) -> tuple[str, int]:
    """A lead and a place among its changes; none at the start. Raises BadRequest."""
    match None if cursor is None else _decode(of, cursor):
        case None | ["", 0]:
            return "", 0
        case [str(lead), int(place)] if _in_range(place) and place > 0:
            return lead, place
        case _:
            raise bad_cursor()


def decode_place(of: str, cursor: str | None) -> tuple[int, int] | None:
    """A place in the log of arrivals. Raises BadRequest."""
    match None if cursor is None else _decode(of, cursor):
        case None:
            return None
        case [int(number), int(taken)] if _in_range(number, taken) and number > 0 <= taken:
            return number, taken
        case _:
            raise bad_cursor()


def decode_fact_cursor(of: str, cursor: str | None) -> tuple[int, int, str] | None:
    """The last message of the page before: its place in the order of facts. Raises BadRequest."""
    match None if cursor is None else _decode(of, cursor):
        case None:
            return None
        case [int(time), int(position), str(identifier)] if _in_range(time, position):
            return time, position, identifier
        case _:
            raise bad_cursor()


def decode_seen(of: str, cursor: str | None) -> Seen | None:
    """Who was seen last on the page before. Raises BadRequest."""
    place = decode_time_cursor(of, cursor)
    return None if place is None else Seen(*place)


def decode_hit(of: str, cursor: str | None) -> SearchHit | None:
    """What was found last on the page before. Raises BadRequest."""
    match None if cursor is None else _decode(of, cursor):
        case None:
            return None
        case [str(text), str(subject)]:
            return SearchHit(text, subject)
        case _:
            raise bad_cursor()


def decode_people_cursor(of: str, cursor: str | None) -> PeopleCursor | None:
    """The last person of the page before. Raises BadRequest."""
    match None if cursor is None else _decode(of, cursor):
        case None:
            return None
        case [int(now), int(recent), int(last), str(key)] if _in_range(now, recent, last):
            return PeopleCursor(now, recent, last, key)
        case _:
            raise bad_cursor()


def decode_near_cursor(of: str, cursor: str | None) -> NearCursor | None:
    """Where a set begins, and the last subject of the page before. Raises BadRequest."""
    match None if cursor is None else _decode(of, cursor):
        case None:
            return None
        case [int(time), str(who), int(progress), int(last), str(key)] if _in_range(
            time, progress, last
        ):
            return NearCursor(Seen(time, who), progress, last, key)
        case _:
            raise bad_cursor()


def decode_likely_cursor(of: str, cursor: str | None) -> LikelyCursor | None:
    """Where a set of leads begins, and the last lead of the page before. Raises BadRequest."""
    match None if cursor is None else _decode(of, cursor):
        case None:
            return None
        case [int(time), str(first), int(millionths), int(marked_at), str(identifier)] if _in_range(
            time, millionths, marked_at
        ):
            start = LeadCursor(0, time, first)
            return LikelyCursor(start, millionths, marked_at, identifier)
        case _:
            raise bad_cursor()


def _decode(of: str, cursor: str) -> list[Any]:
    try:
        parts = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, RecursionError):
        parts = None
    match parts:
        case [str(found), *place] if found == of:
            return place
        case _:
            raise bad_cursor()


def _in_range(*numbers: int) -> bool:
    return all(type(number) is int and abs(number) < LIMIT for number in numbers)


def bad_cursor() -> BadRequest:
    """The mistake of a cursor that is none of this list."""
    message = "cursor: expected the next_cursor of an earlier page of this list, with its filters"
    return BadRequest(message, "bad_parameter", field="cursor")
