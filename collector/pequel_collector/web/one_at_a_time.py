"""Long requests of which a process serves one at a time, so that others still get their turn."""

from __future__ import annotations

from threading import Lock

from ..errors import Unavailable

PATIENCE = 10.0
"""Seconds that a request waits for the one before it."""


class OneAtATime:
    """A context that one thread is in at a time. Raises Unavailable for one that waits too long."""

    def __init__(self, what: str, patience: float = PATIENCE) -> None:
        self._what, self._patience, self._lock = what, patience, Lock()

    def __enter__(self) -> None:
        if not self._lock.acquire(timeout=self._patience):
            raise Unavailable(f"{self._what} is running already: try again when it is done")

    def __exit__(self, *exception: object) -> None:
        self._lock.release()
