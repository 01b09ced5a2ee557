"""The queue on disk. Events wait in files; in memory only while the disk cannot be written.

pid 200, put(a)      a is in segment 1 of journal 200 when the call returns
pid 200, search      journal 100 has no living owner: lock it, `recovered` grows as it is read
take()               [a] from its own journal, while events of its own are due
take_recovered()     else a batch from journal 100
disk full, put(b)    b waits in memory; the disk is tried again each second
"""

from __future__ import annotations

import errno
import threading
from collections import deque
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from pequel.errors import DroppedError
from pequel.log import logger
from pequel.sending.queue import EventQueue, FlushTarget
from pequel.spool import journal, locks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pequel.clock import Clock
    from pequel.config import Options
    from pequel.errors import Reason
    from pequel.sending.callbacks import Callbacks
    from pequel.spool.journal import Journal
    from pequel.spool.segment import Record, Segment

_SEGMENT_BYTES = 1_048_576
_LEAST_SEGMENT_BYTES = 4_096
_SEGMENTS = 16  # `spool_bytes` holds at least so many
_SEARCH_INTERVAL = 10.0
_DISK_RETRY_INTERVAL = 1.0
_MOST_RECOVERED = 64  # journals of others open at a time, for each takes a descriptor
_LOCK_TIMEOUT = 0.05
_WRITE_BYTES = 65_536  # of events that wait for the disk, in one call of `write`


