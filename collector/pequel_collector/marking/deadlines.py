"""The deadlines of leads: a job logs those that have passed, and escalates leads.

Each round is a short write transaction. There is one writer at a time, and a deadline that was
logged is gone from the index that the job reads, so several collectors do nothing twice.
"""

from __future__ import annotations

from ..leads.ledger import Ledger
from ..ports import Store, WriteTransaction
from .evaluators import Evaluators

LEADS_PER_STEP = 50
"""Leads whose deadlines are looked at in one transaction."""


def any_passed(store: Store, now: int) -> bool:
    """Whether a lead has a deadline that has passed."""
    with store.reading() as view:
        return bool(view.leads_to_check(now, 1))


def pass_deadlines(
    tx: WriteTransaction, evaluators: Evaluators, now: int, limit: int = LEADS_PER_STEP
) -> int:
    """Log the deadlines that have passed, of so many leads; how many leads were looked at."""
    found = tx.leads_to_check(now, limit)
    ledger = Ledger(tx, evaluators.in_force, evaluators.catalogue, now)
    ledger.load({lead.subject for lead in found})
    for lead in found:
        ledger.pass_deadlines(lead)
    ledger.close(tx)
    return len(found)
