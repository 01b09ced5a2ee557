"""How many events a subject has by name in sealed blocks.

When a block is sealed, the events of each subject with many messages in it are counted by name.
Those of other subjects are few, and are counted when somebody asks. An example in which a subject
has many messages if it has three:

    block 1, sealed    ada a, ada b, ada a, bob a        counted  (1, ada, a) 2  (1, ada, b) 1
    block 2, sealed    ada a, bob b, eve a, eve b        counted  nothing

The events of ada are the numbers of block 1 and the messages of block 2.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from ...model import account_key, id_of, kind_of
from .. import rows
from .. import statements as sql
from ..encoding import unescape
from ..migrations.reads import MANY_IN_BLOCK
from ..session import Row, Session


class Place(NamedTuple):
    """A sealed block with messages of a subject: the time of the first one there.

    ``is_counted`` says whether its events are counted there.
    """

    subject: str
    block: int
    first: int
    is_counted: bool


class Move(NamedTuple):
    """A stored message whose account changes."""

    mid: str
    block: int
    time: int
    position: int
    name: str | None
    account: str | None
    to: str | None


def sealed_names(
    session: Session, places: Sequence[Place], subjects: Collection[str]
) -> Iterator[Row]:
    """The events of subjects in sealed blocks: names, as they are stored, and numbers, in parts.

    ``places`` are all places of the subjects.
    """
    counted: defaultdict[str, list[int]] = defaultdict(list)
    # An event of both a user and an account counts once, so each is looked at.
    if len({kind_of(subject) == "account" for subject in subjects}) == 1:
        for place in places:
            if place.is_counted:
                counted[place.subject].append(place.block)
    for subject, blocks in counted.items():
        found = session.run(sql.SEALED_TOTALS, blocks=blocks, subject=subject)
        yield from ((name, int(number)) for name, number in found)
    rarely = [subject for subject in subjects if subject not in counted]
    for some in filter(None, (rarely, *([subject] for subject in counted))):
        left = {p.block for p in places if p.subject in some} - set(counted.get(some[0], ()))
        if left:
            yield from _names_of(session, sorted(left), some)


def _names_of(session: Session, blocks: list[int], subjects: Collection[str]) -> list[Row]:
    """Names and numbers by the messages themselves. In one statement, PostgreSQL might join all."""
    found = session.run(sql.SEALED_MIDS, blocks=blocks, subjects=sorted(subjects))
    mids = sorted({unescape(mid) for (mid,) in found})
    return session.run(sql.NAMES_OF_MESSAGES, mids=mids) if mids else []


def move_counts(session: Session, moves: Sequence[Move]) -> None:
    """Follow messages of sealed blocks to other accounts; count an account that gets many."""
    changes: Counter[tuple[int, str, str]] = Counter()
    for move in moves:
        for account, change in ((move.account, -1), (move.to, 1)):
            if account is not None and move.name is not None:
                changes[move.block, account, move.name] += change
    if not changes:
        return
    counted = _counted(session, {(block, account) for block, account, _ in changes})
    changed = [
        rows.event_count(block, account, name, change)
        for (block, account, name), change in changes.items()
        if change and (block, account) in counted
    ]
    session.insert(sql.ADD_COUNTS, sorted(changed))
    for block, account in _got_many(changes) - counted:
        session.run(sql.COUNT_ACCOUNT, block=block, account=account)


def _counted(session: Session, places: Collection[tuple[int, str]]) -> set[tuple[int, str]]:
    """Those of some blocks and accounts whose events are counted."""
    found = session.run(
        sql.SEALED_COUNTS,
        blocks=sorted({block for block, _ in places}),
        subjects=sorted({account_key(account) for _, account in places}),
    )
    return {(block, id_of(unescape(subject))) for block, subject, *_ in found}


def _got_many(changes: Counter[tuple[int, str, str]]) -> set[tuple[int, str]]:
    got: Counter[tuple[int, str]] = Counter()
    for (block, account, _), change in changes.items():
        got[block, account] += change
    return {place for place, number in got.items() if number >= MANY_IN_BLOCK}
