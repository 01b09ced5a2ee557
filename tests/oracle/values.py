"""Values: when two are equal, which is the greater, and what a threshold says."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from decimal import Context, Decimal, Inexact
from math import floor
from typing import Any
from zoneinfo import ZoneInfo

Comparisons = Mapping[str, Any]

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
WEEK = 7 * DAY

DURATIONS = {"m": MINUTE, "h": HOUR, "d": DAY, "w": WEEK}
UNITS = {
    "": Decimal(1),
    "k": Decimal(10**3),
    "M": Decimal(10**6),
    "kB": Decimal(10**3),
    "MB": Decimal(10**6),
    "GB": Decimal(10**9),
    "TB": Decimal(10**12),
    "KiB": Decimal(2**10),
    "MiB": Decimal(2**20),
    "GiB": Decimal(2**30),
    "TiB": Decimal(2**40),
    "%": Decimal("0.01"),  # Reading: "80%" is 0.8.
}

EXACT = Context(prec=5_000, traps=[Inexact])

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
ISO_8601 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)"
    r"(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](?P<fraction>\d+))?)?"
    r"(?P<zone>Z|[+-]\d\d:?\d\d)?)?"
)
FIRST_MILLISECONDS = 10**11  # Reading: a smaller number is seconds, until the year 5138.
LAST_INSTANT = 253_402_300_799_999  # of the year 9999


def is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def number(value: Any) -> Decimal:
    """The number as it was written: the float 0.1 is one tenth."""
    return Decimal(repr(value)) if isinstance(value, float) else Decimal(value)


def numbers(values: list[Any]) -> list[Decimal]:
    return [number(value) for value in values if is_number(value)]


def exact_sum(values: list[Decimal]) -> Decimal:
    total = Decimal(0)
    for value in values:
        total = EXACT.add(total, value)
    return total


def canonical(value: Any) -> Any:
    """Equal values, and no others, have the same canonical form."""
    if value is None or isinstance(value, bool | str):
        return (type(value).__name__, value)
    if is_number(value):
        return ("number", number(value))
    if isinstance(value, Mapping):
        return ("object", frozenset((name, canonical(part)) for name, part in value.items()))
    return ("list", tuple(canonical(part) for part in value))


def equal(one: Any, other: Any) -> bool:
    return bool(canonical(one) == canonical(other))


def look_up(values: Mapping[str, Any], name: str) -> Any:
    """The value under a name: the literal name first, then its dots as a path; null is missing.

    Reading: a literal name that is null falls through to the path; the path splits at every
    dot and steps through objects only, never into lists.
    """
    if values.get(name) is not None:
        return values[name]
    here: Any = values
    for step in name.split("."):
        if not isinstance(here, Mapping):
            return None
        here = here.get(step)
    return here


def duration(text: str) -> int:
    """A duration in milliseconds: 30m 4h 7d 2w, with a sign for `from`."""
    found = re.fullmatch(r"(-?\d+)([mhdw])", text)
    if found is None:
        raise ValueError(f"not a duration: {text!r}")
    return int(found[1]) * DURATIONS[found[2]]


def quantity(text: str) -> Decimal:
    found = re.fullmatch(r"(-?\d+(?:\.\d+)?) ?([A-Za-z%]*)", text)
    if found is None or found[2] not in UNITS:
        raise ValueError(f"not a quantity: {text!r}")
    return EXACT.multiply(Decimal(found[1]), UNITS[found[2]])


@dataclass(frozen=True)
class Scale:
    """What a threshold may refer to: the subject's traits, a unit of time, a number of names."""

    trait: Callable[[str], Any]
    unit: int | None = None  # of @minute, @hour or @day, in milliseconds
    names: int | None = None  # how many names "all" is
    timezone: str = "UTC"  # in which a bare date is 00:00


Comparison = Callable[[Any, Any, Scale], bool]  # of a value that is there with a threshold


def threshold_number(threshold: Any, scale: Scale) -> Decimal | None:
    """The number a threshold stands for, or None where there is none to compare with."""
    if date_written(threshold, scale.timezone) is not None:
        return None
    if isinstance(threshold, Mapping):
        return share_of_trait(threshold, scale)
    if isinstance(threshold, str):
        return number_in_text(threshold, scale)
    return number(threshold) if is_number(threshold) else None


def share_of_trait(threshold: Mapping[str, Any], scale: Scale) -> Decimal | None:
    whole = scale.trait(threshold["of_trait"])
    if not is_number(whole) or number(whole) <= 0:
        return None
    return EXACT.multiply(number(threshold["ratio"]), number(whole))


def number_in_text(text: str, scale: Scale) -> Decimal:
    if text == "all" and scale.names is not None:
        return Decimal(scale.names)
    if scale.unit is not None and re.fullmatch(r"\d+[mhdw]", text):
        return Decimal(duration(text)) / Decimal(scale.unit)
    return quantity(text)


def ordered(test: Callable[[Any, Any], bool]) -> Comparison:
    """Orders hold between numbers, a text as threshold being a quantity, or between dates."""

    def holds(value: Any, threshold: Any, scale: Scale) -> bool:
        limit = date_written(threshold, scale.timezone)
        if limit is not None:
            time = instant(value, scale.timezone)
            return time is not None and test(time, limit)
        bound = threshold_number(threshold, scale)
        return is_number(value) and bound is not None and test(number(value), bound)

    return holds


