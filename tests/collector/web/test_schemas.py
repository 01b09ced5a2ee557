"""A new field of a record is shown by its schema, or left out on purpose."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from pequel_collector import model, ports
from pequel_collector.marking.active import ActiveDefinitions
from pequel_collector.queries import answers
from pequel_collector.usage import Balance
from pequel_collector.web.answers import schemas


def attributes(schema: schemas.AnswerSchema, prefix: str = "") -> set[str]:
    """The attributes that a schema reads of a record, or of the record behind a prefix."""
    names = {field.attribute or name for name, field in schema.fields.items()}
    return {name.removeprefix(prefix) for name in names if name.startswith(prefix)}


def fields_of(record: Any) -> set[str]:
    names = getattr(record, "_fields", None) or getattr(record, "__struct_fields__", None)
    return set(names or (field.name for field in fields(record)))


@pytest.mark.parametrize(
    ("record", "schema", "prefix", "left_out"),
    [
        (
            model.Lead,
            schemas.Lead(),
            "lead.",
            {
                "state",
                "account",
                "evidence",
                "default_owner",
                "withdrawn",
                "conversion",
                "claimed_at",
                "claimed_until",
                "due_soon_at",
                "overdue_for",
                "escalate_at",
            },
        ),
        (answers.LeadAnswer, schemas.Lead(), "", {"lead", "brief", "revision"}),
        (ports.Change, schemas.Entry(), "", {"lead", "number", "partner"}),
        (answers.LedgerAnswer, schemas.LedgerEntry(), "", set()),
        (answers.ContactAnswer, schemas.Contact(), "", set()),
        (answers.Profile, schemas.UserProfile(), "", set()),
        (answers.Profile, schemas.AccountProfile(), "", {"account", "ids", "conflicts"}),
        (answers.Status, schemas.Status(), "", set()),
        (model.Stored, schemas.Event(), "", {"message", "person"}),
        (
            model.RejectedEvent,
            schemas.RejectedEvent(),
            "event.",
            {"envelope", "received", "is_kept"},
        ),
        (ports.StoredRejectedEvent, schemas.RejectedEvent(), "", {"event", "import_number"}),
        (answers.DefinitionAnswer, schemas.Definition(), "", {"definition", "log"}),
        (ports.Version, schemas.Version(), "version.", {"name"}),
        (
            ports.DefinitionEntry,
            schemas.Version(),
            "latest.",
            {"name", "version", "origin", "changed"},
        ),
        (
            ActiveDefinitions,
            schemas.Origin(),
            "",
            {"text", "file", "versions", "changes", "kept", "revision"},
        ),
        (answers.KeyUsage, schemas.KeyUsage(), "", {"balance"}),
        (Balance, schemas.KeyUsage(), "", set()),
        (Balance, schemas.Balance(), "", set()),
    ],
)
def test_a_schema_shows_every_field(
    record: Any, schema: schemas.AnswerSchema, prefix: str, left_out: set[str]
) -> None:
    assert fields_of(record) - attributes(schema, prefix) == left_out


def test_a_missing_attribute_is_an_error() -> None:
    with pytest.raises(AttributeError):
        schemas.LEAD.dump({})
