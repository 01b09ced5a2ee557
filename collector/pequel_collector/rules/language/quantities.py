"""Durations and quantities: ``7d`` and ``10GB`` as exact numbers.

Nothing here is ever a float: ``80%`` is the decimal 0.8, and ``1.5k`` the integer 1500.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Context, Decimal
from difflib import get_close_matches

Number = int | Decimal

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
WEEK = 7 * DAY
LONGEST_DURATION = 36_600 * DAY

UNITS = {"@day": DAY, "@hour": HOUR, "@minute": MINUTE}
"""The lengths of the units of time that a leaf can count."""

CALENDAR = ("@day", "@hour")
"""Units that begin and end with the project's time zone."""

_DURATIONS: dict[str, int] = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY, "w": WEEK}
_DURATION_WORDS = {"second": "s", "minute": "m", "hour": "h", "day": "d", "week": "w"}

_NO_LENGTH = {
    "M": ("months", 30), "mo": ("months", 30), "mon": ("months", 30), "month": ("months", 30),
    "months": ("months", 30), "y": ("years", 365), "yr": ("years", 365), "year": ("years", 365),
    "years": ("years", 365), "quarter": ("quarters", 90), "quarters": ("quarters", 90),
}  # fmt: skip
"""Units of the calendar: what they are called, and about how many days they have."""

_AMOUNTS: dict[str, Number] = {
    "k": 10**3, "M": 10**6, "G": 10**9,
    "B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
    "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40,
    "%": Decimal("0.01"),
}  # fmt: skip
_AMOUNT_WORDS = {
    "thousand": "k", "million": "M", "billion": "G", "byte": "B", "percent": "%",
    "kilobyte": "kB", "megabyte": "MB", "gigabyte": "GB", "terabyte": "TB",
}  # fmt: skip

_FORM = re.compile(r"(-?[0-9]{1,15}(?:\.[0-9]{1,15})?) ?([^\W\d_]+|%)?")
_EXACT = Context(prec=60)  # thirty digits times the largest unit


class QuantityError(ValueError):
    """The text is no duration, or no quantity; the message says what was expected."""


def milliseconds(text: str) -> int:
    """The length of a duration such as ``7d``, longer than nothing and at most a century."""
    length = _length(text)
    if not 0 < length <= LONGEST_DURATION:
        raise QuantityError("a duration above zero and of at most 100 years")
    return length


def offset(text: str) -> int:
    """How far off in time, at most a century: ``7d`` is after, ``-7d`` before."""
    length = _length(text)
    if abs(length) > LONGEST_DURATION:
        raise QuantityError("a duration of at most 100 years")
    return length


def _length(text: str) -> int:
    number, unit = _parts(text, _DURATIONS, _DURATION_WORDS, 'a duration such as "7d"')
    if "." in text:
        raise QuantityError(f'a whole number before the unit "{unit}"')
    return int(number) * _DURATIONS[unit]


def amount(text: str) -> Number:
    """The number that a quantity such as ``10GB`` or ``80%`` stands for."""
    number, unit = _parts(text, _AMOUNTS, _AMOUNT_WORDS, 'a number or a quantity such as "10GB"')
    return exact(_EXACT.multiply(number, Decimal(_AMOUNTS[unit])))


def exact(number: Number) -> Number:
    """The same number in its one form: 2.0 is the integer 2, and 0.80 the decimal 0.8."""
    return int(number) if number == int(number) else Decimal(f"{number:f}".rstrip("0"))


def count_in(unit: int, length: int) -> int | None:
    """How many units of so many milliseconds a length holds; None if that is not whole."""
    count, rest = divmod(length, unit)
    return None if rest else count


def _parts(
    text: str, units: Mapping[str, Number], words: Mapping[str, str], wanted: str
) -> tuple[Decimal, str]:
    """The number and the unit of a text, the unit being a known one."""
    form = _FORM.fullmatch(text)
    if form is None or form[2] is None:
        raise QuantityError(f"{wanted}, with {_one_of(units)}")
    if form[2] not in units:
        raise QuantityError(f"{wanted}, with {_one_of(units)}{_hint(form, units, words)}")
    return Decimal(form[1]), form[2]


def _one_of(units: Mapping[str, Number]) -> str:
    return f"one of the units {' '.join(units)}"


def _hint(form: re.Match[str], units: Mapping[str, Number], words: Mapping[str, str]) -> str:
    """The known unit that was probably meant: ``GB`` for ``gb``, ``d`` for ``days``."""
    if units is _DURATIONS and form[2] in _NO_LENGTH:
        name, days = _NO_LENGTH[form[2]]
        return f' ({name} have no fixed length: did you mean "{int(Decimal(form[1]) * days)}d"?)'
    known = {symbol.casefold(): symbol for symbol in units} | dict(words)
    near = get_close_matches(form[2].casefold(), known, n=1, cutoff=0.55)
    return f' (did you mean "{form[1]}{known[near[0]]}"?)' if near else ""


def many(count: int, noun: str) -> str:
    """A number of things in words."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
