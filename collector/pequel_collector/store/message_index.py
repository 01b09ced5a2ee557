"""Where the messages of subjects are: their places in the order of facts.

In sealed blocks they are found through the postings; the open block is looked through, and after
a few times it is read whole.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from heapq import merge
from itertools import groupby
from operator import itemgetter

from ..model import account_key, id_of, kind_of
from . import statements as sql
from .session import Session
from .texts import unescape

Place = tuple[int, str]
"""Where a message stands in the order of facts: its time and its id."""

ALWAYS = -(2**62), 2**62
"""From before any time until after every time."""

A_FEW = 8
"""How often the open block is looked through, before it is read whole."""

LEAST_SHARE = 16
"""Subjects that a block may have in a page of them; fewer make it slow."""

VISITORS, LAST = "g", "\U0010ffff"
"""After every visitor and before every account or user; after every subject."""


class Places:
    """The messages of one transaction, by subject."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._open_block: int | None = None
        self.forget()

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

    def forget(self, open_block: int | None = None) -> None:
        """Look through the open block anew: it has changed."""
        self._open_block = open_block or self._open_block
        self._looked_up = 0
        self._by_subject: defaultdict[str, list[Place]] | None = None

    def of(
        self, subjects: Collection[str], since: int | None = None, until: int | None = None
    ) -> Iterator[Place]:
        """The places of the messages of any of these subjects, in order, each once."""
        first = ALWAYS[0] if since is None else since
        last = ALWAYS[1] if until is None else until
        sealed = self._sealed(subjects, first, last)
        places = merge(sealed, self._open(subjects, first, last))
        for _, of_one_instant in groupby(places, key=itemgetter(0)):
            yield from sorted(set(of_one_instant))

    def span(self, subjects: Collection[str]) -> tuple[int, int] | None:
        """The first and the last time at which one of these subjects has a message."""
        times = [time for time, _ in self._open(subjects, *ALWAYS)]
        if blocks := self.sealed_blocks:
            [ends] = self._session.run(sql.SEALED_SPAN, blocks=blocks, subjects=sorted(subjects))
            times += [time for time in ends if time is not None]
        return (min(times), max(times)) if times else None

    def subjects(self, after: str, limit: int | None) -> list[str]:
        """Users and accounts behind a key, in order of their keys."""
        return self._listed(max(after, VISITORS), LAST, limit)

    def visitors(self, after: str, limit: int | None) -> list[str]:
        """Visitors behind a key, in order of their keys."""
        return self._listed(after, VISITORS, limit)

    def _listed(self, after: str, last: str, limit: int | None) -> list[str]:
        found: list[str] = []
        share = LEAST_SHARE if limit is None else max(LEAST_SHARE, limit // self.open_block)
        while limit is None or len(found) < limit:
            until = last if limit is None else min(self._reach(after, share), last)
            found += self._subjects_within(after, until)
            if until == last:
                break
            after, share = until, min(share * 2, limit or share)
        return found[:limit]

    def _reach(self, after: str, share: int) -> str:
        """A subject up to which no block has many more than a share of them."""
        [(reach,)] = self._session.run(sql.REACH, after=after, share=share)
        return LAST if reach is None else unescape(reach)

    def _subjects_within(self, after: str, until: str) -> list[str]:
        found = self._session.run(
            sql.SUBJECTS_WITHIN,
            blocks=self.sealed_blocks,
            block=self.open_block,
            after=after,
            until=until,
        )
        return [unescape(subject) for (subject,) in found]

    def _sealed(self, subjects: Collection[str], since: int, until: int) -> Iterator[Place]:
        if blocks := self.sealed_blocks:
            found = self._session.stream(
                sql.SEALED_PLACES,
                blocks=blocks,
                since=since,
                until=until,
                subjects=sorted(subjects),
            )
            yield from ((time, unescape(mid)) for time, mid in found)

    def _open(self, subjects: Collection[str], since: int, until: int) -> list[Place]:
        self._looked_up += 1
        if self._looked_up > A_FEW:
            by_subject = self._open_by_subject()
            found = {place for subject in subjects for place in by_subject.get(subject, ())}
            return sorted(place for place in found if since <= place[0] <= until)
        rows = self._session.run(
            sql.OPEN_PLACES_OF,
            block=self.open_block,
            subjects=[key for key in subjects if kind_of(key) != "account"],
            accounts=[id_of(key) for key in subjects if kind_of(key) == "account"],
            since=since,
            until=until,
        )
        return [(time, unescape(mid)) for time, mid in rows]

    def _open_by_subject(self) -> dict[str, list[Place]]:
        if self._by_subject is None:
            self._by_subject = defaultdict(list)
            found = self._session.run(sql.OPEN_PLACES, block=self.open_block)
            for time, mid, subject, account in found:
                place = time, unescape(mid)
                self._by_subject[unescape(subject)].append(place)
                if account is not None:
                    self._by_subject[account_key(unescape(account))].append(place)
        return self._by_subject
