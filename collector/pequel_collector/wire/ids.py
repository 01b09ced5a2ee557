"""Message ids for events that came without one: UUIDv7, in the order in which they are given."""

from __future__ import annotations

from collections.abc import Callable
from secrets import randbits
from threading import Lock
from uuid import UUID


class Ids:
    """Gives UUIDs whose text sorts by time, and within a millisecond by when it was asked for."""

    def __init__(self, clock: Callable[[], int], bits: Callable[[int], int] = randbits) -> None:
        self._clock = clock
        self._bits = bits
        self._lock = Lock()
        self._last = 0

    def __call__(self) -> str:
        """A new id."""
        with self._lock:
            # 48 bits of milliseconds and 12 that count within one: together they only grow.
            self._last = max(self._last + 1, self._clock() << 12)
            time, count = self._last >> 12, self._last & 0xFFF
        return str(UUID(int=time << 80 | 7 << 76 | count << 64 | 2 << 62 | self._bits(62)))
