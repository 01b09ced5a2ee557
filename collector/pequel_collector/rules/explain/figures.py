"""Numbers, sizes, lengths of time and other values as people write them."""

from __future__ import annotations

import json
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any

from ...model import JSON, is_number
from ..language.dates import written
from ..language.definition import Date
from ..language.quantities import DAY, HOUR, MINUTE, SECOND
from ..language.values import exact
from .words import noun_of, words_of

MAX_SHOWN = 60
"""Characters of a text that are shown."""

_BYTES = frozenset({"byte", "bytes"})
_TIMES = {
    "ms": 1, "millis": 1, "millisecond": 1, "milliseconds": 1, "sec": SECOND, "secs": SECOND,
    "second": SECOND, "seconds": SECOND, "min": MINUTE, "mins": MINUTE, "minutes": MINUTE,
    "hours": HOUR, "days": DAY,
}  # fmt: skip
_SIZES = ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "kB"))
_LENGTHS = (("day", DAY), ("hour", HOUR), ("minute", MINUTE), ("second", SECOND))
_ROUNDING = Context(prec=4_400, rounding=ROUND_HALF_EVEN)
_CENT, _TENTH = Decimal("0.01"), Decimal("0.1")
_LARGEST = 10**15
"""Larger numbers are shown in powers of ten."""


def number(value: Any) -> str:
    """A number with its thousands apart, and at most two decimals: 2,000 and 0.33."""
    found = Decimal(exact(value))
    if abs(found) >= _LARGEST:
        return f"{found:.3E}"
    if abs(found) >= 1:
        found = found.quantize(_CENT, context=_ROUNDING)
    elif found:
        found = _ROUNDING.plus(found) if abs(found) < _CENT else found.quantize(_CENT)
        found = Decimal(f"{found:.2g}")
    text = f"{found:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def whole(value: Any) -> int | None:
    """The nearest whole number; None for less than one and for a very large one."""
    found = Decimal(exact(value))
    return round(found) if 1 <= abs(found) < _LARGEST else None


def percent(share: Any) -> str:
    """A share of one: 80%."""
    return f"{number(_rounded(Decimal(exact(share)) * 100))}%"


def times(count: Any) -> str:
    """A ratio with one decimal: 2.4."""
    return number(_rounded(Decimal(exact(count))))


def ratio(text: str) -> str:
    """How many times as often: *twice*, *2.4 times*."""
    return "twice" if text == "2" else f"{text} times"


def _rounded(found: Decimal) -> Decimal:
    """A number with one decimal; a very large one as it is."""
    return found if abs(found) >= _LARGEST else found.quantize(_TENTH)


def duration(milliseconds: int) -> str:
    """A length of time in its two largest units: 2 hours, 1 day 3 hours."""
    parts: list[str] = []
    for unit, size in _LENGTHS:
        count, milliseconds = divmod(milliseconds, size)
        if count:
            parts.append(f"{count:,} {unit}{'' if count == 1 else 's'}")
        if len(parts) == 2 or (parts and not count):
            break
    return " ".join(parts) or "less than a second"


def minutes(count: int) -> str:
    """A number of minutes in hours and minutes: 27 hours 20 minutes."""
    hours, left = divmod(count, 60)
    parts = [
        f"{number:,} {unit}{'' if number == 1 else 's'}"
        for number, unit in ((hours, "hour"), (left, "minute"))
        if number
    ]
    return " ".join(parts) or "0 minutes"


def size(value: Any) -> str:
    """A number of bytes: 10 GB."""
    for factor, unit in _SIZES:
        if abs(value) >= factor:
            return f"{number(_rounded(Decimal(exact(value)) / factor))} {unit}"
    return f"{number(value)} {'byte' if value == 1 else 'bytes'}"


def unit_of(name: str) -> str:
    """The unit in which a property of this name is measured; empty if the name says none."""
    words = words_of(name)
    last = words[-1].lower() if words else ""
    return last if last in _BYTES or last in _TIMES else ""


def measured(name: str) -> str:
    """What a property measures, without its unit: ``storage_limit_bytes`` is *storage limit*."""
    return " ".join(words_of(name)[:-1]) if unit_of(name) else noun_of(name)


def quantity(name: str, value: JSON | Date) -> str:
    """A value of a property, in the unit that its name says."""
    if isinstance(value, Date):
        return written(value)
    if not is_number(value):
        return shown(value)
    unit = unit_of(name)
    if unit in _BYTES:
        return size(value)
    if unit and 0 <= value < 10**12:
        return duration(int(Decimal(exact(value)) * _TIMES[unit]))
    return number(value)


def shown(value: Any) -> str:
    """Any value: a text as it is, others as JSON writes them, long ones cut off."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "yes" if value else "no"
        case str():
            return _clipped(_text(value))
        case list() | tuple():
            return _clipped(", ".join(map(shown, value)) or "an empty list")
        case _ if is_number(value):
            return number(value)
        case _:
            return _clipped(json.dumps(value, ensure_ascii=False, default=str))


def _text(value: str) -> str:
    """A text on one line, between quotes where there is nothing to see."""
    line = " ".join(value.split())
    return line if line and line.isprintable() else json.dumps(line)


def _clipped(text: str) -> str:
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 1]}…"
