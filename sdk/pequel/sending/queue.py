"""The queue of encoded events in memory, and the counts of every event there ever was.

Three calls, the second of them from a signal handler that interrupts the first in `_enqueue`:

    put(a)   inbox [a]     lock free: drain  ->  ready [a]      wakes the sender
      put(b) inbox [a, b]  lock taken by this very thread: leave b there, return
             inbox [b]     the interrupted drain goes on         ->  ready [a, b]
    take()   [a, b]        the events stay in the counts as queued ...
    delivered([a, b])      ... until their fate is known: accepted 2 = delivered 2 + 0 + 0
"""

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
    recovered: int = 0  # accepted events that other processes had left in the spool


class FlushTarget(NamedTuple):
    """What must be delivered or dropped before a flush is done.

    Attributes:
        events: number of events that this process queued, ever.
        files: number of spool files that it took over from others, ever.
    """

    events: int
    files: int = 0


class EventQueue:
    """Events between the threads that track and the one that sends.

    No call waits. `put` appends an event to the inbox; then it drains the inbox if no other
    thread is doing so. If one is, that thread drains this event too. The lock is reentrant, so a
    signal handler or a finalizer that interrupts the draining thread does not deadlock; the
    interrupted thread drains its event.

    An event leaves the inbox only once it is counted: a signal handler may raise in between, and
    a flush may look from another thread. Between the two the code calls no function, since Python
    runs signal handlers at calls.

    Every count only grows and has one writer at a time: the draining thread for what comes in, the
    sender for what goes out.

    Attributes:
        closed: why new events are dropped; None while they are accepted.
        enqueued: events that were queued, ever.
        finished: how many of them are delivered or dropped.
        survives_exit: whether undelivered events are left to another process.
    """

    survives_exit = False

    def __init__(self, options: Options, wake_sender: Callable[[], None] = lambda: None) -> None:
        self.closed: Reason | None = None
        self.enqueued = 0
        self.finished = 0
        self._options = options
        self._wake_sender = wake_sender
        self._inbox: deque[bytes | Reason] = deque()
        self._ready: deque[bytes] = deque()
        self._lock = threading.RLock()
        self._draining_thread: int | None = None
        self._dropped_before_queue: dict[Reason, int] = {}
        self._bytes_in = 0
        self._delivered = 0
        self._dropped_from_queue: dict[Reason, int] = {}
        self._bytes_out = 0
        self._recovered = 0
        self._recovered_bytes = 0

    # For the threads that track

    def put(self, event: bytes) -> list[tuple[bytes, Reason]]:
        """Queue an event; returns the events that had to be dropped instead, and why."""
        self._inbox.append(event)
        return self.drain()

    def has_room(self, size: int) -> bool:
        """Whether an event of this size would not be dropped for a full queue, now or ever."""
        self.drain()
        hopeless = self.closed is not None or size > self._options.max_queue_bytes
        return hopeless or self._full_reason(self.queued_bytes + size) is None

    def count_drop(self, reason: Reason) -> None:
        """Count an event that is dropped before it is queued."""
        self._inbox.append(reason)
        self.drain()

    def drain(self) -> list[tuple[bytes, Reason]]:
        """Move the inbox to the queue, unless another call is doing so; returns what it dropped."""
        dropped: list[tuple[bytes, Reason]] = []
        while self._inbox and self._lock.acquire(False):
            try:
                if self._draining_thread is not None:
                    break  # this call interrupts it
                self._drain(dropped)
            finally:
                self._lock.release()
        return dropped

    @property
    def draining_elsewhere(self) -> bool:
        """Whether another thread is about to queue what is in the inbox."""
        return bool(self._inbox) and self._draining_thread != threading.get_ident()

    # For the sender

    @property
    def waiting(self) -> int:
        """Events of this process that the sender has not taken yet."""
        return len(self._ready)

    @property
    def queued_bytes(self) -> int:
        """Bytes of events that are neither delivered nor dropped."""
        out = self._bytes_out
        return self._bytes_in + self._recovered_bytes - out

    @property
    def dropped_from_queue(self) -> int:
        """Events that were queued and then dropped."""
        return sum(self._dropped_from_queue.values())

    def take(self) -> list[bytes]:
        """The oldest events, as many as fit a batch; they still count as queued."""
        batch: list[bytes] = []
        room = self._options.batch_bytes
        while self._ready and len(batch) < self._options.batch_events:
            room -= len(self._ready[0]) + 1  # and a comma
            if batch and room < 0:
                break
            batch.append(self._ready.popleft())
        return batch

    def take_recovered(self) -> list[bytes]:
        """The same for events that another process left behind."""
        return []

    def maintain(self) -> None:
        """Do the regular work besides sending, if there is any."""

    def limit_wait(self, seconds: float | None) -> float | None:
        """Shorten the sender's wait if `maintain` is due earlier."""
        return seconds

    def release(self) -> None:
        """Leave undelivered events to other processes. The sender must hold no batch."""

    def delivered(self, events: Sequence[bytes]) -> None:
        """Count events as delivered."""
        self._delivered += len(events)
        self._mark_finished(events)

    def dropped(self, events: Sequence[bytes], reason: Reason) -> None:
        """Count events as dropped."""
        if not events:
            return
        count = self._dropped_from_queue.get(reason, 0)
        self._dropped_from_queue[reason] = count + len(events)
        self._mark_finished(events)

    # For everyone

    def flush_target(self, recovered: bool = True) -> FlushTarget:  # noqa: ARG002 - none in memory
        """Everything that is here now, for a flush to wait for; with recovered files, or not."""
        return FlushTarget(self.enqueued)

    def reached(self, target: FlushTarget) -> bool:
        """Whether all of that is delivered or dropped."""
        return self.finished >= target.events

    @property
    def lost_if_we_exit(self) -> int:
        """Events that are gone when the process ends."""
        return self.stats().queued

    def stats(self) -> Stats:
        """The counts as of now."""
        self.drain()
        # Counts of what went out are read before those of what came in, so that the difference,
        # the queued events, is never too small.
        out, delivered, lost = self._bytes_out, self._delivered, dict(self._dropped_from_queue)
        early = dict(self._dropped_before_queue)
        recovered, bytes_in = self._recovered, self._bytes_in + self._recovered_bytes
        enqueued = self.enqueued + recovered
        dropped: dict[str, int] = {
            name: early.get(name, 0) + lost.get(name, 0) for name in {**early, **lost}
        }
        return Stats(
            accepted=enqueued + sum(early.values()),
            delivered=delivered,
            dropped=sum(dropped.values()),
            queued=enqueued - delivered - sum(lost.values()),
            queued_bytes=bytes_in - out,
            dropped_by_reason=dropped,
            recovered=recovered,
        )

    def _drain(self, dropped: list[tuple[bytes, Reason]]) -> None:
        self._draining_thread = threading.get_ident()
        try:
            while self._inbox:
                item = self._inbox[0]
                if isinstance(item, str):
                    self._count_drop(item)
                else:
                    self._enqueue(item, dropped)
        finally:
            self._draining_thread = None

    def _enqueue(self, event: bytes, dropped: list[tuple[bytes, Reason]]) -> None:
        size = len(event)
        queued_bytes = self._bytes_in - self._bytes_out + size
        reason = self.closed or self._full_reason(queued_bytes)
        if reason:
            self._count_drop(reason)
            dropped.append((event, reason))
            return
        self.enqueued += 1
        self._bytes_in += size
        del self._inbox[0]
        self._ready += (event,)
        batch_is_full = 0 <= queued_bytes - self._options.batch_bytes < size
        if batch_is_full or len(self._ready) in (1, self._options.batch_events):
            self._wake_sender()

    def _full_reason(self, queued_bytes: int) -> Reason | None:
        """Why an event that would make the queue this long is dropped; None if it fits."""
        too_many = self._bounded_events() >= self._options.max_queue_events
        return "queue_full" if too_many or queued_bytes > self._options.max_queue_bytes else None

    def _bounded_events(self) -> int:
        """The number of events that `max_queue_events` bounds."""
        return self.enqueued - self.finished

    def _count_drop(self, reason: Reason) -> None:
        count = self._dropped_before_queue.get(reason, 0) + 1
        del self._inbox[0]
        self._dropped_before_queue[reason] = count

    def _mark_finished(self, events: Sequence[bytes]) -> None:
        self._bytes_out += sum(map(len, events))
        self.finished += len(events)
