"""Only so many requests are answered at once, and no slow client keeps others from their slot."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from threading import BoundedSemaphore, Lock
from typing import IO, Any

from ..errors import Unavailable

CHUNK = 65_536
"""Bytes of a body that are read at a time. A body with less takes nothing from the budget."""

WITHOUT_SLOT = {"/healthz", "/readyz"}
"""Paths that are answered while all slots are taken."""

BUSY = "too many requests at once"

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]
"""A WSGI application."""


class ConcurrencySlots:
    """WSGI middleware with a slot for each request that is being answered.

    A request that waits for its client to send more frees its slot meanwhile. The bodies that have
    arrived so far may take ``body_bytes`` together; beyond that, reading raises Unavailable.
    ``busy`` answers a request that gets no slot within ``timeout`` seconds. Questions about health
    need no slot.
    """

    def __init__(
        self,
        application: Application,
        slots: int,
        body_bytes: int,
        busy: Application,
        timeout: float,
    ) -> None:
        self._application, self._busy = application, busy
        self._slots, self._timeout = BoundedSemaphore(slots), timeout
        self._budget = ByteBudget(body_bytes)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request in a slot."""
        if environ["PATH_INFO"] in WITHOUT_SLOT:
            return self._application(environ, start_response)
        slot = Slot(self._slots, self._timeout)
        if not slot.take():
            return self._busy(environ, start_response)
        environ["wsgi.input"] = SlotFreeingBody(environ["wsgi.input"], slot, self._budget)
        try:
            return self._application(environ, start_response)
        finally:
            slot.free()


class Slot:
    """The slot of one request, which waits for it ``timeout`` seconds."""

    def __init__(self, slots: BoundedSemaphore, timeout: float) -> None:
        self._slots, self._timeout, self._is_taken = slots, timeout, False

    def take(self) -> bool:
        """Take the slot; whether one was free in time."""
        self._is_taken = self._slots.acquire(timeout=self._timeout)
        return self._is_taken

    def free(self) -> None:
        """Free the slot, if it is taken."""
        if self._is_taken:
            self._is_taken = False
            self._slots.release()


class ByteBudget:
    """How many bytes of bodies may be in memory."""

    def __init__(self, size: int) -> None:
        self._free = size
        self._lock = Lock()

    def reserve(self, size: int) -> None:
        """Raises Unavailable if the budget has less."""
        with self._lock:
            if self._free < size:
                raise Unavailable("too many large requests at once")
            self._free -= size

    def release(self, size: int) -> None:
        """Return reserved bytes."""
        with self._lock:
            self._free += size


class SlotFreeingBody(io.RawIOBase):
    """The body of a request that holds a slot; while it is read, the slot is free for others."""

    def __init__(self, body: IO[bytes], slot: Slot, budget: ByteBudget) -> None:
        self._body, self._slot, self._budget = body, slot, budget

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        """Up to ``size`` bytes, fewer only at the end. Raises Unavailable."""
        left = float("inf") if size is None or size < 0 else size
        chunks: list[bytes] = []
        reserved = 0
        self._slot.free()
        try:
            while left > 0:
                chunk = self._body.read(int(min(CHUNK, left)))
                chunks.append(chunk)
                left -= len(chunk)
                if len(chunk) < CHUNK:
                    break
                self._budget.reserve(CHUNK)
                reserved += CHUNK
        finally:
            has_slot = self._slot.take()
            self._budget.release(reserved)
        if not has_slot:
            raise Unavailable(BUSY)
        return b"".join(chunks)
