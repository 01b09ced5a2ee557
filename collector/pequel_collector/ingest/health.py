"""Whether events can be stored: free disk space, a database that accepts writes, no backlog."""

from __future__ import annotations

import os
from threading import Lock
from time import monotonic

from ..config import Settings
from ..errors import PequelError
from ..ports import Store

DISK_CHECK_INTERVAL = 1.0
"""Seconds between two looks at the free space of the disk."""

MAX_WAIT = 10.0
"""Seconds that a batch may wait before new events are refused."""

ROOM = 1_000_000
"""Free bytes of disk that are needed in any case."""

TRIAL = "trial", 16_000
"""Under which name a test write stores how many random bytes. They need room, as events do."""


class Health:
    """Looks for reasons why events cannot be stored."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store, self._min_free = store, max(settings.min_free, ROOM)
        self._lock = Lock()
        self._checked_at = float("-inf")
        self._free: int | None = None

    def trouble(self, oldest_wait: float) -> str | None:
        """Why events cannot be stored, without trying it; None if they can.

        ``oldest_wait`` is how many seconds the oldest batch has waited.
        """
        free = self._free_space()
        if free is not None and free < self._min_free:
            return f"the disk is full: {free} bytes are free, {self._min_free} are needed"
        if oldest_wait > MAX_WAIT:
            return f"the store does not keep up: events have waited for {oldest_wait:.0f} seconds"
        return None

    def probe(self, oldest_wait: float) -> str | None:
        """The same as ``trouble``, with a test read and a test write."""
        return self.trouble(oldest_wait) or self._try_store()

    def _free_space(self) -> int | None:
        if monotonic() - self._checked_at > DISK_CHECK_INTERVAL:
            with self._lock:
                self._free, self._checked_at = self._store.free(), monotonic()
        return self._free

    def _try_store(self) -> str | None:
        try:
            with self._store.reading() as tx:
                tx.versions()
            with self._store.writing() as tx:
                name, size = TRIAL
                tx.set_meta(name, os.urandom(size).hex())
        except PequelError as error:
            return error.message
        return None
