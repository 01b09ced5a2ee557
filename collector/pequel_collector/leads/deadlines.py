"""When a lead has to be looked at: it is due soon, it is overdue, or it escalates.

Nobody does anything at these instants, so a background job looks at the leads whose time has come.
All of this is pure: the job gives the lead and the time.
"""

from __future__ import annotations

from typing import Literal

from ..model import Lead

Deadline = Literal["due_soon", "overdue", "escalated"]

WAITING = ("new", "assigned")
"""The states of a lead that waits for its first contact."""


def due_soon(due_at: int | None, now: int, before: int) -> int | None:
    """When a lead is due soon: ``before`` it is due, or half-way if that is later."""
    return None if due_at is None else max(due_at - before, now + (due_at - now) // 2)


def next_check(lead: Lead) -> int | None:
    """The next instant (ms) at which a deadline of a lead passes; None for never."""
    if lead.state not in WAITING:
        return None
    overdue = None if lead.overdue_for == lead.due_at else lead.due_at
    times = [t for t in (lead.due_soon_at, overdue, lead.escalate_at) if t is not None]
    if not times:
        return None
    time = max(min(times), lead.snoozed_until or 0)
    is_over = lead.state == "new" and lead.expires_at is not None and lead.expires_at <= time
    return None if is_over else time


def passed(lead: Lead, now: int) -> list[Deadline]:
    """The deadlines that a lead has passed, and that the ledger does not have yet, in order."""
    check = next_check(lead)
    if check is None or check > now:
        return []
    found: list[Deadline] = []
    if lead.due_at is not None and lead.overdue_for != lead.due_at and lead.due_at <= now:
        found.append("overdue")
    elif lead.due_soon_at is not None and lead.due_soon_at <= now:
        found.append("due_soon")
    if lead.escalate_at is not None and lead.escalate_at <= now:
        found.append("escalated")
    return found
