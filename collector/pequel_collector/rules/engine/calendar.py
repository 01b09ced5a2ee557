"""Calendar units of a time zone, as numbers: which day, hour or minute an instant falls in."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from ..language.quantities import DAY, HOUR, MINUTE

_QUARTER = 15 * MINUTE


def unit(name: str, timezone: str) -> Callable[[int], int]:
    """The function from an instant (ms) to its calendar day, hour or minute, as a number.

    A day is the number of days since 1970, a minute likewise. An hour is the instant (ms) at which
    it began, so an hour that the clocks repeat is two hours.
    """
    match name:
        case "@minute":
            return lambda time: time // MINUTE
        case "@hour":
            return _hours(timezone)
        case _:
            return _days(timezone)


def _days(timezone: str) -> Callable[[int], int]:
    if timezone == "UTC":
        return lambda time: time // DAY
    zone = ZoneInfo(timezone)
    return lambda time: (time + _offset(zone, time // _QUARTER)) // DAY


def _hours(timezone: str) -> Callable[[int], int]:
    if timezone == "UTC":
        return lambda time: time // HOUR * HOUR
    zone = ZoneInfo(timezone)

    def began(time: int) -> int:
        offset = _offset(zone, time // _QUARTER)
        return (time + offset) // HOUR * HOUR - offset

    return began


@lru_cache(maxsize=4096)
def _offset(zone: ZoneInfo, quarter: int) -> int:
    """The zone's offset in ms during a quarter of an hour; zones change only between quarters."""
    moment = datetime.fromtimestamp(quarter * 15 * 60, zone)
    offset = moment.utcoffset()
    return 0 if offset is None else int(offset.total_seconds() * 1000)
