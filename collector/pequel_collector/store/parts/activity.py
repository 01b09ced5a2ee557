"""How active subjects are: names and first occurrences, for several subjects at once.

Each reads a stated number of messages at most, of a subject that has very many.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from itertools import islice

from ...model import id_of
from ...ports import Activity, FirstEvent, Outline
from ..encoding import unescape
from ..session import Row, Session
from .message_index import MessageIndex

BLOCKS_AT_ONCE = 4
MESSAGES_AT_ONCE = 500

# The messages of an account that arrived last in some blocks.
_MEMBERS = """
SELECT subject, count(name), sum(CASE WHEN name IS NOT NULL AND time > :since THEN 1 ELSE 0 END),
  min(time), max(time), count(*)
FROM (
  SELECT subject, name, time FROM event WHERE block = ANY(:blocks) AND account = :account
  ORDER BY time DESC LIMIT :limit
) latest
GROUP BY subject
"""

_NAMES_AND_TIMES = "SELECT mid, name, time FROM event WHERE mid = ANY(:mids)"

_OUTLINES = "SELECT mid, time, name, subject FROM event WHERE mid = ANY(:mids)"

_NAMES = "SELECT subject, name, count(*) FROM event WHERE {} AND name IS NOT NULL GROUP BY 1, 2"
_TOTALS = """
SELECT subject, name, sum(number) FROM (
  SELECT subject, name, number FROM event_count
  WHERE block = ANY(:blocks) AND subject = ANY(:subjects)
  UNION ALL
  SELECT subject, name, number FROM section_count
  WHERE section = ANY(:sections) AND subject = ANY(:subjects)
) counted
GROUP BY 1, 2
"""
_NOT_COUNTED = """
{0} = ANY(:places) AND subject = ANY(:subjects) AND ({0}, subject) NOT IN (
  SELECT {0}, subject FROM {1} WHERE {0} = ANY(:places) AND subject = ANY(:subjects)
)
"""
_NAMES_IN_BLOCKS = _NAMES.format(_NOT_COUNTED.format("block", "event_count"))
_MIDS_IN_SECTIONS = f"""
SELECT mid FROM posting WHERE {_NOT_COUNTED.format("section", "section_count")}
"""
_NAMES_OF_MESSAGES = _NAMES.format("mid = ANY(:mids)")


class ActivityIndex:
    """The activity of subjects in one transaction."""

    def __init__(self, session: Session, index: MessageIndex) -> None:
        self._session, self._index = session, index

    def of_account(self, account: str, since: int, limit: int) -> tuple[dict[str, Activity], bool]:
        """What each id did in an account, in the messages of it that arrived last.

        With it, whether these are all messages.
        """
        found: dict[str, Activity] = {}
        left = limit
        for rows in self._members(account, since, limit):
            for subject, *numbers, messages in rows:
                key = unescape(subject)
                found[key] = found.get(key, Activity()).plus(Activity(*map(int, numbers)))
                left -= messages
            if left <= 0:
                return found, False
        return found, True

    def _members(self, account: str, since: int, limit: int) -> Iterator[list[Row]]:
        """The members in a few blocks at a time, the newest first, then in a section at a time."""
        blocks = self._index.blocks
        parts = [
            blocks[max(0, end - BLOCKS_AT_ONCE) : end]
            for end in range(len(blocks), 0, -BLOCKS_AT_ONCE)
        ]
        places = self._index.found_in([account])
        sections = {place.number for place in places if place.source == "posting"}
        parts += [self._index.blocks_of(section) for section in sorted(sections, reverse=True)]
        for part in parts:
            values = {"account": id_of(account), "since": since, "limit": limit}
            yield self._session.run(_MEMBERS, blocks=part, **values)

    def firsts(self, ids: Collection[str], names: Collection[str], limit: int) -> list[FirstEvent]:
        """The first event of each name, among the first messages of ids, in the order of facts."""
        found: dict[str, FirstEvent] = {}
        wanted = set(names)
        refs = islice(self._index.of(ids), limit)
        while wanted and (mids := [mid for _, _, mid in islice(refs, MESSAGES_AT_ONCE)]):
            rows = self._session.run(_NAMES_AND_TIMES, mids=mids)
            by_id = {unescape(mid): (unescape(name), time) for mid, name, time in rows}
            for mid in mids:
                name, time = by_id[mid]
                if name in wanted:
                    wanted.remove(name)
                    found[name] = FirstEvent(name, time, mid)
        return list(found.values())

    def outlines(
        self, ids: Collection[str], since: int | None, until: int | None
    ) -> Iterator[Outline]:
        """When messages of ids were, the names of their events, and who sent them, in order."""
        refs = self._index.of(ids, since, until)
        while mids := [mid for _, _, mid in islice(refs, MESSAGES_AT_ONCE)]:
            rows = self._session.run(_OUTLINES, mids=mids)
            found = {unescape(mid): each for mid, *each in rows}
            for mid in mids:
                time, name, subject = found[mid]
                yield Outline(time, unescape(name), unescape(subject))

    def names(self, ids: Collection[str]) -> dict[str, Counter[str]]:
        """How many events each user or visitor has by name."""
        rows = self._session.run(
            _TOTALS,
            blocks=self._index.blocks,
            sections=self._index.sections,
            subjects=sorted(ids),
        )
        rows += self._names_not_counted(ids)
        found: dict[str, Counter[str]] = {id_: Counter() for id_ in ids}
        for subject, name, number in rows:
            found[unescape(subject)][unescape(name)] += int(number)
        return found

    def _names_not_counted(self, ids: Collection[str]) -> list[Row]:
        """The events of ids where they are not counted: subjects, names and numbers."""
        places = [place for place in self._index.found_in(ids) if not place.is_counted]
        blocks = {place.number for place in places if place.source != "posting"}
        sections = {place.number for place in places if place.source == "posting"}
        subjects = sorted({place.subject for place in places})
        run, rows = self._session.run, list[Row]()
        if blocks:
            rows += run(_NAMES_IN_BLOCKS, places=sorted(blocks), subjects=subjects)
        if sections:
            found = run(_MIDS_IN_SECTIONS, places=sorted(sections), subjects=subjects)
            if mids := [unescape(mid) for (mid,) in found]:
                rows += run(_NAMES_OF_MESSAGES, mids=mids)
        return rows
