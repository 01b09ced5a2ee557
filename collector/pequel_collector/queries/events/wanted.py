"""What somebody follows: what one user does, or the events of one name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import NamedTuple

from ...identity.subject import Subject
from ...model import JSON, Stored, anonymous_key, is_number, subject_key, user_key
from ...ports import ReadTransaction, StoredRejectedEvent


class FollowFilter(NamedTuple):
    """What to follow: what one user does, or the events of one name. None means all."""

    user: str | None = None
    event: str | None = None


def ids_wanted(tx: ReadTransaction, wanted: FollowFilter) -> frozenset[str]:
    """The ids of the user that is followed."""
    if wanted.user is None:
        return frozenset()
    subject = Subject.of(tx, "user", wanted.user)
    return frozenset({subject_key("user", wanted.user), subject.key, *subject.ids})


def is_wanted(stored: Stored, wanted: FollowFilter, subjects: frozenset[str]) -> bool:
    """Whether a message is of the user and the name that are followed."""
    of_user = wanted.user is None or stored.message.subject in subjects
    return of_user and wanted.event in (None, stored.message.name)


def is_refused_wanted(
    refused: StoredRejectedEvent, wanted: FollowFilter, subjects: frozenset[str]
) -> bool:
    """The same for a refused event, by what it says itself."""
    if not any(wanted):
        return True
    try:
        payload = json.loads(refused.event.payload)
    except (ValueError, RecursionError):  # it was refused because it is no JSON
        return False
    if not isinstance(payload, dict):
        return False
    of_user = wanted.user is None or _names_one_of(payload, wanted.user, subjects)
    return of_user and wanted.event in (None, payload.get("event"))


def _names_one_of(payload: Mapping[str, JSON], user: str, subjects: frozenset[str]) -> bool:
    """Whether an event names the user that is followed, or a visitor who is this user."""
    given_user, given_visitor = _id(payload.get("userId")), _id(payload.get("anonymousId"))
    if user in (given_user, given_visitor):
        return True
    keys = {user_key(given_user), anonymous_key(given_visitor)}
    return not keys.isdisjoint(subjects)


def _id(value: JSON) -> str:
    """An id as text; nothing for what is none."""
    if isinstance(value, str):
        return value
    return str(value) if is_number(value) else ""
