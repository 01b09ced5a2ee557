"""Only so many requests are answered at once, and no slow client keeps others from their slot."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from threading import BoundedSemaphore, Lock
from typing import IO, Any

from ..errors import Unavailable

CHUNK = 65_536
"""Bytes of a body that are read at a time. A body with less takes nothing from the budget."""

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]
"""A WSGI application."""


class ConcurrencySlots:
    """WSGI middleware with a slot for each request that is being answered.

    A request that waits for its client to send more frees its slot meanwhile. The bodies that have
    arrived so far may take ``body_bytes`` together; beyond that, reading raises Unavailable.
    """

    def __init__(self, application: Application, slots: int, body_bytes: int) -> None:
        self._application = application
        self._slots = BoundedSemaphore(slots)
        self._budget = ByteBudget(body_bytes)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request in a slot."""
        environ["wsgi.input"] = SlotFreeingBody(environ["wsgi.input"], self._slots, self._budget)
        with self._slots:
            return self._application(environ, start_response)


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

    def __init__(self, body: IO[bytes], slots: BoundedSemaphore, budget: ByteBudget) -> None:
        self._body, self._slots, self._budget = body, slots, budget

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        """Up to ``size`` bytes, fewer only at the end. Raises Unavailable."""
        left = float("inf") if size is None or size < 0 else size
        chunks: list[bytes] = []
        reserved = 0
        self._slots.release()
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
            self._slots.acquire()
            self._budget.release(reserved)
        return b"".join(chunks)
