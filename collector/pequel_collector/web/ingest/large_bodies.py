"""Only a few large bodies are held at a time, so that together they cannot fill the memory.

As events, a body takes many times its bytes, and a few kilobytes of gzip may inflate to many
megabytes. A few more requests may wait for a slot; the others are refused at once, so that the
waiting ones do not take every thread.
"""

from __future__ import annotations

from contextlib import ExitStack

from ...config import Settings
from ...errors import TooLarge
from ...wire import body
from ..slots import WaitingSlots

LARGE = 1_000_000
"""A body with more bytes of text than this is large."""

SLOTS = 2
"""Large bodies that are held at a time, in one process."""

MAX_WAITING = 8
"""Requests that may wait for a slot."""

TIMEOUT = 10.0
"""Seconds that a request waits for a slot."""


class LargeBodySlots:
    """The slots for large bodies of one process."""

    def __init__(
        self, slots: int = SLOTS, max_waiting: int = MAX_WAITING, timeout: float = TIMEOUT
    ) -> None:
        self._slots = WaitingSlots("too many large requests at once", slots, max_waiting, timeout)

    def text(self, raw: bytes, encoding: str, settings: Settings, stack: ExitStack) -> bytes:
        """The text of a body; a large one holds a slot until the stack is closed.

        Raises Unavailable if no slot becomes free, and what ``body.read`` raises.
        """
        if len(raw) <= LARGE:
            try:
                return body.read(raw, encoding, settings, min(LARGE, settings.max_inflated))
            except TooLarge:
                if settings.max_inflated <= LARGE:
                    raise
        self._slots.acquire(stack)
        return body.read(raw, encoding, settings)
