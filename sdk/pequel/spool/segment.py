"""One file of the spool: a line for each event, which begins with a checksum."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple
from zlib import crc32

if TYPE_CHECKING:
    from pathlib import Path

_FRAME = len(b"00000000 \n")
_CHUNK = 65_536
_LONGEST_LINE = 268_435_456
_PLAIN = getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
_APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | _PLAIN
_READ = os.O_RDONLY | _PLAIN
_UNREADABLE = {errno.ENOENT, errno.ENOTDIR, errno.EIO, errno.ESTALE, errno.ELOOP, errno.EISDIR}


class Record(NamedTuple):
    """An event, and where its line ends."""

    event: bytes
    segment: Segment
    end: int


class Content(NamedTuple):
    """What lies in a part of a segment: lines, and bytes of events in them."""

    lines: int
    bytes: int


class Segment:
    """A file that is written from its start to its end, then read so, then removed.

    One thread may append while another reads: what is not yet a whole line is not read.

    Attributes:
        number: its place among the segments of its journal.
        size: bytes that were written, frames included.
        lines: events that were written, or found there.
        taken: what was read.
        finished: how many of the events taken have met their fate.
        spoiled: nothing more may be appended.
        exhausted: nothing more is to be read.
    """

    def __init__(self, path: Path, number: int, offset: int = 0) -> None:
        self.path = path
        self.number = number
        self.size = 0
        self.lines = 0
        self._bytes = 0
        self.taken = Content(0, 0)
        self.finished = 0
        self.spoiled = False
        self.exhausted = False
        self._offset = offset
        self._write_fd: int | None = None
        self._read_fd: int | None = None

    @property
    def written(self) -> Content:
        """What was written, or was found there."""
        return Content(self.lines, self._bytes)

    @property
    def begun(self) -> bool:
        """Whether reading it has begun."""
        return self._read_fd is not None or self.exhausted

    @property
    def done(self) -> bool:
        """Whether all of it has met its fate."""
        return self.exhausted and self.finished >= self.taken.lines

    # For the one who writes

    def create(self) -> None:
        """Make the file, for this user alone.

        Raises:
            OSError: it cannot be made.
        """
        self._write_fd = os.open(self.path, _APPEND, 0o600)

    def append(self, event: bytes) -> None:
        """Write an event down, in one call to the system.

        Raises:
            OSError: not all of it was written; the line is torn then, and not read.
        """
        if self._write_fd is None:
            raise OSError(errno.EBADF, "the segment is closed")
        length = len(event)
        count = 0
        try:
            count = os.write(self._write_fd, b"%08x %b\n" % (crc32(event), event))
        except OSError:
            raise
        except BaseException:  # a signal handler raised, most likely after the write
            count = os.lseek(self._write_fd, 0, os.SEEK_CUR) - self.size
            raise
        finally:
            self.size += count
            if count == length + _FRAME:
                self.lines += 1
                self._bytes += length
        if count != length + _FRAME:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def seal(self) -> None:
        """Append no more."""
        pen, self._write_fd = self._write_fd, None
        if pen is not None:
            os.close(pen)

    # For the one who reads

    def count(self) -> None:
        """See what is in a file that somebody else wrote, from where it is to be read."""
        lines, start, offset = 0, self._offset, self._offset
        while chunk := self._look(offset, _CHUNK):
            lines += chunk.count(b"\n")
            if b"\n" in chunk:
                start = offset + chunk.rindex(b"\n") + 1
            offset += len(chunk)
        self.lines, self._bytes = lines, max(0, start - self._offset - lines * _FRAME)

    def read(self) -> list[Record]:
        """The next events, some of them at a time; none when no more are there yet.

        A line that was spoiled is passed over.

        Raises:
            OSError: it cannot be read.
        """
        records: list[Record] = []
        while not records and (lines := self._next_lines()):
            for line in lines:
                self._offset += len(line) + 1
                if (event := _event_in(line)) is not None:
                    records.append(Record(event, self, self._offset))
        lines_taken, size = self.taken
        size += sum(len(record.event) for record in records)
        self.taken = Content(lines_taken + len(records), size)
        return records

    def close(self) -> None:
        """Read no more, nor append."""
        self.seal()
        eye, self._read_fd = self._read_fd, None
        if eye is not None:
            os.close(eye)

    def remove(self) -> None:
        """Delete the file."""
        self.close()
        with suppress(OSError):  # one that stays is known by its journal to be done
            self.path.unlink()

    def _next_lines(self) -> list[bytes]:
        """The whole lines in the next piece, which is made longer until it has one."""
        length = _CHUNK
        while True:
            chunk = self._look(self._offset, length)
            if b"\n" in chunk:
                return chunk.split(b"\n")[:-1]
            if len(chunk) < length or length >= _LONGEST_LINE:
                return []
            length *= 4

    def _look(self, offset: int, length: int) -> bytes:
        if self._read_fd is None:
            self._read_fd = os.open(self.path, _READ)
        os.lseek(self._read_fd, offset, os.SEEK_SET)
        return os.read(self._read_fd, length)


def is_lost(error: OSError) -> bool:
    """Whether a file that cannot be read will not be readable later, either."""
    return error.errno in _UNREADABLE


def _event_in(line: bytes) -> bytes | None:
    event = line[9:]
    return event if line[:9] == b"%08x " % crc32(event) else None
