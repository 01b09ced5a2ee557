"""Client reports: tell the collector how many events were dropped here, and why."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable


class _Report(NamedTuple):
    text: bytes
    totals: dict[str, int]


class ClientReports:
    """The reports of one process.

    A report is sent again, with the same number and counts, until a receipt confirms it. The next
    one counts the drops since then. The collector counts each number of a client once, so no drop
    is missed and none counts twice.
    """

    def __init__(self, client: str, dropped: Callable[[], dict[str, int]]) -> None:
        """Report under this client id; `dropped` returns the drops so far, by reason."""
        self._client = client
        self._dropped = dropped
        self._confirmed: dict[str, int] = {}
        self._number = 0
        self._pending: _Report | None = None

    @property
    def due(self) -> bool:
        """Whether there are drops that the collector has not confirmed."""
        return self._pending is not None or self._dropped() != self._confirmed

    def current(self) -> bytes | None:
        """The report to send now as JSON; None if there is nothing to report."""
        if self._pending is None and self.due:
            self._pending = self._next()
        return None if self._pending is None else self._pending.text

    def confirm(self) -> None:
        """A receipt came for the current report."""
        if self._pending is not None:
            self._confirmed, self._pending = self._pending.totals, None

    def _next(self) -> _Report:
        totals = self._dropped()
        since = {reason: n - self._confirmed.get(reason, 0) for reason, n in totals.items()}
        self._number += 1
        report = {
            "client": self._client,
            "number": self._number,
            "dropped": {reason: n for reason, n in since.items() if n},
        }
        return _Report(json.dumps(report, separators=(",", ":")).encode(), totals)
