"""Finds the messages of subjects, by postings in sealed blocks and by an index in the open block.

See ``blocks`` for an example. The latest messages of a subject are found from the end, in the open
block, then in a few sealed blocks, then in more. In each part, first the time of its last message
in each block is found, then the messages of the block with the latest one, and so on, until no
other block has a later message than those that were found.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from heapq import merge
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import NamedTuple

from ...model import id_of, kind_of
from .. import statements as sql
from ..encoding import unescape
from ..session import Row, Session
from .event_counts import Place, sealed_names

MessageRef = tuple[int, int, str]
"""The time, the position and the id of a message: its place in the order of facts."""

ALWAYS = -(2**62), 2**62
"""Before any time, and after any time."""

LAST_OF_ALL = ALWAYS[1], 0, ""
"""After every message."""

MIN_SHARE = 16
"""The least number of subjects read from a block for one page of subjects."""

BLOCKS_AT_FIRST = 8
"""Sealed blocks that are searched first for the latest messages; then four times as many."""

VISITORS_END, SUBJECTS_END = "g", "\U0010ffff"
"""After every visitor and before every account and user; after every subject."""


class MessageIndex:
    """The messages in one transaction, by subject.

    With ``is_fixed`` the transaction writes nothing, so what was found once is still true.
    """

    def __init__(self, session: Session, *, is_fixed: bool = False) -> None:
        self._session, self._is_fixed = session, is_fixed
        self._open_block: int | None = None
        self._newest: dict[frozenset[str], list[MessageRef]] = {}
        self._places: dict[frozenset[str], list[Place]] = {}

    @property
    def open_block(self) -> int:
        """The number of the open block."""
        if self._open_block is None:
            [(self._open_block,)] = self._session.run(sql.OPEN_BLOCK)
        return self._open_block

    @property
    def sealed_blocks(self) -> list[int]:
        """The numbers of the blocks that have postings."""
        return list(range(1, self.open_block))

    def refresh(self, open_block: int | None = None) -> None:
        """Search this open block from now on."""
        self._open_block = open_block

    def of(
        self, subjects: Collection[str], since: int | None = None, until: int | None = None
    ) -> Iterator[MessageRef]:
        """The messages of any of these subjects, in order, each once."""
        first = ALWAYS[0] if since is None else since
        last = ALWAYS[1] if until is None else until
        found = merge(self._sealed(subjects, first, last), self._open(subjects, first, last))
        for _, at_one_time in groupby(found, key=itemgetter(0)):
            yield from sorted(set(at_one_time))

    def latest(
        self, subjects: Collection[str], limit: int, before: MessageRef | None = None
    ) -> list[MessageRef]:
        """The latest messages of these subjects, those before a message, latest first."""
        if limit > 1 or before is not None or not self._is_fixed:
            return self._latest(subjects, limit, before or LAST_OF_ALL)
        key = frozenset(subjects)
        if key not in self._newest:
            self._newest[key] = self._latest(subjects, 1, LAST_OF_ALL)
        return self._newest[key]

    def _latest(self, subjects: Collection[str], limit: int, place: MessageRef) -> list[MessageRef]:
        found: list[MessageRef] = []
        for lasts, newest_before in self._lasts(subjects, place[0]):
            for last in sorted(lasts, key=attrgetter("time"), reverse=True):
                if len(found) == limit and last.time < found[-1][0]:
                    break
                found = sorted({*found, *self._latest_in(last, limit, place)}, reverse=True)
                del found[limit:]
            if newest_before is None or (len(found) == limit and newest_before < found[-1][0]):
                break
        return [(time, position, unescape(mid)) for time, position, mid in found]

    def _latest_in(self, last: _Last, limit: int, before: MessageRef) -> list[Row]:
        time, position, mid = before
        return self._session.run(
            last.statement,
            block=last.block,
            key=last.key,
            time=time,
            position=position,
            mid=mid,
            limit=limit,
        )

    def span(self, subjects: Collection[str]) -> tuple[int, int] | None:
        """The times of the first and the last message of these subjects."""
        last = self.latest(subjects, 1)
        if not last:
            return None
        firsts = [place.first for place in self._sealed_places(subjects)]
        for column, keys in by_column(subjects).items():
            statement = sql.FIRST_OPEN[column]
            found = self._session.run(statement, block=self.open_block, keys=keys)
            firsts += [first for (first,) in found if first is not None]
        return min(firsts), last[0][0]

    def _sealed_places(self, subjects: Collection[str]) -> list[Place]:
        """Where the messages of these subjects are, in sealed blocks."""
        key = frozenset(subjects)
        if self._is_fixed and key in self._places:
            return self._places[key]
        found = self._session.run(sql.SEALED_PLACES, subjects=sorted(subjects))
        places = [Place(unescape(each), block, time, bool(c)) for block, each, time, c in found]
        self._places[key] = places
        return places

    def latest_named(self, subjects: Collection[str]) -> str | None:
        """The account in the latest message of these users or visitors that names one."""
        found = self._session.run(
            sql.LATEST_NAMING,
            blocks=self.sealed_blocks,
            block=self.open_block,
            subjects=sorted(subjects),
        )
        return next((unescape(account) for (account,) in found), None)

    def members(self, account: str) -> set[str]:
        """The ids with a message in an account, given by its key."""
        named, block = id_of(account), self.open_block
        found = self._session.run(sql.OPEN_MEMBERS, block=block, account=named)
        if blocks := self.sealed_blocks:
            found += self._session.run(sql.SEALED_MEMBERS, blocks=blocks, key=account)
        return {unescape(subject) for (subject,) in found}

    def names(self, subjects: Collection[str]) -> Iterator[tuple[str, int]]:
        """How many events these subjects have by name, in parts."""
        found = self._open_names(by_column(subjects))
        if self.open_block > 1:
            found += sealed_names(self._session, self._sealed_places(subjects), subjects)
        yield from ((unescape(name), number) for name, number in found)

    def _open_names(self, keys: dict[str, list[str]]) -> list[Row]:
        block = self.open_block
        if len(keys) > 1:  # an event of both a user and an account counts once
            subjects, accounts = keys["subject"], keys["account"]
            return self._session.run(
                sql.OPEN_NAMES_OF_BOTH, block=block, subjects=subjects, accounts=accounts
            )
        return [
            row
            for column, some in keys.items()
            for row in self._session.run(sql.OPEN_NAMES[column], block=block, keys=some)
        ]

    def _lasts(
        self, subjects: Collection[str], until: int
    ) -> Iterator[tuple[list[_Last], int | None]]:
        """The last messages of subjects in some blocks, from the newest blocks to the oldest.

        With each part comes the latest time in all older blocks; None if there are none.
        """
        behind, size = self.open_block, BLOCKS_AT_FIRST
        yield self._last_in_open(subjects, until)
        while behind > 1:
            first, last = max(1, behind - size), behind - 1
            rows = self._session.run(
                sql.LAST_SEALED, subjects=sorted(subjects), first=first, last=last, until=until
            )
            yield _lasts_in(rows, sql.LATEST_SEALED)
            behind, size = first, 4 * size

    def _last_in_open(
        self, subjects: Collection[str], until: int
    ) -> tuple[list[_Last], int | None]:
        lasts: list[_Last] = []
        newest_before: int | None = None
        for column, keys in by_column(subjects).items():
            rows = self._session.run(
                sql.LAST_OPEN[column], block=self.open_block, keys=keys, until=until
            )
            found, newest_before = _lasts_in(rows, sql.LATEST_OPEN[column])
            lasts += found
        return lasts, newest_before

    def subjects(self, after: str, limit: int | None) -> list[str]:
        """The users and accounts after a key, in order."""
        return self._page(max(after, VISITORS_END), SUBJECTS_END, limit)

    def between(self, after: str, last: str, at_once: int) -> Iterator[str]:
        """The subjects after a key and before another one, in order. So many are read at once."""
        found = [after]
        while found:
            found = self._page(found[-1], last, at_once)
            yield from found

    def visitors(self, after: str, limit: int | None) -> list[str]:
        """The visitors after a key, in order."""
        return self._page(after, VISITORS_END, limit)

    def _page(self, after: str, last: str, limit: int | None) -> list[str]:
        found: list[str] = []
        share = MIN_SHARE if limit is None else max(MIN_SHARE, limit // self.open_block)
        while limit is None or len(found) < limit:
            until = last if limit is None else min(self._reach(after, share), last)
            found += self._subjects_within(after, until)
            if until == last:
                break
            after, share = until, min(share * 2, limit or share)
        return found[:limit]

    def _reach(self, after: str, share: int) -> str:
        """A subject key such that no block has many more than ``share`` subjects up to it."""
        [(reach,)] = self._session.run(sql.REACH, after=after, share=share)
        return SUBJECTS_END if reach is None else unescape(reach)

    def _subjects_within(self, after: str, until: str) -> list[str]:
        found = self._session.run(
            sql.SUBJECTS_WITHIN,
            blocks=self.sealed_blocks,
            block=self.open_block,
            after=after,
            until=until,
        )
        return [unescape(subject) for (subject,) in found]

    def _sealed(self, subjects: Collection[str], since: int, until: int) -> Iterator[MessageRef]:
        if blocks := self.sealed_blocks:
            found = self._session.stream(
                sql.SEALED_MESSAGES,
                blocks=blocks,
                since=since,
                until=until,
                subjects=sorted(subjects),
            )
            yield from ((time, position, unescape(mid)) for time, position, mid in found)

    def _open(self, subjects: Collection[str], since: int, until: int) -> list[MessageRef]:
        found = [
            self._session.run(
                sql.OPEN_MESSAGES[column],
                block=self.open_block,
                keys=keys,
                since=since,
                until=until,
            )
            for column, keys in by_column(subjects).items()
        ]
        return [(time, position, unescape(mid)) for time, position, mid in merge(*found)]


class _Last(NamedTuple):
    """The time of the last message that a block has of a subject.

    ``key`` is the subject as it is stored there, ``statement`` finds its messages.
    """

    time: int
    block: int
    key: str
    statement: str


def _lasts_in(rows: list[Row], statement: str) -> tuple[list[_Last], int | None]:
    """The last messages in rows, and the latest time in all older blocks."""
    lasts = [_Last(time, block, key, statement) for block, key, time in rows if block is not None]
    [newest_before] = [time for block, _, time in rows if block is None]
    return lasts, newest_before


def by_column(subjects: Collection[str]) -> dict[str, list[str]]:
    """The column of a message that has the subject, and the values to look for."""
    found = {
        "subject": [key for key in subjects if kind_of(key) != "account"],
        "account": [id_of(key) for key in subjects if kind_of(key) == "account"],
    }
    return {column: keys for column, keys in found.items() if keys}
