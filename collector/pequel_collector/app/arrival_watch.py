"""Waits until something arrives, for many clients with one read."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import BoundedSemaphore, Event, Lock

from ..errors import TooMany
from ..ports import Store

EVERY = 0.2
"""Seconds between two looks at the store, however many clients wait."""

MAX_WAITING = 32
"""Clients that a process lets wait at once; each takes a thread."""


class ArrivalWatch:
    """Waits for arrivals. What other processes store is noticed too."""

    def __init__(self, store: Store, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._store, self._monotonic = store, monotonic
        self._looking, self._is_closed = Lock(), Event()
        self._places = BoundedSemaphore(MAX_WAITING)
        self._looked_at: float | None = None
        self._last = 0

    def enter(self) -> Callable[[], None]:
        """Take a place among those that wait; what gives it back, once. Raises TooMany."""
        if not self._places.acquire(blocking=False):
            raise TooMany(f"{MAX_WAITING} clients follow already, expected fewer", retry_after=5)
        is_taken = Lock()

        def leave() -> None:
            if is_taken.acquire(blocking=False):
                self._places.release()

        return leave

    def until(self, seconds: float) -> float:
        """The end of a wait that begins now."""
        return self._monotonic() + seconds

    def wait(self, number: int, until: float) -> bool:
        """Wait for an arrival with at least this number; False at the end of the time."""
        while not self._is_closed.is_set():
            if self._last_arrival() >= number:
                return True
            left = until - self._monotonic()
            if left <= 0:
                return False
            self._is_closed.wait(min(EVERY, left))
        return False

    def close(self) -> None:
        """Let nobody wait any longer."""
        self._is_closed.set()

    def _last_arrival(self) -> int:
        with self._looking:
            now = self._monotonic()
            if self._looked_at is None or now - self._looked_at >= EVERY:
                with self._store.reading() as tx:
                    self._last = tx.last_arrival()
                self._looked_at = self._monotonic()
            return self._last
