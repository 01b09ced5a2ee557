"""Rows as CSV for spreadsheets: every CSV of answers, of the API, the console and ``pequel``.

Files that ``pequel`` reads back are none of these: ``importing.export`` changes no text.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence

from ..model import JSON

FORMULA = ("=", "+", "-", "@", "\N{FULLWIDTH EQUALS SIGN}", "\N{FULLWIDTH PLUS SIGN}",
           "\N{FULLWIDTH HYPHEN-MINUS}", "\N{FULLWIDTH COMMERCIAL AT}")  # fmt: skip
"""How a text begins that a spreadsheet would run. It reads the wide forms of the East as usual."""

CONTROLS = ("\t", "\r", "\n")
"""What a spreadsheet may drop at the beginning of a text, with what is in front of a formula."""

DASH = "-"
"""What a table shows in place of nothing. Alone it is no formula."""


def cell(value: JSON) -> str:
    """A value as a cell. A text that a spreadsheet would run begins with an apostrophe.

    Spaces in front do not hide a formula.
    """
    if value is None:
        return ""
    if not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False, default=str)
    text = value.encode("utf-8", "replace").decode()
    is_formula = text.startswith(CONTROLS) or text.lstrip().startswith(FORMULA)
    return "'" + text if is_formula and text != DASH else text


def csv_lines(
    columns: Sequence[str], rows: Iterable[Iterable[JSON]], end: str = "\r\n"
) -> Iterator[str]:
    """The lines of a CSV file, as RFC 4180 has it: the names of the columns, then the rows."""
    buffer = io.StringIO()
    write = csv.writer(buffer, lineterminator=end).writerow
    for row in _with_heading(columns, rows):
        write([cell(value) for value in row])
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()


def _with_heading(
    columns: Sequence[str], rows: Iterable[Iterable[JSON]]
) -> Iterator[Iterable[JSON]]:
    yield columns
    yield from rows
