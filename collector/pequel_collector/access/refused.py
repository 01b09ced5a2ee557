"""Requests with a key that nobody knows: counted, and logged once a minute at most."""

from __future__ import annotations

import logging
import re
from collections import deque
from collections.abc import Callable
from threading import Lock

from ..ports import Store

LOG_INTERVAL = 60_000
"""Milliseconds between two lines of the log."""

SECONDS = 60
"""Seconds of which the requests are counted one by one, for those who look now."""

TALLY = "unknown_keys"
"""The name of the running total in the store."""

_log = logging.getLogger(__name__)
_BEGINNING = re.compile(r"pk_[a-z]_[0-9a-f]{1,4}")


class RefusedKeys:
    """Counts refused requests in memory, and stores and logs the count now and then.

    So a client with a wrong key costs no write of its own.
    """

    def __init__(self, store: Store, clock: Callable[[], int]) -> None:
        self._store, self._clock = store, clock
        self._lock = Lock()
        self._unsaved = self._unlogged = 0
        self._latest = ""
        self._by_second: deque[tuple[int, int]] = deque(maxlen=SECONDS)
        self._logged_at: int | None = None

    def add(self, token: str) -> None:
        """Count a request with an unknown key."""
        with self._lock:
            self._unsaved += 1
            self._unlogged += 1
            self._latest = beginning_of(token)
            second = self._clock() // 1000
            is_new = not self._by_second or self._by_second[-1][0] != second
            before = 0 if is_new else self._by_second.pop()[1]
            self._by_second.append((second, before + 1))

    def within_last_minute(self) -> tuple[int, str]:
        """How many requests this process refused, and how the key of the latest one begins."""
        now = self._clock() // 1000
        with self._lock:
            recent = [number for second, number in self._by_second if 0 <= now - second < SECONDS]
            return sum(recent), self._latest

    def save(self) -> None:
        """Store what was counted, and log it if the last line is a minute old."""
        with self._lock:
            number, self._unsaved = self._unsaved, 0
        self._log_if_due()
        if not number:
            return
        try:
            with self._store.writing() as tx:
                tx.count({TALLY: number})
        except BaseException:
            with self._lock:  # the next call tries again
                self._unsaved += number
            raise

    def _log_if_due(self) -> None:
        now = self._clock()
        with self._lock:
            logged = self._logged_at
            is_due = logged is None or not 0 <= now - logged < LOG_INTERVAL
            if not self._unlogged or not is_due:
                return
            number, self._unlogged, self._logged_at = self._unlogged, 0, now
            latest = self._latest
        _log.warning(refused_line(number, latest))


def refused_line(number: int, latest: str) -> str:
    """The line of the log about so many requests, the latest with a key that begins like this."""
    requests = "1 request" if number == 1 else f"{number:,} requests"
    return f"refused {requests} with an unknown key ({latest})"


def beginning_of(token: str) -> str:
    """As much of a token as may be shown; nothing of one that is not in the form of a key."""
    found = _BEGINNING.match(token)
    return f"{found[0]}…" if found else "not in the form of a key"
