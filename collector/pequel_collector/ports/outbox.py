"""The outbox of alerts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

DeliveryState = Literal["waiting", "sent", "dead", "dropped"]


"""What became of a delivery. A ``dead`` one has failed for good; the lead of a ``dropped`` one is
gone. Both can be sent again."""


class Queued(NamedTuple):
    """A change of a lead for an alert to send: ``change`` is its number in the ledger.

    ``event`` is the word of ``on``; ``at`` is when it changed.
    """

    change: int
    alert: str
    lead: str
    event: str
    at: int
    queued_at: int


class Claimed(NamedTuple):
    """A delivery that this process sends now. ``began_at`` is the time of its first attempt."""

    change: int
    alert: str
    lead: str
    event: str
    at: int
    attempt: int
    began_at: int


class Attempted(NamedTuple):
    """An attempt. What came of it counts only while no other attempt has begun."""

    change: int
    alert: str
    lead: str
    attempt: int


class StoredDelivery(NamedTuple):
    """A delivery in the store. ``next_at`` is None while it waits for another one of its lead."""

    change: int
    alert: str
    lead: str
    event: str
    at: int
    queued_at: int
    state: DeliveryState
    attempts: int
    next_at: int | None = None
    began_at: int | None = None
    ended_at: int | None = None
    result: str | None = None
    reference: str | None = None


class DeliveryFilter(NamedTuple):
    """Which deliveries to list. None means any."""

    alert: str | None = None
    state: DeliveryState | None = None
    lead: str | None = None


class DeliveryPlace(NamedTuple):
    """The last delivery of a page."""

    change: int
    alert: str


class OutboxDepth(NamedTuple):
    """How many deliveries of an alert wait, and since when the oldest does."""

    alert: str
    waiting: int
    oldest: int


class OutboxReads(Protocol):
    """The part of a read transaction that reads the outbox of alerts."""

    def deliveries(
        self, wanted: DeliveryFilter, limit: int, after: DeliveryPlace | None = None
    ) -> list[StoredDelivery]:
        """Deliveries, the latest change first; those after a place."""

    def deliveries_of_change(self, change: int) -> list[StoredDelivery]:
        """The deliveries of one ledger entry, by alert."""

    def next_delivery(self, alert: str) -> int | None:
        """When the next delivery of an alert is due; None if none waits."""

    def oldest_ended_delivery(self) -> int | None:
        """When the oldest delivery that ``remove_deliveries`` may remove ended."""

    def outbox(self) -> list[OutboxDepth]:
        """How much waits, by alert, without those where nothing does."""

    def reference(self, alert: str, lead: str) -> str | None:
        """The latest reference that a delivery of a lead by an alert has brought."""

    def lead_of_reference(self, reference: str) -> str | None:
        """The id of the lead whose deliveries have brought a reference; None if there is none."""


class OutboxWrites(Protocol):
    """The part of a write transaction that writes the outbox of alerts."""

    def queue_deliveries(self, queued: Sequence[Queued]) -> None:
        """Put deliveries into the outbox. Each waits for those of its alert and lead before it."""

    def claim_deliveries(self, alert: str, now: int, until: int, limit: int) -> list[Claimed]:
        """Claim deliveries that are due, the earliest first: nobody else sends them until then."""

    def retry_delivery(self, attempted: Attempted, next_at: int, result: str) -> bool:
        """Let a delivery wait for its next attempt; False if the attempt does not count."""

    def end_delivery(
        self,
        attempted: Attempted,
        state: DeliveryState,
        now: int,
        result: str,
        reference: str | None = None,
    ) -> bool:
        """End a delivery, and make the next of its lead due; False if it does not count."""

    def give_up_deliveries(self, alert: str, before: int, now: int, result: str, limit: int) -> int:
        """Give up deliveries that are due and were queued before an instant; how many."""

    def remove_deliveries(self, before: int, limit: int) -> int:
        """Remove deliveries that were sent or dropped before an instant; how many.

        The last one of a lead and an alert that has a reference stays, and so do dead ones.
        """

    def redeliver(self, delivery: StoredDelivery, now: int) -> bool:
        """Let an ended delivery wait again; False if it waits already."""
