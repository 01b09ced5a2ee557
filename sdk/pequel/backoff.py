"""How long to wait before another try."""

FIRST_WAIT = 0.5
LEAST_WAIT = 0.1


def backoff(failures: int, fraction: float, longest: float) -> float:
    """Seconds to wait after so many failures in a row: exponential, with full jitter.

    Args:
        failures: failures in a row, from 1.
        fraction: a random number from 0 to 1, which places the wait in its range.
        longest: the longest wait, in seconds.
    """
    top = min(longest, FIRST_WAIT * 2.0 ** min(failures - 1, 64))
    return min(longest, LEAST_WAIT) + fraction * max(0.0, top - LEAST_WAIT)


def retry_after(value: str | None, now_ms: int) -> float | None:
    """Seconds that a `Retry-After` header asks for; None if it is absent or unreadable."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(text)
    return _seconds_until(text, now_ms)


def _seconds_until(date: str, now_ms: int) -> float | None:
    from email.utils import parsedate_to_datetime  # rarely needed, and slow to import

    try:
        moment = parsedate_to_datetime(date)
        return max(0.0, moment.timestamp() - now_ms / 1000)
    except (TypeError, ValueError, OverflowError):
        return None
