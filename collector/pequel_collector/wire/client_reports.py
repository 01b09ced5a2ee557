"""Client reports: how many events a client dropped before they came here, for which reasons.

A report is a courtesy beside the events. One that is not as it should be is passed over, and its
events are none the worse for it.
"""

from __future__ import annotations

import re
from typing import TypeGuard

from ..model import JSON, Report

REASONS = frozenset(
    {
        "invalid",
        "too_large",
        "queue_full",
        "rejected",
        "unauthorized",
        "retries_exhausted",
        "spool_full",
        "spool_unreadable",
        "shutdown",
    }
)
OTHER = "other"
"""What reasons count as that this collector does not know."""

_CLIENT = re.compile(r"[\w.:-]{1,64}", re.ASCII)
_MOST_REASONS = 64
_MOST_DROPPED = 2**31  # of which no number of reports comes near what a database holds
_HIGHEST_NUMBER = 2**53


def read(value: JSON) -> Report | None:
    """The report that a body brings; None where it brings none that can be used."""
    if not isinstance(value, dict):
        return None
    client, number, counts = value.get("client"), value.get("number"), _counts(value.get("dropped"))
    if not isinstance(client, str) or not _CLIENT.fullmatch(client):
        return None
    return Report(client, number, counts) if counts and _is_count(number, _HIGHEST_NUMBER) else None


def _counts(dropped: JSON) -> dict[str, int]:
    counts: dict[str, int] = {}
    if isinstance(dropped, dict) and len(dropped) <= _MOST_REASONS:
        for name, number in dropped.items():
            if _is_count(number, _MOST_DROPPED):
                reason = name if name in REASONS else OTHER
                counts[reason] = counts.get(reason, 0) + number
    return counts


def _is_count(value: JSON, most: int) -> TypeGuard[int]:
    return type(value) is int and 1 <= value <= most
