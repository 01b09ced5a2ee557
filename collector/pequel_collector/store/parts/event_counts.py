"""How many events a subject has by name, in blocks and in sections.

When a block is sealed, the events of each subject with many messages in it are counted by name. The
same is done for a section. Those of other subjects are few, and are counted when somebody asks. An
example in which a subject has many messages if it has three:

    block 1, sealed    ada a, ada b, ada a, bob a        counted  (1, ada, a) 2  (1, ada, b) 1
    block 2, sealed    ada a, bob b, eve a, eve b        counted  nothing

The events of ada are the numbers of block 1 and the messages of block 2.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from ...model import account_key, id_of, kind_of
from .. import rows
from ..encoding import unescape
from ..migrations.reads import MANY_IN_BLOCK
from ..sections import blocks_of, section_of
from ..session import Insertion, Row, Session
from . import message_statements as sql


class Place(NamedTuple):
    """A block or section with messages of a subject: the time of the first one there.

    ``is_counted`` says whether its events are counted there.
    """

    source: str
    number: int
    subject: str
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


def names_in(session: Session, places: Sequence[Place]) -> Iterator[Row]:
    """The events in all places of subjects: names, as they are stored, and numbers, in parts."""
    if len({kind_of(place.subject) == "account" for place in places}) > 1:
        yield from _names_of_both(session, places)
        return
    counted: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    left: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for place in places:
        kept = counted if place.is_counted else left
        kept[place.source, place.subject].append(place.number)
    for (source, subject), numbers in counted.items():
        found = session.run(sql.TOTALS[source], places=numbers, subject=subject)
        yield from ((name, int(number)) for name, number in found)
    for (source, subject), numbers in left.items():
        if source == "posting":
            yield from _names_of(session, _mids(session, numbers, [subject]))
        else:
            key = id_of(subject) if source == "account" else subject
            yield from session.run(sql.NAMES[source], places=numbers, keys=[key])


def _names_of_both(session: Session, places: Sequence[Place]) -> Iterator[Row]:
    """The same for users and accounts together: an event of both counts once."""
    subjects = sorted({place.subject for place in places})
    sections = {place.number for place in places if place.source == "posting"}
    yield from _names_of(session, _mids(session, sorted(sections), subjects))
    yield from session.run(
        sql.NAMES_OF_BOTH,
        places=sorted({place.number for place in places if place.source != "posting"}),
        subjects=[subject for subject in subjects if kind_of(subject) != "account"],
        accounts=[id_of(subject) for subject in subjects if kind_of(subject) == "account"],
    )


def _mids(session: Session, sections: list[int], subjects: list[str]) -> list[str]:
    found = session.run(sql.MIDS, places=sections, keys=subjects) if sections else []
    return sorted({unescape(mid) for (mid,) in found})


def _names_of(session: Session, mids: list[str]) -> list[Row]:
    """Names and numbers by the messages themselves. In one statement, PostgreSQL might join all."""
    return session.run(sql.NAMES_OF_MESSAGES, mids=mids) if mids else []


# -- messages that move ------------------------------------------------------------------------


class _Counts(NamedTuple):
    """A table of numbers, with its statements."""

    add: Insertion
    find: str
    make: str


def _counts(table: str, place: str) -> _Counts:
    key = f"{place}, subject, name, bucket"
    return _Counts(
        Insertion(
            table,
            (place, "subject", "name", "bucket", "number"),
            f"ON CONFLICT ({key}) DO UPDATE SET number = {table}.number + excluded.number",
        ),
        f"""
SELECT DISTINCT {place}, subject FROM {table}
WHERE {place} = ANY(:places) AND subject = ANY(:subjects)
""",
        f"""
INSERT INTO {table} ({key}, number)
SELECT CAST(:place AS BIGINT), 'g:' || account, name, account_bucket, count(*) FROM event
WHERE block = ANY(:blocks) AND account = :account AND name IS NOT NULL
GROUP BY account, name, account_bucket
""",
    )


_OF_BLOCKS = _counts("event_count", "block")
_OF_SECTIONS = _counts("section_count", "section")


def move_counts(session: Session, moves: Sequence[Move], finished: int, size: int) -> None:
    """Follow messages of sealed blocks to other accounts; count an account that gets many.

    ``finished`` is the number of sections that are finished, ``size`` their number of blocks.
    """
    _move(
        session,
        _OF_BLOCKS,
        _changes(moves, 1),
        lambda block: [block] if section_of(block, size) > finished else [],
    )
    _move(
        session,
        _OF_SECTIONS,
        _changes(moves, size),
        lambda section: blocks_of(section, size) if section <= finished else [],
    )


def _changes(moves: Sequence[Move], size: int) -> Counter[tuple[int, str, str]]:
    """By how much numbers change, by section of ``size`` blocks, account and name."""
    changes: Counter[tuple[int, str, str]] = Counter()
    for move in moves:
        for account, change in ((move.account, -1), (move.to, 1)):
            if account is not None and move.name is not None:
                changes[section_of(move.block, size), account, move.name] += change
    return changes


def _move(
    session: Session,
    counts: _Counts,
    changes: Counter[tuple[int, str, str]],
    blocks_in: Callable[[int], list[int]],
) -> None:
    """Change some numbers. ``blocks_in`` are the blocks to count for a place, if any."""
    if not changes:
        return
    counted = _follow(session, counts, changes)
    for place, account in _got_many(changes) - counted:
        if blocks := blocks_in(place):
            session.run(counts.make, place=place, blocks=blocks, account=account)


def _follow(
    session: Session, counts: _Counts, changes: Counter[tuple[int, str, str]]
) -> set[tuple[int, str]]:
    """Change the numbers of the accounts that are counted; the places and accounts that are."""
    found = session.run(
        counts.find,
        places=sorted({place for place, *_ in changes}),
        subjects=sorted({account_key(account) for _, account, _ in changes}),
    )
    counted = {(place, id_of(unescape(subject))) for place, subject in found}
    changed = [
        rows.event_count(place, account, name, change)
        for (place, account, name), change in changes.items()
        if change and (place, account) in counted
    ]
    session.insert(counts.add, sorted(changed))
    return counted


def _got_many(changes: Counter[tuple[int, str, str]]) -> set[tuple[int, str]]:
    got: Counter[tuple[int, str]] = Counter()
    for (block, account, _), change in changes.items():
        got[block, account] += change
    return {place for place, number in got.items() if number >= MANY_IN_BLOCK}
