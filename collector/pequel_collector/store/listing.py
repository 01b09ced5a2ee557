"""Which leads to list, as SQL: a condition for each part of the filter that says something."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

from ..model import account_key, subject_key
from ..ports import LeadCursor, LeadFilter
from . import statements as sql
from .texts import encode

_TRAIT = """EXISTS (
  SELECT 1 FROM current_trait t
  WHERE t.subject = lead.subject AND t.bucket = lead.bucket AND t.name = '{0}' AND t.value = :{0}
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

_BEHIND = """rank >= :rank AND (
  rank > :rank OR marked_at < :marked_at OR (marked_at = :marked_at AND id > :id)
)"""


# Kinds are known by the prefix of the key; the values of traits are kept as JSON.
_CHANGED: dict[str, Callable[[Any], str]] = {
    "subject_kind": lambda kind: subject_key(kind, ""),
    "country": encode,
    "plan": encode,
}


def listing(wanted: LeadFilter, after: LeadCursor | None) -> tuple[str, dict[str, Any]]:
    """The statement that lists these leads, and its values apart from the limit."""
    values = {f.name: v for f in fields(wanted) if (v := getattr(wanted, f.name)) is not None}
    conditions = [_CONDITIONS[name] for name in values]
    conditions += [_STANDING] if wanted.state is None else []
    values |= {name: change(values[name]) for name, change in _CHANGED.items() if name in values}
    if wanted.account is not None:
        values["account_subject"] = account_key(wanted.account)
    if after is not None:
        conditions.append(_BEHIND)
        values |= after._asdict()
    return sql.LISTED_LEADS.format(conditions=" AND ".join(conditions)), values
