"""Group commit: batches, and changes of leads, that wait for the store share a transaction.

A request thread whose batch finds no leader becomes the leader: it stores what waits, then makes
the oldest waiting thread the leader. An example with three requests A, B and C:

    A arrives   there is no leader: A leads, and commits [A]
    B, C arrive during that commit, and wait
    A is stored, and returns; B becomes the leader
    B commits   [B, C] in one transaction
    B returns, C wakes up and returns; there is no leader

Changes of leads are made after the batches of their transaction, each in its turn. One that is not
allowed fails by itself.

A batch that needs a long fold is not committed: its own thread prepares the fold, and then adds the
batch to the queue again. Meanwhile another thread leads.

A request alone commits at once; the more requests there are, the more share a commit. There is no
thread for it, so it works after a fork, and stops with its process.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence
from threading import Lock
from time import monotonic

from ..config import Settings
from ..errors import PequelError, Unavailable
from ..marking.prepare import TooLongForLock
from ..marking.work import LeadChange, LeadRequest
from ..model import Lead, Message, RejectedEvent, Report
from .accept import Ingest
from .health import Health
from .receipts import Batch, Receipt

MAX_EVENTS_PER_COMMIT = 5_000
"""Events that are stored in one transaction. A single larger batch is stored alone."""

_log = logging.getLogger(__name__)


class GroupCommit:
    """The queue in front of a store, for the requests of one process."""

    def __init__(self, ingest: Ingest, settings: Settings, health: Health) -> None:
        self._ingest, self._max_waiting, self._health = ingest, settings.max_waiting, health
        self._timeout = settings.store_timeout
        self._lock = Lock()
        self._queue: deque[_Pending] = deque()
        self._events = 0
        self._has_leader = False

    def accept(
        self,
        messages: Sequence[Message],
        rejected: Sequence[RejectedEvent] = (),
        key: str | None = None,
        report: Report | None = None,
    ) -> Receipt:
        """Store the events of a request, together with others; on disk when it returns.

        Raises Unavailable if they cannot be stored now, or too many events wait.
        """
        if (trouble := self._health.trouble(self.oldest_wait())) is not None:
            raise Unavailable(trouble)
        return self._run(Batch(messages, rejected, key, report=report)).receipt()

    def change(self, lead_id: str, asked: LeadChange) -> Lead:
        """Make a change of a lead, together with others; on disk when it returns.

        Raises as ``LeadDesk.change``, and Unavailable as ``accept``.
        """
        if (trouble := self._health.trouble(self.oldest_wait())) is not None:
            raise Unavailable(trouble)
        return self._run(LeadRequest(lead_id, asked)).lead()

    @property
    def waiting_events(self) -> int:
        """How many events wait to be stored."""
        return self._events

    def oldest_wait(self) -> float:
        """The seconds that the oldest batch in the queue has waited."""
        with self._lock:
            oldest = self._queue[0].since if self._queue else None
        return 0.0 if oldest is None else monotonic() - oldest

    def _run(self, work: Batch | LeadRequest) -> _Pending:
        pending = self._commit(_Pending(work))
        if isinstance(pending.result, TooLongForLock):
            pending = self._prepare_and_commit(work, pending.result)
        return pending

    def _commit(self, pending: _Pending) -> _Pending:
        if self._enqueue(pending) or self._wait(pending):
            self._commit_as_leader(pending)
        return pending

    def _prepare_and_commit(self, work: Batch | LeadRequest, long: TooLongForLock) -> _Pending:
        """Store work that takes long. Its own thread prepares it, while others commit."""
        result: Receipt | Lead | Exception | None = long
        with self._ingest.preparations() as preparations:
            while isinstance(result, TooLongForLock):
                preparations.prepare(result)
                pending = self._commit(_Pending(work, is_brief=preparations.is_brief))
                result = pending.result
        return pending

    # -- the leader ------------------------------------------------------------------------

    def _enqueue(self, pending: _Pending) -> bool:
        """Add to the queue; whether this thread becomes the leader, because there is none."""
        with self._lock:
            if self._queue and self._events + pending.events > self._max_waiting:
                raise Unavailable(f"{self._events} events wait to be stored already")
            self._queue.append(pending)
            self._events += pending.events
            becomes_leader, self._has_leader = not self._has_leader, True
            return becomes_leader

    def _wait(self, pending: _Pending) -> bool:
        """Wait until the batch is done, or this thread becomes the leader; whether it does."""
        if not pending.wakeup.acquire(timeout=self._timeout):
            with self._lock:
                if pending in self._queue and not pending.is_leader:
                    self._queue.remove(pending)
                    self._events -= pending.events
                    raise Unavailable("the store takes too long")
            pending.wakeup.acquire()
        return pending.is_leader

    def _commit_as_leader(self, own: _Pending) -> None:
        """Store what waits until the leader's own batch is done, then choose the next leader."""
        try:
            while not own.is_done:
                self._store(self._next_group())
        finally:
            self._choose_leader()

    def _next_group(self) -> list[_Pending]:
        """The batches of the next transaction, the oldest first."""
        with self._lock:
            group = [self._queue.popleft()]
            events = group[0].events
            while self._queue and events + self._queue[0].events <= MAX_EVENTS_PER_COMMIT:
                group.append(self._queue.popleft())
                events += group[-1].events
            return group

    def _take_queue(self) -> list[_Pending]:
        with self._lock:
            queue = list(self._queue)
            self._queue.clear()
            return queue

    def _choose_leader(self) -> None:
        with self._lock:
            self._has_leader = bool(self._queue)
            if self._has_leader:
                self._queue[0].is_leader = True
                self._queue[0].wakeup.release()

    # -- storing ---------------------------------------------------------------------------

    def _store(self, group: list[_Pending]) -> None:
        try:
            results = self._results(group)
        except Exception as error:  # noqa: BLE001 - the threads of its batches raise it
            self._failed(group, error)
        except BaseException:
            for pending in group:
                self._done(pending, Unavailable("the collector is being stopped"))
            raise
        else:
            for pending, result in zip(group, results, strict=True):
                self._done(pending, result)

    def _results(self, group: list[_Pending]) -> list[Receipt | Lead | PequelError]:
        """Store a group in one transaction; what became of each."""
        works = [pending.work for pending in group]
        done = self._ingest.commit(
            [work for work in works if isinstance(work, Batch)],
            [work for work in works if isinstance(work, LeadRequest)],
            is_brief=all(pending.is_brief for pending in group),
        )
        receipts, leads = iter(done.receipts), iter(done.leads)
        return [next(receipts if isinstance(work, Batch) else leads) for work in works]

    def _failed(self, group: list[_Pending], error: Exception) -> None:
        """Store each batch alone, because one of them may be the reason for the error.

        If the store is unavailable, all batches that wait fail, so that none waits twice.
        """
        if isinstance(error, Unavailable):
            group = group + self._take_queue()
        if isinstance(error, Unavailable) or len(group) == 1:
            for pending in group:
                self._done(pending, error)
            return
        if not isinstance(error, PequelError | TooLongForLock):
            _log.warning("A commit of %d batches failed. Each is tried alone.", len(group))
        for pending in group:
            self._store([pending])

    def _done(self, pending: _Pending, result: Receipt | Lead | Exception) -> None:
        with self._lock:
            self._events -= pending.events
        pending.result = result
        pending.wakeup.release()


class _Pending:
    """A batch or a change that waits.

    ``wakeup`` is released when it is done, or its thread must lead. ``is_brief`` is false if it
    could not be prepared, and may hold the write lock for long.
    """

    def __init__(self, work: Batch | LeadRequest, *, is_brief: bool = True) -> None:
        self.work, self.is_brief = work, is_brief
        self.events = 1
        if isinstance(work, Batch):
            self.events = len(work.messages) + len(work.rejected)
        self.since = monotonic()
        self.result: Receipt | Lead | Exception | None = None
        self.is_leader = False
        self.wakeup = Lock()
        self.wakeup.acquire()

    @property
    def is_done(self) -> bool:
        """Whether it is stored, or could not be stored."""
        return self.result is not None

    def receipt(self) -> Receipt:
        """The receipt of the batch. Raises the error if it could not be stored."""
        if isinstance(self.result, Receipt):
            return self.result
        raise self._error()

    def lead(self) -> Lead:
        """The lead after the change. Raises the error if the change was not made."""
        if isinstance(self.result, Lead):
            return self.result
        raise self._error()

    def _error(self) -> Exception:
        if isinstance(self.result, Exception):
            return self.result
        return RuntimeError("it was not stored, and no error was recorded")
