"""Splits a stream into JSON objects, whatever their layout: an array, or one after the other.

An answer of an API is an array too: ``{"next": null, "results": [{…}, {…}]}``.

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
# An answer up to its objects.
_PAGE = re.compile(
    rb'\{\s*(?:"(?:next|previous|count|total|page|page_size|status|session_id)"\s*:'
    rb'\s*(?:"(?:[^"\\]|\\.)*"|null|true|false|-?[\d.]+)\s*,\s*)*"results"\s*:\s*\[',
    re.DOTALL,
)
_NEXT = re.compile(rb'"next"\s*:\s*"')
_BETWEEN = b" \t\r\n,"
_QUOTE = b'"'


def is_page(start: bytes) -> bool:
    """Whether a stream that begins so is an answer of an API, with its objects under a key."""
    return _PAGE.match(start) is not None


class JsonValues:
    """The objects of a stream. ``read`` gives the next bytes, and none at its end.

    ``is_cut`` says, at the end, that the stream ended inside a value. ``has_more`` says that the
    last answer of an API named a next one.
    """

    def __init__(self, read: Callable[[int], bytes], max_bytes: int) -> None:
        self.is_cut = self.has_more = False
        self._read, self._max_bytes = read, max_bytes
        self._text = b""
        self._at = 0  # what is before it has been looked at
        self._number = 0
        self._depth = 0  # of brackets, without that of the array around all objects
        self._is_in_array = False
        self._page: bytes | None = None  # what an answer has before its objects
        self._may_begin_page = False  # no bracket has come in the object so far
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
            yield self._record(rest)

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
            self._start, self._at, self._may_begin_page = 0, 1, True
        elif self._begins_page(at + 1):
            self._page, self._depth = self._text[:at], 0
            self._start, self._is_in_array = None, True
            self._drop(at + 1)
            return
        self._depth += 1

    def _begins_page(self, end: int) -> bool:
        """Whether a bracket inside of an object opens the objects of an answer.

        Only the first one can. To look at each would take time with the square of their number.
        """
        is_possible = self._may_begin_page and not self._is_in_array and self._is_whole
        self._may_begin_page = False
        return is_possible and _PAGE.fullmatch(self._text, 0, end) is not None

    def _closed(self, bracket: bytes, found: re.Match[bytes]) -> Iterator[Line]:
        if self._depth == 0:
            yield from self._stray(found.start())
            self._is_in_array = self._is_in_array and bracket != b"]"
            self._drop(found.end())
            if self._page is not None and not self._is_in_array:
                self._start, self._depth = 0, 1  # the rest of the answer is read as an object
            return
        self._depth -= 1
        if self._depth == 0:
            text = self._text[: found.end()]
            if self._page is None or self._is_in_array:
                yield self._record(text)
            else:
                self.has_more = _NEXT.search(self._page + text) is not None
                self._page = None
            self._start, self._is_whole = None, True
            self._drop(found.end())

    def _stray(self, until: int) -> Iterator[Line]:
        """What is between two values and belongs to neither."""
        text = self._text[:until]
        stray = text.strip(_BETWEEN)
        if stray:
            yield self._record(stray)

    def _record(self, text: bytes) -> Line:
        self._number += 1
        whole = self._is_whole and len(text) <= self._max_bytes
        text = text if whole else text[: self._max_bytes + 1]
        return Line(self._number, text, whole, unit="record")

    def _drop(self, until: int) -> None:
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
        self._text = self._text[:most] + tail
        self._at = most
