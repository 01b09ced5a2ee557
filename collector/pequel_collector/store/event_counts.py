"""How many events a subject has by name in sealed blocks.

When a block is sealed, the events of each subject with many messages in it are counted by name.
Those of other subjects are few, and are counted when somebody asks. An example in which a subject
has many messages if it has three:

    block 1, sealed    ada a, ada b, ada a, bob a        counted  (1, ada, a) 2  (1, ada, b) 1
    block 2, sealed    ada a, bob b, eve a, eve b        counted  nothing

The events of ada are the numbers of block 1 and the messages of block 2.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from ..model import account_key, id_of, kind_of
from . import rows
from . import statements as sql
from .encoding import unescape
from .migrations.reads import MANY_IN_BLOCK
from .session import Row, Session

Place = tuple[int, str]
"""A block and an account."""


class Move(NamedTuple):
    """A stored message whose account changes."""

    mid: str
    block: int
    time: int
    position: int
    name: str | None
    account: str | None
    to: str | None


def sealed_names(session: Session, blocks: list[int], subjects: Collection[str]) -> Iterator[Row]:
    """The events of subjects in sealed blocks: names, as they are stored, and numbers, in parts."""
    if len({kind_of(subject) == "account" for subject in subjects}) > 1:
        # An event of both a user and an account counts once, so each is looked at.
        yield from _names_of(session, blocks, subjects)
        return
    counted: dict[str, set[int]] = {subject: set() for subject in subjects}
    for block, subject, name, number in session.run(
        sql.SEALED_COUNTS, blocks=blocks, subjects=sorted(subjects)
    ):
        counted[unescape(subject)].add(block)
        yield name, number
    rarely = [subject for subject, in_blocks in counted.items() if not in_blocks]
    often = [[subject] for subject, in_blocks in counted.items() if in_blocks]
    for some in filter(None, (rarely, *often)):
        left = [block for block in blocks if block not in counted[some[0]]]
        yield from _names_of(session, left, some)


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


def _counted(session: Session, places: Collection[Place]) -> set[Place]:
    """Those of the places whose events are counted."""
    found = session.run(
        sql.SEALED_COUNTS,
        blocks=sorted({block for block, _ in places}),
        subjects=sorted({account_key(account) for _, account in places}),
    )
    return {(block, id_of(unescape(subject))) for block, subject, *_ in found}


def _got_many(changes: Counter[tuple[int, str, str]]) -> set[Place]:
    got: Counter[Place] = Counter()
    for (block, account, _), change in changes.items():
        got[block, account] += change
    return {place for place, number in got.items() if number >= MANY_IN_BLOCK}
