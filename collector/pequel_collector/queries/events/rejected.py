"""Pages of rejected events, which end early where their texts are long."""

from __future__ import annotations

import json

from ...ports import ReadTransaction, RejectedCursor, RejectedFilter, StoredRejectedEvent

MAX_BYTES = 4_000_000
"""Bytes of texts after which a page ends."""

AT_ONCE = 20
"""Rejected events that are read at a time."""


def rejected_page(
    tx: ReadTransaction, wanted: RejectedFilter, limit: int, after: RejectedCursor | None
) -> tuple[list[StoredRejectedEvent], bool]:
    """The rejected events after a cursor, and whether there are more.

    They are ``limit`` at most, and fewer if their texts have more than ``MAX_BYTES`` together.
    """
    found: list[StoredRejectedEvent] = []
    size = 0
    while True:
        at_once = min(AT_ONCE, limit + 1 - len(found))
        some = tx.rejected(at_once, wanted, after)
        for each in some:
            if len(found) == limit or size > MAX_BYTES:
                return found, True
            found.append(each)
            size += _size(each)
        if len(some) < at_once:
            return found, False
        after = RejectedCursor(some[-1].received_at, some[-1].id)


def _size(rejected: StoredRejectedEvent) -> int:
    event = rejected.event
    return len(event.payload) + len(json.dumps(event.envelope))
