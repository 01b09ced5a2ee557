"""Message ids: UUIDs of version 7, ordered by time.

An id holds the time in milliseconds (48 bits), a counter that only grows (42 bits) and a random
number of this process (32 bits). So ids made one after another increase, also within one
millisecond and when the clock is set back, and no two processes make the same id.
"""

import itertools
import os
from collections.abc import Callable

_START_BYTES = 5  # the counter starts below 2**40, which leaves room for 3 * 2**40 more


class IdMaker:
    """Makes ids; `maker(now_ms)` returns the next one. Takes no lock, and may be re-entered."""

    def __init__(self, entropy: Callable[[int], bytes] = os.urandom) -> None:
        self._entropy = entropy
        self._latest = 0
        self.reseed()

    def reseed(self) -> None:
        """Draw a new counter and process number, as a forked process must."""
        self._count = itertools.count(int.from_bytes(self._entropy(_START_BYTES), "big"))
        self._process = self._entropy(4).hex()
        self._pid = os.getpid()

    def reseed_after_fork(self) -> None:
        """Reseed if this is another process; some servers fork without Python's fork hooks."""
        if self._pid != os.getpid():
            self.reseed()

    def __call__(self, now_ms: int) -> str:
        """A new id for an event at this time, in milliseconds since 1970."""
        ms = max(self._latest, now_ms)
        self._latest = ms
        count = next(self._count)
        return "%08x-%04x-7%03x-%04x-%04x%s" % (  # noqa: UP031 - twice as fast as an f-string
            ms >> 16,
            ms & 0xFFFF,
            count >> 30,
            0x8000 | (count >> 16) & 0x3FFF,
            count & 0xFFFF,
            self._process,
        )


new_id = IdMaker()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=new_id.reseed)
