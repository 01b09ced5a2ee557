"""Client reports: how many events a client dropped before it sent them, and why.

A report comes beside events. An invalid report is ignored, and its events are stored.
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
"""Stands for any reason that this collector does not know."""

_CLIENT = re.compile(r"[\w.:-]{1,64}", re.ASCII)
_MAX_REASONS = 64
_MAX_DROPPED = 2**31  # sums of it stay far below what a database can hold
_MAX_NUMBER = 2**53


def read(value: JSON) -> Report | None:
    """The report in a body; None if there is none, or it is invalid."""
    if not isinstance(value, dict):
        return None
    client, number, counts = value.get("client"), value.get("number"), _counts(value.get("dropped"))
    if not isinstance(client, str) or not _CLIENT.fullmatch(client):
        return None
    return Report(client, number, counts) if counts and _is_count(number, _MAX_NUMBER) else None


def _counts(dropped: JSON) -> dict[str, int]:
    counts: dict[str, int] = {}
    if isinstance(dropped, dict) and len(dropped) <= _MAX_REASONS:
        for name, number in dropped.items():
            if _is_count(number, _MAX_DROPPED):
                reason = name if name in REASONS else OTHER
                counts[reason] = counts.get(reason, 0) + number
    return counts


def _is_count(value: JSON, most: int) -> TypeGuard[int]:
    return type(value) is int and 1 <= value <= most
