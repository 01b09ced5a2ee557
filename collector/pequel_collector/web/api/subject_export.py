"""All users or accounts of a list as one file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from flask import Response

from ...model import JSON, Kind, id_of, iso
from ...queries.answers import ListedSubject
from ..answers import schemas
from .files import csv_file, ndjson_file


def subjects_as(
    form: str, kind: Kind, subjects: Iterable[ListedSubject], traits: Sequence[str]
) -> Response:
    """Users or accounts as ``csv`` or ``ndjson``. ``traits`` are those that describe a person."""
    if form == "ndjson":
        return ndjson_file(map(schemas.LISTED_SUBJECT.dump, subjects), f"{kind}s.ndjson")
    columns = ["id", *(f"trait.{name}" for name in traits), "first_seen", "last_seen", "open_leads"]
    return csv_file(columns, (_row(each, traits) for each in subjects), f"{kind}s.csv")


def _row(subject: ListedSubject, traits: Sequence[str]) -> list[JSON]:
    return [
        id_of(subject.key),
        *(subject.traits.get(name) for name in traits),
        iso(subject.first_seen),
        iso(subject.last_seen),
        subject.open_leads,
    ]