ORDERS = {
    "gte": ordered(operator.ge),
    "gt": ordered(operator.gt),
    "lte": ordered(operator.le),
    "lt": ordered(operator.lt),
}


def is_between(value: Any, threshold: Any, scale: Scale) -> bool:
    """Both ends included."""
    low, high = threshold
    return ORDERS["gte"](value, low, scale) and ORDERS["lte"](value, high, scale)


def is_in(value: Any, threshold: Any, _scale: Scale) -> bool:
    return any(equal(value, each) for each in threshold)


def date_written(threshold: Any, zone: str) -> int | None:
    """The instant of a date in TOML, or of a text in ISO 8601; None for any other threshold."""
    text = threshold.isoformat() if isinstance(threshold, date) else threshold
    return iso_instant(text, zone) if isinstance(text, str) else None


def instant(value: Any, zone: str = "UTC") -> int | None:
    """The instant that a value stands for: ISO 8601, or the seconds or milliseconds since 1970.

    Reading: digits in a text are a number, true is none, and what is beyond the year 9999 is no
    instant.
    """
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,15}", value):
        value = int(value)
    if isinstance(value, str):
        return iso_instant(value, zone)
    if not is_number(value):
        return None
    in_seconds = abs(number(value)) < FIRST_MILLISECONDS
    time = number(value) * 1000 if in_seconds else number(value)
    return floor(time) if abs(time) <= LAST_INSTANT else None


def iso_instant(text: str, zone: str) -> int | None:
    """An ISO 8601 text as milliseconds; without an offset it is UTC, a bare date is 00:00 there.

    Reading: a week date or an ordinal date is no such text.
    """
    found = ISO_8601.fullmatch(text)
    if found is None:
        return None
    year, month, day, hours, minutes, seconds = (int(part or 0) for part in found.groups()[:6])
    bare = found.group(4) is None
    try:
        home = ZoneInfo(zone) if bare else timezone.utc
        read = datetime(year, month, day, hours, minutes, seconds, tzinfo=home)
    except ValueError:
        return None
    milliseconds = int((found["fraction"] or "").ljust(3, "0")[:3])
    return (read - EPOCH) // timedelta(milliseconds=1) + milliseconds - offset(found["zone"])


def offset(zone: str | None) -> int:
    if zone is None or zone == "Z":
        return 0
    hours, minutes = int(zone[1:3]), int(zone[-2:])
    return (hours * HOUR + minutes * MINUTE) * (-1 if zone[0] == "-" else 1)


def mail_domain(email: Any) -> str | None:
    """The domain of an address, however it is written: trimmed, in lower case, letters for codes.

    Reading: a text that is no single address has none.
    """
    found = ADDRESS.fullmatch(email.strip()) if isinstance(email, str) else None
    if found is None:
        return None
    domain = (found["plain"] or found["angle"]).rstrip(".").lower()
    try:
        return domain.encode("idna").decode("idna") or None
    except UnicodeError:
        return domain


ADDRESS = re.compile(r"[^@<>,;]+@(?P<plain>[^@<>,;\s]+)|[^@<>]*<[^@<>,;]+@(?P<angle>[^@<>,;\s]+)>")


def contains(value: Any, part: Any, _scale: Scale) -> bool:
    """A substring of a text, or an element of a list; of several parts, any of them."""
    if isinstance(part, list):
        return any(contains(value, each, _scale) for each in part)
    if isinstance(value, str):
        return isinstance(part, str) and part in value
    return isinstance(value, list | tuple) and any(equal(element, part) for element in value)


def starts_with(value: Any, part: Any, _scale: Scale) -> bool:
    return isinstance(value, str) and value.startswith(texts(part))


def ends_with(value: Any, part: Any, _scale: Scale) -> bool:
    return isinstance(value, str) and value.endswith(texts(part))


def texts(part: Any) -> tuple[str, ...]:
    # Reading: a list of beginnings (or endings) means any of them.
    return tuple(part) if isinstance(part, list) else (part,)


# Reading: only where an order is asked for does a text, or a table, stand for a number; in the
# others it is a plain value, "all" and durations included.
COMPARISONS: dict[str, Comparison] = {
    **ORDERS,
    "between": is_between,
    "eq": lambda value, threshold, _: equal(value, threshold),
    "ne": lambda value, threshold, _: not equal(value, threshold),
    "in": is_in,
    "not_in": lambda value, threshold, scale: not is_in(value, threshold, scale),
    "exists": lambda _value, threshold, _: threshold is True,
    "contains": contains,
    "starts_with": starts_with,
    "ends_with": ends_with,
}


def satisfies(value: Any, comparisons: Comparisons, scale: Scale) -> bool:
    """Whether all comparisons hold. What is missing is false, unless `or_missing`."""
    tests = {name: wanted for name, wanted in comparisons.items() if name != "or_missing"}
    if value is not None:
        return all(COMPARISONS[name](value, wanted, scale) for name, wanted in tests.items())
    if comparisons.get("or_missing") is True:
        return True
    # Reading: `exists = false` is the one comparison that a missing value satisfies.
    return all(name == "exists" and wanted is False for name, wanted in tests.items())
