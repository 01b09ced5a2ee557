"""One commit for many requests: who waits for the store is stored together.

A request whose batch finds nobody at work leads: it stores what waits, in one transaction, and
hands over to the first that has come meanwhile. Alone, a request commits at once; the more come,
the more share a commit. There is no thread for it, so it forks and stops with its process.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence
from threading import Lock
from time import monotonic
from typing import Protocol

from ..config import Settings
from ..errors import PequelError, Unavailable
from ..model import Message, RejectedEvent, Report
from .receipts import Batch, Receipt

TOGETHER = 5_000
"""Events that are stored in one transaction, at most, unless a single batch has more."""

PATIENCE = 30.0
"""Seconds that a request waits for others to be stored before it gives up."""

_log = logging.getLogger(__name__)


class Stores(Protocol):
    """Where batches go."""

    def accept_all(self, batches: Sequence[Batch], /) -> list[Receipt]:
        """Store several batches in one transaction; durable on return."""


class Watches(Protocol):
    """Who knows whether the store can be used."""

    def trouble(self, waited: float, /) -> str | None:
        """Why nothing can be taken in, if the oldest batch has waited for so many seconds."""


class GroupCommit:
    """The queue in front of a store, for the requests of one process."""

    def __init__(self, ingest: Stores, settings: Settings, health: Watches) -> None:
        self._ingest, self._most, self._health = ingest, settings.max_waiting, health
        self._guard = Lock()
        self._waiting: deque[_Pending] = deque()
        self._events = 0
        self._is_led = False

    def accept(
        self,
        messages: Sequence[Message],
        rejected: Sequence[RejectedEvent] = (),
        key: str | None = None,
        report: Report | None = None,
    ) -> Receipt:
        """Store what a request brings, together with others; durable on return.

        Raises Unavailable where it cannot be stored now, or too much waits already.
        """
        return self.take(Batch(messages, rejected, key, report=report))

    def take(self, batch: Batch) -> Receipt:
        """Store a batch, together with others; durable on return. Raises as ``accept`` does."""
        if (trouble := self._health.trouble(self.waited())) is not None:
            raise Unavailable(trouble)
        ticket = _Pending(batch)
        if self._queue(ticket) or self._wait(ticket):
            self._lead(ticket)
        return ticket.receipt()

    @property
    def events(self) -> int:
        """How many events wait to be stored."""
        return self._events

    def waited(self) -> float:
        """For how many seconds the oldest of those that wait has done so."""
        with self._guard:
            oldest = self._waiting[0].since if self._waiting else None
        return 0.0 if oldest is None else monotonic() - oldest

    # -- who leads -------------------------------------------------------------------------

    def _queue(self, ticket: _Pending) -> bool:
        """Put a ticket into the queue; whether it is to lead, for nobody does."""
        with self._guard:
            if self._waiting and self._events + ticket.events > self._most:
                raise Unavailable(f"{self._events} events wait to be stored already")
            self._waiting.append(ticket)
            self._events += ticket.events
            leads, self._is_led = not self._is_led, True
            return leads

    def _wait(self, ticket: _Pending) -> bool:
        """Wait until a ticket is done, or its turn to lead has come; whether it has."""
        if not ticket.turn.acquire(timeout=PATIENCE):
            with self._guard:
                if ticket in self._waiting and not ticket.leads:
                    self._waiting.remove(ticket)
                    self._events -= ticket.events
                    raise Unavailable("the store takes too long")
            ticket.turn.acquire()
        return ticket.leads

    def _lead(self, own: _Pending) -> None:
        """Store what waits until one's own batch is done; then let another one lead."""
        try:
            while not own.is_done:
                self._store(self._next())
        finally:
            self._hand_over()

    def _next(self) -> list[_Pending]:
        """Tickets that are stored together, the oldest first."""
        with self._guard:
            taken = [self._waiting.popleft()]
            events = taken[0].events
            while self._waiting and events + self._waiting[0].events <= TOGETHER:
                taken.append(self._waiting.popleft())
                events += taken[-1].events
            return taken

    def _hand_over(self) -> None:
        with self._guard:
            self._is_led = bool(self._waiting)
            if self._is_led:
                self._waiting[0].leads = True
                self._waiting[0].turn.release()

    # -- storing ---------------------------------------------------------------------------

    def _store(self, tickets: list[_Pending]) -> None:
        try:
            receipts = self._ingest.accept_all([ticket.batch for ticket in tickets])
        except Exception as error:  # noqa: BLE001 - it is raised again, to whom it concerns
            self._failed(tickets, error)
        except BaseException:
            self._give_up(tickets)
            raise
        else:
            for ticket, receipt in zip(tickets, receipts, strict=True):
                self._done(ticket, receipt)

    def _failed(self, tickets: list[_Pending], error: Exception) -> None:
        """Where one batch may be the reason, each is tried by itself: others are not to suffer."""
        if isinstance(error, Unavailable) or len(tickets) == 1:
            for ticket in tickets:
                self._done(ticket, error)
            return
        if not isinstance(error, PequelError):
            _log.warning("a commit of %d batches failed, each is tried alone", len(tickets))
        for ticket in tickets:
            self._store([ticket])

    def _give_up(self, tickets: list[_Pending]) -> None:
        for ticket in tickets:
            self._done(ticket, Unavailable("the collector is being stopped"))

    def _done(self, ticket: _Pending, result: Receipt | Exception) -> None:
        with self._guard:
            self._events -= ticket.events
        ticket.result = result
        ticket.turn.release()


class _Pending:
    """A batch that waits. Its turn is held until it is stored, or is to lead."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self.events = len(batch.messages) + len(batch.rejected)
        self.since = monotonic()
        self.result: Receipt | Exception | None = None
        self.leads = False
        self.turn = Lock()
        self.turn.acquire()

    @property
    def is_done(self) -> bool:
        """Whether it is stored, or could not be."""
        return self.result is not None

    def receipt(self) -> Receipt:
        """What became of the batch. Raises what stood in its way."""
        if isinstance(self.result, Receipt):
            return self.result
        raise self.result or RuntimeError("a batch was let go before it was stored")
