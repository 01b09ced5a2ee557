"""Which leads to list, as SQL: a condition for each part of the filter that says something."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from typing import Any

from ..model import Lead, account_key, subject_key
from ..ports import LeadCursor, LeadFilter
from . import statements as sql
from .texts import encode

_TRAIT = """:{0} = (
  SELECT value FROM trait
  WHERE trait.name = '{0}' AND trait.subject IN (
    SELECT lead.subject UNION ALL SELECT subject FROM person WHERE person = lead.subject
  )
  ORDER BY time DESC, mid DESC LIMIT 1
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

_STANDING = "state <> 'voided'"
_STATE = "state = :state"
_EXPIRED = "state = 'new' AND expires_at <= :now"
_NEW = "state = 'new' AND (expires_at IS NULL OR expires_at > :now)"

# Behind a cursor, leads of its priority come before those of lower ones. Told apart, each is found
# through the index at once.
_BEHIND = (
    "rank = :rank AND marked_at <= :marked_at AND (marked_at < :marked_at OR id > :id)",
    "rank > :rank",
)

# Kinds are known by the prefix of the key; the values of traits are kept as JSON.
_CHANGED: dict[str, Callable[[Any], str]] = {
    "subject_kind": lambda kind: subject_key(kind, ""),
    "country": encode,
    "plan": encode,
}


def listings(
    wanted: LeadFilter, after: LeadCursor | None
) -> Iterator[tuple[list[str], dict[str, Any]]]:
    """The statements that list these leads, with their values.

    Those that come together list leads that lie between one another, and come before the next.
    """
    values = _values(wanted, after)
    conditions = [condition for name, condition in _CONDITIONS.items() if name in values]
    for place in _BEHIND if after else ("1 = 1",):
        together = [[place, state, *conditions] for state in _states(wanted)]
        yield [sql.LISTED_LEADS.format(conditions=" AND ".join(c)) for c in together], values


def _values(wanted: LeadFilter, after: LeadCursor | None) -> dict[str, Any]:
    values = {f.name: v for f in fields(wanted) if (v := getattr(wanted, f.name)) is not None}
    values |= {name: change(values[name]) for name, change in _CHANGED.items() if name in values}
    if wanted.account is not None:
        values["account_subject"] = account_key(wanted.account)
    return values | (after._asdict() if after else {})


def _states(wanted: LeadFilter) -> tuple[str, ...]:
    """Conditions on the state, of which each lead fulfils one."""
    if wanted.state is None:
        return (_STANDING,)
    by_time = {} if wanted.now is None else {"new": (_NEW,), "expired": (_STATE, _EXPIRED)}
    return by_time.get(wanted.state, (_STATE,))


def as_of(now: int | None, listed: tuple[Lead, LeadCursor]) -> tuple[Lead, LeadCursor]:
    """A listed lead in the state that it has by then."""
    lead, place = listed
    is_over = now is not None and lead.expires_at is not None and lead.expires_at <= now
    return (replace(lead, state="expired"), place) if is_over and lead.state == "new" else listed


def place_of(listed: tuple[Lead, LeadCursor]) -> tuple[int, int, str]:
    """What the list is in the order of."""
    rank, marked_at, id_ = listed[1]
    return rank, -marked_at, id_
