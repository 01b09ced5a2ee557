"""ISO 8601 to milliseconds since 1970. A time without an offset is UTC.

Read are a date, or a date and a time: ``2026-03-01``, ``2026-03-01T10:00Z``,
``2026-03-01 10:00:00.123456789+02:00``. What is finer than a millisecond is cut off.
"""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache

_MINUTE = 60_000
_SECONDS = {f"{n:02}": n * 1000 for n in range(60)}
_THOUSANDTHS = {f"{n:03}": n for n in range(1000)}
_TIME = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)"
    r"(?:[Tt ](?P<hour>[01]\d|2[0-3]):(?P<minute>[0-5]\d)"
    r"(?::(?P<second>[0-5]\d)(?:[.,](?P<fraction>\d{1,30}))?)?"
    r"(?P<offset>[Zz]|(?P<sign>[+-])(?P<hours>[01]\d|2[0-3])(?::?(?P<minutes>[0-5]\d))?)?)?",
    re.ASCII,
)


def parse(text: str) -> int | None:
    """The time that a text says, in milliseconds; None where it says none."""
    # What nearly every client sends: 2026-03-01T10:00:00.000Z. Minutes repeat within a batch.
    if len(text) == 24 and text[16] == ":" and text[19] == "." and text[23] == "Z":
        minute = _minute(text[:16])
        second = _SECONDS.get(text[17:19])
        thousandth = _THOUSANDTHS.get(text[20:23])
        if minute is not None and second is not None and thousandth is not None:
            return minute + second + thousandth
    return _parse(text)


@lru_cache(maxsize=4096)
def _minute(text: str) -> int | None:
    return _parse(text) if text[10] == "T" else None


def _parse(text: str) -> int | None:
    found = _TIME.fullmatch(text)
    if found is None:
        return None
    try:
        days = date.fromisoformat(found["date"]).toordinal() - 719_163
    except ValueError:
        return None
    minutes = (days * 24 + int(found["hour"] or 0)) * 60 + int(found["minute"] or 0)
    thousandths = int((found["fraction"] or "")[:3].ljust(3, "0"))
    shift = int(found["hours"] or 0) * 60 + int(found["minutes"] or 0)
    if found["sign"] == "-":
        shift = -shift
    return (minutes - shift) * _MINUTE + int(found["second"] or 0) * 1000 + thousandths
