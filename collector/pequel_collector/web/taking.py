"""What every door does with the events that came in by it."""

from __future__ import annotations

from collections.abc import Sequence

from ..model import Key, Message, Rejection
from ..receipts import Receipt
from .collector import Collector


def take(
    collector: Collector, messages: Sequence[Message], rejected: Sequence[Rejection], key: Key
) -> Receipt:
    """Store a batch, and what was refused of it; durable on return.

    Raises TooMany where the key has sent more than it may, Unavailable where it cannot be stored.
    """
    collector.limits.admit(key, len(messages) + len(rejected))
    return collector.intake.accept(messages, rejected, key.id)
