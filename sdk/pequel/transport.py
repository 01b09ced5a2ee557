"""The seam between the client and the network: a batch goes in, an outcome comes out."""

from __future__ import annotations

import json
from collections import deque
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

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


class Outcome(NamedTuple):
    """How it went.

    Attributes:
        verdict: what to do now.
        detail: why, for a person to read.
        retry_after: seconds the collector asked to wait before the next try.
        rejected: the events of a delivered batch that were refused, each at most once.
    """

    verdict: Verdict
    detail: str = ""
    retry_after: float | None = None
    rejected: tuple[Rejection, ...] = ()


class Transport(Protocol):
    """Whatever can take a batch of events. Called by one thread at a time."""

    def send(self, events: Sequence[bytes], /) -> Outcome:
        """Try once to deliver events, each one a JSON object in UTF-8."""


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
