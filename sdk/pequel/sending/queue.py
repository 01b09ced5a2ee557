"""The queue of encoded events, and the books about every event there ever was."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pequel.config import Options
    from pequel.errors import Reason


class Stats(NamedTuple):
    """What became of the events so far. Always `accepted = delivered + dropped + queued`."""

    accepted: int
    delivered: int
    dropped: int
    queued: int
    queued_bytes: int
    dropped_by_reason: dict[str, int]
    recovered: int = 0  # of those accepted: what other processes had left in the spool


class Goal(NamedTuple):
    """What has to be finished for a flush to be done.

    Attributes:
        own: number of events that this process queued.
        found: number of files that it took over from others.
    """

    own: int
    found: int = 0


class EventQueue:
    """Events between the threads that track and the one that sends.

    Nobody waits here. Who puts an event leaves it in the inbox and then, if the door is free,
    enters and books all that lies there; if it is not, the one inside books it too. The door
    opens again to the thread that is inside already, so that a signal handler or a finalizer
    which interrupts it does not get stuck; what that put is booked by the one it interrupted.

    An event leaves the inbox when it is booked, and not before: a signal handler may raise in
    the middle, and a flush may look from outside. From there to where it is booked nothing is
    called, for at a call is where handlers run.

    Every number only grows and has one writer at a time: the one inside the door for what came
    in, the sender for what went out.

    Attributes:
        closed: why nothing more is taken in, if it is not.
        enqueued: events that were queued.
        finished: how many of them are delivered or dropped.
        keeps: what is not delivered in time is not lost, but left to another process.
    """

    keeps = False

    def __init__(self, options: Options, ring: Callable[[], None] = lambda: None) -> None:
        self.closed: Reason | None = None
        self.enqueued = 0
        self.finished = 0
        self._options = options
        self._ring = ring
        self._inbox: deque[bytes | Reason] = deque()
        self._ready: deque[bytes] = deque()
        self._lock = threading.RLock()
        self._draining_thread: int | None = None  # the thread that books what is in the inbox
        self._dropped_before_queue: dict[Reason, int] = {}
        self._bytes_in = 0
        self._delivered = 0
        self._lost: dict[Reason, int] = {}
        self._bytes_out = 0
        self._recovered = 0
        self._recovered_bytes = 0

    # For the threads that track

    def put(self, event: bytes) -> list[tuple[bytes, Reason]]:
        """Queue an event; returns the events that were refused meanwhile, and why."""
        self._inbox.append(event)
        return self.book()

    def refuse(self, reason: Reason) -> None:
        """Count an event that is dropped before it was queued."""
        self._inbox.append(reason)
        self.book()

    def book(self) -> list[tuple[bytes, Reason]]:
        """Book what lies in the inbox, unless somebody else is at it."""
        refused: list[tuple[bytes, Reason]] = []
        while self._inbox and self._lock.acquire(False):
            try:
                if self._draining_thread is not None:
                    break  # this is what interrupts it
                self._drain(refused)
            finally:
                self._lock.release()
        return refused

    @property
    def drained_elsewhere(self) -> bool:
        """Whether somebody else is about to book what was put."""
        return bool(self._inbox) and self._draining_thread != threading.get_ident()

    # For the sender

    @property
    def waiting(self) -> int:
        """Events that the sender has not taken yet."""
        return len(self._ready)

    @property
    def queued_bytes(self) -> int:
        """Bytes of events that are neither delivered nor dropped."""
        out = self._bytes_out
        return self._bytes_in + self._recovered_bytes - out

    @property
    def lost(self) -> int:
        """Events that were queued and then dropped."""
        return sum(self._lost.values())

    def take(self) -> list[bytes]:
        """The oldest events, as many as make a batch; they stay queued in the books."""
        batch: list[bytes] = []
        room = self._options.batch_bytes
        while self._ready and len(batch) < self._options.batch_events:
            room -= len(self._ready[0]) + 1  # and a comma
            if batch and room < 0:
                break
            batch.append(self._ready.popleft())
        return batch

    def take_recovered(self) -> list[bytes]:
        """The same of events that another process left behind, where there are such."""
        return []

    def tidy(self) -> None:
        """Do what there is to do beside sending."""

    def rest(self, wait: float | None) -> float | None:
        """Seconds after which to look again, where the sender would wait so many."""
        return wait

    def release(self) -> None:
        """Let others have what is kept for them. Nothing may be in the hands of the sender."""

    def delivered(self, events: Sequence[bytes]) -> None:
        """Book events as delivered."""
        self._delivered += len(events)
        self._mark_finished(events)

    def dropped(self, events: Sequence[bytes], reason: Reason) -> None:
        """Book events as dropped."""
        if not events:
            return
        self._lost[reason] = self._lost.get(reason, 0) + len(events)
        self._mark_finished(events)

    # For everyone

    def goal(self, others: bool = True) -> Goal:  # noqa: ARG002 - there are none in memory
        """All that is there now, for a flush to wait for; with what others left, or without."""
        return Goal(self.enqueued)

    def reached(self, goal: Goal) -> bool:
        """Whether all of that is delivered or dropped."""
        return self.finished >= goal.own

    @property
    def lost_if_we_exit(self) -> int:
        """Events that end with the process."""
        return self.stats().queued

    def stats(self) -> Stats:
        """The books, as of now."""
        self.book()
        out, delivered, lost = self._bytes_out, self._delivered, dict(self._lost)
        refused = dict(
            self._dropped_before_queue
        )  # numbers of what came in last, so that none goes missing
        recovered, bytes_in = self._recovered, self._bytes_in + self._recovered_bytes
        enqueued = self.enqueued + recovered
        dropped = _sum(refused, lost)
        return Stats(
            accepted=enqueued + sum(refused.values()),
            delivered=delivered,
            dropped=sum(dropped.values()),
            queued=enqueued - delivered - sum(lost.values()),
            queued_bytes=bytes_in - out,
            dropped_by_reason=dropped,
            recovered=recovered,
        )

    def _drain(self, refused: list[tuple[bytes, Reason]]) -> None:
        self._draining_thread = threading.get_ident()
        try:
            while self._inbox:
                item = self._inbox[0]
                if isinstance(item, str):
                    self._count_refusal(item)
                else:
                    self._enqueue(item, refused)
        finally:
            self._draining_thread = None

    def _enqueue(self, event: bytes, refused: list[tuple[bytes, Reason]]) -> None:
        size = len(event)
        queued_bytes = self._bytes_in - self._bytes_out + size
        reason = self.closed or self._full_reason(queued_bytes)
        if reason:
            self._count_refusal(reason)
            refused.append((event, reason))
            return
        self.enqueued += 1
        self._bytes_in += size
        del self._inbox[0]
        self._ready += (event,)
        filled = 0 <= queued_bytes - self._options.batch_bytes < size
        if filled or len(self._ready) in (1, self._options.batch_events):
            self._ring()

    def _full_reason(self, queued_bytes: int) -> Reason | None:
        """Why an event that would make the queue this long is refused, if it is."""
        full = (
            self.enqueued - self.finished >= self._options.max_queue_events
            or queued_bytes > self._options.max_queue_bytes
        )
        return "queue_full" if full else None

    def _count_refusal(self, reason: Reason) -> None:
        count = self._dropped_before_queue.get(reason, 0) + 1
        del self._inbox[0]
        self._dropped_before_queue[reason] = count

    def _mark_finished(self, events: Sequence[bytes]) -> None:
        self._bytes_out += sum(map(len, events))
        self.finished += len(events)


def _sum(one: dict[Reason, int], other: dict[Reason, int]) -> dict[str, int]:
    return {reason: one.get(reason, 0) + other.get(reason, 0) for reason in {**one, **other}}
