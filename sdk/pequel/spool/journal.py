"""The files of one process: segments of events, and a lock that shows whether it lives.

    01a2….lock             locked by pid 100; holds "00000002 …0350": segment 2, byte 350
    01a2…-00000001.spool   deleted: all before that position is delivered or dropped
    01a2…-00000002.spool   events from byte 350 on are still to be sent
    kill -9 100            the system ends the lock; segment 2 stays
    pid 200                locks the file, reads from byte 350, sends, deletes both

At most the batch that was in flight is sent twice; the collector counts it once.
"""

from __future__ import annotations

import os
import re
import time
import weakref
from collections import deque
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING

from pequel.spool import locks
from pequel.spool.segment import Record, Segment, is_permanent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path
    from typing import TypeAlias

    _OnSegment: TypeAlias = Callable[[Segment], object]

_FILE = re.compile(r"([0-9a-f]{20})(?:-([0-9]{8})\.spool|\.lock)")
_POSITION = re.compile(rb"([0-9]{8}) ([0-9]{20})\n")
_LOCK_FLAGS = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
_TRIES = 5


class Journal:
    """Events on disk, in the order in which they were appended.

    The owner holds a lock on the file `NAME.lock`. That file also holds the position up to which
    all events are delivered or dropped. The events are in `NAME-NUMBER.spool`.

    Attributes:
        name: of its writer; later ones sort later.
        lines: events that were appended.
        segments: those that are not read to their end, oldest first.
        current: the one that is appended to.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        lock: int,
        segment_bytes: int = 0,
        numbers: Sequence[int] = (),
    ) -> None:
        """A journal whose lock is held: a new one to write to, or one with these segments."""
        self.name = name
        self.lines = 0
        self.current: Segment | None = None
        self._folder = folder
        self._lock: int | None = lock
        self._segment_bytes = segment_bytes
        self._numbers = count(1)
        self._buffer: deque[Record] = deque()
        self.segments = deque(self._existing(numbers, *_read_position(lock)))
        _open_journals.add(self)

    # For the writer

    @property
    def damaged(self) -> bool:
        """Whether the current segment cannot be read, so that nothing more may be appended."""
        return self.current is not None and self.current.damaged

    def append(self, events: Sequence[bytes]) -> bool:
        """Append events to one segment; returns whether that began it.

        Raises:
            OSError: not all were written.
        """
        segment = self.current
        begins = segment is None or segment.damaged or segment.size >= self._segment_bytes
        if segment is None or begins:
            segment = self._begin()
        lines_before = self.lines - segment.lines
        try:
            segment.append(events)
        except BaseException:  # a part of a line may be there, so nothing may come behind it
            self.seal()
            raise
        finally:
            self.lines = lines_before + segment.lines
        return begins

    def seal(self) -> None:
        """Append no more to the current segment."""
        segment, self.current = self.current, None
        if segment is not None:
            segment.seal()

    def _begin(self) -> Segment:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._restore_lock_file()
        number = next(self._numbers)
        segment = Segment(self._folder / f"{self.name}-{number:08d}.spool", number)
        segment.create()
        self.seal()
        self.current = segment  # before it is listed: a listed segment that is not current may end
        self.segments.append(segment)
        return segment

    def _restore_lock_file(self) -> None:
        """Create and lock the lock file again if somebody deleted it."""
        if self._lock is None:
            raise OSError("the journal is closed")
        path = _lock_path(self._folder, self.name)
        if not _is_same_file(self._lock, path):
            renewed = _locked(path, _LOCK_FLAGS)
            if renewed is None:
                raise OSError("another process has taken the journal")
            os.close(self._lock)
            self._lock = renewed

    # For the reader

    def peek(self, on_begun: _OnSegment, on_ended: _OnSegment) -> Record | None:
        """The next event; None if there is none yet.

        Args:
            on_begun: called with a segment of another process before it is read.
            on_ended: called with a segment that was read to its end.

        Raises:
            OSError: it cannot be read at the moment.
        """
        while not self._buffer and self.segments:
            segment = self.segments[0]
            complete = segment is not self.current  # asked before reading: then no more comes
            self._buffer.extend(self._read(segment, on_begun))
            if not self._buffer:
                if not complete:
                    return None
                self._end(segment, on_ended)
        return self._buffer[0] if self._buffer else None

    def advance(self) -> None:
        """Take the event that `peek` returned."""
        self._buffer.popleft()

    def finish(self, records: Sequence[Record]) -> None:
        """Record that these events, the oldest taken, are delivered or dropped."""
        for record in records:
            record.segment.finished += 1
        if self._lock is not None:
            _write_position(self._lock, records[-1].segment.number, records[-1].end)
        for segment in {record.segment for record in records}:
            if segment.done:
                segment.remove()

    def discard(self, segment: Segment) -> None:
        """Delete a segment of which nothing was read."""
        self.segments.remove(segment)
        segment.remove()

    def _read(self, segment: Segment, on_begun: _OnSegment) -> list[Record]:
        try:
            if not self._segment_bytes and not segment.begun:
                segment.count()
                on_begun(segment)
            return segment.read()
        except OSError as error:
            if not is_permanent(error):
                raise
            segment.damaged = True
            return []

    def _end(self, segment: Segment, on_ended: _OnSegment) -> None:
        self.segments.popleft()
        segment.close()
        segment.exhausted = True
        on_ended(segment)
        if segment.done:
            segment.remove()

    # For the owner

    def close(self) -> None:
        """Leave undelivered events to other processes; delete the lock file if there are none."""
        self.seal()
        empty = not any(number for name, number in _files(self._folder) if name == self.name)
        if empty:
            self._delete_lock_file()  # before another process can lock it
        self.close_files()
        if empty and not locks.AVAILABLE:
            self._delete_lock_file()  # where an open file cannot be deleted

    def close_files(self) -> None:
        """Close every file without writing: a forked child must not hold its parent's lock."""
        self.current = None
        for segment in self.segments:
            segment.close()
        self.segments.clear()
        self._buffer.clear()
        lock, self._lock = self._lock, None
        if lock is not None:
            os.close(lock)

    def _delete_lock_file(self) -> None:
        with suppress(OSError):  # a lock file that stays does no harm
            _lock_path(self._folder, self.name).unlink()

    def _existing(self, numbers: Sequence[int], done_until: int, offset: int) -> Iterator[Segment]:
        """The segments from the position on; those before it are deleted."""
        for number in sorted(numbers):
            path = self._folder / f"{self.name}-{number:08d}.spool"
            if number < done_until:
                path.unlink(missing_ok=True)
            else:
                yield Segment(path, number, offset if number == done_until else 0)


