"""Dates as values and as thresholds: which instant each stands for."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from math import floor
from typing import Any
from zoneinfo import ZoneInfo

from ...model import is_number, iso, parse_iso
from .definition import Date
from .quantities import DAY

FIRST_MILLISECONDS = 100_000_000_000
"""Smaller numbers are seconds since 1970, which reaches to the year 5138; others milliseconds."""

_LAST = 253_402_300_799_999  # of the year 9999
_DIGITS = re.compile(r"[0-9]{1,15}", re.ASCII)
_BARE = 10  # characters of 2026-03-01
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MILLISECOND = timedelta(milliseconds=1)


def instant_of(value: Any, zone: str) -> int | None:
    """The instant (ms) that a value stands for; None if it is no date.

    Dates are texts in ISO 8601, and the seconds or milliseconds since 1970 as a number or its
    digits. A text without a time is 00:00 in the time zone, one without an offset is UTC.
    """
    if isinstance(value, str):
        return _since_1970(int(value)) if _DIGITS.fullmatch(value) else instant_of_text(value, zone)
    return _since_1970(value) if is_number(value) else None


def instant_of_text(text: str, zone: str) -> int | None:
    """The instant (ms) of a text in ISO 8601; None if it is not one."""
    found = parse_iso(text)
    if found is None or len(text) != _BARE or zone == "UTC":
        return found
    start = datetime.combine(date.fromisoformat(text), datetime.min.time(), ZoneInfo(zone))
    return (start - _EPOCH) // _MILLISECOND


def zone_named(name: Any) -> str | None:
    """The key of the time zone of a name; None if there is none."""
    try:
        return ZoneInfo(name).key if isinstance(name, str) else None
    except (KeyError, ValueError, OSError):  # whichever, depending on what the name looks like
        return None


def _since_1970(number: float | Decimal) -> int | None:
    if not -_LAST <= number <= _LAST:
        return None
    if -FIRST_MILLISECONDS < number < FIRST_MILLISECONDS:
        number = Decimal(repr(number) if isinstance(number, float) else number) * 1000
    return floor(number)


def written(threshold: Date) -> str:
    """A threshold in words: the date alone where it is 00:00 in its time zone."""
    text = iso(threshold.time)
    if threshold.zone == "UTC":
        return text[:_BARE] if threshold.time % DAY == 0 else text
    local = (_EPOCH + threshold.time * _MILLISECOND).astimezone(ZoneInfo(threshold.zone))
    bare = local.date().isoformat()
    return bare if instant_of_text(bare, threshold.zone) == threshold.time else text
