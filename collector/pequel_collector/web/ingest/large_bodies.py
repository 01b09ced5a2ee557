"""Large bodies take turns: as events they take many times their bytes, and gzip hides how many.

A few kilobytes may inflate to many megabytes. So that the requests of a moment cannot fill the
memory together, only so many of the large ones are inflated and read at a time; a few may wait for
it, and not so many that they keep all others from being answered.
"""

from __future__ import annotations

from contextlib import ExitStack
from threading import BoundedSemaphore

from ...config import Settings
from ...errors import TooLarge, Unavailable
from ...wire import body

LARGE = 1_000_000
"""Bytes of text beyond which a body is large."""

AT_ONCE = 2
"""Large bodies that are held at a time, in one process."""

WAITING = 8
"""Those that may wait for that."""

PATIENCE = 10.0
"""Seconds that one waits for its turn."""


class Turns:
    """The turns of the large bodies of a process."""

    def __init__(
        self, turns: int = AT_ONCE, waiting: int = WAITING, patience: float = PATIENCE
    ) -> None:
        self._turns, self._patience = BoundedSemaphore(turns), patience
        self._places = BoundedSemaphore(turns + waiting)

    def text(self, sent: bytes, encoding: str, settings: Settings, until: ExitStack) -> bytes:
        """The text of a body; a large one keeps its turn until the stack is closed.

        Raises Unavailable where its turn does not come, and whatever ``body.read`` raises.
        """
        if len(sent) <= LARGE:
            try:
                return body.read(sent, encoding, settings, min(LARGE, settings.max_inflated))
            except TooLarge:
                if settings.max_inflated <= LARGE:
                    raise
        self._wait(until)
        return body.read(sent, encoding, settings)

    def _wait(self, until: ExitStack) -> None:
        for semaphore, patience in ((self._places, 0.0), (self._turns, self._patience)):
            if not semaphore.acquire(timeout=patience):
                raise Unavailable("too many large requests are on their way at once")
            until.callback(semaphore.release)
