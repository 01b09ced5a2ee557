"""A store and its transactions."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from .console import ConsoleReads, ConsoleWrites
from .decisions import DecisionReads, DecisionWrites
from .histories import HistoryReads, HistoryWrites
from .leads import LeadReads, LeadWrites
from .messages import MessageReads, MessageWrites
from .metrics import MetricReads, MetricWrites
from .outbox import OutboxReads, OutboxWrites
from .subjects import SubjectReads, SubjectWrites


class ReadTransaction(
    MessageReads,
    SubjectReads,
    HistoryReads,
    LeadReads,
    OutboxReads,
    DecisionReads,
    ConsoleReads,
    MetricReads,
    Protocol,
):
    """A consistent view of the store: it sees what was committed before it began."""


class WriteTransaction(
    ReadTransaction,
    MessageWrites,
    SubjectWrites,
    HistoryWrites,
    LeadWrites,
    OutboxWrites,
    DecisionWrites,
    ConsoleWrites,
    MetricWrites,
    Protocol,
):
    """The only write transaction at a time. It sees its own writes."""


class Store(Protocol):
    """A database of one project.

    ``on_queued`` is called after each commit that has put deliveries into the outbox.
    """

    url: str
    on_queued: Callable[[], None]

    def free(self) -> int | None:
        """Free bytes on the disk of the database; None if that is not known."""

    def reading(self) -> AbstractContextManager[ReadTransaction]:
        """A read transaction, which ends with the context."""

    def writing(self) -> AbstractContextManager[WriteTransaction]:
        """A write transaction: committed to disk at the end of the context, undone on an error.

        Raises Unavailable if the database does not accept writes.
        """

    def close(self) -> None:
        """Close all connections. The store cannot be used afterwards."""
