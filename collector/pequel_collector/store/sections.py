"""Sections: many full blocks in a row, whose messages are indexed together.

A subject is searched in every block, which takes long if there are many. So a background job
indexes 64 full blocks at a time. It writes a *posting* for each message under the subject, and one
under the account, sorted by subject. An example with blocks of 3 messages and sections of 2 blocks:

    block 1, full    m1 ada, m2 bob, m3 ada    section 1: postings (1, ada, m1) (1, ada, m3)
    block 2, full    m4 eve, m5 bob, m6 ada               (1, ada, m6) (1, bob, m2) …
    block 3, open    m7 bob                      no postings yet

The messages of ada are found by postings in section 1, and by the index of events in block 3. The
job works in short transactions. Each indexes the next subjects of the section, so that the table of
postings grows at its end. ``indexing`` has how far it is. Nobody reads a section before it is
finished, so a crash or a long pause only means that more blocks are searched.

If a message in a full block moves to another account or is removed, its posting follows at once,
also in a section that is not finished. What the job finds later in the message is the same.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ..model import account_key, bucket_of, id_of
from .encoding import unescape
from .migrations.reads import MANY_IN_BLOCK
from .session import Session

SECTION_BLOCKS = 64
"""Blocks of a section. All processes on a store must agree on it."""

MESSAGES_PER_STEP = 4_096
"""Messages that one transaction indexes: at least half as many, and at most half as many more."""

AFTER_EVERY_ID = "\U0010ffff" * 513
"""After every id of an account."""

_FIRST, _END = "a:", "u;"
"""Before the first subject and after the last one. Accounts sort between visitors and users."""

_STATE = "SELECT sections, reached, block FROM indexing"
_SAVE = "UPDATE indexing SET sections = :sections, reached = :reached, block = :block"
_OLDEST_COUNTED = "SELECT min(block) FROM event_count"
_FORGET_COUNTS = "DELETE FROM event_count WHERE block = :block"

_KEYS = {"subject": "subject", "account": "'g:' || account"}
_BUCKETS = {"subject": "bucket", "account": "account_bucket"}
_IN_RANGE = "block = ANY(:blocks) AND {0} >= :reached AND {0} < :until"

# A key such that no block has more than :share messages of keys from :reached to it.
_REACH = {
    column: f"""
SELECT min((
  SELECT {column} FROM event
  WHERE block = place.value AND {column} >= :reached AND {column} < :until
  ORDER BY {column} LIMIT 1 OFFSET :share
)) FROM NUMBERS(:blocks) AS place
"""
    for column in _KEYS
}

# A posting may be there already, because a message has moved.
_ADD_POSTINGS = {
    column: f"""
INSERT INTO posting (section, subject, time, mid, bucket, position)
SELECT CAST(:section AS BIGINT), {_KEYS[column]}, time, mid, {_BUCKETS[column]}, position
FROM event WHERE {_IN_RANGE.format(column)}
ORDER BY 2, 3, 4
ON CONFLICT DO NOTHING
"""
    for column in _KEYS
}

_ADD_NAMINGS = """
INSERT INTO naming (section, subject, bucket, time, position, mid)
SELECT CAST(:section AS BIGINT), subject, bucket, time, position, mid FROM (
  SELECT subject, bucket, time, position, mid,
    row_number() OVER (
      PARTITION BY subject ORDER BY time DESC, position DESC, mid DESC
    ) AS place
  FROM event WHERE named_account IS NOT NULL AND {}
) latest
WHERE place = 1
ORDER BY 2
ON CONFLICT (section, subject, bucket) DO UPDATE
SET time = excluded.time, position = excluded.position, mid = excluded.mid
WHERE (excluded.time, excluded.position, excluded.mid) > (naming.time, naming.position, naming.mid)
"""


def add_namings(which: str) -> str:
    """The statement that adds the latest naming of each subject to a section, of some messages."""
    return _ADD_NAMINGS.format(which)


_ADD_NAMINGS_IN_RANGE = add_namings(_IN_RANGE.format("subject"))

# The events of each subject with many messages in the section.
_ADD_COUNTS = {
    column: f"""
INSERT INTO section_count (section, subject, name, bucket, number)
SELECT CAST(:section AS BIGINT), {_KEYS[column]}, name, {_BUCKETS[column]}, number FROM (
  SELECT {column}, name, {_BUCKETS[column]}, count(*) AS number,
    sum(count(*)) OVER (PARTITION BY {column}) AS messages
  FROM event WHERE {_IN_RANGE.format(column)}
  GROUP BY {column}, name, {_BUCKETS[column]}
) counted
WHERE messages >= {MANY_IN_BLOCK} AND name IS NOT NULL
ORDER BY 2, 3
"""
    for column in _KEYS
}

_MESSAGES = {
    column: f"SELECT count(*) FROM event WHERE {_IN_RANGE.format(column)}" for column in _KEYS
}
_COUNTED_BLOCKS = """
SELECT DISTINCT block FROM event_count WHERE block = ANY(:blocks) AND subject = :subject
"""
# Of one subject: the numbers of the blocks where it is counted, and its events in the others.
_ADD_TOTALS = {
    column: f"""
