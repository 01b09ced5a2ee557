"""When an event happened, by the collector's clock.

* Neither ``timestamp`` nor ``originalTimestamp``: when it was received.
* One of them, without a time of sending: at that time.
* One of them, with a time of sending: at that time, if the times of sending and receiving differ by
  at most a tolerance, because delivery takes time. If they differ by more, the client's clock is
  wrong, and the event happened at that time + (received - sent). For example, an event of 10:00
  that was sent at 10:05 and received at 08:05 happened at 08:00: the clock is two hours fast.
* Both: at ``timestamp``, unchanged.

A later time than that of receiving counts as the time of receiving.
"""

from __future__ import annotations

from ..model import JSON, parse_iso
from .event import Event, EventError, mismatch

_EXPECTED = "a time in ISO 8601 from 1970 on, such as 2026-03-01T10:00:00.000Z"


def event_time(
    event: Event, sent: int | None, received: int, tolerance: int
) -> tuple[int, str | None]:
    """The time of an event in milliseconds, and the text that it was read from.

    ``sent`` is the client's time of sending, ``tolerance`` is in milliseconds. Raises EventError.
    """
    timestamp, original = _given(event.timestamp), _given(event.original_timestamp)
    if timestamp is None and original is None:
        return received, None
    field, text = ("originalTimestamp", original) if timestamp is None else ("timestamp", timestamp)
    time = parse_iso(text) if isinstance(text, str) else None
    if time is None:
        raise _bad_time(field, text)
    is_alone = timestamp is None or original is None
    if sent is not None and is_alone and not -tolerance <= received - sent <= tolerance:
        time += received - sent
    if time < 0:
        raise _bad_time(field, text)
    return min(time, received), text


def time_sent(value: JSON) -> int | None:
    """A ``sentAt`` in milliseconds; None if it is not a time, and then no clock is corrected."""
    return parse_iso(value) if isinstance(value, str) else None


def _given(value: JSON) -> JSON:
    """A time as given; None for null and blank text."""
    return None if isinstance(value, str) and (not value or value.isspace()) else value


def _bad_time(field: str, value: JSON) -> EventError:
    return mismatch("bad_timestamp", field, value, _EXPECTED)
