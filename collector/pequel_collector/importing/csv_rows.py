"""Rows of CSV as JSON objects, by the names in the header.

A name with dots, such as ``properties.plan``, is a path. A cell under such a path that is a JSON
number, ``true`` or ``false`` is that; every other cell is text, and an empty one is left out.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from ..errors import BadRequest
from .line import Line, encoded

_SCALAR = re.compile(r"-?(?:0|[1-9]\d{0,14})(?:\.\d+)?|true|false", re.ASCII)
_UNDECODED = re.compile("[\udc80-\udcff]")
_DELIMITERS = ",;\t|"

CHUNK = 65_536
"""Characters of a row that is too long that are read at a time, and forgotten."""

MAX_COLUMNS = 10_000
"""Names in a header."""

MAX_LEVELS = 64
"""Parts of a name with dots."""

MAX_HEADER = 1_000_000
"""Characters of a header."""


def delimiter_of(header: str) -> str | None:
    """What separates the names of a header; None if it is no header of two or more names."""
    counts = {delimiter: header.count(delimiter) for delimiter in _DELIMITERS}
    best = max(counts, key=counts.__getitem__)
    return best if counts[best] else None


class CsvRows:
    """The rows of a stream with a header, as lines of JSON."""

    def __init__(self, stream: io.BufferedReader, max_bytes: int) -> None:
        self._stream, self._max_bytes = stream, max_bytes

    def __iter__(self) -> Iterator[Line]:
        csv.field_size_limit(self._max_bytes)
        # A byte that is not UTF-8 must spoil its row only.
        text = io.TextIOWrapper(self._stream, "utf-8-sig", "surrogateescape", newline="")
        try:
            yield from self._rows(text)
        finally:
            text.detach()  # or it would close the file

    def _rows(self, text: io.TextIOWrapper) -> Iterator[Line]:
        first = text.readline(MAX_HEADER + 1)
        # Quotes can double what is in a cell, and each cell has a delimiter.
        lines = _RowLines(text, first, 2 * self._max_bytes + MAX_COLUMNS)
        rows = csv.reader(lines, delimiter=delimiter_of(first) or ",", strict=True)
        header = _header(first, rows)
        while True:
            number = lines.begin_row()
            try:
                row = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                yield Line(number, b"", trouble=f"not a row of CSV: {error}")
                continue
            except _TooLong as error:
                yield Line(number, error.start[: self._max_bytes + 1], is_whole=False)
                continue
            if row:
                yield self._line(number, header, row)

    def _line(self, number: int, header: list[str], row: list[str]) -> Line:
        if len(row) > len(header):
            trouble = f"found {len(row)} cells, expected {len(header)} as in the header"
            return Line(number, encoded({"cells": row}), trouble=trouble)
        if any(map(_UNDECODED.search, row)):
            return Line(number, repr(row).encode(), trouble="not UTF-8")
        record: dict[str, Any] = {}
        for name, cell in zip(header, row, strict=False):
            if cell:
                _put(record, name, cell)
        text = encoded(record)
        whole = len(text) <= self._max_bytes
        return Line(number, text if whole else text[: self._max_bytes + 1], whole)


class _TooLong(Exception):
    """A row has too many characters; ``start`` is how it begins."""

    def __init__(self, start: bytes) -> None:
        super().__init__()
        self.start = start


class _RowLines(Iterator[str]):
    """The lines of a text, row by row: a row goes on in the next line inside of a quoted cell.

    A row of more than ``max_row`` characters raises ``_TooLong``. The next row begins in the line
    after that.
    """

    def __init__(self, text: io.TextIOWrapper, first: str, max_row: int) -> None:
        self._text, self._first, self._max_row = text, first, max_row
        self._row: list[str] = []
        self._left = max(max_row, len(first))
        self._read = 0

    def begin_row(self) -> int:
        """Begin a row; the number of its first line."""
        self._row, self._left = [], self._max_row
        return self._read + 1

    def __next__(self) -> str:
        line, self._first = self._first or self._text.readline(self._left + 1), ""
        if not line:
            raise StopIteration
        self._read += 1
        self._row.append(line)
        self._left -= len(line)
        if self._left < 0:
            self._skip(line)
            raise _TooLong("".join(self._row).encode("utf-8", "surrogateescape"))
        return line

    def _skip(self, line: str) -> None:
        while line and line[-1] not in "\r\n":
            line = self._text.readline(CHUNK)


def _header(first: str, rows: Iterator[list[str]]) -> list[str]:
    if len(first) > MAX_HEADER:
        raise BadRequest(f"the header is over {MAX_HEADER} characters")
    try:
        header = [name.strip() for name in next(rows)]
    except (StopIteration, csv.Error, _TooLong) as error:
        raise BadRequest(f"line 1 is no header of CSV: {error}") from None
    if len(header) > MAX_COLUMNS:
        raise BadRequest(f"the header has {len(header)} columns, expected at most {MAX_COLUMNS}")
    deep = next((name for name in header if name.count(".") >= MAX_LEVELS), None)
    if deep is not None:
        raise BadRequest(f"the column {deep[:100]!a} has more than {MAX_LEVELS} levels")
    twice = sorted(name for name, count in Counter(header).items() if count > 1 and name)
    if twice:
        raise BadRequest(f"the header has two columns {twice[0]!a}")
    return header


def _put(record: dict[str, Any], name: str, cell: str) -> None:
    *folders, last = name.split(".")
    place = record
    for folder in folders:
        inner = place.setdefault(folder, {})
        if not isinstance(inner, dict):
            record[name] = cell
            return
        place = inner
    place[last] = json.loads(cell) if folders and _SCALAR.fullmatch(cell) else cell
