"""Lists as files: CSV for spreadsheets, and JSON in lines. They are streamed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from flask import Response, request

from ...model import JSON
from ...queries.csv_rows import csv_lines
from ..asked import arguments
from ..json import encode
from ..openapi.operation import Content

CONTENTS = (
    Content("text/csv", {"type": "string"}),
    Content("application/x-ndjson", {"type": "string"}),
)
"""What a list can be besides JSON."""


def csv_file(columns: Sequence[str], rows: Iterable[Iterable[JSON]], name: str) -> Response:
    """Rows as a download, with a line of names."""
    lines = (line.encode() for line in csv_lines(columns, rows))
    return _file(lines, "text/csv; charset=utf-8", name)


def ndjson_file(items: Iterable[JSON], name: str) -> Response:
    """Items as a download, each as JSON on a line."""
    return _file((encode(each) + b"\n" for each in items), "application/x-ndjson", name)


def require_whole(form: str) -> None:
    """Raises BadRequest for an argument that would cut a list which comes whole."""
    for name in ("limit", "cursor", "count"):
        if name in request.args:
            raise arguments.mistake(name, f"it with format={form}", "a list that comes whole")


def _file(lines: Iterable[bytes], mimetype: str, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(lines, content_type=mimetype, headers=headers)
