"""What is read for a partner: from its own leads alone, so that it tells nothing of other leads.

Two stores that differ only in the leads of others give a partner the same answers, to the byte.
The ledger numbers its entries for everybody, and from these numbers a partner could tell how busy
others are. So its cursor names an entry by its lead, and its place among the entries of this lead.

    ledger             1 north/a   2 south/x   3 south/y   4 north/b   5 north/a
    cursor of north    after 1: (a, 1)         after 4: (b, 1)         after 5: (a, 2)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..errors import NotFound
from ..marking.snapshot import Snapshot
from ..model import Lead
from ..ports import Change, ReadTransaction
from .answers import LeadAnswer
from .cursors import bad_cursor
from .partner_view import for_partner

MAX_HISTORY = 1_000
"""Entries in the history of a lead, the newest ones. All are in the ledger."""

Place = tuple[str, int]
"""A lead, and how many entries of it were read while it was the partner's."""

START: Place = ("", 0)


def seen_by(
    partner: str | None, answers: Sequence[LeadAnswer], snapshot: Snapshot
) -> list[LeadAnswer]:
    """Leads as a partner sees them; all of them where None asks."""
    if partner is None:
        return list(answers)
    catalogue = snapshot.evaluators.catalogue
    shown = [for_partner(answer, partner, catalogue) for answer in answers]
    heirs = {lead for each in shown if (lead := each.lead.merged_into) is not None}
    found = snapshot.tx.leads_by_id(heirs) if heirs else {}
    own = {id_ for id_, lead in found.items() if lead.partner == partner}
    return [_without_heir(each) if each.lead.merged_into not in (None, *own) else each
            for each in shown]  # fmt: skip


def lead_seen_by(tx: ReadTransaction, partner: str | None, lead_id: str) -> Lead:
    """A lead; of a partner, its own. Raises NotFound."""
    lead = tx.lead(lead_id) if partner is None else tx.lead_of_partner(partner, lead_id)
    if lead is None:
        raise NotFound(f"there is no lead {lead_id}", id=lead_id)
    return lead


def history_of(tx: ReadTransaction, lead: Lead, partner: str | None) -> tuple[list[Change], int]:
    """The newest entries of a lead, oldest first, and how many there are.

    For a partner without the time that the lead was another one's.
    """
    if partner is None:
        return tx.latest_changes(lead.id, MAX_HISTORY), tx.count_changes(lead.id)
    found = tx.changes_shown_to(partner, lead.id, MAX_HISTORY)
    return found, tx.count_changes_shown_to(partner, lead.id)


def changes_of(
    tx: ReadTransaction, partner: str, place: Place, limit: int
) -> tuple[list[Change], Place]:
    """The entries of leads that were a partner's then, after a place, and the next place.

    Raises BadRequest for a place that there is not.
    """
    number = 0 if place == START else tx.change_at_place(partner, *place)
    if number is None:
        raise bad_cursor()
    found = tx.changes_of_partner(partner, number, limit)
    if not found:
        return found, place
    last = found[-1]
    return found, (last.lead, tx.place_of_change(partner, last.lead, last.number))


def _without_heir(answer: LeadAnswer) -> LeadAnswer:
    """A lead that does not name the lead of another partner into which it was merged."""
    return answer._replace(lead=replace(answer.lead, merged_into=None))
