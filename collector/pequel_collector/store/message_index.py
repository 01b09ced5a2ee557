"""Finds the messages of subjects, by postings in sealed blocks and by reading the open block.

See ``blocks`` for an example. After a few searches of the open block in one transaction, the whole
block is read into memory.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from heapq import merge
from itertools import groupby
from operator import itemgetter

from ..model import account_key, id_of, kind_of
from . import statements as sql
from .encoding import unescape
from .session import Session

MessageRef = tuple[int, int, str]
"""The time, the position and the id of a message: its place in the order of facts."""

ALWAYS = -(2**62), 2**62
"""Before any time, and after any time."""

MAX_SEARCHES = 8
"""Searches of the open block before it is read whole."""

MIN_SHARE = 16
"""The least number of subjects read from a block for one page of subjects."""

VISITORS_END, SUBJECTS_END = "g", "\U0010ffff"
"""After every visitor and before every account and user; after every subject."""


class MessageIndex:
    """The messages in one transaction, by subject."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._open_block: int | None = None
        self.refresh()

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
        """Read the open block again at the next search, because it has changed."""
        self._open_block = open_block or self._open_block
        self._searches = 0
        self._by_subject: defaultdict[str, list[MessageRef]] | None = None

    def of(
        self, subjects: Collection[str], since: int | None = None, until: int | None = None
    ) -> Iterator[MessageRef]:
        """The messages of any of these subjects, in order, each once."""
        first = ALWAYS[0] if since is None else since
        last = ALWAYS[1] if until is None else until
        found = merge(self._sealed(subjects, first, last), self._open(subjects, first, last))
        for _, at_one_time in groupby(found, key=itemgetter(0)):
            yield from sorted(set(at_one_time))

    def span(self, subjects: Collection[str]) -> tuple[int, int] | None:
        """The times of the first and the last message of these subjects."""
        times = [time for time, *_ in self._open(subjects, *ALWAYS)]
        if blocks := self.sealed_blocks:
            [ends] = self._session.run(sql.SEALED_SPAN, blocks=blocks, subjects=sorted(subjects))
            times += [time for time in ends if time is not None]
        return (min(times), max(times)) if times else None

    def subjects(self, after: str, limit: int | None) -> list[str]:
        """The users and accounts after a key, in order."""
        return self._page(max(after, VISITORS_END), SUBJECTS_END, limit)

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
        self._searches += 1
        if self._searches > MAX_SEARCHES:
            by_subject = self._open_by_subject()
            found = {ref for subject in subjects for ref in by_subject.get(subject, ())}
            return sorted(ref for ref in found if since <= ref[0] <= until)
        rows = self._session.run(
            sql.OPEN_MESSAGES_OF,
            block=self.open_block,
            subjects=[key for key in subjects if kind_of(key) != "account"],
            accounts=[id_of(key) for key in subjects if kind_of(key) == "account"],
            since=since,
            until=until,
        )
        return [(time, position, unescape(mid)) for time, position, mid in rows]

    def _open_by_subject(self) -> dict[str, list[MessageRef]]:
        if self._by_subject is None:
            self._by_subject = defaultdict(list)
            found = self._session.run(sql.OPEN_MESSAGES, block=self.open_block)
            for time, position, mid, subject, account in found:
                ref = time, position, unescape(mid)
                self._by_subject[unescape(subject)].append(ref)
                if account is not None:
                    self._by_subject[account_key(unescape(account))].append(ref)
        return self._by_subject
