"""The list of leads: its SQL, with a condition for each filter that is set.

The list is in the order (rank, marked_at descending, id). A page after the cursor (rank 1, marked
at 500, id "b") needs two statements, because the database finds each of them by its index at once:

    rank = 1 AND marked_at <= 500 AND (marked_at < 500 OR id > 'b')    the rest of rank 1
    rank > 1                                                           all lower ranks

The state ``expired`` needs two statements as well, whose leads are merged: leads with that state,
and leads that are ``new`` but past their ``expires_at``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from heapq import merge
from itertools import islice
from typing import Any

from ..model import Lead, account_key, subject_key
from ..ports import LeadCursor, LeadFilter
from . import rows
from .encoding import encode
from .session import Session
from .statements import SELECT_LEADS

Listed = tuple[Lead, LeadCursor]

_PAGE = f"""
{SELECT_LEADS} WHERE {{conditions}}
ORDER BY rank, marked_at DESC, id LIMIT :limit
"""

_TRAIT = """:{0} = (
  SELECT value FROM trait
  WHERE trait.name = '{0}' AND trait.subject IN (
    SELECT lead.subject UNION ALL SELECT subject FROM person WHERE person = lead.subject
  )
  ORDER BY time DESC, position DESC, mid DESC LIMIT 1
)"""

_CONDITIONS = {
    "definition": "definition = :definition",
    "subject_kind": "substr(subject, 1, 2) = :subject_kind",
    "subject": "subject = :subject",
    "owner": "owner = :owner",
    "kind": "kind = :kind",
    "country": _TRAIT.format("country"),
    "plan": _TRAIT.format("plan"),
    "account": "(account = :account OR subject = :account_subject)",
    "qualified_from": "qualified_at >= :qualified_from",
    "qualified_to": "qualified_at < :qualified_to",
    "marked_after": "marked_at > :marked_after",
}

_ANY_STATE = "state <> 'voided'"
_STATE = "state = :state"
_EXPIRED = "state = 'new' AND expires_at <= :now"
_NEW = "state = 'new' AND (expires_at IS NULL OR expires_at > :now)"

_ANYWHERE = ("1 = 1",)
_AFTER_CURSOR = (
    "rank = :rank AND marked_at <= :marked_at AND (marked_at < :marked_at OR id > :id)",
    "rank > :rank",
)

# A kind is the prefix of a subject key. Trait values are stored as JSON.
_TO_COLUMN: dict[str, Callable[[Any], str]] = {
    "subject_kind": lambda kind: subject_key(kind, ""),
    "country": encode,
    "plan": encode,
}


def lead_page(
    session: Session, wanted: LeadFilter, limit: int, after: LeadCursor | None
) -> list[Listed]:
    """A page of leads in the order of the list; those after a cursor."""
    values = _values(wanted, after)
    found: list[Listed] = []
    for statements in _statements(wanted, values, after):
        left = limit - len(found)
        pages = [session.run(each, **values, limit=left) for each in statements]
        lists = [map(rows.to_listed_lead, page) for page in pages]
        found += islice(merge(*lists, key=_order), left)
    return [_with_expiry(wanted.now, listed) for listed in found]


def _statements(
    wanted: LeadFilter, values: dict[str, Any], after: LeadCursor | None
) -> Iterator[list[str]]:
    """Groups of statements. The leads of a group come before those of the next group."""
    conditions = [condition for name, condition in _CONDITIONS.items() if name in values]
    for position in _AFTER_CURSOR if after else _ANYWHERE:
        group = [[position, state, *conditions] for state in _states(wanted)]
        yield [_PAGE.format(conditions=" AND ".join(each)) for each in group]


def _values(wanted: LeadFilter, after: LeadCursor | None) -> dict[str, Any]:
    values = {f.name: v for f in fields(wanted) if (v := getattr(wanted, f.name)) is not None}
    values |= {name: to(values[name]) for name, to in _TO_COLUMN.items() if name in values}
    if wanted.account is not None:
        values["account_subject"] = account_key(wanted.account)
    return values | (after._asdict() if after else {})


def _states(wanted: LeadFilter) -> tuple[str, ...]:
    """Conditions on the state. Each lead of the list meets exactly one."""
    if wanted.state is None:
        return (_ANY_STATE,)
    by_time = {} if wanted.now is None else {"new": (_NEW,), "expired": (_STATE, _EXPIRED)}
    return by_time.get(wanted.state, (_STATE,))


def _with_expiry(now: int | None, listed: Listed) -> Listed:
    """A lead in the state that it has at ``now``."""
    lead, cursor = listed
    is_over = now is not None and lead.expires_at is not None and lead.expires_at <= now
    return (replace(lead, state="expired"), cursor) if is_over and lead.state == "new" else listed


def _order(listed: Listed) -> tuple[int, int, str]:
    rank, marked_at, id_ = listed[1]
    return rank, -marked_at, id_
