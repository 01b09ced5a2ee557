"""The files of one writer: segments of events, and a lock that tells whether it lives."""

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
from pequel.spool.segment import Record, Segment, is_lost

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path
    from typing import TypeAlias

    _Told: TypeAlias = Callable[[Segment], object]

_FILE = re.compile(r"([0-9a-f]{20})(?:-([0-9]{8})\.spool|\.lock)")
_PLACE = re.compile(rb"([0-9]{8}) ([0-9]{20})\n")
_LOCK = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
_TRIES = 5


class Journal:
    """Events on disk, in the order in which they were appended.

    A file `NAME.lock` is locked by whoever owns the journal, and holds the place up to which its
    events have met their fate. The events are in `NAME-NUMBER.spool`.

    Attributes:
        name: of its writer; a later one sorts later.
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
        """A journal whose lock is held: one to write into, or the segments that are there."""
        self.name = name
        self.lines = 0
        self.current: Segment | None = None
        self._folder = folder
        self._lock: int | None = lock
        self._segment_bytes = segment_bytes
        self._numbers = count(1)
        self._buffer: deque[Record] = deque()
        self.segments = deque(self._found(numbers, *_read_place(lock)))
        _open.add(self)

    # For the one who writes

    @property
    def spoiled(self) -> bool:
        """Whether the current segment cannot be read, so that there is no use in writing to it."""
        return self.current is not None and self.current.spoiled

    def append(self, event: bytes) -> bool:
        """Write an event down; whether a segment was begun for it.

        Raises:
            OSError: it was not written, or not all of it.
        """
        segment = self.current
        begins = segment is None or segment.spoiled or segment.size >= self._segment_bytes
        if segment is None or begins:
            segment = self._begin()
        others = self.lines - segment.lines
        try:
            segment.append(event)
        except OSError:
            self.seal()
            raise
        finally:
            self.lines = others + segment.lines
        return begins

    def seal(self) -> None:
        """Append no more to the current segment."""
        segment, self.current = self.current, None
        if segment is not None:
            segment.seal()

    def _begin(self) -> Segment:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._keep_lock()
        number = next(self._numbers)
        segment = Segment(self._folder / f"{self.name}-{number:08d}.spool", number)
        segment.create()
        self.seal()
        self.current = segment  # first, for a segment that is not current is read to its end
        self.segments.append(segment)
        return segment

    def _keep_lock(self) -> None:
        """Lock anew if somebody deleted the lock file."""
        if self._lock is None:
            raise OSError("the journal is closed")
        path = _lock_path(self._folder, self.name)
        if not _is_at(self._lock, path):
            renewed = _locked(path, _LOCK)
            if renewed is None:
                raise OSError("another process has taken the journal")
            os.close(self._lock)
            self._lock = renewed

    # For the one who reads

    def peek(self, begun: _Told, ended: _Told) -> Record | None:
        """The next event, if there is one that is written.

        Args:
            begun: is told of a segment of another writer before it is read.
            ended: is told of a segment that was read to its end.

        Raises:
            OSError: it cannot be read at the moment.
        """
        while not self._buffer and self.segments:
            segment = self.segments[0]
            closed = segment is not self.current  # asked before: then no more comes
            self._buffer.extend(self._read(segment, begun))
            if not self._buffer:
                if not closed:
                    return None
                self._end(segment, ended)
        return self._buffer[0] if self._buffer else None

    def advance(self) -> None:
        """Take the event that `peek` gave."""
        self._buffer.popleft()

    def finish(self, records: Sequence[Record]) -> None:
        """Note that these, the oldest taken, have met their fate."""
        for record in records:
            record.segment.finished += 1
        if self._lock is not None:
            _write_place(self._lock, records[-1].segment.number, records[-1].end)
        for segment in {record.segment for record in records}:
            if segment.done:
                segment.remove()

    def discard(self, segment: Segment) -> None:
        """Delete a segment of which nothing was read."""
        self.segments.remove(segment)
        segment.remove()

    def _read(self, segment: Segment, begun: _Told) -> list[Record]:
        try:
            if not self._segment_bytes and not segment.begun:
                segment.count()
                begun(segment)
            return segment.read()
        except OSError as error:
            if not is_lost(error):
                raise
            segment.spoiled = True
            return []

    def _end(self, segment: Segment, ended: _Told) -> None:
        self.segments.popleft()
        segment.close()
        segment.exhausted = True
        ended(segment)
        if segment.done:
            segment.remove()

    # For the owner

    def close(self) -> None:
        """Let others have what is left; without anything left, no file remains."""
        self.seal()
        empty = not any(number for name, number in _files(self._folder) if name == self.name)
        if empty:
            self._unlock_for_good()  # before others can take it over
        self.forget()
        if empty and not locks.AVAILABLE:
            self._unlock_for_good()  # where a file that is open cannot be deleted

    def forget(self) -> None:
        """Close every file as it is: in a forked child they are the parent's."""
        self.current = None
        for segment in self.segments:
            segment.close()
        self.segments.clear()
        self._buffer.clear()
        lock, self._lock = self._lock, None
        if lock is not None:
            os.close(lock)

    def _unlock_for_good(self) -> None:
        with suppress(OSError):  # it does no harm
            _lock_path(self._folder, self.name).unlink()

    def _found(self, numbers: Sequence[int], number_done: int, offset: int) -> Iterator[Segment]:
        """The segments that are there; those before the place are deleted."""
        for number in sorted(numbers):
            path = self._folder / f"{self.name}-{number:08d}.spool"
            if number < number_done:
                path.unlink(missing_ok=True)
            else:
                yield Segment(path, number, offset if number == number_done else 0)


