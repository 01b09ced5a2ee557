"""All leads of a list as one file: CSV for spreadsheets, and JSON in lines. They are streamed."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator

from flask import Response

from ...model import JSON, id_of, iso, kind_of
from ...queries.answers import LeadAnswer
from ..answers import schemas
from ..json import encode

COLUMNS: dict[str, Callable[[LeadAnswer], JSON]] = {
    "id": lambda a: a.lead.id,
    "definition": lambda a: a.lead.definition,
    "version": lambda a: a.lead.version,
    "subject_kind": lambda a: kind_of(a.lead.subject),
    "subject_id": lambda a: id_of(a.lead.subject),
    "account": lambda a: a.account,
    "name": lambda a: a.traits.get("name"),
    "email": lambda a: a.traits.get("email"),
    "country": lambda a: a.traits.get("country"),
    "plan": lambda a: a.traits.get("plan"),
    "state": lambda a: a.state,
    "holds_now": lambda a: a.holds_now,
    "kind": lambda a: a.lead.kind,
    "priority": lambda a: a.lead.priority,
    "owner": lambda a: a.lead.owner,
    "qualified_at": lambda a: iso(a.lead.qualified_at),
    "marked_at": lambda a: iso(a.lead.marked_at),
    "due_at": lambda a: None if a.lead.due_at is None else iso(a.lead.due_at),
    "expires_at": lambda a: None if a.lead.expires_at is None else iso(a.lead.expires_at),
    "flags": lambda a: " ".join(a.lead.flags),
    "sentence": lambda a: a.lead.evidence.get("sentence"),
    "partner": lambda a: a.lead.partner,
    "route": lambda a: None if a.lead.route is None else a.lead.route.name,
    "claimed_until": lambda a: None if a.claim is None else iso(a.claim.until),
    "stage": lambda a: a.stage,
}

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""How a text begins that a spreadsheet would run."""


def cell(value: JSON) -> str:
    """A value as a cell. A text that a spreadsheet would run begins with an apostrophe."""
    match value:
        case None:
            return ""
        case str():
            text = value.encode("utf-8", "replace").decode()
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case _:
            text = encode(value).decode()
    return "'" + text if text.startswith(FORMULA) else text


def as_csv(leads: Iterable[LeadAnswer]) -> Response:
    """Leads as CSV with a line of names, as RFC 4180 has it."""
    return _file(_csv_lines(leads), "text/csv; charset=utf-8", "pqls.csv")


def as_ndjson(leads: Iterable[LeadAnswer]) -> Response:
    """Leads as JSON, each on a line."""
    lines = (encode(schemas.LEAD.dump(each)) + b"\n" for each in leads)
    return _file(lines, "application/x-ndjson", "pqls.ndjson")


LEADS_AS = {"csv": as_csv, "ndjson": as_ndjson}


def _csv_lines(leads: Iterable[LeadAnswer]) -> Iterator[bytes]:
    buffer = io.StringIO()
    write = csv.writer(buffer).writerow
    write(COLUMNS)
    yield _taken(buffer)
    for each in leads:
        write([cell(read(each)) for read in COLUMNS.values()])
        yield _taken(buffer)


def _taken(buffer: io.StringIO) -> bytes:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text.encode()


def _file(lines: Iterable[bytes], mimetype: str, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(lines, content_type=mimetype, headers=headers)
