"""What every ingestion route does with the events of a request."""

from __future__ import annotations

from collections.abc import Sequence

from ...app.bootstrap import Collector
from ...ingest.receipts import Receipt
from ...model import Key, Message, RejectedEvent, Report


def accept(
    collector: Collector,
    messages: Sequence[Message],
    rejected: Sequence[RejectedEvent],
    key: Key,
    report: Report | None = None,
) -> Receipt:
    """Store a batch, its rejected events and the drops that its client reports; durable on return.

    Raises TooMany if the key is over its rate or quota, Unavailable if the store takes no writes.
    """
    # A report of a new client takes a row of the store, so one without events counts as an event.
    collector.limits.admit(key, len(messages) + len(rejected) or int(report is not None))
    return collector.intake.accept(messages, rejected, key.id, report)
