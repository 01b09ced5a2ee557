"""Splits a stream into JSON objects, whatever their layout: an array, or one after the other.

The objects of an array may be on one line, one a line, or spread over many. Objects outside an
array need nothing between them. Only one object is in memory at a time, and of one that is too long
only the start.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from .line import Line

CHUNK = 65_536

# A whole string, the start of one that goes on in the next chunk, or a bracket.
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|["{}\[\]]', re.DOTALL)
_BETWEEN = b" \t\r\n,"
_QUOTE = b'"'


class JsonValues:
    """The objects of a stream. ``read`` gives the next bytes, and none at its end.

    ``is_cut`` says, at the end, that the stream ended inside a value.
    """

    def __init__(self, read: Callable[[int], bytes], max_bytes: int) -> None:
        self.is_cut = False
        self._read, self._max_bytes = read, max_bytes
        self._text = b""
        self._at = 0  # what is before it has been looked at
        self._line, self._lines_forgotten = 1, 0
        self._depth = 0  # of brackets, without that of the array around all objects
        self._is_in_array = False
        self._start: int | None = None  # of the value that has begun
        self._is_whole = True
        self._ended = False

    def __iter__(self) -> Iterator[Line]:
        while not self._ended:
            more = self._read(CHUNK)
            self._ended = not more
            self._text += more
            yield from self._values()
            self._forget()
        rest = self._text.strip(_BETWEEN)
        self.is_cut = self._depth > 0 or self._is_in_array or self._start is not None
        if self._depth == 0 and rest:
            yield Line(self._line, rest[: self._max_bytes], len(rest) <= self._max_bytes)

    def _values(self) -> Iterator[Line]:
        """The objects that end in what has been read."""
        while found := _TOKEN.search(self._text, self._at):
            token = found[0]
            if token == _QUOTE and not self._ended:
                self._at = found.start()  # the string goes on in the next chunk
                return
            self._at = found.end()
            if token in (b"{", b"["):
                yield from self._opened(token, found.start())
            elif token in (b"}", b"]"):
                yield from self._closed(token, found)
        self._at = len(self._text)

    def _opened(self, bracket: bytes, at: int) -> Iterator[Line]:
        if self._depth == 0:
            yield from self._stray(at)
            if bracket == b"[" and not self._is_in_array:
                self._is_in_array = True
                self._drop(at + 1)
                return
            self._drop(at)
            self._start, self._at = 0, 1
        self._depth += 1

    def _closed(self, bracket: bytes, found: re.Match[bytes]) -> Iterator[Line]:
        if self._depth == 0:
            yield from self._stray(found.start())
            self._is_in_array = self._is_in_array and bracket != b"]"
            self._drop(found.end())
            return
        self._depth -= 1
        if self._depth == 0:
            text = self._text[: found.end()]
            whole = self._is_whole and len(text) <= self._max_bytes
            yield Line(self._line, text if whole else text[: self._max_bytes + 1], whole)
            self._start, self._is_whole = None, True
            self._drop(found.end())

    def _stray(self, until: int) -> Iterator[Line]:
        """What is between two values and belongs to neither."""
        text = self._text[:until]
        stray = text.strip(_BETWEEN)
        if stray:
            number = self._line + text[: text.find(stray)].count(b"\n")
            whole = len(stray) <= self._max_bytes
            yield Line(number, stray[: self._max_bytes + 1], whole)

    def _drop(self, until: int) -> None:
        self._line += self._text.count(b"\n", 0, until) + self._lines_forgotten
        self._lines_forgotten = 0
        self._text = self._text[until:]
        self._at = 0

    def _forget(self) -> None:
        """Keep at most the start of a value that is too long, and where its last string began."""
        most = self._max_bytes + 1
        if len(self._text) <= most + CHUNK:
            return
        self._is_whole = self._start is None
        tail = self._text[self._at :]
        if tail.startswith(_QUOTE):  # an even number of backslashes means nothing, an odd one does
            backslashes = len(tail) - len(tail.rstrip(b"\\"))
            tail = _QUOTE + b"\\" * (backslashes % 2)
        self._lines_forgotten += self._text.count(b"\n", most, self._at)
        self._text = self._text[:most] + tail
        self._at = most
