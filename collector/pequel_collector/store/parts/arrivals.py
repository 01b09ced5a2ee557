"""The log of arrivals: what each of the last transactions stored, in the order of their commits.

Times of arrival have no such order: a request that came first may be committed last. So whoever
follows by a time misses messages, and whoever follows by the number of an arrival misses none.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from ...ports import Arrival, Change, StoredRejectedEvent
from ..encoding import decode, encode
from ..session import Session

KEPT = 1_024
"""Arrivals that are kept, at least."""

TRIMMED_EVERY = 64
"""Arrivals after which older ones are deleted."""

MAX_IDS = 500
"""Ids of each sort that an arrival names; the others are only counted."""

OPENED = "opened"

_ADD = """
INSERT INTO arrival (number, body)
SELECT coalesce(max(number), 0) + 1, :body FROM arrival
RETURNING number
"""
_TRIM = "DELETE FROM arrival WHERE number <= :number"
_LAST = "SELECT coalesce(max(number), 0) FROM arrival"
_AFTER = "SELECT number, body FROM arrival WHERE number > :number ORDER BY number LIMIT :limit"


class Arriving:
    """What a write transaction stores. What an import reads from a file is left out."""

    def __init__(self) -> None:
        self._messages: list[str] = []
        self._rejected: list[str] = []
        self._leads: list[str] = []

    def add_messages(self, mids: Collection[str], imported: Collection[str]) -> None:
        """Note new messages; those of an import are in ``imported``."""
        self._messages += [mid for mid in mids if mid not in imported] if imported else mids

    def add_rejected(self, rejected: Sequence[StoredRejectedEvent]) -> None:
        """Note rejected events."""
        self._rejected += [each.id for each in rejected if each.import_number is None]

    def add_changes(self, changes: Sequence[Change]) -> None:
        """Note the leads that were opened."""
        self._leads += [change.lead for change in changes if change.what == OPENED]

    def save(self, session: Session) -> None:
        """Write the arrival, if there is anything in it."""
        parts = self._messages, self._rejected, self._leads
        if not any(parts):
            return
        left_out = sum(max(0, len(part) - MAX_IDS) for part in parts)
        body = encode([*(part[:MAX_IDS] for part in parts), left_out])
        [(number,)] = session.run(_ADD, body=body)
        if number % TRIMMED_EVERY == 0:
            session.run(_TRIM, number=number - KEPT)


def last_arrival(session: Session) -> int:
    """The number of the last arrival; 0 if there is none."""
    [(number,)] = session.run(_LAST)
    return int(number)


def arrivals_after(session: Session, number: int, limit: int) -> list[Arrival]:
    """The arrivals after a number that are kept, oldest first."""
    found = session.run(_AFTER, number=number, limit=limit)
    return [Arrival(number, *_parts(body)) for number, body in found]


def _parts(body: str) -> Sequence[Any]:
    parts = decode(body)
    if not isinstance(parts, list):
        raise TypeError(f"found {type(parts).__name__} in an arrival, expected a list")
    return parts
