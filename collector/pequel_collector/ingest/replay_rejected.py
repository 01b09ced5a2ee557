"""Replays rejected events: reads them again, with the settings and the version that run now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ..config import Settings
from ..model import Message
from ..ports import CLI, AuditEntry, By, RejectedCursor, RejectedFilter, Store, StoredRejectedEvent
from ..wire.event import EventError
from ..wire.normalise import normalise_again
from .accept import Ingest
from .receipts import Batch

PAGE_SIZE = 500


@dataclass(slots=True)
class ReplaySummary:
    """Numbers of events: ``read`` is stored + duplicates + those rejected again, by code."""

    read: int = 0
    stored: int = 0
    duplicates: int = 0
    rejected: Counter[str] = field(default_factory=Counter)


class ReplayRejected:
    """The rejected events of a store, to be read again."""

    def __init__(self, store: Store, ingest: Ingest, settings: Settings) -> None:
        self._store, self._ingest, self._settings = store, ingest, settings

    def run(
        self,
        wanted: RejectedFilter,
        on_progress: Callable[[int], None] | None = None,
        by: By = CLI,
    ) -> ReplaySummary:
        """Store the events that are no longer rejected, at the time at which they came.

        ``on_progress`` is called with the number of events read. You can stop the replay and start
        it again at any time: each event is stored once.
        """
        summary, after = ReplaySummary(), None
        try:
            while page := self._page(wanted, after):
                after = RejectedCursor(page[-1].received_at, page[-1].id)
                self._replay(page, summary)
                if on_progress:
                    on_progress(summary.read)
        finally:
            self._audit(wanted, summary, by)
        return summary

    def _audit(self, wanted: RejectedFilter, summary: ReplaySummary, by: By) -> None:
        numbers = {"read": summary.read, "stored": summary.stored}
        given = {name: value for name, value in wanted._asdict().items() if value is not None}
        with self._store.writing() as tx:
            now = self._ingest.clock()
            tx.add_audit(AuditEntry(now, "rejected_replayed", by, given | numbers))

    def _page(
        self, wanted: RejectedFilter, after: RejectedCursor | None
    ) -> list[StoredRejectedEvent]:
        with self._store.reading() as tx:
            return tx.rejected(PAGE_SIZE, wanted, after)

    def _replay(self, page: Sequence[StoredRejectedEvent], summary: ReplaySummary) -> None:
        replayed: list[StoredRejectedEvent] = []
        messages: list[Message] = []
        for rejected in page:
            try:
                messages.append(self._message(rejected))
                replayed.append(rejected)
            except EventError as error:
                summary.rejected[error.code] += 1
        summary.read += len(page)
        receipt = self._ingest.accept_batch(Batch(messages, replayed=replayed))
        summary.stored += receipt.accepted
        summary.duplicates += receipt.duplicates

    def _message(self, rejected: StoredRejectedEvent) -> Message:
        new_id = f"rejected-{rejected.id}"
        received = rejected.received_at
        return normalise_again(rejected.event, received, self._settings, lambda: new_id)
