"""A line of a log, and why one is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import NamedTuple

from ..model import JSON


class Line(NamedTuple):
    """One record of a log. Numbers begin at 1, and are those of the line where it begins.

    ``text`` is a JSON value, also for a row of CSV. If it is too long, ``text`` is only its start.
    ``trouble`` says why the record cannot be read at all.
    """

    number: int
    text: bytes
    is_whole: bool = True
    trouble: str | None = None


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
    except (ValueError, RecursionError) as error:
        raise BadLine("bad_json", f"not JSON: {error}") from None
    if not isinstance(value, dict):
        raise BadLine("not_an_object", "expected an object")
    return value


def encoded(value: Mapping[str, JSON]) -> bytes:
    """An object as JSON."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:  # a lone surrogate, which JSON can hold only as an escape
        return json.dumps(value, separators=(",", ":")).encode()
