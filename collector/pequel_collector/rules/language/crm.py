"""What is written into a CRM, and what it may write back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

LEAD_FIELDS = (
    "id", "definition", "version", "subject", "cycle", "qualified_at", "marked_at", "state",
    "holds_now", "kind", "priority", "owner", "partner", "route", "claim", "stage", "due_at",
    "overdue", "snoozed_until", "contacted_at", "time_to_contact_seconds", "won_at", "self_serve",
    "amount", "currency", "expires_at", "merged_into", "flags", "account", "traits", "title",
    "play", "description", "account_traits", "trial", "evidence",
)  # fmt: skip
"""The fields of a lead, as the API names them, with which a path may begin."""

DELIVERY_FIELDS = ("link", "type", "timestamp", "change")
"""What a path may begin with beside them."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a value comes from: a path into the lead, such as ``traits.name``, or a fixed text."""

    path: tuple[str, ...] = ()
    text: str | None = None


Sources = tuple[Source, ...]
"""Several sources: the first that has a value counts."""

FieldMap = Mapping[str, Sources]
"""The fields of a record, each with its sources."""
