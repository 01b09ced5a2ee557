"""Rates, numbers and lengths of time as the commands of insights print them."""

from __future__ import annotations

from ...insights.lift import Interval
from ...rules.language.quantities import DAY, HOUR, MINUTE


def percent(rate: float | None, interval: Interval | None = None) -> str:
    """A rate in percent, with its interval."""
    if rate is None:
        return "–"
    around = "" if interval is None else f" ({interval.low * 100:.1f}–{interval.high * 100:.1f})"
    return f"{rate * 100:.1f} %{around}"


def number(value: float | None, interval: Interval | None = None) -> str:
    """A number with two decimals, with its interval."""
    if value is None:
        return "–"
    around = "" if interval is None else f" ({interval.low:.2f}–{interval.high:.2f})"
    return f"{value:.2f}{around}"


def length(seconds: float | None) -> str:
    """A length of time in its largest unit."""
    if seconds is None:
        return "–"
    for unit, symbol in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min")):
        if seconds * 1000 >= unit:
            return f"{seconds * 1000 / unit:.1f} {symbol}"
    return f"{seconds:.0f} s"