INSERT INTO section_count (section, subject, name, bucket, number)
SELECT CAST(:section AS BIGINT), CAST(:subject AS text), name, CAST(:bucket AS INTEGER), sum(number)
FROM (
  SELECT name, number FROM event_count WHERE block = ANY(:counted) AND subject = :subject
  UNION ALL
  SELECT name, 1 FROM event WHERE block = ANY(:left) AND {column} = :key AND name IS NOT NULL
) events
GROUP BY name
ORDER BY name
"""
    for column in _KEYS
}


class _State(NamedTuple):
    """How far the index is: finished sections, and the subject and block that come next."""

    sections: int
    reached: str
    block: int


class Sections:
    """The job in one transaction. ``size`` is the number of blocks of a section."""

    def __init__(self, session: Session, size: int, open_block: int) -> None:
        self._session, self._size, self._open_block = session, size, open_block
        [(sections, reached, block)] = session.run(_STATE)
        self._state = _State(sections, unescape(reached), block)

    @property
    def is_behind(self) -> bool:
        """Whether there is a section to index, or what it made needless is to be removed."""
        return self._has_full_section or self._counted_for_nothing() is not None

    def step(self) -> None:
        """Index some messages, or remove the counts of a block whose section is finished."""
        needless = self._counted_for_nothing()
        if needless is not None:
            self._session.run(_FORGET_COUNTS, block=needless)
            return
        number = 0
        while self._has_full_section and number < MESSAGES_PER_STEP // 2:
            self._state, indexed = self._next()
            number += indexed
        self._session.run(_SAVE, **self._state._asdict())

    @property
    def _has_full_section(self) -> bool:
        return (self._state.sections + 1) * self._size < self._open_block

    def _counted_for_nothing(self) -> int | None:
        [(oldest,)] = self._session.run(_OLDEST_COUNTED)
        found: int | None = oldest
        return None if found is None or found > self._state.sections * self._size else found

    def _next(self) -> tuple[_State, int]:
        """The state after some more messages, and how many these are."""
        sections, reached, block = self._state
        if reached >= _END:
            return _State(sections + 1, _FIRST, 0), 0
        column, end = _column_of(reached)
        within = {
            "blocks": blocks_of(sections + 1, self._size),
            "reached": _stored(column, reached),
            "until": AFTER_EVERY_ID if column == "account" else end,
        }
        share = max(1, MESSAGES_PER_STEP // self._size)
        [(found,)] = self._session.run(_REACH[column], **within, share=share)
        if found is None:
            return _State(sections, end, 0), self._add(column, within)
        key = unescape(found)
        if block or key == within["reached"]:
            return self._add_one(column, reached)
        return _State(sections, _subject(column, key), 0), self._add(
            column, within | {"until": key}
        )

    def _add(self, column: str, within: dict[str, Any]) -> int:
        """Index the messages of a range of keys; how many they are."""
        [(number,)] = self._session.run(_MESSAGES[column], **within)
        if number:
            self._add_entries(column, within)
            self._session.run(_ADD_COUNTS[column], section=self._state.sections + 1, **within)
        return int(number)

    def _add_one(self, column: str, subject: str) -> tuple[_State, int]:
        """Index messages of a subject that has many in a block, some blocks at a time."""
        sections, _, done = self._state
        key, number = _stored(column, subject), 0
        left = [each for each in blocks_of(sections + 1, self._size) if each > done]
        within: dict[str, Any] = {"blocks": [], "reached": key, "until": _after(key)}
        while left and number < MESSAGES_PER_STEP // 2:
            block = left.pop(0)
            within["blocks"].append(block)
            [(messages,)] = self._session.run(_MESSAGES[column], **within | {"blocks": [block]})
            number += messages
        self._add_entries(column, within)
        if left:
            return _State(sections, subject, block), number
        self._add_totals(column, subject, sections + 1)
        return _State(sections, _after(subject), 0), number

    def _add_entries(self, column: str, within: dict[str, Any]) -> None:
        section = self._state.sections + 1
        self._session.run(_ADD_POSTINGS[column], section=section, **within)
        if column == "subject":
            self._session.run(_ADD_NAMINGS_IN_RANGE, section=section, **within)

    def _add_totals(self, column: str, subject: str, section: int) -> None:
        blocks = blocks_of(section, self._size)
        found = self._session.run(_COUNTED_BLOCKS, blocks=blocks, subject=subject)
        counted = [block for (block,) in found]
        self._session.run(
            _ADD_TOTALS[column],
            section=section,
            subject=subject,
            bucket=bucket_of(subject),
            key=_stored(column, subject),
            counted=counted,
            left=sorted({*blocks} - {*counted}),
        )


def blocks_of(section: int, size: int) -> list[int]:
    """The numbers of the blocks of a section."""
    return list(range((section - 1) * size + 1, section * size + 1))


def section_of(block: int, size: int) -> int:
    """The number of the section of a block."""
    return (block - 1) // size + 1


def _column_of(subject: str) -> tuple[str, str]:
    """The column of a message that has a subject, and the end of the subjects of that sort."""
    if subject < "g:":
        return "subject", "g:"
    return ("account", "u:") if subject < "u:" else ("subject", _END)


def _stored(column: str, subject: str) -> str:
    """A subject as it stands in a column of a message."""
    return id_of(subject) if column == "account" else subject


def _subject(column: str, stored: str) -> str:
    return account_key(stored) if column == "account" else stored


def _after(text: str) -> str:
    """The next text: no stored text has a NUL."""
    return text + "\x01"
