"""Rejected events, taken in after all: what was wrong with them has been put right here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ..config import Settings
from ..model import Message
from ..ports import RejectedCursor, RejectedFilter, Store, StoredRejectedEvent
from ..wire.event import EventError
from ..wire.normalise import normalise_again
from .group_commit import Stores
from .receipts import Batch

AT_A_TIME = 500

Progress = Callable[[int], None]


@dataclass(slots=True)
class Summary:
    """What became of them: ``read`` is stored + duplicates + those refused again, by code."""

    read: int = 0
    stored: int = 0
    duplicates: int = 0
    refused: Counter[str] = field(default_factory=Counter)


class ReplayRejected:
    """The refused events of a store, read again as if they had just come."""

    def __init__(self, store: Store, ingest: Stores, settings: Settings) -> None:
        self._store, self._ingest, self._settings = store, ingest, settings

    def take_in(self, wanted: RejectedFilter, progress: Progress | None = None) -> Summary:
        """Store those that can be read now, at the time at which they came; the others stay.

        ``progress`` is called with how many were read. It may be ended and begun again at any
        time: each is taken in once.
        """
        summary, after = Summary(), None
        while found := self._page(wanted, after):
            after = RejectedCursor(found[-1].received_at, found[-1].id)
            self._take(found, summary)
            if progress:
                progress(summary.read)
        return summary

    def _page(
        self, wanted: RejectedFilter, after: RejectedCursor | None
    ) -> list[StoredRejectedEvent]:
        with self._store.reading() as view:
            return view.refused(AT_A_TIME, wanted, after)

    def _take(self, found: Sequence[StoredRejectedEvent], summary: Summary) -> None:
        again: list[StoredRejectedEvent] = []
        messages: list[Message] = []
        for refused in found:
            try:
                messages.append(self._message(refused))
                again.append(refused)
            except EventError as fault:
                summary.refused[fault.code] += 1
        summary.read += len(found)
        [receipt] = self._ingest.accept_all([Batch(messages, again=again)])
        summary.stored += receipt.accepted
        summary.duplicates += receipt.duplicates

    def _message(self, refused: StoredRejectedEvent) -> Message:
        rejection, received = refused.rejection, refused.received_at
        around = rejection.around or {}
        new_id = f"rejected-{refused.id}"
        return normalise_again(rejection.payload, around, received, self._settings, lambda: new_id)
