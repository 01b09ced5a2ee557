"""Sending, step by step: which batch is due, and what follows from its outcome."""

from __future__ import annotations

import os
from collections import deque
from typing import TYPE_CHECKING

from pequel.backoff import backoff
from pequel.errors import DroppedError
from pequel.log import logger
from pequel.sending.transport import Delivery, FullTransport, Outcome, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pequel.clock import Clock
    from pequel.config import Options
    from pequel.sending.callbacks import Callbacks
    from pequel.sending.client_report import ClientReports
    from pequel.sending.queue import EventQueue
    from pequel.sending.transport import Transport


_RECHECK_SECONDS = 0.01
_OUTAGE_LOG_INTERVAL = 60.0
REPORT_INTERVAL = 60.0  # seconds that a report waits for a batch to travel with


class Sender:
    """Empties a queue into a transport. Has no thread: each step does what is due now.

    A batch keeps its events in their order until it is delivered, dropped or split. No later batch
    is sent before it.

    Attributes:
        urgent: a flush waits, so events do not wait for a full batch.
        abandoned: send nothing more, and drop what is left.
        closing: the client or the process ends; a report that is due does not wait for a batch.
        deadline: time on the clock at which the waiting caller gives up; None without one.
    """

    def __init__(
        self,
        queue: EventQueue,
        transport: Transport,
        options: Options,
        callbacks: Callbacks,
        clock: Clock,
        jitter: Callable[[], float] | None = None,
        reports: ClientReports | None = None,
    ) -> None:
        self.urgent = False
        self.abandoned = False
        self.closing = False
        self.deadline: float | None = None
        self._queue = queue
        self._transport = transport
        self._options = options
        self._callbacks = callbacks
        self._clock = clock
        self._jitter = jitter or _random_fraction
        self._batches: deque[list[bytes]] = deque()
        self._waiting_since: float | None = None
        self._failures = 0
        self._try_at = 0.0
        self._asked_to_wait_until = 0.0
        self._full_transport = transport if isinstance(transport, FullTransport) else None
        self._reports = reports if self._full_transport else None
        self._report_at: float | None = None
        self._last_report_tried = False
        self._outage_logged = False
        self._next_outage_log = 0.0

    @property
    def idle(self) -> bool:
        """Whether there is nothing left to send."""
        return not self._batches and not self._queue.waiting

    @property
    def reports_done(self) -> bool:
        """Whether no report is left to send; at the end, one try is enough."""
        if self._reports is None or self._queue.closed == "unauthorized":
            return True
        return self._last_report_tried or not self._reports.due

    def step(self) -> float | None:
        """Do one thing if one is due; returns the seconds until the next may be.

        None means that nothing waits.
        """
        if self.abandoned or self._queue.closed == "unauthorized":
            self._give_up()
            return None
        self._queue.maintain()
        batch = self._next_batch()
        if batch is None:
            return _RECHECK_SECONDS if self._due() else self._report_or_wait()
        wait = self._try_at - self._clock.monotonic()
        if wait > 0:
            return wait
        self._handle(batch, self._try(batch))
        return 0.0

    def mark_sender_thread(self) -> None:
        """The calling thread does nothing but send."""
        self._callbacks.mark_sender_thread()

    def stop_backing_off(self) -> None:
        """Make the next try at once, unless the collector itself asked for a wait."""
        self._try_at = self._asked_to_wait_until

    def close(self) -> None:
        """Close the connection, if the transport keeps one; the next try opens another."""
        close = getattr(self._transport, "close", None)
        if close is not None:
            close()

    def _next_batch(self) -> list[bytes] | None:
        if not self._batches and (events := self._take()):
            self._batches.append(events)
        return self._batches[0] if self._batches else None

    def _take(self) -> list[bytes]:
        """Events of this process if they are due, else those that another left behind."""
        if not self._due():
            return self._queue.take_recovered()
        self._waiting_since = None
        return self._queue.take()

    def _due(self) -> bool:
        waiting = self._queue.waiting
        full = (
            waiting >= self._options.batch_events
            or self._queue.queued_bytes >= self._options.batch_bytes
        )
        return waiting > 0 and (full or self.urgent or self._until_due() == 0)

    def _until_due(self) -> float | None:
        """Seconds until the waiting events have waited long enough; None if there are none."""
        if not self._queue.waiting:
            return None
        now = self._clock.monotonic()
        if self._waiting_since is None:
            self._waiting_since = now
        return max(0.0, self._waiting_since + self._options.flush_interval - now)

    def _report_or_wait(self) -> float | None:
        """Send a report in a request of its own, if it has waited long enough for a batch."""
        waits = [self._until_due(), self._until_report()]
        if waits[1] == 0:
            self._report()
            return 0.0
        return min((wait for wait in waits if wait is not None), default=None)

    def _until_report(self) -> float | None:
        """Seconds until a report goes by itself; None if none is due, or it cannot go now."""
        now = self._clock.monotonic()
        if self.reports_done or (self.closing and self._try_at > now):
            self._report_at, self._last_report_tried = None, self.closing
            return None
        if self._report_at is None:
            self._report_at = now + REPORT_INTERVAL
        return 0.0 if self.closing else max(0.0, self._report_at - now, self._try_at - now)

    def _report(self) -> None:
        self._report_at, self._last_report_tried = None, self.closing
        outcome = self._try(())
        if outcome.verdict is Verdict.UNAUTHORIZED:
            self._unauthorized([], outcome)

    def _try(self, batch: Sequence[bytes]) -> Outcome:
        try:
            outcome = _checked(self._deliver(batch), len(batch))
        except BaseException as error:  # noqa: BLE001 - a transport may be the application's
            self._callbacks.raise_if_for_caller(error)
            return Outcome(Verdict.RETRY, f"{type(error).__name__}: {error}")
        if outcome.verdict is Verdict.DELIVERED and self._reports is not None:
            self._reports.confirm()
        return outcome

    def _deliver(self, batch: Sequence[bytes]) -> Outcome:
        if self._full_transport is None:
            return self._transport.send(batch)
        report = None if self._reports is None else self._reports.current()
        left = None if self.deadline is None else self.deadline - self._clock.monotonic()
        return self._full_transport.deliver(Delivery(batch, report, left))

    def _handle(self, batch: list[bytes], outcome: Outcome) -> None:
        self._log_outage(outcome)
        if self._queue.survives_exit and outcome.verdict is Verdict.UNAUTHORIZED:
            self._unauthorized([], outcome)
            outcome = outcome._replace(verdict=Verdict.RETRY)
        refused = outcome.verdict is Verdict.REFUSED
        if outcome.verdict is Verdict.RETRY or (refused and self._queue.survives_exit):
            self._back_off(outcome)
            if not self._retries_exhausted(outcome.verdict):
                return
        self._batches.popleft()
        self._failures = 0
        handlers = {
            Verdict.DELIVERED: self._delivered,
            Verdict.RETRY: self._exhausted,
            Verdict.SPLIT: self._split,
            Verdict.REFUSED: self._refused,
            Verdict.UNAUTHORIZED: self._unauthorized,
        }
        handlers[outcome.verdict](batch, outcome)

    def _log_outage(self, outcome: Outcome) -> None:
        """Log when an outage begins, at most once a minute, and when it ends."""
        now = self._clock.monotonic()
        if outcome.verdict is Verdict.RETRY:
            if not self._outage_logged and now >= self._next_outage_log:
                self._outage_logged, self._next_outage_log = True, now + _OUTAGE_LOG_INTERVAL
                logger.warning("%s; events wait, and are tried again", outcome.detail)
        elif self._outage_logged:
            self._outage_logged = False
            logger.info("the collector can be reached again")

    def _retries_exhausted(self, verdict: Verdict) -> bool:
        """Whether to drop the batch. With a spool only refusals are limited, not failures."""
        endless = self._queue.survives_exit and verdict is Verdict.RETRY
        return not endless and self._failures > self._options.max_retries

    def _back_off(self, outcome: Outcome) -> None:
        """Wait before the next try, also if this batch is dropped: the next would fail, too."""
        self._failures += 1
        now = self._clock.monotonic()
        asked = min(outcome.retry_after or 0.0, self._options.max_retry_after)
        chosen = backoff(self._failures, self._jitter(), self._options.max_retry_wait)
        self._asked_to_wait_until = now + asked
        self._try_at = now + max(asked, chosen)

    def _delivered(self, batch: list[bytes], outcome: Outcome) -> None:
        rejected = {one.position: one for one in outcome.rejected}
        positions = sorted(rejected)
        self._queue.dropped([batch[position] for position in positions], "rejected")
        self._queue.delivered([event for i, event in enumerate(batch) if i not in rejected])
        for position in positions:
            _, code, message, field = rejected[position]
            error = DroppedError("rejected", message or code, field=field, code=code)
            self._callbacks.dropped(error, batch[position])
        self._callbacks.qualified(outcome.qualified)

    def _exhausted(self, batch: list[bytes], outcome: Outcome) -> None:
        self._drop(batch, DroppedError("retries_exhausted", outcome.detail))

    def _split(self, batch: list[bytes], outcome: Outcome) -> None:
        if len(batch) == 1:
            return self._drop(batch, DroppedError("too_large", outcome.detail))
        middle = len(batch) // 2
        return self._batches.extendleft((batch[middle:], batch[:middle]))

    def _refused(self, batch: list[bytes], outcome: Outcome) -> None:
        self._drop(batch, DroppedError("rejected", outcome.detail))

    def _unauthorized(self, batch: list[bytes], outcome: Outcome) -> None:
        if self._queue.survives_exit:  # until the key works again, or the spool is full
            self._callbacks.kept_in_spool(DroppedError("unauthorized", outcome.detail))
            return
        self._queue.closed = "unauthorized"
        self._drop(batch, DroppedError("unauthorized", outcome.detail))

    def _give_up(self) -> None:
        """Drop everything that is left, or leave it to another process."""
        if self._queue.survives_exit:
            self._batches.clear()
            self._queue.release()
            return
        error = DroppedError("shutdown", "not delivered before the deadline")
        if self._queue.closed == "unauthorized":
            error = DroppedError("unauthorized", "the collector does not know the write key")
        while not self.idle:
            self._drop(self._batches.popleft() if self._batches else self._queue.take(), error)

    def _drop(self, events: Sequence[bytes], error: DroppedError) -> None:
        self._queue.dropped(events, error.reason)
        for event in events:
            self._callbacks.dropped(error, event)


def _checked(outcome: object, count: int) -> Outcome:
    """The outcome of a transport, without rejections of events that the batch does not have.

    Raises:
        TypeError: it is not an outcome.
    """
    if not isinstance(outcome, Outcome) or not isinstance(outcome.verdict, Verdict):
        raise TypeError(f"the transport must return an Outcome, not {type(outcome).__name__}")
    rejected = tuple(one for one in outcome.rejected if one.position in range(count))
    return outcome._replace(rejected=rejected)


def _random_fraction() -> float:
    """A number from 0 to 1 that differs between processes, even if the application seeds."""
    return int.from_bytes(os.urandom(7), "big") / 2**56
