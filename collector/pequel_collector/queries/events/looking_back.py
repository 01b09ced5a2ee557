"""What was stored last of what somebody follows, also before the log of arrivals begins.

The events of one name have no index, so a bounded number of messages is looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ...model import Stored, fact_order
from ...ports import ANY_REJECTED, ReadTransaction, StoredRejectedEvent
from .rejected import rejected_page
from .wanted import FollowFilter, ids_wanted, is_refused_wanted, is_wanted

MESSAGES = 5_000
"""Messages that are looked at, those that arrived last; with a user, the latest of this user."""

REJECTED = 1_000
"""Rejected events that are looked at, the latest."""

AT_ONCE = 200


class LookedBack(NamedTuple):
    """What was found, latest first, and whether there is nothing that was not looked at."""

    messages: list[Stored]
    rejected: list[StoredRejectedEvent]
    is_whole: bool


def look_back(tx: ReadTransaction, wanted: FollowFilter, limit: int) -> LookedBack:
    """What was stored last of what is wanted, at most so many messages and rejected events."""
    subjects = ids_wanted(tx, wanted)
    if wanted.user is None:
        messages = tx.latest(MESSAGES, wanted.event)
        is_whole = not _has_more_than(tx, MESSAGES)
    else:
        messages, is_whole = _of_user(tx, wanted, subjects, limit)
    some, is_more = rejected_page(tx, ANY_REJECTED, REJECTED, None)
    rejected = [each for each in some if is_refused_wanted(each, wanted, subjects)]
    return LookedBack(messages[:limit], rejected[:limit], is_whole and not is_more)


def _of_user(
    tx: ReadTransaction, wanted: FollowFilter, subjects: frozenset[str], limit: int
) -> tuple[list[Stored], bool]:
    """The latest messages that are wanted of a user, and whether all of them were looked at."""
    found: list[Stored] = []
    for looked_at, each in enumerate(_latest_of(tx, subjects)):
        if looked_at == MESSAGES or len(found) == limit:
            return found, False
        if is_wanted(each, wanted, subjects):
            found.append(each)
    return found, True


def _latest_of(tx: ReadTransaction, subjects: frozenset[str]) -> Iterator[Stored]:
    """The messages of a user, latest first."""
    before = None
    while some := tx.latest_of(subjects, AT_ONCE, before):
        yield from some
        before = fact_order(some[-1].message)


def _has_more_than(tx: ReadTransaction, number: int) -> bool:
    """Whether more than so many messages are stored."""
    total = 0
    for block in range(tx.open_block(), 0, -1):
        total += tx.messages_in_block(block)
        if total > number:
            return True
    return False
