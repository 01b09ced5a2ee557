"""New message ids for events without one: UUIDv7."""

from __future__ import annotations

from collections.abc import Callable
from secrets import randbits
from threading import Lock
from uuid import UUID

from ..model import Clock


class Ids:
    """Makes UUIDs whose text sorts in the order in which they were made."""

    def __init__(self, clock: Clock, bits: Callable[[int], int] = randbits) -> None:
        self._clock = clock
        self._bits = bits
        self._lock = Lock()
        self._last = 0

    def __call__(self) -> str:
        with self._lock:
            # 48 bits of milliseconds and 12 bits of a counter within one: together they only grow.
            self._last = max(self._last + 1, self._clock() << 12)
            time, count = self._last >> 12, self._last & 0xFFF
        return str(UUID(int=time << 80 | 7 << 76 | count << 64 | 2 << 62 | self._bits(62)))