def create(folder: Path, segment_bytes: int) -> Journal:
    """A new journal to write to. Creates the folder if needed, for this user alone.

    Raises:
        OSError: a file cannot be created or locked.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for _ in range(_TRIES):
        name = f"{time.time_ns() // 1_000_000:012x}{os.urandom(4).hex()}"
        lock = _locked(_lock_path(folder, name), _LOCK_FLAGS | os.O_EXCL)
        if lock is not None:
            return Journal(folder, name, lock, segment_bytes)
    raise OSError("no file could be locked")


def take_over(folder: Path, except_name: str) -> Iterator[Journal]:
    """Lock the journals whose process has ended, oldest first; never the one of `except_name`.

    Skips a journal that cannot be locked now; a later call may get it.
    """
    found: dict[str, list[int]] = {}
    for name, number in _files(folder):
        found.setdefault(name, []).extend([number] if number else [])
    for name in sorted(found.keys() - {except_name}):
        with suppress(OSError):  # such as a read-only folder
            lock = _locked(_lock_path(folder, name), _LOCK_FLAGS)
            if lock is None:
                continue
            journal = Journal(folder, name, lock, numbers=found[name])
            if journal.segments:
                yield journal
            else:
                journal.close()


def sizes(folder: Path) -> dict[str, tuple[float, int]]:
    """The segment files by name: when each was last written to, and its bytes."""
    found = {}
    for name, number in _files(folder):
        if number:
            with suppress(OSError):  # it was deleted meanwhile
                file = f"{name}-{number:08d}.spool"
                status = (folder / file).stat()
                found[file] = (status.st_mtime, status.st_size)
    return found


def _files(folder: Path) -> list[tuple[str, int]]:
    """Journal name and number of each spool file; a lock file has number 0."""
    try:
        matches = [_FILE.fullmatch(path.name) for path in folder.iterdir()]
    except OSError:
        return []
    return [(match[1], int(match[2] or 0)) for match in matches if match]


def _lock_path(folder: Path, name: str) -> Path:
    return folder / f"{name}.lock"


def _locked(path: Path, flags: int) -> int | None:
    """Open and lock a file; its descriptor, or None if another process has locked it."""
    descriptor = os.open(path, flags, 0o600)
    try:
        if _lock(descriptor, path):
            return descriptor
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def _lock(descriptor: int, path: Path) -> bool:
    try:
        return locks.lock(descriptor) and _is_same_file(descriptor, path)
    except OSError:
        # Without locks nothing shows whether the owner lives. A new file is empty and ours; a file
        # with a position may belong to a living process.
        return os.fstat(descriptor).st_size == 0


def _is_same_file(descriptor: int, path: Path) -> bool:
    """Whether the open file is still the one at this path."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _read_position(lock: int) -> tuple[int, int]:
    """The segment and the offset in it up to which all events are delivered or dropped."""
    os.lseek(lock, 0, os.SEEK_SET)
    match = _POSITION.match(os.read(lock, 64))
    if match is None:
        _write_position(lock, 0, 0)
        return 0, 0
    return int(match[1]), int(match[2])


def _write_position(lock: int, number: int, offset: int) -> None:
    with suppress(OSError):  # without it some events are sent twice, and count once
        os.lseek(lock, 0, os.SEEK_SET)
        os.write(lock, b"%08d %020d\n" % (number, offset))


_open_journals: weakref.WeakSet[Journal] = weakref.WeakSet()


def _close_in_forked_child() -> None:
    """Close what the fork copied: a lock lasts until every copy of it is closed."""
    for journal in list(_open_journals):
        journal.close_files()
    _open_journals.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_in_forked_child)
