"""Which leads to list, as SQL: a condition for each part of the filter that says something."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import Any

from ..model import account_key, subject_key
from ..ports import LeadCursor, LeadFilter
from . import statements as sql
from .texts import encode

_TRAIT = """:{0} = (
  SELECT value FROM trait
  WHERE trait.subject = lead.subject AND trait.bucket = lead.bucket AND trait.name = '{0}'
  ORDER BY time DESC, mid DESC LIMIT 1
)"""

_CONDITIONS = {
    "definition": "definition = :definition",
    "subject_kind": "substr(subject, 1, 2) = :subject_kind",
    "subject": "subject = :subject",
    "state": "state = :state",
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


def listings(wanted: LeadFilter, after: LeadCursor | None) -> Iterator[tuple[str, dict[str, Any]]]:
    """The statements that list these leads, one after the other, with their values."""
    values = {f.name: v for f in fields(wanted) if (v := getattr(wanted, f.name)) is not None}
    conditions = [_CONDITIONS[name] for name in values]
    conditions += [_STANDING] if wanted.state is None else []
    values |= {name: change(values[name]) for name, change in _CHANGED.items() if name in values}
    if wanted.account is not None:
        values["account_subject"] = account_key(wanted.account)
    if after is not None:
        values |= after._asdict()
    for place in _BEHIND if after else ("1 = 1",):
        yield sql.LISTED_LEADS.format(conditions=" AND ".join([place, *conditions])), values
