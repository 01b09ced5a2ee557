"""The entries that the ledger of leads gets in one transaction: what changed, before and after."""

from __future__ import annotations

from collections.abc import Mapping

from ..model import JSON, Lead, iso
from ..ports import Change
from .states import Outcome, outcome_of


class ChangeLog:
    """The entries of one transaction, in order, all of one instant."""

    def __init__(self, now: int) -> None:
        self._now = now
        self.entries: list[Change] = []

    def add_outcome(
        self,
        lead: Lead,
        what: str,
        before: Outcome,
        reason: str | None = None,
        actor: str | None = None,
    ) -> None:
        """Log the parts of an outcome that differ from before, and the state in any case."""
        was, now = outcome_as_logged(before), outcome_as_logged(outcome_of(lead))
        differing = [name for name in now if name == "state" or was[name] != now[name]]
        was, now = ({name: each[name] for name in differing} for each in (was, now))
        self.add(lead, what, was, now, reason, actor)

    def add(
        self,
        lead: Lead,
        what: str,
        before: Mapping[str, JSON],
        after: Mapping[str, JSON],
        reason: str | None = None,
        actor: str | None = None,
    ) -> None:
        """Log an entry, whose ``before`` and ``after`` have the state at least.

        A lead has none before it was opened.
        """
        was = before if what == "opened" else {"state": lead.state, **before}
        is_now = {"state": lead.state, **after}
        change = Change(lead.id, self._now, what, was, is_now, reason, actor, 0, lead.partner)
        self.entries.append(change)


def basis_of(lead: Lead) -> dict[str, JSON]:
    """When a lead qualified and under which version, as the change log shows it."""
    return {
        "qualified_at": iso(lead.qualified_at),
        "version": lead.version,
        "account": lead.account,
    }


def outcome_as_logged(found: Outcome) -> dict[str, JSON]:
    """An outcome as the change log shows it."""
    times = ("contacted_at", "won_at", "snoozed_until", "claimed_at", "claimed_until")
    shown = {name: getattr(found, name) for name in Outcome.__slots__}
    shown["route"] = None if found.route is None else found.route.name
    return shown | {name: iso(shown[name]) for name in times if shown[name] is not None}