class Spool(EventQueue):
    """Events in a folder, where they outlive the process and an outage of the collector.

    `put` appends to the journal of this process, from which the sender reads. The sender also takes
    over journals that other processes left behind, and sends their events when none of its own
    are due.

    Journals are written under the lock, one thread at a time, and read by the sender. A thread
    writes the events of those who wait for the lock too, in one call of `write`. A signal
    handler or a finalizer that interrupts the writing thread leaves its event in memory; the
    interrupted thread writes it.
    """

    survives_exit = True

    def __init__(
        self,
        options: Options,
        wake_sender: Callable[[], None],
        clock: Clock,
        callbacks: Callbacks,
    ) -> None:
        super().__init__(options, wake_sender)
        self._folder = Path(options.spool)
        share = min(_SEGMENT_BYTES, options.spool_bytes // _SEGMENTS)
        self._segment_bytes = max(_LEAST_SEGMENT_BYTES, share)
        self._clock = clock
        self._callbacks = callbacks
        # Changed under the lock
        self._own: Journal | None = None
        self._memory: list[bytes] = []
        self._memory_bytes = 0
        self._written = 0
        self._writing = False
        self._disk_failing = False
        self._disk_failure_logged = False
        self._retry_disk_at = 0.0
        # Changed by the sender
        self._read = 0
        self._in_flight: deque[Record | bytes] = deque()  # taken from one source, not finished
        self._in_flight_source: Journal | None = None  # None is memory
        self._size_changed = False
        # Journals of other processes
        self._searching = threading.Lock()
        self._search_at = 0.0
        self._searched = False
        self._released = False
        self._recovered_journals: deque[Journal] = deque()
        self._recovered_files = 0
        self._recovered_files_done = 0
        self._recovered_bytes_out = 0

    # For the threads that track

    def drain(self) -> list[tuple[bytes, Reason]]:
        """Write the inbox to disk, after another thread that is writing has finished.

        So an event is on disk when the call returns. A disk that hangs is waited for only briefly.
        """
        dropped: list[tuple[bytes, Reason]] = []
        while self._lock.acquire(timeout=_LOCK_TIMEOUT):
            try:
                if self._draining_thread is not None:
                    break  # this call interrupts it
                self._drain(dropped)
            finally:
                self._lock.release()
            if not self._inbox:
                break
        return dropped

    def has_room(self, size: int) -> bool:
        """The same; while the disk can be written, there is always room."""
        return not self._disk_failing or super().has_room(size)

    def _drain(self, dropped: list[tuple[bytes, Reason]]) -> None:
        """Queue what is in the inbox, then write all of it at once."""
        self._draining_thread = threading.get_ident()
        try:
            while self._inbox:
                enqueued, bytes_in = self.enqueued, self._bytes_in
                for _ in range(len(self._inbox)):
                    item = self._inbox[0]
                    if isinstance(item, str):
                        self._count_drop(item)
                    else:
                        self._enqueue(item, dropped)
                self._write()
                self._wake_for(self.enqueued - enqueued, self._bytes_in - bytes_in)
        finally:
            self._draining_thread = None

    def _enqueue(self, event: bytes, dropped: list[tuple[bytes, Reason]]) -> None:
        size = len(event)
        reason = self.closed or (
            self._disk_failing and self._full_reason(self._memory_bytes + size)
        )
        if reason:
            self._count_drop(reason)
            dropped.append((event, reason))
            return
        self.enqueued += 1
        self._bytes_in += size
        if self._disk_failing:
            self._memory_bytes += size
        del self._inbox[0]
        self._memory += (event,)

    def _wake_for(self, events: int, size: int) -> None:
        """Wake the sender if these events are the first ones that wait, or fill a batch."""
        most = self._options.batch_events
        before = self.waiting - events
        fills = before < most <= before + events
        if events and (
            before <= 0 or fills or 0 <= self.queued_bytes - self._options.batch_bytes < size
        ):
            self._wake_sender()

    def _bounded_events(self) -> int:
        """Those that wait in memory; `spool_bytes` bounds the files."""
        return len(self._memory)

    def _write(self) -> None:
        while self._memory and not (self._writing or self._disk_failing):
            self._writing = True
            try:
                self._write_memory()
            finally:
                self._writing = False

    def _write_memory(self) -> None:
        while self._memory and not self._disk_failing:
            lines = self._own.lines if self._own else 0
            try:
                if self._own is None:
                    self._own = journal.create(self._folder, self._segment_bytes)
                begins_segment = self._own.append(_fitting(self._memory))
            except OSError as error:
                return self._disk_failed(error)
            finally:  # a signal handler may have raised, even after the write
                if self._own is not None and self._own.lines > lines:
                    written = self._own.lines - lines
                    self._written += written
                    del self._memory[:written]
            if begins_segment:
                self._segment_begun()
        return None

    def _segment_begun(self) -> None:
        self._size_changed = True
        self._wake_sender()
        if self.queued_bytes > 2 * self._options.spool_bytes:
            if self._own is not None:
                self._own.seal()
            self._disk_failed(OSError(errno.ENOSPC, "the sender is too slow in making room"))

    def _disk_failed(self, error: OSError) -> None:
        self._disk_failing = True
        self._memory_bytes = sum(map(len, self._memory))
        self._retry_disk_at = self._clock.monotonic() + _DISK_RETRY_INTERVAL
        if not self._disk_failure_logged:
            self._disk_failure_logged = True
            logger.warning("events wait in memory, as the spool cannot be written: %s", error)
        self._wake_sender()

    # For the sender

    @property
    def waiting(self) -> int:
        """Events of this process that the sender has not taken yet."""
        return self._written - self._read + len(self._memory)

    @property
    def queued_bytes(self) -> int:
        """Bytes of events of this process that are neither delivered nor dropped."""
        out = self._bytes_out - self._recovered_bytes_out
        return self._bytes_in - out

    def take(self) -> list[bytes]:
        """The oldest events of this process, from disk, then from memory."""
        records = self._records(self._own, self._own_segment_ended) if self._own else []
        self._read += len(records)
        return self._taken(records, self._own) or self._taken(self._from_memory(), None)

    def take_recovered(self) -> list[bytes]:
        """The oldest events of another process."""
        while self._recovered_journals:
            source = self._recovered_journals[0]
            records = self._records(source, self._recovered_segment_ended)
            if records:
                return self._taken(records, source)
            self._recovered_journals.popleft().close()
            self._search_at = 0.0  # there may be more than could be taken over at once
        return []

    def maintain(self) -> None:
        """Try a failing disk again, look for journals of ended processes, and make room."""
        now = self._clock.monotonic()
        if self._memory and not (self._disk_failing and now < self._retry_disk_at):
            self._retry_disk()
        if self._own is not None and self._own.damaged:
            self._seal_damaged_segment()
        if now >= self._search_at:
            self._search()
        if self._size_changed:
            self._size_changed = False
            self._make_room()

    def limit_wait(self, seconds: float | None) -> float | None:
        """Wait no longer than until the next search or try of the disk."""
        if self._released:
            return seconds
        at = min(self._search_at, self._retry_disk_at) if self._disk_failing else self._search_at
        due = max(0.0, at - self._clock.monotonic())
        return due if seconds is None else min(seconds, due)

    def release(self) -> None:
        """Write what waits in memory, or drop it; then leave all that is left to others."""
        with self._exclusive() as exclusive:
            if not exclusive:
                return
            unsent = bool(self._in_flight)
            self._return_in_flight()
            self._disk_failing = False
            self._write_memory()
            self._drop_memory()
            self._close(unsent)
            self._released = self.closed is not None

    def _records(self, source: Journal, on_ended: Callable[[Segment], None]) -> list[Record]:
        """The next events of a journal, as many as fit a batch."""
        records: list[Record] = []
        room = self._options.batch_bytes
        try:
            while len(records) < self._options.batch_events:
                record = source.peek(self._segment_recovered, on_ended)
                if record is None or (records and len(record.event) >= room):
                    break
                source.advance()
                records.append(record)
                room -= len(record.event) + 1  # and a comma
        except OSError:
            if not records:
                raise
        return records

    def _taken(self, events: Sequence[Record | bytes], source: Journal | None) -> list[bytes]:
        if events:
            self._in_flight.extend(events)
            self._in_flight_source = source
        return [event if isinstance(event, bytes) else event.event for event in events]

    def _from_memory(self) -> list[bytes]:
        """Events that cannot be written, as many as fit a batch."""
        events: list[bytes] = []
        with self._exclusive() as exclusive:
            room = self._options.batch_bytes
            while exclusive and self._disk_failing and self._memory:
                size = len(self._memory[0])
                if len(events) >= self._options.batch_events or (events and size >= room):
                    break
                room -= size + 1
                self._memory_bytes -= size
                events.append(self._memory.pop(0))
        return events

    def _mark_finished(self, events: Sequence[bytes]) -> None:
        if not events:
            return
        records = [self._in_flight.popleft() for _ in events]
        size = sum(map(len, events))
        self._bytes_out += size
        source = self._in_flight_source
        if source is not None:
            source.finish([record for record in records if not isinstance(record, bytes)])
        if source is None or source is self._own:
            self.finished += len(events)
        else:
            self._recovered_bytes_out += size

    def _segment_recovered(self, segment: Segment) -> None:
        self._recovered += segment.written.lines
        self._recovered_bytes += segment.written.bytes

    def _own_segment_ended(self, segment: Segment) -> None:
        lines = self._drop_unreadable(segment)
        self.finished += lines
        self._read += lines

    def _recovered_segment_ended(self, segment: Segment) -> None:
        before = self._bytes_out
        self._drop_unreadable(segment)
        self._recovered_bytes_out += self._bytes_out - before
        self._recovered_files_done += 1

    def _drop_unreadable(self, segment: Segment) -> int:
        """Count the events that were written to a segment but not found in it."""
        lines = segment.written.lines - segment.taken.lines
        if lines <= 0:
            return 0
        self._add_dropped("spool_unreadable", lines, segment.written.bytes - segment.taken.bytes)
        error = DroppedError("spool_unreadable", f"{lines} events in {segment.path.name}")
        self._callbacks.dropped(error, None)
        return lines

    def _add_dropped(self, reason: Reason, number: int, size: int) -> None:
        self._dropped_from_queue[reason] = self._dropped_from_queue.get(reason, 0) + number
        self._bytes_out += size

    # Room

    def _make_room(self) -> None:
        """Delete the oldest files until the folder is no larger than `spool_bytes`."""
        sizes = journal.sizes(self._folder)
        excess = sum(size for _, size in sizes.values()) - self._options.spool_bytes
        if excess <= 0:
            return
        written_at = {name: when for name, (when, _) in sizes.items()}
        for owner, segment in sorted(
            self._deletable(),
            key=lambda one: (written_at.get(one[1].path.name, 0.0), one[1].path.name),
        ):
            excess -= sizes.get(segment.path.name, (0.0, 0))[1]
            self._drop_segment(owner, segment)
            if excess <= 0:
                return

    def _deletable(self) -> list[tuple[Journal, Segment]]:
        """Segments that are neither being written nor being sent."""
        owners = [owner for owner in (self._own, *self._recovered_journals) if owner is not None]
        return [
            (owner, segment)
            for owner in owners
            for segment in list(owner.segments)
            if segment is not owner.current and not segment.begun
        ]

    def _drop_segment(self, owner: Journal, segment: Segment) -> None:
        events: list[bytes] = []
        with suppress(OSError):  # it is deleted, whether or not it can be read
            if owner is not self._own:
                segment.count()
            while records := segment.read():
                events += [record.event for record in records]
        owner.discard(segment)
        lines, size = segment.written
        if owner is self._own:
            self.finished += lines
            self._read += lines
        else:
            self._segment_recovered(segment)
            self._recovered_bytes_out += size
            self._recovered_files_done += 1
        self._add_dropped("spool_full", lines, size)
        error = DroppedError("spool_full", "the spool is full, and this event was the oldest")
        for event in events:
            self._callbacks.dropped(error, event)

    # Journals of other processes

    def _search(self) -> None:
        self._search_at = self._clock.monotonic() + _SEARCH_INTERVAL
        if self._released or not self._searching.acquire(blocking=False):
            return
        try:
            if locks.AVAILABLE or not self._searched:
                self._take_over()
            self._searched = True
        finally:
            self._searching.release()

    def _take_over(self) -> None:
        own_name = self._own.name if self._own else ""
        room = _MOST_RECOVERED - len(self._recovered_journals)
        for found in islice(journal.take_over(self._folder, own_name), room):
            self._recovered_files += len(found.segments)
            self._recovered_journals.append(found)
            self._size_changed = True

    # The disk

    @contextmanager
    def _exclusive(self) -> Iterator[bool]:
        """Hold the lock; yields False if another thread, or code it interrupted, is writing."""
        if not self._lock.acquire(timeout=_LOCK_TIMEOUT):
            yield False
            return
        was_writing, self._writing = self._writing, True
        try:
            yield not was_writing
        finally:
            self._writing = was_writing
            self._lock.release()

    def _retry_disk(self) -> None:
        with self._exclusive() as exclusive:
            if exclusive:
                self._disk_failing = False
                self._write_memory()

    def _seal_damaged_segment(self) -> None:
        """Append no more to a file that cannot be read, so that its events can be counted."""
        with self._exclusive() as exclusive:
            if exclusive and self._own is not None:
                self._own.seal()

    def _return_in_flight(self) -> None:
        """Take back what the sender holds; events that were in memory return there."""
        events = [event for event in self._in_flight if isinstance(event, bytes)]
        self._in_flight.clear()
        self._memory[:0] = events

    def _drop_memory(self) -> None:
        error = DroppedError("shutdown", "neither delivered nor spooled before the deadline")
        while self._memory:
            event = self._memory.pop(0)
            self.finished += 1
            self._add_dropped("shutdown", 1, len(event))
            self._callbacks.dropped(error, event)

    def _close(self, unsent: bool) -> None:
        own, self._own = self._own, None
        if own is not None:
            own.seal()
            with suppress(OSError):  # another process may be able to read it later
                if not unsent:
                    own.peek(self._segment_recovered, self._own_segment_ended)
            own.close()
        self._read = self._written
        while self._recovered_journals:
            self._recovered_journals.popleft().close()

    # For everyone

    def flush_target(self, recovered: bool = True) -> FlushTarget:
        """All events of this process, and with `recovered` what others have left by now."""
        if not recovered:
            return FlushTarget(self.enqueued)
        self._search()
        return FlushTarget(self.enqueued, self._recovered_files)

    def reached(self, target: FlushTarget) -> bool:
        """Whether all of that is delivered or dropped."""
        sending_recovered = self._in_flight and self._in_flight_source not in (None, self._own)
        files_done = self._recovered_files_done >= target.files and not sending_recovered
        return super().reached(target) and (target.files == 0 or files_done)

    @property
    def lost_if_we_exit(self) -> int:
        """Events that are in memory only."""
        in_flight = sum(isinstance(event, bytes) for event in list(self._in_flight))
        return len(self._memory) + in_flight


def _fitting(events: Sequence[bytes]) -> Sequence[bytes]:
    """The first events, as many as fit one call of `write`, and at least one."""
    room, number = _WRITE_BYTES, 0
    while number < len(events) and (number == 0 or room >= len(events[number])):
        room -= len(events[number])
        number += 1
    return events[:number]
