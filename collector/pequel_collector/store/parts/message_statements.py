"""The SQL that finds messages by subject: by postings in sections, by indexes in other blocks.

A *source* is a place to search: ``posting`` for sections, where a subject is a key, and the columns
``subject`` and ``account`` of messages for blocks. Most statements are the same for each source.
``NUMBERS(:numbers) AS place`` is a table with a row for each of these numbers.
"""

from __future__ import annotations

from typing import NamedTuple


class _Source(NamedTuple):
    """Where messages are found: a table, its column with the section or block, and its subject.

    ``key`` is the subject in the table ``counts`` of numbers of events by name.
    """

    table: str
    place: str
    column: str
    counts: str
    key: str = "found.value"


_SOURCES = {
    "posting": _Source("posting", "section", "subject", "section_count"),
    "subject": _Source("event", "block", "subject", "event_count"),
    "account": _Source("event", "block", "account", "event_count", "'g:' || found.value"),
}


def _for_each(statement: str) -> dict[str, str]:
    return {name: statement.format(**source._asdict()) for name, source in _SOURCES.items()}


PLACES = "SELECT (SELECT max(number) FROM block), (SELECT sections FROM indexing)"
"""The number of the open block, and how many sections are finished."""

MESSAGES = _for_each("""
SELECT time, position, mid FROM {table}
WHERE {place} = ANY(:places) AND {column} = ANY(:keys) AND time >= :since AND time <= :until
ORDER BY time, position, mid
""")

# The time of the last message of each key, up to an instant, in each place. A row without a place
# has the latest time of all messages in blocks before the oldest one.
LASTS = _for_each("""
WITH lasts AS MATERIALIZED (
  SELECT place.value AS place, value.value AS value, (
    SELECT time FROM {table}
    WHERE {place} = place.value AND {column} = value.value AND time <= :until
    ORDER BY time DESC LIMIT 1
  ) AS last
  FROM NUMBERS(:places) AS place CROSS JOIN EACH(:keys) AS value
)
SELECT place, value, last FROM lasts WHERE last IS NOT NULL
UNION ALL SELECT NULL, NULL, newest_before FROM block WHERE number = :oldest
""")

# The places with messages of each key: the time of the first one there, and whether the events of
# the key are counted there. Most places have none, so the rest is looked up for the others only.
FIRSTS = _for_each("""
WITH found AS MATERIALIZED (
  SELECT place.value AS place, value.value AS value, (
    SELECT time FROM {table}
    WHERE {place} = place.value AND {column} = value.value ORDER BY time LIMIT 1
  ) AS first
  FROM NUMBERS(:places) AS place CROSS JOIN EACH(:keys) AS value
)
SELECT place, value, first, (
  SELECT 1 FROM {counts} WHERE {place} = found.place AND subject = {key} LIMIT 1
)
FROM found WHERE first IS NOT NULL
""")

LATEST = _for_each("""
SELECT time, position, mid FROM {table}
WHERE {place} = :place AND {column} = :key AND time <= :time
  AND (time, position, mid) < (:time, :position, :mid)
ORDER BY time DESC, position DESC, mid DESC LIMIT :limit
""")

LATEST_NAMING = """
WITH last AS MATERIALIZED (
  SELECT max((
    SELECT time FROM event
    WHERE block = place.value AND subject = value.value AND named_account IS NOT NULL
    ORDER BY time DESC LIMIT 1
  )) AS time
  FROM NUMBERS(:blocks) AS place CROSS JOIN EACH(:subjects) AS value
)
SELECT named_account FROM (
  SELECT time, position, mid FROM naming
  WHERE section = ANY(:sections) AND subject = ANY(:subjects)
  UNION ALL
  SELECT time, position, mid FROM event
  WHERE block = ANY(:blocks) AND subject = ANY(:subjects) AND named_account IS NOT NULL
    AND time = (SELECT time FROM last)
) namings
JOIN event USING (time, position, mid)
ORDER BY time DESC, position DESC, mid DESC LIMIT 1
"""

# -- events by name ----------------------------------------------------------------------------

TOTALS = _for_each("""
SELECT name, sum(number) FROM {counts}
WHERE {place} = ANY(:places) AND subject = :subject GROUP BY name
""")

MIDS = """
SELECT mid FROM posting WHERE section = ANY(:places) AND subject = ANY(:keys)
"""

_NAMES = "SELECT name, count(*) FROM event WHERE {} AND name IS NOT NULL GROUP BY name"
NAMES_OF_MESSAGES = _NAMES.format("mid = ANY(:mids)")
NAMES = {
    column: _NAMES.format(f"block = ANY(:places) AND {column} = ANY(:keys)")
    for column in ("subject", "account")
}
NAMES_OF_BOTH = _NAMES.format(
    "block = ANY(:places) AND (subject = ANY(:subjects) OR account = ANY(:accounts))"
)

# -- members of accounts -----------------------------------------------------------------------

MEMBERS = """
SELECT DISTINCT subject FROM event WHERE mid IN (
  SELECT mid FROM posting WHERE section = ANY(:sections) AND subject = :key
)
UNION
SELECT DISTINCT subject FROM event WHERE block = ANY(:blocks) AND account = :account
"""

# -- pages of subjects -------------------------------------------------------------------------

# A subject key such that no place has more than :share subjects between :after and it. The ids of
# accounts are compared without their prefix, so that an index finds them.
_REACH = """
  SELECT {found} AS reach FROM (
    SELECT (
      SELECT DISTINCT {column} FROM {table}
      WHERE {place} = place.value AND {column} > :{after}
      ORDER BY {column} LIMIT 1 OFFSET :share
    ) AS found
    FROM NUMBERS(:{place}s) AS place
  ) {column}s
"""


def _reach(source: str, found: str, after: str) -> str:
    return _REACH.format(**_SOURCES[source]._asdict(), found=found, after=after)


REACH = f"""
SELECT min(reach) FROM ({_reach("posting", "found", "after")}
  UNION ALL {_reach("subject", "found", "after")}
  UNION ALL {_reach("account", "'g:' || found", "after_account")}
) reaches
"""

SUBJECTS_WITHIN = """
SELECT subject FROM (
  SELECT subject FROM posting
  WHERE section = ANY(:sections) AND subject > :after AND subject <= :until
  UNION
  SELECT subject FROM event WHERE block = ANY(:blocks) AND subject > :after AND subject <= :until
  UNION
  SELECT 'g:' || account FROM event
  WHERE block = ANY(:blocks) AND account > :after_account AND account <= :until_account
) subjects
ORDER BY subject
"""
