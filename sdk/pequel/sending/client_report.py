"""Client reports: how many events were dropped here, for the collector to know."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable


class _Report(NamedTuple):
    text: bytes
    counts: dict[str, int]


class ClientReports:
    """The reports of one process.

    One is sent, with the same number and the same counts, until a receipt says that it got
    through; the next tells what was dropped since. A collector that counts each number of a client
    once so misses no drop and counts none twice.
    """

    def __init__(self, client: str, dropped: Callable[[], dict[str, int]]) -> None:
        """Report for a client of this name what `dropped` has counted so far, by reason."""
        self._client = client
        self._dropped = dropped
        self._told: dict[str, int] = {}
        self._number = 0
        self._open: _Report | None = None

    @property
    def due(self) -> bool:
        """Whether there is something to tell."""
        return self._open is not None or self._dropped() != self._told

    def take(self) -> bytes | None:
        """The report to send now, if there is something to tell."""
        if self._open is None and self.due:
            self._open = self._next()
        return None if self._open is None else self._open.text

    def received(self) -> None:
        """The one taken last got through."""
        if self._open is not None:
            self._told, self._open = self._open.counts, None

    def _next(self) -> _Report:
        counts = self._dropped()
        since = {reason: n - self._told.get(reason, 0) for reason, n in counts.items()}
        self._number += 1
        report = {
            "client": self._client,
            "number": self._number,
            "dropped": {reason: n for reason, n in since.items() if n},
        }
        return _Report(json.dumps(report, separators=(",", ":")).encode(), counts)
