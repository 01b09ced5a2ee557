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
from itertools import chain
from typing import Any

from ..errors import BadRequest
from .line import Line, encoded

_SCALAR = re.compile(r"-?(?:0|[1-9]\d{0,14})(?:\.\d+)?|true|false", re.ASCII)
_UNDECODED = re.compile("[\udc80-\udcff]")
_DELIMITERS = ",;\t|"

MAX_COLUMNS = 10_000
"""Names in a header."""

MAX_LEVELS = 64
"""Parts of a name with dots."""


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

    def _rows(self, text: Iterator[str]) -> Iterator[Line]:
        first = next(text, "")
        rows = csv.reader(chain([first], text), delimiter=delimiter_of(first) or ",", strict=True)
        header = _header(rows)
        while True:
            number = rows.line_num + 1
            try:
                row = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                yield Line(number, b"", trouble=f"not a row of CSV: {error}")
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


def _header(rows: Iterator[list[str]]) -> list[str]:
    try:
        header = [name.strip() for name in next(rows)]
    except (StopIteration, csv.Error) as error:
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
