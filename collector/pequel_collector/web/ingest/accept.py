"""What every door does with the events that came in by it."""

from __future__ import annotations

from collections.abc import Sequence

from ...ingest.receipts import Receipt
from ...model import Key, Message, RejectedEvent, Report
from ..collector import Collector


def take(
    collector: Collector,
    messages: Sequence[Message],
    rejected: Sequence[RejectedEvent],
    key: Key,
    report: Report | None = None,
) -> Receipt:
    """Store a batch, what was refused of it, and what its client dropped; durable on return.

    Raises TooMany where the key has sent more than it may, Unavailable where it cannot be stored.
    """
    collector.limits.admit(key, len(messages) + len(rejected))
    return collector.intake.accept(messages, rejected, key.id, report)
