"""Indexes and counts that bound what a read costs."""

from __future__ import annotations

# Each read is a search in an index, also in the open block. ``naming`` has the latest message of a
# sealed block in which a subject names an account. ``country`` and ``plan`` are the traits of a
# lead's subject as JSON, if short enough for an index.
_ADD_NAMING = """
INSERT INTO naming (block, subject, bucket, time, position, mid)
SELECT block, subject, bucket, time, position, mid FROM (
  SELECT block, subject, bucket, time, position, mid,
    row_number() OVER (
      PARTITION BY block, subject ORDER BY time DESC, position DESC, mid DESC
    ) AS place
  FROM event WHERE named_account IS NOT NULL AND block IN (
    SELECT number FROM block WHERE sealed = 1
  )
) latest
WHERE place = 1
"""

LISTED_TRAITS = ("country", "plan")

MAX_LISTED = 64
"""Characters of a trait value, as JSON, that is stored with a lead."""

_LISTED_TRAIT = """(
  SELECT CASE WHEN length(value) <= {1} THEN value END FROM trait
  WHERE trait.name = '{0}' AND trait.subject IN (
    SELECT {2} UNION ALL SELECT subject FROM person WHERE person = {2}
  )
  ORDER BY time DESC, position DESC, mid DESC LIMIT 1
)"""


def listed_traits(subject: str) -> list[str]:
    """The expressions for the listed traits of the subject in a column."""
    return [_LISTED_TRAIT.format(name, MAX_LISTED, subject) for name in LISTED_TRAITS]


SET_LISTED_TRAITS = "UPDATE lead SET " + ", ".join(
    f"{name} = {value}"
    for name, value in zip(LISTED_TRAITS, listed_traits("lead.subject"), strict=True)
)

# The columns of other filters at the end of an index save looking at the rows that they exclude.
LIST_ORDER = "rank, marked_at DESC, id, state, definition, kind, country, plan"

READS = (
    "DROP INDEX event_block",
    "CREATE INDEX event_block ON event (block, time)",
    "CREATE INDEX event_received ON event (block, received)",
    "CREATE INDEX event_subject ON event (block, subject, time)",
    "CREATE INDEX event_account ON event (block, account, time) WHERE account IS NOT NULL",
    """
    CREATE INDEX event_naming ON event (block, subject, time) WHERE named_account IS NOT NULL
    """,
    """
    CREATE TABLE naming (
      block BIGINT NOT NULL,
      subject text NOT NULL,
      bucket INTEGER NOT NULL,
      time BIGINT NOT NULL,
      position INTEGER NOT NULL,
      mid text NOT NULL,
      PRIMARY KEY (block, subject, bucket)
    ) CLUSTERED
    """,
    _ADD_NAMING,
    *(f"ALTER TABLE lead ADD COLUMN {name} text" for name in LISTED_TRAITS),
    SET_LISTED_TRAITS,
    "DROP INDEX lead_listing",
    f"CREATE INDEX lead_listing ON lead ({LIST_ORDER})",
    *(
        f"CREATE INDEX lead_{name} ON lead ({name}, {LIST_ORDER})"
        for name in ("definition", "kind", "country", "plan")
    ),
    f"CREATE INDEX lead_owner ON lead (substr(owner, 1, 64), {LIST_ORDER})",
    f"CREATE INDEX lead_subject_kind ON lead (substr(subject, 1, 2), {LIST_ORDER})",
    "CREATE INDEX lead_account ON lead (account, rank, marked_at DESC, id)",
    "CREATE INDEX lead_qualified ON lead (qualified_at)",
    "CREATE INDEX lead_marked ON lead (marked_at)",
    "CREATE INDEX lead_expiry ON lead (expires_at) WHERE state = 'new'",
)

# How many events a subject has by name in a sealed block, if it has many messages there. Those of
# other subjects are counted when somebody asks.
MANY_IN_BLOCK = 16

# Without a subquery, which PostgreSQL joins badly while it has no statistics of new rows.
_ADD_COUNTS = """
INSERT INTO event_count (block, subject, name, bucket, number)
SELECT block, {key}, name, {bucket}, number FROM (
  SELECT block, {column}, name, {bucket}, count(*) AS number,
    sum(count(*)) OVER (PARTITION BY block, {column}) AS messages
  FROM event WHERE {blocks} AND {own}
  GROUP BY block, {column}, name, {bucket}
) counted
WHERE messages >= {many} AND name IS NOT NULL
ORDER BY block, {column}, name
"""


def add_counts(blocks: str) -> tuple[str, str]:
    """The statements that count the events of accounts, and of others, in some blocks."""
    account = {
        "key": "'g:' || account",
        "column": "account",
        "bucket": "account_bucket",
        "own": "account IS NOT NULL",
    }
    # A fact of an account alone has the account as its subject too, and is counted above.
    other = {
        "key": "subject",
        "column": "subject",
        "bucket": "bucket",
        "own": "substr(subject, 1, 2) <> 'g:'",
    }
    first, second = (
        _ADD_COUNTS.format(blocks=blocks, many=MANY_IN_BLOCK, **each) for each in (account, other)
    )
    return first, second


COUNTS = (
    """
    CREATE TABLE event_count (
      block BIGINT NOT NULL,
      subject text NOT NULL,
      name text NOT NULL,
      bucket INTEGER NOT NULL,
      number BIGINT NOT NULL,
      PRIMARY KEY (block, subject, name, bucket)
    ) CLUSTERED
    """,
    *add_counts("block IN (SELECT number FROM block WHERE sealed = 1)"),
    # SQLite prefers an index with the state, whatever its other columns.
    "DROP INDEX lead_expiry",
    "CREATE INDEX lead_expiry ON lead (state, expires_at) WHERE expires_at IS NOT NULL",
)

NEVER_DUE = 2**61

DUE_ORDER = f"coalesce(due_at, {NEVER_DUE})"
"""What leads are sorted by when they are due: those that are never due come last."""

# What is searched, in lower case: e-mail addresses, names, and ids with capitals. A text with an
# escape, which PostgreSQL may not be able to decode, is added when it is next set.
LISTS = (
    """
    CREATE TABLE search_text (
      kind text NOT NULL,
      found_by text NOT NULL,
      subject text NOT NULL,
      bucket INTEGER NOT NULL,
      PRIMARY KEY (kind, found_by, subject, bucket)
    ) CLUSTERED
    """,
    """
    INSERT INTO search_text (kind, found_by, subject, bucket)
    SELECT DISTINCT CASE WHEN substr(subject, 1, 2) = 'g:' THEN 'g' ELSE 'u' END,
      substr(lower(json_text(value)), 1, 64), subject, bucket
    FROM trait
    WHERE name IN ('email', 'name') AND substr(value, 1, 1) = '"'
      AND replace(value, '\\', '') = value
    """,
    """
    INSERT INTO search_text (kind, found_by, subject, bucket)
    SELECT DISTINCT substr(subject, 1, 1), lower(substr(subject, 3, 64)), subject, bucket
    FROM posting WHERE lower(subject) <> subject AND substr(subject, 1, 2) IN ('u:', 'g:')
    ON CONFLICT DO NOTHING
    """,
    f"CREATE INDEX lead_version ON lead (version, {LIST_ORDER})",
    f"CREATE INDEX lead_due_order ON lead ({DUE_ORDER}, id)",
)