def created(folder: Path, segment_bytes: int) -> Journal:
    """A journal to write into; the folder is made if need be, for this user alone.

    Raises:
        OSError: it cannot be made.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for _ in range(_TRIES):
        name = f"{time.time_ns() // 1_000_000:012x}{os.urandom(4).hex()}"
        lock = _locked(_lock_path(folder, name), _LOCK | os.O_EXCL)
        if lock is not None:
            return Journal(folder, name, lock, segment_bytes)
    raise OSError("no file could be locked")


def left_behind(folder: Path, but: str) -> Iterator[Journal]:
    """Take over the journals that nobody owns, oldest first, but for the one of this name.

    One that cannot be taken over now may be later.
    """
    found: dict[str, list[int]] = {}
    for name, number in _files(folder):
        found.setdefault(name, []).extend([number] if number else [])
    for name in sorted(found.keys() - {but}):
        with suppress(OSError):  # such as a folder that can only be read
            lock = _locked(_lock_path(folder, name), _LOCK)
            if lock is None:
                continue
            journal = Journal(folder, name, lock, numbers=found[name])
            if journal.segments:
                yield journal
            else:
                journal.close()


def sizes(folder: Path) -> dict[str, tuple[float, int]]:
    """Of each file with events: its name, when it was last written to, and its bytes."""
    found = {}
    for name, number in _files(folder):
        if number:
            with suppress(OSError):  # it was deleted meanwhile
                file = f"{name}-{number:08d}.spool"
                status = (folder / file).stat()
                found[file] = (status.st_mtime, status.st_size)
    return found


def _files(folder: Path) -> list[tuple[str, int]]:
    """Writer and number of each of our files; a lock has number 0. What is not ours is left out."""
    try:
        matches = [_FILE.fullmatch(path.name) for path in folder.iterdir()]
    except OSError:
        return []
    return [(match[1], int(match[2] or 0)) for match in matches if match]


def _lock_path(folder: Path, name: str) -> Path:
    return folder / f"{name}.lock"


def _locked(path: Path, flags: int) -> int | None:
    """The descriptor of a file locked for this process, unless another has it."""
    descriptor = os.open(path, flags, 0o600)
    try:
        if _take(descriptor, path):
            return descriptor
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def _take(descriptor: int, path: Path) -> bool:
    try:
        return locks.take(descriptor) and _is_at(descriptor, path)
    except OSError:
        # Without locks nobody can tell whether the owner lives: keep one's own, take no other.
        return os.fstat(descriptor).st_size == 0


def _is_at(descriptor: int, path: Path) -> bool:
    """Whether an open file is still the one that bears this name."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _read_place(lock: int) -> tuple[int, int]:
    """The segment, and the bytes of it, up to which everything has met its fate."""
    os.lseek(lock, 0, os.SEEK_SET)
    match = _PLACE.match(os.read(lock, 64))
    if match is None:
        _write_place(lock, 0, 0)
        return 0, 0
    return int(match[1]), int(match[2])


def _write_place(lock: int, number: int, offset: int) -> None:
    with suppress(OSError):  # without it, some events are sent twice, and count once
        os.lseek(lock, 0, os.SEEK_SET)
        os.write(lock, b"%08d %020d\n" % (number, offset))


_open: weakref.WeakSet[Journal] = weakref.WeakSet()


def _leave_to_the_parent() -> None:
    """Close what a fork brought along: a lock lasts until every copy of it is closed."""
    for journal in list(_open):
        journal.forget()
    _open.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_the_parent)
