"""Sending, step by step: which batch is due, and what follows from its outcome."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from pequel.backoff import backoff
from pequel.clock import Clock
from pequel.errors import DroppedError
from pequel.sending.transport import Delivery, FullTransport, Outcome, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pequel.config import Options
    from pequel.sending.callbacks import Callbacks
    from pequel.sending.client_report import ClientReports
    from pequel.sending.queue import EventQueue
    from pequel.sending.transport import Transport


_SHORTLY = 0.01
REPORT_INTERVAL = 60.0  # seconds that a report waits for a batch to go along with


class Sender:
    """Empties an outbox into a transport. Has no thread: each step does what is due now.

    A batch once made keeps its events in their order until it is delivered, dropped or split,
    and none behind it is sent before that.

    Attributes:
        urgent: somebody waits; do not let events wait for others.
        abandoned: send nothing more, drop what is left.
        parting: this is the end; a report that is due does not wait for a batch.
        deadline: when the one who waits will have waited long enough, on the clock's seconds.
    """

    def __init__(
        self,
        outbox: EventQueue,
        transport: Transport,
        options: Options,
        reporter: Callbacks,
        clock: Clock | None = None,
        jitter: Callable[[], float] | None = None,
        reports: ClientReports | None = None,
    ) -> None:
        self.urgent = False
        self.abandoned = False
        self.parting = False
        self.deadline: float | None = None
        self._outbox = outbox
        self._transport = transport
        self._options = options
        self._reporter = reporter
        self._clock = clock or Clock()
        self._jitter = jitter or _fraction
        self._batches: deque[list[bytes]] = deque()
        self._waiting_since: float | None = None
        self._failures = 0
        self._try_at = 0.0
        self._asked_to_wait_until = 0.0
        self._full = transport if isinstance(transport, FullTransport) else None
        self._reports = reports if self._full else None
        self._report_at: float | None = None
        self._reported_last = False

    @property
    def idle(self) -> bool:
        """Whether nothing is left to send."""
        return not self._batches and not self._outbox.waiting

    @property
    def told(self) -> bool:
        """Whether nothing is left to report, or nobody to report to, or at the end it was tried."""
        if self._reports is None or self._outbox.closed == "unauthorized":
            return True
        return self._reported_last or not self._reports.due

    def step(self) -> float | None:
        """Do one thing if one is due; returns the seconds until the next may be.

        None means that nothing waits.
        """
        if self.abandoned or self._outbox.closed == "unauthorized":
            self._give_up()
            return None
        self._outbox.tidy()
        batch = self._next_batch()
        if batch is None:
            return _SHORTLY if self._due() else self._report_or_wait()
        wait = self._try_at - self._clock.monotonic()
        if wait > 0:
            return wait
        self._follow(batch, self._try(batch))
        return 0.0

    def settle(self) -> None:
        """Know that the thread which calls does nothing but send."""
        self._reporter.settle()

    def stop_backing_off(self) -> None:
        """Make the next try at once, unless the collector itself asked to wait."""
        self._try_at = self._asked_to_wait_until

    def close(self) -> None:
        """Let go of the connection, if the transport keeps one; the next try opens another."""
        close = getattr(self._transport, "close", None)
        if close is not None:
            close()

    def _next_batch(self) -> list[bytes] | None:
        if not self._batches and (events := self._take()):
            self._batches.append(events)
        return self._batches[0] if self._batches else None

    def _take(self) -> list[bytes]:
        """Events of this process if they are due, else what another left behind."""
        if not self._due():
            return self._outbox.take_recovered()
        self._waiting_since = None
        return self._outbox.take()

    def _due(self) -> bool:
        waiting = self._outbox.waiting
        full = (
            waiting >= self._options.batch_events
            or self._outbox.queued_bytes >= self._options.batch_bytes
        )
        return waiting > 0 and (full or self.urgent or self._until_due() == 0)

    def _until_due(self) -> float | None:
        """Seconds until the events waiting have waited long enough; None when there are none."""
        if not self._outbox.waiting:
            return None
        now = self._clock.monotonic()
        if self._waiting_since is None:
            self._waiting_since = now
        return max(0.0, self._waiting_since + self._options.flush_interval - now)

    def _report_or_wait(self) -> float | None:
        """Send a report by itself, if one has waited long enough."""
        waits = [self._until_due(), self._until_report()]
        if waits[1] == 0:
            self._report()
            return 0.0
        return min((wait for wait in waits if wait is not None), default=None)

    def _until_report(self) -> float | None:
        """Seconds until a report goes by itself; None when none is due, or this is a bad time."""
        now = self._clock.monotonic()
        if self.told or (self.parting and self._try_at > now):
            self._report_at, self._reported_last = None, self.parting
            return None
        if self._report_at is None:
            self._report_at = now + REPORT_INTERVAL
        return 0.0 if self.parting else max(0.0, self._report_at - now, self._try_at - now)

    def _report(self) -> None:
        self._report_at, self._reported_last = None, self.parting
        outcome = self._try(())
        if outcome.verdict is Verdict.UNAUTHORIZED:
            self._unauthorized([], outcome)

    def _try(self, batch: Sequence[bytes]) -> Outcome:
        try:
            outcome = _checked(self._deliver(batch), len(batch))
        except BaseException as error:  # noqa: BLE001 - a transport may be anybody's
            self._reporter.pass_on(error)
            return Outcome(Verdict.RETRY, f"{type(error).__name__}: {error}")
        if outcome.verdict is Verdict.DELIVERED and self._reports is not None:
            self._reports.received()
        return outcome

    def _deliver(self, batch: Sequence[bytes]) -> Outcome:
        if self._full is None:
            return self._transport.send(batch)
        report = None if self._reports is None else self._reports.take()
        left = None if self.deadline is None else self.deadline - self._clock.monotonic()
        return self._full.deliver(Delivery(batch, report, left))

    def _follow(self, batch: list[bytes], outcome: Outcome) -> None:
        if self._outbox.keeps and outcome.verdict is Verdict.UNAUTHORIZED:
            self._unauthorized([], outcome)
            outcome = outcome._replace(verdict=Verdict.RETRY)
        refused = outcome.verdict is Verdict.REFUSED
        if outcome.verdict is Verdict.RETRY or (refused and self._outbox.keeps):
            self._wait_before_next_try(outcome)
            if not self._exhausting(outcome.verdict):
                return
        self._batches.popleft()
        self._failures = 0
        follow = {
            Verdict.DELIVERED: self._delivered,
            Verdict.RETRY: self._exhausted,
            Verdict.SPLIT: self._split,
            Verdict.REFUSED: self._dropped_before_queue,
            Verdict.UNAUTHORIZED: self._unauthorized,
        }
        follow[outcome.verdict](batch, outcome)

    def _exhausting(self, verdict: Verdict) -> bool:
        """Whether to give a batch up. A spool outlasts any outage, and refusals for a while."""
        endless = self._outbox.keeps and verdict is Verdict.RETRY
        return not endless and self._failures > self._options.max_retries

    def _wait_before_next_try(self, outcome: Outcome) -> None:
        """Also when this batch is given up: the next would fare no better."""
        self._failures += 1
        now = self._clock.monotonic()
        asked = min(outcome.retry_after or 0.0, self._options.max_retry_after)
        chosen = backoff(self._failures, self._jitter(), self._options.max_retry_wait)
        self._asked_to_wait_until = now + asked
        self._try_at = now + max(asked, chosen)

    def _delivered(self, batch: list[bytes], outcome: Outcome) -> None:
        refused = {one.position: one for one in outcome.rejected}
        places = sorted(refused)
        self._outbox.dropped([batch[place] for place in places], "rejected")
        self._outbox.delivered([event for i, event in enumerate(batch) if i not in refused])
        for place in places:
            _, code, message, field = refused[place]
            error = DroppedError("rejected", message or code, field=field, code=code)
            self._reporter.dropped(error, batch[place])
        self._reporter.qualified(outcome.qualified)

    def _exhausted(self, batch: list[bytes], outcome: Outcome) -> None:
        self._drop(batch, DroppedError("retries_exhausted", outcome.detail))

    def _split(self, batch: list[bytes], outcome: Outcome) -> None:
        if len(batch) == 1:
            return self._drop(batch, DroppedError("too_large", outcome.detail))
        middle = len(batch) // 2
        return self._batches.extendleft((batch[middle:], batch[:middle]))

    def _dropped_before_queue(self, batch: list[bytes], outcome: Outcome) -> None:
        self._drop(batch, DroppedError("rejected", outcome.detail))

    def _unauthorized(self, batch: list[bytes], outcome: Outcome) -> None:
        if self._outbox.keeps:  # until the key works again, or the room is needed
            self._reporter.kept(DroppedError("unauthorized", outcome.detail))
            return
        self._outbox.closed = "unauthorized"
        self._drop(batch, DroppedError("unauthorized", outcome.detail))

    def _give_up(self) -> None:
        """Drop everything that is left, or leave it to another process."""
        if self._outbox.keeps:
            self._batches.clear()
            self._outbox.release()
            return
        error = DroppedError("shutdown", "not delivered before the deadline")
        if self._outbox.closed == "unauthorized":
            error = DroppedError("unauthorized", "the collector does not know the write key")
        while not self.idle:
            self._drop(self._batches.popleft() if self._batches else self._outbox.take(), error)

    def _drop(self, events: Sequence[bytes], error: DroppedError) -> None:
        self._outbox.dropped(events, error.reason)
        for event in events:
            self._reporter.dropped(error, event)


def _checked(outcome: object, count: int) -> Outcome:
    """What a transport gave, without rejections that name no event of so many.

    Raises:
        TypeError: it is no outcome.
    """
    if not isinstance(outcome, Outcome) or not isinstance(outcome.verdict, Verdict):
        raise TypeError(f"the transport must give an Outcome, not {type(outcome).__name__}")
    rejected = tuple(one for one in outcome.rejected if one.position in range(count))
    return outcome._replace(rejected=rejected)


def _fraction() -> float:
    """A number from 0 to 1, whatever the application seeds, and different in every process."""
    import random  # rarely needed, and slow to import

    return random.SystemRandom().random()
