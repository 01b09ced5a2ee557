"""Working time: when so much of it is over, by the hours that a team or a partner keeps."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta, timezone
from functools import lru_cache
from zoneinfo import ZoneInfo

import holidays as calendars

from ..rules.language.quantities import DAY
from ..rules.language.routing import Hours

MAX_DAYS = 1_000
"""Days that are looked at. What is left of a length after that counts as plain time."""

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MILLISECOND = timedelta(milliseconds=1)


def after_working(start: int, length: int, hours: Hours | None) -> int:
    """The instant (ms) at which a length of working time after a start is over.

    Whole days are working days: two days from Friday 10:00 end on Tuesday at 10:00, by hours from
    Monday to Friday. Any other length is time at work: four hours from Friday 16:00 end on Monday
    at 12:00, by hours from 9:00 to 17:00. Without hours it is plain time.
    """
    if hours is None or length <= 0:
        return start + length
    if length % DAY == 0 and length // DAY <= MAX_DAYS:
        return _days_after(start, length // DAY, hours)
    return _time_after(start, length, hours)


def week_of(now: int, zone: str) -> int:
    """The number of the week of an instant, from Monday 00:00 in a time zone."""
    return (_local(now, zone).date().toordinal() - 1) // 7


def _time_after(start: int, length: int, hours: Hours) -> int:
    left, end = length, start
    for opens, closes in _shifts(start, hours):
        begin, end = max(opens, start), closes
        if left <= closes - begin:
            return begin + left
        left -= closes - begin
    return max(start, end) + left


def _days_after(start: int, days: int, hours: Hours) -> int:
    """The same time of day, so many working days after the first moment at work."""
    shifts = _shifts(start, hours)
    opens = next(shifts, None)
    if opens is None:
        return start + days * DAY
    begin = max(opens[0], start)
    into = begin - opens[0]
    for number, (later, _) in enumerate(shifts, 1):
        if number == days:
            return later + into
    return begin + days * DAY


def _shifts(start: int, hours: Hours) -> Iterator[tuple[int, int]]:
    """The working days that end after an instant, each from its first moment to its last."""
    zone = ZoneInfo(hours.timezone)
    first = _local(start, hours.timezone).date()
    for number in range(MAX_DAYS):
        day = first + timedelta(days=number)
        if day.weekday() not in hours.days or day in _free(hours, day.year):
            continue
        opens, closes = (_instant(day, at, zone) for at in (hours.start, hours.end))
        if closes > start:
            yield opens, closes


def _free(hours: Hours, year: int) -> frozenset[date]:
    return frozenset() if hours.holidays is None else _holidays(*hours.holidays, year)


@lru_cache(maxsize=256)
def _holidays(country: str, part: str | None, year: int) -> frozenset[date]:
    return frozenset(calendars.country_holidays(country, subdiv=part, years=year))


def _instant(day: date, at: int, zone: ZoneInfo) -> int:
    """The instant of a time of day, which may be 24:00."""
    days, rest = divmod(at, DAY)
    midnight = datetime.combine(day + timedelta(days=days), time.min, zone)
    return ((midnight + timedelta(milliseconds=rest)) - _EPOCH) // _MILLISECOND


def _local(now: int, zone: str) -> datetime:
    return (_EPOCH + now * _MILLISECOND).astimezone(ZoneInfo(zone))
