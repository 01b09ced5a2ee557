"""Whether the store takes writes: there is room, it may be written, and it keeps up."""

from __future__ import annotations

from threading import Lock
from time import monotonic

from ..config import Settings
from ..errors import PequelError
from ..ports import Store

FRESH_FOR = 1.0
"""Seconds for which what was found out of the disk holds."""

LAG = 10.0
"""Seconds that a batch may wait before the collector takes no more."""


class Health:
    """What stands in the way of storing events."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store, self._least = store, settings.min_free
        self._guard = Lock()
        self._looked_at = float("-inf")
        self._free: int | None = None

    def trouble(self, waited: float) -> str | None:
        """Why nothing can be taken in, as far as that is known without trying.

        ``waited`` is for how many seconds the oldest batch has waited.
        """
        free = self._space()
        if free is not None and free < self._least:
            return f"the disk is full: {free} bytes are free, {self._least} are needed"
        if waited > LAG:
            return f"the store does not keep up: events have waited for {waited:.0f} seconds"
        return None

    def tried(self, waited: float) -> str | None:
        """The same, with a question that is asked and a write that changes nothing."""
        return self.trouble(waited) or self._try()

    def _space(self) -> int | None:
        if monotonic() - self._looked_at > FRESH_FOR:
            with self._guard:
                self._free, self._looked_at = self._store.free(), monotonic()
        return self._free

    def _try(self) -> str | None:
        try:
            with self._store.reading() as view:
                view.versions()
            with self._store.writing() as tx:
                tx.try_out()
        except PequelError as error:
            return error.message
        return None
