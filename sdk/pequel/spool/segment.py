"""One file of the spool. Each line is the CRC-32 of an event, a blank, and the event.

    41d19bde {"type":"track","event":"a"}     whole: read
    00000000 {"type":"track","event":"b"}     wrong checksum: skipped, and counted as dropped
    42554fb0 {"type":"track","ev              no line break: the process died in `write`; not read

The call that wrote the last line had not returned, so nobody counts on that event.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple
from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_FRAME = len(b"00000000 \n")
_CHUNK = 65_536
_LONGEST_LINE = 268_435_456
_PLAIN = getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
_APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | _PLAIN
_READ = os.O_RDONLY | _PLAIN
_UNREADABLE = {errno.ENOENT, errno.ENOTDIR, errno.EIO, errno.ESTALE, errno.ELOOP, errno.EISDIR}


class Record(NamedTuple):
    """An event, its segment, and the offset at which its line ends."""

    event: bytes
    segment: Segment
    end: int


class Content(NamedTuple):
    """Lines in a part of a segment, and bytes of the events in them."""

    lines: int
    bytes: int


class Segment:
    """A file that is appended to, read from its start to its end, then deleted.

    One thread may append while another reads: a line is read once it is whole.

    Attributes:
        number: its place among the segments of its journal.
        size: bytes that were appended, with checksums and line breaks.
        lines: events that were appended, or found in the file.
        taken: what was read.
        finished: events taken that are delivered or dropped.
        damaged: it cannot be read, so nothing more may be appended.
        exhausted: it was read to its end.
    """

    def __init__(self, path: Path, number: int, offset: int = 0) -> None:
        """A segment at this path, which is read from `offset`."""
        self.path = path
        self.number = number
        self.size = 0
        self.lines = 0
        self._bytes = 0
        self.taken = Content(0, 0)
        self.finished = 0
        self.damaged = False
        self.exhausted = False
        self._offset = offset
        self._write_fd: int | None = None
        self._read_fd: int | None = None

    @property
    def written(self) -> Content:
        """What was appended, or found in the file."""
        return Content(self.lines, self._bytes)

    @property
    def begun(self) -> bool:
        """Whether reading has begun."""
        return self._read_fd is not None or self.exhausted

    @property
    def done(self) -> bool:
        """Whether every event in it is delivered or dropped."""
        return self.exhausted and self.finished >= self.taken.lines

    # For the writer

    def create(self) -> None:
        """Create the file, readable by this user alone. Raises OSError."""
        self._write_fd = os.open(self.path, _APPEND, 0o600)

    def append(self, events: Sequence[bytes]) -> None:
        """Append events, in one call of `write`.

        Raises:
            OSError: not all were written. Readers skip the one of which only a part was.
        """
        if self._write_fd is None:
            raise OSError(errno.EBADF, "the segment is closed")
        written = b"".join([b"%08x %b\n" % (crc32(event), event) for event in events])
        length, lines = len(written), len(events)
        count = 0
        try:
            count = os.write(self._write_fd, written)
        except OSError:
            raise
        except BaseException:  # a signal handler raised, most likely after the write
            count = os.lseek(self._write_fd, 0, os.SEEK_CUR) - self.size
            raise
        finally:
            if count < length:
                lines = written.count(b"\n", 0, max(0, count))
                length = written.rfind(b"\n", 0, max(0, count)) + 1
            self.size += count
            self.lines += lines
            self._bytes += length - lines * _FRAME
        if count != len(written):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def seal(self) -> None:
        """Append no more."""
        descriptor, self._write_fd = self._write_fd, None
        if descriptor is not None:
            os.close(descriptor)

    # For the reader

    def count(self) -> None:
        """Count what another process wrote, from the offset at which reading will begin."""
        lines, start, offset = 0, self._offset, self._offset
        while chunk := self._read_at(offset, _CHUNK):
            lines += chunk.count(b"\n")
            if b"\n" in chunk:
                start = offset + chunk.rindex(b"\n") + 1
            offset += len(chunk)
        self.lines, self._bytes = lines, max(0, start - self._offset - lines * _FRAME)

    def read(self) -> list[Record]:
        """The next events, a chunk at a time; empty if there are no more yet.

        Skips lines whose checksum is wrong.

        Raises:
            OSError: the file cannot be read.
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
        """Read and append no more."""
        self.seal()
        descriptor, self._read_fd = self._read_fd, None
        if descriptor is not None:
            os.close(descriptor)

    def remove(self) -> None:
        """Delete the file."""
        self.close()
        with suppress(OSError):  # if it stays, its journal's position says that it is done
            self.path.unlink()

    def _next_lines(self) -> list[bytes]:
        """The whole lines of the next chunk, which grows until it holds one."""
        length = _CHUNK
        while True:
            chunk = self._read_at(self._offset, length)
            if b"\n" in chunk:
                return chunk.split(b"\n")[:-1]
            if len(chunk) < length or length >= _LONGEST_LINE:
                return []
            length *= 4

    def _read_at(self, offset: int, length: int) -> bytes:
        if self._read_fd is None:
            self._read_fd = os.open(self.path, _READ)
        os.lseek(self._read_fd, offset, os.SEEK_SET)
        return os.read(self._read_fd, length)


def is_permanent(error: OSError) -> bool:
    """Whether a file that cannot be read now will not be readable later, either."""
    return error.errno in _UNREADABLE


def _event_in(line: bytes) -> bytes | None:
    event = line[9:]
    return event if line[:9] == b"%08x " % crc32(event) else None
