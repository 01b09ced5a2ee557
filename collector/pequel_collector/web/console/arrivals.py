"""What arrived last: the catalogue of events shows it, and the editor knows names from it."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

from ...insights.received import Received, received
from ...ports import Store

LATEST = 5_000
"""Messages that are looked at."""

FRESH_FOR = 5.0
"""Seconds for which what was read is shown."""

KNOWN_FOR = 60.0
"""Seconds for which the names of events are taken as known."""

NAMES = 500
"""Names that are known at most, the most frequent ones."""


class Latest:
    """What arrived last, kept for a moment: to read it takes longer than a page should."""

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._store, self._clock = store, clock
        self._reading = Lock()
        self._kept: tuple[float, Received] | None = None

    def look(self, fresh_for: float = FRESH_FOR) -> Received:
        """What arrived last, at most so many seconds ago."""
        with self._reading:
            kept, now = self._kept, self._clock()
            if kept is not None and now - kept[0] < fresh_for:
                return kept[1]
            with self._store.reading() as tx:
                found = received(tx, LATEST)
            self._kept = self._clock(), found
            return found

    def counts(self) -> dict[str, int]:
        """How often which events arrive, the most frequent first."""
        events = self.look(KNOWN_FOR).events
        names = sorted(events, key=lambda name: (-events[name].count, name))[:NAMES]
        return {name: events[name].count for name in names}
