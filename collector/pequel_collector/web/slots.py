"""Slots for work that takes much memory or time: a few at once, a few more wait."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import BoundedSemaphore

from ..errors import Unavailable


class WaitingSlots:
    """``slots`` requests at a time do one sort of work, in one process.

    ``max_waiting`` more wait for up to ``timeout`` seconds. The others are refused at once, so that
    the waiting ones do not take every thread. ``too_many`` is the message of the refusal.
    """

    def __init__(self, too_many: str, slots: int, max_waiting: int, timeout: float) -> None:
        self._too_many, self._timeout = too_many, timeout
        self._slots = BoundedSemaphore(slots)
        self._waiting_or_held = BoundedSemaphore(slots + max_waiting)

    def acquire(self, stack: ExitStack) -> None:
        """Hold a slot until the stack is closed. Raises Unavailable if none becomes free."""
        for semaphore, timeout in ((self._waiting_or_held, 0.0), (self._slots, self._timeout)):
            if not semaphore.acquire(timeout=timeout):
                raise Unavailable(self._too_many)
            stack.callback(semaphore.release)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold a slot. Raises Unavailable if none becomes free."""
        with ExitStack() as stack:
            self.acquire(stack)
            yield
