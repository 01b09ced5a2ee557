"""Calendar units of a time zone, as numbers: which day, hour or minute an instant falls in."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from .quantities import DAY, HOUR, MINUTE

LENGTH = {"@day": DAY, "@hour": HOUR, "@minute": MINUTE}


def unit(name: str, timezone: str) -> Callable[[int], int]:
    """The function from an instant (ms) to the number of its calendar day, hour or minute."""
    length = LENGTH[name]
    if timezone == "UTC":
        return lambda time: time // length
    zone = ZoneInfo(timezone)
    return lambda time: (time + _offset(zone, time // (15 * MINUTE))) // length


@lru_cache(maxsize=4096)
def _offset(zone: ZoneInfo, quarter: int) -> int:
    """The zone's offset in ms during a quarter of an hour; zones change only between quarters."""
    moment = datetime.fromtimestamp(quarter * 15 * 60, zone)
    offset = moment.utcoffset()
    return 0 if offset is None else int(offset.total_seconds() * 1000)
