"""Finds the messages of subjects: by postings in sections, by indexes in the blocks after them.

See ``sections`` for an example. The latest messages of a subject are found from the end: in a few
blocks, then in more, then in the sections. In each part, first the time of its last message in each
place is found, then the messages of the place with the latest one, and so on, until no other place
has a later message than those that were found.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from heapq import merge
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import NamedTuple

from ...model import account_key, id_of, kind_of
from ..encoding import unescape
from ..sections import AFTER_EVERY_ID, blocks_of
from ..session import Row, Session
from . import message_statements as sql
from .event_counts import Place, names_in

MessageRef = tuple[int, int, str]
"""The time, the position and the id of a message: its place in the order of facts."""

ALWAYS = -(2**62), 2**62
"""Before any time, and after any time."""

LAST_OF_ALL = ALWAYS[1], 0, ""
"""After every message."""

MIN_SHARE = 16
"""The least number of subjects read from a block or section for one page of subjects."""

PLACES_AT_FIRST = 8
"""Blocks that are searched first for the latest messages; then eight times as many."""

VISITORS_END, SUBJECTS_END = "g", "\U0010ffff"
"""After every visitor and before every account and user; after every subject."""


class MessageIndex:
    """The messages in one transaction, by subject.

    With ``is_fixed`` the transaction writes nothing, so what was found once is still true.
    """

    def __init__(self, session: Session, section_blocks: int, *, is_fixed: bool = False) -> None:
        self._session, self._is_fixed = session, is_fixed
        self._section_blocks = section_blocks
        self._numbers: tuple[int, int] | None = None
        self._newest: dict[frozenset[str], list[MessageRef]] = {}
        self._places: dict[frozenset[str], list[Place]] = {}

    @property
    def open_block(self) -> int:
        """The number of the open block."""
        return self._open_and_finished()[0]

    @property
    def sections(self) -> list[int]:
        """The numbers of the sections that are finished."""
        return list(range(1, self._open_and_finished()[1] + 1))

    @property
    def blocks(self) -> list[int]:
        """The numbers of the blocks after these sections, the open one included."""
        open_block, finished = self._open_and_finished()
        return list(range(finished * self._section_blocks + 1, open_block + 1))

    def blocks_of(self, section: int) -> list[int]:
        """The numbers of the blocks of a section."""
        return blocks_of(section, self._section_blocks)

    def refresh(self) -> None:
        """Read again which blocks and sections there are."""
        self._numbers = None

    def _open_and_finished(self) -> tuple[int, int]:
        if self._numbers is None:
            [(open_block, finished)] = self._session.run(sql.PLACES)
            self._numbers = open_block, finished
        return self._numbers

    def _sources(self, subjects: Collection[str]) -> Iterator[tuple[str, list[int], list[str]]]:
        """Where to look for subjects: the source, its blocks or sections, and its keys."""
        if sections := self.sections:
            yield "posting", sections, sorted(subjects)
        for column, keys in by_column(subjects).items():
            yield column, self.blocks, keys

    def of(
        self, subjects: Collection[str], since: int | None = None, until: int | None = None
    ) -> Iterator[MessageRef]:
        """The messages of any of these subjects, in order, each once."""
        first = ALWAYS[0] if since is None else since
        last = ALWAYS[1] if until is None else until
        found = merge(*self._streams(subjects, first, last))
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
            sql.LATEST[last.source],
            place=last.place,
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
        return min(place.first for place in self.found_in(subjects)), last[0][0]

    def first_seen(self, subjects: Collection[str]) -> dict[str, int]:
        """The time of the first message of each subject that has any."""
        found: dict[str, int] = {}
        for place in self.found_in(subjects):
            found[place.subject] = min(place.first, found.get(place.subject, place.first))
        return found

    def last_times(self, subjects: Collection[str], since: int | None) -> dict[str, int]:
        """The time of the last message of each subject that has one, at or after an instant."""
        earliest = ALWAYS[0] if since is None else since
        found: dict[str, int] = {}
        for lasts, newest_before in self._lasts(subjects, ALWAYS[1]):
            for last in lasts:
                subject = _subject(last.source, last.key)
                if last.time >= max(earliest, found.get(subject, earliest)):
                    found[subject] = last.time
            if newest_before is None or newest_before < earliest:
                break
        return found

    def found_in(self, subjects: Collection[str]) -> list[Place]:
        """The blocks and sections that have messages of these subjects."""
        key = frozenset(subjects)
        if self._is_fixed and key in self._places:
            return self._places[key]
        found = [
            Place(source, place, _subject(source, stored), time, bool(is_counted))
            for source, places, keys in self._sources(subjects)
            for place, stored, time, is_counted in self._session.run(
                sql.FIRSTS[source], places=places, keys=keys
            )
        ]
        self._places[key] = found
        return found

    def latest_named(self, subjects: Collection[str]) -> str | None:
        """The account in the latest message of these users or visitors that names one."""
        found = self._session.run(
            sql.LATEST_NAMING,
            sections=self.sections,
            blocks=self.blocks,
            subjects=sorted(subjects),
        )
        return next((unescape(account) for (account,) in found), None)

    def members(self, account: str) -> set[str]:
        """The ids with a message in an account, given by its key."""
        found = self._session.run(
            sql.MEMBERS,
            sections=self.sections,
            key=account,
            blocks=self.blocks,
            account=id_of(account),
        )
        return {unescape(subject) for (subject,) in found}

    def names(self, subjects: Collection[str]) -> Iterator[tuple[str, int]]:
        """How many events these subjects have by name, in parts."""
        found = names_in(self._session, self.found_in(subjects))
        yield from ((unescape(name), number) for name, number in found)

    def _lasts(
        self, subjects: Collection[str], until: int
    ) -> Iterator[tuple[list[_Last], int | None]]:
        """The last messages of subjects in some places, from the newest places to the oldest.

        With each part comes the latest time in all older blocks; None if there are none.
        """
        columns = by_column(subjects)
        for blocks in _from_the_end(self.blocks):
            yield self._lasts_in(columns, blocks, blocks[0], until)
        keys = {"posting": sorted(subjects)}
        for sections in _from_the_end(self.sections):
            oldest = (sections[0] - 1) * self._section_blocks + 1
            yield self._lasts_in(keys, sections, oldest, until)

    def _lasts_in(
        self, keys: dict[str, list[str]], places: list[int], oldest: int, until: int
    ) -> tuple[list[_Last], int | None]:
        lasts: list[_Last] = []
        newest_before: int | None = None
        for source, each in keys.items():
            for place, key, time in self._session.run(
                sql.LASTS[source], places=places, keys=each, until=until, oldest=oldest
            ):
                if place is None:
                    newest_before = time
                else:
                    lasts.append(_Last(time, place, key, source))
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
        places = len(self.sections) + len(self.blocks)
        share = MIN_SHARE if limit is None else max(MIN_SHARE, limit // places)
        while limit is None or len(found) < limit:
            until = last if limit is None else min(self._reach(after, share), last)
            found += self._subjects_within(after, until)
            if until == last:
                break
            after, share = until, min(share * 2, limit or share)
        return found[:limit]

    def _reach(self, after: str, share: int) -> str:
        """A key such that no block or section has many more than so many subjects up to it."""
        [(reach,)] = self._session.run(
            sql.REACH,
            sections=self.sections,
            blocks=self.blocks,
            after=after,
            after_account=_account_bound(after),
            share=share,
        )
        return SUBJECTS_END if reach is None else unescape(reach)

    def _subjects_within(self, after: str, until: str) -> list[str]:
        found = self._session.run(
            sql.SUBJECTS_WITHIN,
            sections=self.sections,
            blocks=self.blocks,
            after=after,
            after_account=_account_bound(after),
            until=until,
            until_account=_account_bound(until),
        )
        return [unescape(subject) for (subject,) in found]

    def _streams(
        self, subjects: Collection[str], since: int, until: int
    ) -> Iterator[Iterator[MessageRef]]:
        for source, places, keys in self._sources(subjects):
            rows = self._session.stream(
                sql.MESSAGES[source], places=places, keys=keys, since=since, until=until
            )
            yield ((time, position, unescape(mid)) for time, position, mid in rows)


class _Last(NamedTuple):
    """The time of the last message that a block or section has of a subject.

    ``key`` is the subject as it is stored there.
    """

    time: int
    place: int
    key: str
    source: str


def _from_the_end(numbers: list[int]) -> Iterator[list[int]]:
    """Numbers in parts, the last ones first."""
    size = PLACES_AT_FIRST
    while numbers:
        numbers, some = numbers[:-size], numbers[-size:]
        yield some
        size *= 8


def _account_bound(key: str) -> str:
    """The bound for ids of accounts, for a bound among all keys."""
    if key < account_key(""):
        return ""
    return id_of(key) if kind_of(key) == "account" else AFTER_EVERY_ID


def _subject(source: str, stored: str) -> str:
    key = unescape(stored)
    return account_key(key) if source == "account" else key


def by_column(subjects: Collection[str]) -> dict[str, list[str]]:
    """The column of a message that has the subject, and the values to look for."""
    found = {
        "subject": [key for key in subjects if kind_of(key) != "account"],
        "account": [id_of(key) for key in subjects if kind_of(key) == "account"],
    }
    return {column: keys for column, keys in found.items() if keys}
