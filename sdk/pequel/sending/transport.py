"""Transports: a batch of events goes in, an `Outcome` comes out."""

from __future__ import annotations

import json
from collections import deque
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Verdict(Enum):
    """What to do with a batch after a try."""

    DELIVERED = "delivered"
    RETRY = "retry"
    SPLIT = "split"
    REFUSED = "refused"
    UNAUTHORIZED = "unauthorized"


class Rejection(NamedTuple):
    """An event of a delivered batch that the collector rejected: its position, and why."""

    position: int
    code: str = ""
    message: str = ""
    field: str | None = None


class Mark(NamedTuple):
    """A lead that a batch brought about: a user or an account met a definition.

    Attributes:
        lead_id: the id of the lead.
        definition: the name of the definition.
        subject_kind: "user" or "account".
        subject_id: the id of the user or the account.
        qualified_at: the time, as ISO 8601 text in UTC.
        raw: the whole lead, as in the receipt.
    """

    lead_id: str
    definition: str
    subject_kind: str
    subject_id: str
    qualified_at: str
    raw: dict[str, Any]


class Outcome(NamedTuple):
    """The result of a try.

    Attributes:
        verdict: what to do next.
        detail: the reason, for a person to read.
        retry_after: seconds that the collector asked to wait before the next try.
        rejected: the rejected events of a delivered batch, each at most once.
        qualified: the leads that a delivered batch brought about; None if the receipt does not
            name any, because the key may not read.
    """

    verdict: Verdict
    detail: str = ""
    retry_after: float | None = None
    rejected: tuple[Rejection, ...] = ()
    qualified: tuple[Mark, ...] | None = ()


class Delivery(NamedTuple):
    """What a `FullTransport` sends in one try.

    Attributes:
        events: the batch; may be empty if there is a report.
        report: counts of dropped events, as JSON; a collector counts the same report once.
        timeout: seconds that the try may take, if fewer than usual.
    """

    events: Sequence[bytes]
    report: bytes | None = None
    timeout: float | None = None


class Transport(Protocol):
    """Takes batches of events. Called by one thread at a time."""

    def send(self, events: Sequence[bytes], /) -> Outcome:
        """Try once to deliver events; each is a JSON object in UTF-8."""


@runtime_checkable
class FullTransport(Transport, Protocol):
    """A transport that also takes reports and time limits, by `deliver` in place of `send`."""

    def deliver(self, delivery: Delivery, /) -> Outcome:
        """Try once to deliver."""


class RecordingTransport:
    """A transport that keeps the batches, and returns the outcomes that it was given.

    Attributes:
        batches: the delivered batches, as dicts.
        tried: all batches, delivered or not, as dicts.
    """

    def __init__(self, outcomes: Iterable[Outcome] = ()) -> None:
        """Return these outcomes, one for each batch; after them, everything is delivered."""
        self.batches: list[list[dict[str, Any]]] = []
        self.tried: list[list[dict[str, Any]]] = []
        self._outcomes = deque(outcomes)

    @property
    def events(self) -> list[dict[str, Any]]:
        """The delivered events, in order."""
        return [event for batch in self.batches for event in batch]

    def send(self, events: Sequence[bytes], /) -> Outcome:
        """Keep a batch, and return the next outcome."""
        batch = [json.loads(event) for event in events]
        outcome = self._outcomes.popleft() if self._outcomes else Outcome(Verdict.DELIVERED)
        self.tried.append(batch)
        if outcome.verdict is Verdict.DELIVERED:
            rejected = {rejection.position for rejection in outcome.rejected}
            self.batches.append([e for i, e in enumerate(batch) if i not in rejected])
        return outcome
