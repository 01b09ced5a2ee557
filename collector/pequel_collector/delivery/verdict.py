"""What an answer over HTTP means for a delivery."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from time import time

from .http import Answer
from .records import Refused, Result, Retry, Sent

MAX_AFTER = 86_400.0
"""Seconds that a ``Retry-After`` may ask for; a longer one counts as this."""

BUSY = (408, 429, 500, 502, 503, 504)
"""Statuses that others of the endpoint would get too."""

_SHOWN = 200


def verdict(answer: Answer, now: float | None = None) -> Result:
    """2xx is taken; 410 never will be; anything else, redirects too, is tried again.

    ``now`` is in seconds since 1970, for a ``Retry-After`` that is a date.
    """
    if answer.is_ok:
        return Sent(str(answer))
    said = described(answer)
    if answer.status == 410:
        return Refused(said)
    return Retry(said, retry_after(answer, now), is_endpoint=answer.status in BUSY)


def described(answer: Answer) -> str:
    """A status, and the beginning of what the body says."""
    text = " ".join(answer.body[: 4 * _SHOWN].decode("utf-8", "replace").split())[:_SHOWN]
    shown = "".join(c for c in text if c.isprintable())
    return f"{answer}: {shown}" if shown else str(answer)


def retry_after(answer: Answer, now: float | None = None) -> float | None:
    """The seconds that an answer asks to wait; None if it does not say."""
    stated = answer.headers.get("retry-after", "").strip()
    if not stated:
        return None
    if stated.isascii() and stated.isdigit():
        return min(float(stated[:9]), MAX_AFTER)
    try:
        at = parsedate_to_datetime(stated).timestamp()
    except (ValueError, OverflowError):
        return None
    return min(max(0.0, at - (time() if now is None else now)), MAX_AFTER)
