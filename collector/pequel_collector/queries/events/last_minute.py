"""How much arrived within the last minute, out of the log of arrivals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ...ports import Arrival, ReadTransaction

MINUTE = 60_000

AT_ONCE = 64
"""Arrivals that are read at once. The log keeps about a thousand."""


class LastMinute(NamedTuple):
    """How many messages arrived, how many were refused, and whether the log goes back so far."""

    events: int
    refused: int
    is_whole: bool


def last_minute(tx: ReadTransaction, now: int) -> LastMinute:
    """What arrived within the minute before ``now`` (ms).

    The messages of one arrival came together, so one of them tells when. The log names at most 500
    of each sort and counts the others, which are counted as messages here.
    """
    events = refused = 0
    end = tx.last_arrival()
    while end > 0:
        first = max(1, end + 1 - AT_ONCE)
        arrivals = tx.arrivals_after(first - 1, end + 1 - first)
        times = _times(tx, arrivals)
        for arrival in reversed(arrivals):
            if times.get(arrival.number, now) <= now - MINUTE:
                return LastMinute(events, refused, is_whole=True)
            events += len(arrival.messages) + arrival.left_out
            refused += len(arrival.rejected)
        if not arrivals or arrivals[0].number > first:  # older ones are deleted
            return LastMinute(events, refused, is_whole=False)
        end = first - 1
    return LastMinute(events, refused, is_whole=True)


def _times(tx: ReadTransaction, arrivals: Sequence[Arrival]) -> dict[int, int]:
    """When each arrival came (ms), by its number; not of one whose messages are deleted."""
    first = {each.messages[0]: each.number for each in arrivals if each.messages}
    others = {each.rejected[0]: each.number for each in arrivals if each.rejected}
    times = {others[id_]: each.received_at for id_, each in tx.rejected_by_id(list(others)).items()}
    found = tx.messages(list(first))
    return times | {first[mid]: each.message.received for mid, each in found.items()}
