"""A line of a log, and why one is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Literal, NamedTuple

from ..model import JSON

Unit = Literal["line", "record"]

_INCOMPLETE = b"terminated early"
"""What Mixpanel writes after the last record of an export that it could not finish."""

_MAX_SHOWN = 40


class Line(NamedTuple):
    """One record of a log. Numbers begin at 1.

    They count the lines of the file, of which a record may need several; or else, as ``unit`` says,
    the records.

    ``text`` is a JSON value, also for a row of CSV. If it is too long, ``text`` is only its start.
    ``trouble`` says why the record cannot be read at all.
    """

    number: int
    text: bytes
    is_whole: bool = True
    trouble: str | None = None
    unit: Unit = "line"

    @property
    def place(self) -> str:
        """Where it is, for people."""
        return f"{self.unit} {self.number}"


class BadLine(Exception):
    """Why a line is not an event."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def object_on(line: Line) -> dict[str, JSON]:
    """The object on a line. Raises BadLine."""
    if not line.is_whole:
        raise BadLine("too_large", f"is over {len(line.text) - 1} bytes")
    if line.trouble is not None:
        raise BadLine("bad_json", line.trouble)
    try:
        value = json.loads(line.text.decode())
    except (ValueError, RecursionError):
        raise BadLine("bad_json", _not_json(line.text)) from None
    if not isinstance(value, dict):
        found = _start(line.text)
        raise BadLine("not_an_object", f"found {found}, expected an object")
    return value


def _not_json(text: bytes) -> str:
    if text.strip() == _INCOMPLETE:
        return "the export is incomplete: fetch it again"
    return f"not JSON: {_start(text)}"


def _start(text: bytes) -> str:
    """The first characters of a text, in quotes."""
    decoded = text[: 4 * _MAX_SHOWN].decode(errors="replace")
    more = "…" if len(decoded) > _MAX_SHOWN or len(text) > 4 * _MAX_SHOWN else ""
    return f"{decoded[:_MAX_SHOWN]!a}{more}"


def encoded(value: Mapping[str, JSON]) -> bytes:
    """An object as JSON."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:  # a lone surrogate, which JSON can hold only as an escape
        return json.dumps(value, separators=(",", ":")).encode()
