"""When a delivery is tried again, and how long an alert pauses: without a clock, without chance."""

from __future__ import annotations

from dataclasses import dataclass

from .records import Gone, Refused, Result, Retry

SECOND = 1_000
LIFETIME = 24 * 3_600 * SECOND
"""From the first attempt to the last one (ms)."""

FIRST_DELAY, LONGEST_DELAY = 5 * SECOND, 4 * 3_600 * SECOND

FAILURES_IN_A_ROW = 3
"""Failures of an endpoint, one after another, after which its alert pauses."""

LONGEST_PAUSE = 60 * SECOND


def next_attempt(retry: Retry, began_at: int, now: int, chance: float) -> int | None:
    """When to try again (ms); None if a day has passed since the first attempt.

    The delay is twice the time that has passed since then, half of it by ``chance`` (0 to 1). So
    ten to thirty attempts fill a day. The last one is at its end.
    """
    end = began_at + LIFETIME
    if now >= end:
        return None
    longest = min(max(2 * (now - began_at), FIRST_DELAY), LONGEST_DELAY)
    delay = int(longest * (0.5 + chance / 2))
    return min(now + max(delay, int(1_000 * (retry.after or 0))), end)


@dataclass(slots=True)
class Pause:
    """How the endpoint of one alert has done lately. Times are ms."""

    failures: int = 0
    failing_since: int | None = None
    until: int = 0

    @property
    def is_failing(self) -> bool:
        """Whether one delivery at a time is tried, to see whether the endpoint is back."""
        return self.failures >= FAILURES_IN_A_ROW

    def note(self, result: Result | Gone, now: int) -> None:
        """Take in what came of an attempt."""
        if isinstance(result, Gone):
            return
        if isinstance(result, Refused) or not (isinstance(result, Retry) and result.is_endpoint):
            self.failures, self.failing_since, self.until = 0, None, 0
            return
        self.failures += 1
        self.failing_since = now if self.failing_since is None else self.failing_since
        asked = int(1_000 * (result.after or 0))
        grown = SECOND << min(self.failures - FAILURES_IN_A_ROW, 6) if self.is_failing else 0
        self.until = max(self.until, now + min(max(asked, grown), LONGEST_PAUSE))

    def is_lost(self, now: int) -> bool:
        """Whether the endpoint has failed for so long that what waits for it is given up."""
        return self.failing_since is not None and now - self.failing_since >= LIFETIME
