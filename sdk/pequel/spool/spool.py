"""The queue on disk: events wait in files, and in memory only while the disk takes none."""

from __future__ import annotations

import errno
import threading
from collections import deque
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from pequel.errors import DroppedError
from pequel.sending.callbacks import logger
from pequel.sending.queue import EventQueue, Goal
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
_SEGMENTS = 16  # into which the room is divided, at least
_SEARCH_EVERY = 10.0
_TRY_THE_DISK_EVERY = 1.0
_MOST_FOUND = 64  # journals of others at a time, for each takes a descriptor
_PATIENCE = 0.05


class Spool(EventQueue):
    """Events in a folder, where they outlive the process and an outage of the collector.

    What is put is written to the journal of this process, from which the sender reads. Journals
    that other processes left behind are taken over and sent, too, each event after those of this
    process. While the disk takes nothing, events wait in memory.

    Journals are written inside the door, and read by the sender. In the door there is one thread
    at a time; what interrupts it there leaves its event in memory, and the one that was
    interrupted writes it.
    """

    keeps = True

    def __init__(
        self, options: Options, ring: Callable[[], None], clock: Clock, reporter: Callbacks
    ) -> None:
        super().__init__(options, ring)
        self._folder = Path(options.spool)
        share = min(_SEGMENT_BYTES, options.spool_bytes // _SEGMENTS)
        self._segment_bytes = max(_LEAST_SEGMENT_BYTES, share)
        self._clock = clock
        self._reporter = reporter
        # Inside the door
        self._own: Journal | None = None
        self._memory: deque[bytes] = deque()
        self._memory_bytes = 0
        self._written = 0
        self._busy = False
        self._failing = False
        self._complained = False
        self._retry_at = 0.0
        # With the sender
        self._read = 0
        self._out: deque[Record | bytes] = deque()  # taken, its fate open; all of one source
        self._source: Journal | None = None  # none is memory
        self._crowded = False
        # Of others
        self._searching = threading.Lock()
        self._search_at = 0.0
        self._searched = False
        self._over = False
        self._found: deque[Journal] = deque()
        self._found_files = 0
        self._found_done = 0
        self._found_bytes_out = 0

    # For the threads that track

    def book(self) -> list[tuple[bytes, Reason]]:
        """Book what lies in the inbox, once another thread has written what it is at.

        So an event is on disk when the call returns; a disk that hangs is not waited for.
        """
        refused: list[tuple[bytes, Reason]] = []
        while self._lock.acquire(timeout=_PATIENCE):
            try:
                if self._draining_thread is not None:
                    break  # this is what interrupts it
                self._drain(refused)
            finally:
                self._lock.release()
            if not self._inbox:
                break
        return refused

    def _enqueue(self, event: bytes, refused: list[tuple[bytes, Reason]]) -> None:
        size = len(event)
        reason = self.closed or (self._failing and self._full_reason(self._memory_bytes + size))
        if reason:
            self._count_refusal(reason)
            refused.append((event, reason))
            return
        self.enqueued += 1
        self._bytes_in += size
        if self._failing:
            self._memory_bytes += size
        del self._inbox[0]
        self._memory += (event,)
        self._write()
        waiting = self._written - self._read + len(self._memory)
        filled = 0 <= self.queued_bytes - self._options.batch_bytes < size
        if filled or waiting in (1, self._options.batch_events):
            self._ring()

    def _full_reason(self, queued_bytes: int) -> Reason | None:
        """Only what waits in memory is bounded here."""
        full = (
            len(self._memory) >= self._options.max_queue_events
            or queued_bytes > self._options.max_queue_bytes
        )
        return "queue_full" if full else None

    def _write(self) -> None:
        while self._memory and not (self._busy or self._failing):
            self._busy = True
            try:
                self._empty_memory()
            finally:
                self._busy = False

    def _empty_memory(self) -> None:
        while self._memory and not self._failing:
            event = self._memory[0]
            lines = self._own.lines if self._own else 0
            try:
                if self._own is None:
                    self._own = journal.created(self._folder, self._segment_bytes)
                begun = self._own.append(event)
            except OSError as error:
                return self._fail(error)
            finally:  # a signal handler may have raised, even once it was written
                if self._own is not None and self._own.lines > lines:
                    self._written += 1
                    del self._memory[0]
            if begun:
                self._note_a_file()
        return None

    def _note_a_file(self) -> None:
        self._crowded = True
        self._ring()
        if self.queued_bytes > 2 * self._options.spool_bytes:
            if self._own is not None:
                self._own.seal()
            self._fail(OSError(errno.ENOSPC, "the sender lags behind in making room"))

    def _fail(self, error: OSError) -> None:
        self._failing = True
        self._memory_bytes = sum(map(len, self._memory))
        self._retry_at = self._clock.monotonic() + _TRY_THE_DISK_EVERY
        if not self._complained:
            self._complained = True
            logger.warning("events wait in memory, as they cannot be spooled: %s", error)
        self._ring()

    # For the sender

    @property
    def waiting(self) -> int:
        """Events of this process that the sender has not taken yet."""
        return self._written - self._read + len(self._memory)

    @property
    def queued_bytes(self) -> int:
        """Bytes of events of this process that are neither delivered nor dropped."""
        out = self._bytes_out - self._found_bytes_out
        return self._bytes_in - out

    def take(self) -> list[bytes]:
        """The oldest events of this process, from disk, then from memory."""
        records = self._records(self._own, self._own_ended) if self._own else []
        self._read += len(records)
        return self._taken(records, self._own) or self._taken(self._from_memory(), None)

    def take_recovered(self) -> list[bytes]:
        """The oldest events of another process."""
        while self._found:
            records = self._records(self._found[0], self._found_ended)
            if records:
                return self._taken(records, self._found[0])
            self._found.popleft().close()
            self._search_at = 0.0  # there may be more than could be taken over at once
        return []

    def tidy(self) -> None:
        """Try a failing disk again, look for what others left, and make room."""
        now = self._clock.monotonic()
        if self._memory and not (self._failing and now < self._retry_at):
            self._try_the_disk()
        if self._own is not None and self._own.spoiled:
            self._abandon_the_segment()
        if now >= self._search_at:
            self._search()
        if self._crowded:
            self._crowded = False
            self._make_room()

    def rest(self, wait: float | None) -> float | None:
        """No longer than until there is something to tidy."""
        if self._over:
            return wait
        at = min(self._search_at, self._retry_at) if self._failing else self._search_at
        due = max(0.0, at - self._clock.monotonic())
        return due if wait is None else min(wait, due)

    def release(self) -> None:
        """Write down what waits in memory, or drop it; then let others have all that is left."""
        with self._alone() as alone:
            if not alone:
                return
            unsent = bool(self._out)
            self._take_back()
            self._failing = False
            self._empty_memory()
            self._drop_memory()
            self._close(unsent)
            self._over = self.closed is not None

    def _records(self, source: Journal, ended: Callable[[Segment], None]) -> list[Record]:
        """Events that make a batch."""
        records: list[Record] = []
        room = self._options.batch_bytes
        try:
            while len(records) < self._options.batch_events:
                record = source.peek(self._begun, ended)
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
            self._out.extend(events)
            self._source = source
        return [event if isinstance(event, bytes) else event.event for event in events]

    def _from_memory(self) -> list[bytes]:
        """Events that cannot be written, as many as make a batch."""
        events: list[bytes] = []
        with self._alone() as alone:
            room = self._options.batch_bytes
            while alone and self._failing and self._memory:
                size = len(self._memory[0])
                if len(events) >= self._options.batch_events or (events and size >= room):
                    break
                room -= size + 1
                self._memory_bytes -= size
                events.append(self._memory.popleft())
        return events

    def _mark_finished(self, events: Sequence[bytes]) -> None:
        if not events:
            return
        records = [self._out.popleft() for _ in events]
        size = sum(map(len, events))
        self._bytes_out += size
        if self._source is not None:
            self._source.finish([record for record in records if not isinstance(record, bytes)])
        if self._source is None or self._source is self._own:
            self.finished += len(events)
        else:
            self._found_bytes_out += size

    def _begun(self, segment: Segment) -> None:
        self._recovered += segment.written.lines
        self._recovered_bytes += segment.written.bytes

    def _own_ended(self, segment: Segment) -> None:
        lines = self._lose_what_is_missing(segment)
        self.finished += lines
        self._read += lines

    def _found_ended(self, segment: Segment) -> None:
        before = self._bytes_out
        self._lose_what_is_missing(segment)
        self._found_bytes_out += self._bytes_out - before
        self._found_done += 1

    def _lose_what_is_missing(self, segment: Segment) -> int:
        lines = segment.written.lines - segment.taken.lines
        if lines <= 0:
            return 0
        self._lose("spool_unreadable", lines, segment.written.bytes - segment.taken.bytes)
        self._reporter.dropped(
            DroppedError("spool_unreadable", f"{lines} in {segment.path.name}"), None
        )
        return lines

    def _lose(self, reason: Reason, number: int, size: int) -> None:
        self._lost[reason] = self._lost.get(reason, 0) + number
        self._bytes_out += size

    # Room

    def _make_room(self) -> None:
        """Drop the oldest files until the folder is no larger than it may be."""
        sizes = journal.sizes(self._folder)
        excess = sum(size for _, size in sizes.values()) - self._options.spool_bytes
        if excess <= 0:
            return
        age = {name: when for name, (when, _) in sizes.items()}
        for owner, segment in sorted(
            self._droppable(), key=lambda one: (age.get(one[1].path.name, 0.0), one[1].path.name)
        ):
            excess -= sizes.get(segment.path.name, (0.0, 0))[1]
            self._drop_segment(owner, segment)
            if excess <= 0:
                return

    def _droppable(self) -> list[tuple[Journal, Segment]]:
        """What is neither being written nor being sent."""
        owners = [owner for owner in (self._own, *self._found) if owner is not None]
        return [
            (owner, segment)
            for owner in owners
            for segment in list(owner.segments)
            if segment is not owner.current and not segment.begun
        ]

    def _drop_segment(self, owner: Journal, segment: Segment) -> None:
        events: list[bytes] = []
        with suppress(OSError):  # it goes, whether or not it can be read
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
            self._begun(segment)
            self._found_bytes_out += size
            self._found_done += 1
        self._lose("spool_full", lines, size)
        for event in events:
            self._reporter.dropped(
                DroppedError("spool_full", "the oldest, as room was short"), event
            )

    # Others

    def _search(self) -> None:
        """Take over what other processes left."""
        self._search_at = self._clock.monotonic() + _SEARCH_EVERY
        if self._over or not self._searching.acquire(blocking=False):
            return
        try:
            if locks.AVAILABLE or not self._searched:
                self._take_over()
            self._searched = True
        finally:
            self._searching.release()

    def _take_over(self) -> None:
        but = self._own.name if self._own else ""
        room = _MOST_FOUND - len(self._found)
        for found in islice(journal.left_behind(self._folder, but), room):
            self._found_files += len(found.segments)
            self._found.append(found)
            self._crowded = True

    # The disk

    @contextmanager
    def _alone(self) -> Iterator[bool]:
        """Be inside the door; says whether nobody, nor an interrupted self, is there already."""
        if not self._lock.acquire(timeout=_PATIENCE):
            yield False
            return
        was_busy, self._busy = self._busy, True
        try:
            yield not was_busy
        finally:
            self._busy = was_busy
            self._lock.release()

    def _try_the_disk(self) -> None:
        with self._alone() as alone:
            if alone:
                self._failing = False
                self._empty_memory()

    def _abandon_the_segment(self) -> None:
        """Write no more to a file that is lost, so that what was in it can be counted."""
        with self._alone() as alone:
            if alone and self._own is not None:
                self._own.seal()

    def _take_back(self) -> None:
        """Let go of what the sender holds; what was in memory is there again."""
        events = [event for event in self._out if isinstance(event, bytes)]
        self._out.clear()
        self._memory.extendleft(reversed(events))

    def _drop_memory(self) -> None:
        while self._memory:
            event = self._memory.popleft()
            self.finished += 1
            self._lose("shutdown", 1, len(event))
            self._reporter.dropped(
                DroppedError("shutdown", "neither delivered nor spooled before the deadline"), event
            )

    def _close(self, unsent: bool) -> None:
        own, self._own = self._own, None
        if own is not None:
            own.seal()
            with suppress(OSError):  # what cannot be read now, others may read later
                if not unsent:
                    own.peek(self._begun, self._own_ended)
            own.close()
        self._read = self._written
        while self._found:
            self._found.popleft().close()

    # For everyone

    def goal(self, others: bool = True) -> Goal:
        """All that this process put, and what others have left by now."""
        if not others:
            return Goal(self.enqueued)
        self._search()
        return Goal(self.enqueued, self._found_files)

    def reached(self, goal: Goal) -> bool:
        """Whether all of that is delivered or dropped."""
        sending_found = self._out and self._source not in (None, self._own)
        found = goal.found == 0 or (self._found_done >= goal.found and not sending_found)
        return super().reached(goal) and found

    @property
    def lost_if_we_exit(self) -> int:
        """Events that are in memory only."""
        out = sum(isinstance(event, bytes) for event in list(self._out))
        return len(self._memory) + out
