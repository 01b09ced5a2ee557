"""The lines of a file: what it is, by its first bytes, and the records in it.

A file is JSON with one object a line, JSON in another layout, or CSV with a header. It may be gzip,
and may begin with a byte order mark. Any other file is refused, with the command that converts it.
"""

from __future__ import annotations

import gzip
import io
import json
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

from ..errors import BadRequest
from .csv_rows import CsvRows, delimiter_of
from .json_values import JsonValues, is_page
from .line import Line

_GZIP = b"\x1f\x8b"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_UNREADABLE = [  # how a file begins, what it is, and how to convert it
    (b"PK\x03\x04", "a zip archive", "unzip -p FILE | pequel import -"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd", "zstd -dc FILE | pequel import -"),
    (b"BZh", "compressed with bzip2", "bzip2 -dc FILE | pequel import -"),
    (b"\xfd7zXZ\x00", "compressed with xz", "xz -dc FILE | pequel import -"),
    (b"\xff\xfe", "UTF-16", "iconv -f UTF-16 -t UTF-8 FILE | pequel import -"),
    (b"\xfe\xff", "UTF-16", "iconv -f UTF-16 -t UTF-8 FILE | pequel import -"),
    (b"PAR1", "Parquet", "export JSON lines instead, or convert it with DuckDB"),
    (b"Obj\x01", "Avro", "export JSON lines instead"),
    (b"SQLite format 3\x00", "a SQLite database", "sqlite3 -header -csv FILE 'SELECT …'"),
]
_PEEK = 65_536


class Log:
    """The records of a log. Blank lines are passed over.

    Of a record over ``max_line`` bytes only the start is read. ``broken`` says why the log could
    not be read to its end; the records before that are returned. ``has_more`` says that it is an
    answer of an API, and not the last one. Raises BadRequest for a file of
    another kind.
    """

    def __init__(self, stream: BinaryIO, max_line: int) -> None:
        self.broken: str | None = None
        self.has_more = False
        self._max_line = max_line
        self._stream = _inflated(stream)

    def __iter__(self) -> Iterator[Line]:
        try:
            yield from self._records()
        except (OSError, EOFError, zlib.error) as error:
            self.broken = str(error)

    def _records(self) -> Iterator[Line]:
        start = self._peek()
        if start.startswith(b"["):
            return self._json_values()
        first = start.split(b"\n", 1)[0].strip()
        if not first.startswith(b"{") and delimiter_of(first.decode(errors="replace")):
            return iter(CsvRows(self._stream, self._max_line))
        return self._json_values() if is_page(start) or _is_spread(start) else self._lines()

    def _peek(self) -> bytes:
        """The start of the file without what means nothing. Raises BadRequest."""
        start = self._stream.peek(_PEEK)
        for magic, what, how in _UNREADABLE:
            if start.startswith(magic):
                raise BadRequest(f"the file is {what}, expected JSON or CSV in UTF-8: {how}")
        if start[:4:2] == b"\0\0" or start[1:4:2] == b"\0\0":
            how = "iconv -f UTF-16 -t UTF-8 FILE | pequel import -"
            raise BadRequest(f"the file is not UTF-8, perhaps UTF-16: {how}")
        if start.startswith(_BYTE_ORDER_MARK):
            self._stream.read(len(_BYTE_ORDER_MARK))
            start = start.removeprefix(_BYTE_ORDER_MARK)
        return start.lstrip()

    def _json_values(self) -> Iterator[Line]:
        values = JsonValues(self._stream.read1, self._max_line)
        yield from values
        self.has_more = values.has_more
        if values.is_cut:
            self.broken = "it ends inside a JSON value"

    def _lines(self) -> Iterator[Line]:
        number = 0
        while text := self._stream.readline(self._max_line + 1):
            number += 1
            is_whole = len(text) <= self._max_line or text.endswith(b"\n")
            if not is_whole:
                self._skip()
            if text.strip():
                yield Line(number, text.strip(), is_whole)

    def _skip(self) -> None:
        while (rest := self._stream.readline(self._max_line + 1)) and not rest.endswith(b"\n"):
            pass


def _is_spread(start: bytes) -> bool:
    """Whether objects are spread over lines, or several are on one line.

    A first line that is no JSON, followed by one that begins an object, is a bad line among others.
    """
    lines = start.split(b"\n")
    first = lines[0].decode(errors="replace").strip() if lines else ""
    if not first.startswith("{"):
        return False
    try:
        _, end = json.JSONDecoder().raw_decode(first)
    except json.JSONDecodeError as error:
        goes_on = error.pos >= len(first)
        second = next((line.strip() for line in lines[1:] if line.strip()), b"")
        return goes_on and second != b"" and (first[-1] in "[:" or not second.startswith(b"{"))
    except (ValueError, RecursionError):  # a number with too many digits, or too many levels
        return False
    return first[end:].lstrip().startswith("{")


def _inflated(stream: BinaryIO) -> io.BufferedReader[Any]:
    """The text of a file, which may be gzip; its start can be looked at."""
    is_buffered = isinstance(stream, io.BufferedReader)
    buffered = cast(Any, stream) if is_buffered else io.BufferedReader(cast(Any, stream), _PEEK)
    if not buffered.peek(2).startswith(_GZIP):
        return buffered
    return io.BufferedReader(cast(Any, gzip.GzipFile(fileobj=buffered)), _PEEK)
