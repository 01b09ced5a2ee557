"""All leads of a list as one file: CSV for spreadsheets, and JSON in lines. They are streamed."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from flask import Response

from ...model import JSON, id_of, iso, kind_of
from ...queries.answers import LeadAnswer
from ..answers import schemas
from .files import csv_file, ndjson_file

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


def as_csv(leads: Iterable[LeadAnswer]) -> Response:
    """Leads as CSV with a line of names, as RFC 4180 has it."""
    rows = ([read(each) for read in COLUMNS.values()] for each in leads)
    return csv_file(list(COLUMNS), rows, "pqls.csv")


def as_ndjson(leads: Iterable[LeadAnswer]) -> Response:
    """Leads as JSON, each on a line."""
    return ndjson_file(map(schemas.LEAD.dump, leads), "pqls.ndjson")


LEADS_AS = {"csv": as_csv, "ndjson": as_ndjson}
