"""How active subjects are: spans, names and first occurrences, for several subjects at once.

Each reads a stated number of messages at most, of a subject that has very many.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from itertools import islice

from ...model import account_key, id_of
from ...ports import Activity, FirstEvent, Outline
from ..encoding import unescape
from ..session import Row, Session
from ..statements import SEALED_COUNTS
from .message_index import MessageIndex, by_column

BLOCKS_AT_ONCE = 4
MESSAGES_AT_ONCE = 500

_EDGE = "(SELECT time FROM {table} WHERE {where} ORDER BY time {order} LIMIT 1)"
_SPANS = """
WITH edges AS MATERIALIZED (SELECT value.value AS value, {first} AS first, {last} AS last {places})
SELECT value, min(first), max(last) FROM edges WHERE first IS NOT NULL GROUP BY value
"""


def _spans(table: str, where: str, places: str) -> str:
    first, last = (_EDGE.format(table=table, where=where, order=order) for order in ("", "DESC"))
    return _SPANS.format(first=first, last=last, places=places)


_SEALED_SPANS = _spans(
    "posting",
    "block = number AND subject = value.value",
    "FROM block CROSS JOIN EACH(:subjects) AS value WHERE sealed = 1",
)
_OPEN_SPANS = {
    column: _spans(
        "event", f"block = :block AND {column} = value.value", "FROM EACH(:keys) AS value"
    )
    for column in ("subject", "account")
}

_MEMBERS = """
SELECT subject, count(name), sum(CASE WHEN name IS NOT NULL AND time > :since THEN 1 ELSE 0 END),
  min(time), max(time), count(*)
FROM event WHERE {} GROUP BY subject
"""
_OPEN_MEMBERS = _MEMBERS.format("""mid IN (
  SELECT mid FROM event WHERE block = :block AND account = :account ORDER BY time DESC LIMIT :limit
)""")
_MEMBERS_OF_MESSAGES = _MEMBERS.format("mid = ANY(:mids)")
_LATEST_MIDS = """
SELECT mid FROM posting WHERE block = ANY(:blocks) AND subject = :subject
ORDER BY time DESC LIMIT :limit
"""

_NAMES_AND_TIMES = "SELECT mid, name, time FROM event WHERE mid = ANY(:mids)"

_OUTLINES = "SELECT mid, time, name, subject FROM event WHERE mid = ANY(:mids)"

_NAMES = "SELECT subject, name, count(*) FROM event WHERE {} AND name IS NOT NULL GROUP BY 1, 2"
_OPEN_NAMES = _NAMES.format("block = :block AND subject = ANY(:subjects)")
_NAMES_OF_MESSAGES = _NAMES.format("mid = ANY(:mids)")
_PLACES = """
SELECT subject, block, mid FROM posting WHERE block = ANY(:blocks) AND subject = ANY(:subjects)
"""


class ActivityIndex:
    """The activity of subjects in one transaction."""

    def __init__(self, session: Session, index: MessageIndex) -> None:
        self._session, self._index = session, index

    def spans(self, ids: Collection[str]) -> dict[str, tuple[int, int]]:
        """The times of the first and the last message of each id that has any."""
        found = [(unescape(key), *span) for key, *span in self._session.run_for(_SEALED_SPANS, ids)]
        block, prefixes = self._index.open_block, {"subject": "", "account": account_key("")}
        for column, keys in by_column(ids).items():
            rows = self._session.run(_OPEN_SPANS[column], block=block, keys=keys)
            found += [(prefixes[column] + unescape(key), *span) for key, *span in rows]
        spans: dict[str, tuple[int, int]] = {}
        for key, first, last in found:
            known = spans.get(key, (first, last))
            spans[key] = min(first, known[0]), max(last, known[1])
        return spans

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
        """The members in the open block, then in a few sealed blocks at a time."""
        yield self._session.run(
            _OPEN_MEMBERS,
            block=self._index.open_block,
            account=id_of(account),
            since=since,
            limit=limit,
        )
        blocks = self._index.sealed_blocks[::-1]
        for start in range(0, len(blocks), BLOCKS_AT_ONCE):
            some = blocks[start : start + BLOCKS_AT_ONCE]
            found = self._session.run(_LATEST_MIDS, blocks=some, subject=account, limit=limit)
            if mids := [unescape(mid) for (mid,) in found]:
                yield self._session.run(_MEMBERS_OF_MESSAGES, mids=mids, since=since)

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
        blocks = self._index.sealed_blocks
        rows = self._session.run(_OPEN_NAMES, block=self._index.open_block, subjects=sorted(ids))
        if blocks:
            rows += self._sealed_names(blocks, ids)
        found: dict[str, Counter[str]] = {id_: Counter() for id_ in ids}
        for subject, name, number in rows:
            found[unescape(subject)][unescape(name)] += number
        return found

    def _sealed_names(self, blocks: list[int], ids: Collection[str]) -> list[Row]:
        subjects = sorted(ids)
        counted = self._session.run(SEALED_COUNTS, blocks=blocks, subjects=subjects)
        are_counted = {(subject, block) for block, subject, *_ in counted}
        places = self._session.run(_PLACES, blocks=blocks, subjects=subjects)
        mids = [unescape(mid) for *place, mid in places if tuple(place) not in are_counted]
        rows = [(subject, name, number) for _, subject, name, number in counted]
        return rows + (self._session.run(_NAMES_OF_MESSAGES, mids=mids) if mids else [])
