"""What is written into a CRM, and what it may write back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from ...model import LeadState

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


CRM_FORMS = ("hubspot", "salesforce")
"""The forms of alerts that write into a CRM of the same name."""


@dataclass(frozen=True, slots=True)
class Crm:
    """``[crm.NAME]``: what a CRM may write back.

    ``secret_env`` are the variables that hold the secrets of its webhooks. ``stages`` are the
    states that its stages mean, ``owners`` the owners of leads by its own ids.
    """

    name: str
    secret_env: tuple[str, ...]
    stages: Mapping[str, LeadState] = field(default_factory=lambda: MappingProxyType({}))
    owners: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def actor(self) -> str:
        """Who makes its changes, as the ledger names it."""
        return actor_of(self.name)


def actor_of(crm: str) -> str:
    """Who makes the changes of a CRM, as the ledger names it."""
    return f"crm:{crm}"
