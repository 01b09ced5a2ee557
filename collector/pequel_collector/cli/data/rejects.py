"""A file with the lines that an import refused."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager

from ...errors import BadRequest
from ...importing.line import Line
from ...ingest.event_log import OnRefused
from ...model import JSON, RejectedEvent


@contextmanager
def rejects(path: str | None) -> Iterator[OnRefused | None]:
    """Writes refused lines to a file, readable by its owner only. None without a path."""
    if path is None:
        yield None
        return
    try:
        opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    except OSError as error:
        raise BadRequest(f"--rejects: cannot write {path}: {error.strerror}") from None
    with os.fdopen(opened, "w", encoding="utf-8") as file:

        def write(line: Line, refused: RejectedEvent) -> None:
            file.write(json.dumps(_record(line, refused)) + "\n")

        yield write


def _record(line: Line, refused: RejectedEvent) -> dict[str, JSON]:
    return {
        line.unit: line.number,
        "code": refused.code,
        "reason": refused.message.removeprefix(f"{line.place}: "),
        "text": line.text.decode(errors="replace"),
    }
