"""How many wrong keys one address may try."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from threading import Lock

WRONG_KEYS = 10
"""Wrong keys of one address within the window."""

WINDOW = 60.0
"""Seconds in which wrong keys count."""

ADDRESSES = 10_000
"""Addresses that are remembered at most, those that tried last."""


class Throttle:
    """Counts failures by address, in this process, with bounded memory."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = Lock()

    def wait(self, address: str) -> int:
        """Seconds until an address may try again; 0 for at once."""
        with self._lock:
            failures = self._failures.get(address)
            if failures is None or len(failures) < WRONG_KEYS:
                return 0
            return max(0, int(failures[0] + WINDOW - self._clock()) + 1)

    def failed(self, address: str) -> None:
        """Note a failure of an address."""
        with self._lock:
            self._failures.setdefault(address, deque(maxlen=WRONG_KEYS)).append(self._clock())
            self._failures.move_to_end(address)
            while len(self._failures) > ADDRESSES:
                self._failures.popitem(last=False)

    def succeeded(self, address: str) -> None:
        """Forget the failures of an address."""
        with self._lock:
            self._failures.pop(address, None)
