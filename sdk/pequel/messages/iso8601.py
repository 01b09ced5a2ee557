"""Times as ISO 8601 text in UTC: milliseconds, then `Z`. Finer digits are cut off."""

import time
from datetime import datetime, timezone
from functools import lru_cache


def from_ms(ms: int) -> str:
    """The text of a time given in milliseconds since 1970."""
    second, rest = divmod(ms, 1000)
    return f"{_to_the_second(second)}.{rest:03d}Z"


@lru_cache(maxsize=4)  # most calls are for the current second
def _to_the_second(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))


def from_text(text: str) -> str:
    """The same time in UTC, if the text has another offset; any other text unchanged."""
    if text[-6:-5] not in ("+", "-") or text[-3:-2] != ":":
        return text
    try:
        return from_datetime(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        return text  # the collector rejects what is not a time


def from_datetime(moment: datetime) -> str:
    """The text of a datetime; one without a time zone is taken as UTC.

    Raises:
        OverflowError: in UTC it lies outside the years 1 to 9999.
    """
    if moment.tzinfo is not None and moment.utcoffset() is not None:
        moment = moment.astimezone(timezone.utc)
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
