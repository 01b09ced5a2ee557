"""``[[alert]]``: which changes of leads are sent where, and in which form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from .crm import CRM_FORMS
from .quantities import HOUR

if TYPE_CHECKING:
    from .lead_condition import LeadCondition

EVENTS = {
    "qualified": "opened",
    "restated": "restated",
    "voided": "voided",
    "superseded": "superseded",
    "merged": "merged",
    "routed": "routed",
    "assigned": "assigned",
    "given_back": "given_back",
    "owner_removed": "owner_removed",
    "contacted": "contacted",
    "snoozed": "snoozed",
    "woken": "woken",
    "won": "won",
    "lost": "lost",
    "dismissed": "dismissed",
    "reopened": "reopened",
    "amount_set": "amount_set",
    "claimed": "claimed",
    "due_soon": "due_soon",
    "overdue": "overdue",
    "escalated": "escalated",
}
"""The words of ``on``, each with the word that the ledger of leads has for it."""

EVENT_OF = {what: event for event, what in EVENTS.items()}
"""The word of ``on`` for a word of the ledger."""

MAX_AGE = 72 * HOUR
"""The default of ``alert_max_age``."""

Form = str
"""How an alert is sent: ``webhook``, ``post``, ``slack``, ``email``, …"""


@dataclass(frozen=True, slots=True)
class Alert:
    """One ``[[alert]]``.

    ``on`` are words of ``EVENTS``. ``when`` is what the lead must be like. ``options`` are the
    other keys, as the form reads them: ``url``, ``secret_env``, ``to``, … Secrets are never in it,
    only the names of the environment variables that hold them.
    """

    name: str
    on: tuple[str, ...]
    form: Form = "webhook"
    when: LeadCondition | None = None
    options: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def crm(self) -> str | None:
        """The CRM that it writes into; None for any other receiver."""
        stated: str | None = self.options.get("crm")
        return self.form if self.form in CRM_FORMS else stated
