"""The seam between the client and the network: a batch goes in, an outcome comes out."""

from __future__ import annotations

import json
from collections import deque
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Verdict(Enum):
    """What to do with a batch once it was tried."""

    DELIVERED = "delivered"
    RETRY = "retry"
    SPLIT = "split"
    REFUSED = "refused"
    UNAUTHORIZED = "unauthorized"


class Rejection(NamedTuple):
    """One event of a delivered batch that the collector refused: its place, and why."""

    position: int
    code: str = ""
    message: str = ""
    field: str | None = None


class Mark(NamedTuple):
    """A lead that a batch brought about: somebody met a definition.

    Attributes:
        lead_id: the id of the lead.
        definition: the name of the definition.
        subject_kind: "user" or "account".
        subject_id: which one.
        qualified_at: when, as ISO 8601 text in UTC.
        raw: all that the collector said of it.
    """

    lead_id: str
    definition: str
    subject_kind: str
    subject_id: str
    qualified_at: str
    raw: dict[str, Any]


class Outcome(NamedTuple):
    """How it went.

    Attributes:
        verdict: what to do now.
        detail: why, for a person to read.
        retry_after: seconds the collector asked to wait before the next try.
        rejected: the events of a delivered batch that were refused, each at most once.
        qualified: the leads that a delivered batch brought about; None where the collector does
            not say, as to a key that may not read.
    """

    verdict: Verdict
    detail: str = ""
    retry_after: float | None = None
    rejected: tuple[Rejection, ...] = ()
    qualified: tuple[Mark, ...] | None = ()


class Delivery(NamedTuple):
    """All that there is to a try.

    Attributes:
        events: the batch; may be empty where there is a report.
        report: what was dropped lately, as JSON; a collector counts the same one once.
        timeout: seconds that it may take, where they are fewer than usual.
    """

    events: Sequence[bytes]
    report: bytes | None = None
    timeout: float | None = None


class Transport(Protocol):
    """Whatever can take a batch of events. Called by one thread at a time."""

    def send(self, events: Sequence[bytes], /) -> Outcome:
        """Try once to deliver events, each one a JSON object in UTF-8."""


@runtime_checkable
class FullTransport(Transport, Protocol):
    """One that can also take reports, and hurry. Its `deliver` is called in place of `send`."""

    def deliver(self, delivery: Delivery, /) -> Outcome:
        """Try once to deliver."""


class RecordingTransport:
    """A transport that keeps what it is given, and answers as it was told.

    Attributes:
        batches: every batch delivered, as dicts.
        tried: every batch tried, delivered or not, as dicts.
    """

    def __init__(self, outcomes: Iterable[Outcome] = ()) -> None:
        """Answer with these outcomes, one a batch; after them, everything is delivered."""
        self.batches: list[list[dict[str, Any]]] = []
        self.tried: list[list[dict[str, Any]]] = []
        self._outcomes = deque(outcomes)

    @property
    def events(self) -> list[dict[str, Any]]:
        """Every event delivered, in order."""
        return [event for batch in self.batches for event in batch]

    def send(self, events: Sequence[bytes], /) -> Outcome:
        """Record a batch, and give the next outcome."""
        batch = [json.loads(event) for event in events]
        outcome = self._outcomes.popleft() if self._outcomes else Outcome(Verdict.DELIVERED)
        self.tried.append(batch)
        if outcome.verdict is Verdict.DELIVERED:
            refused = {rejection.position for rejection in outcome.rejected}
            self.batches.append([e for i, e in enumerate(batch) if i not in refused])
        return outcome
