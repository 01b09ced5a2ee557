"""The tables and views, the same on both databases.

These rules hold for every table. Breaking one of them later would mean moving all rows:

* ``bucket`` is the last column of every primary and unique key of a table that grows with the
  number of subjects, and is never null. So such tables can be spread over machines by it.
* There are no foreign keys, triggers or sequences: they do not work across machines.
* The event table grows at its end. Only the index of message ids is filled in any order. The other
  index begins with the block, so that rows out of order stay within the open block.

A released migration is never edited. The next migration changes what it did.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Migration(NamedTuple):
    """A numbered step of the schema, applied in one transaction."""

    name: str
    statements: tuple[str, ...]


class Dialect(NamedTuple):
    """The SQL that differs between the databases."""

    text: str
    """The type of text that is compared and sorted by its bytes."""
    bytes: str
    """The type of bytes."""
    clustered: str
    """The option that stores a table as one tree in the order of its key, if there is one."""
    iso: str
    """The expression for a time ``{}`` in milliseconds as ISO 8601 in UTC."""
    json_object: str
    """The expression for an object as text, of the columns ``name`` and ``value`` of rows."""
    json_text: str
    """The expression for the text in the JSON ``{}``."""


_FACTS = (
    """
    CREATE TABLE block (
      number BIGINT NOT NULL PRIMARY KEY,
      sealed INTEGER NOT NULL,
      newest_before BIGINT
    )
    """,
    "INSERT INTO block (number, sealed, newest_before) VALUES (1, 0, NULL)",
    """
    CREATE TABLE event (
      mid text NOT NULL,
      bucket INTEGER NOT NULL,
      block BIGINT NOT NULL,
      subject text NOT NULL,
      account text,
      account_bucket INTEGER,
      time BIGINT NOT NULL,
      received BIGINT NOT NULL,
      type text NOT NULL,
      name text,
      named_account text,
      anonymous_id text,
      previous_id text,
      sent BIGINT,
      properties text,
      traits text,
      context text,
      original text,
      PRIMARY KEY (mid, bucket)
    )
    """,
    "CREATE INDEX event_block ON event (block, time, subject, account)",
    """
    CREATE TABLE posting (
      block BIGINT NOT NULL,
      subject text NOT NULL,
      time BIGINT NOT NULL,
      mid text NOT NULL,
      bucket INTEGER NOT NULL,
      PRIMARY KEY (block, subject, time, mid, bucket)
    ) CLUSTERED
    """,
    """
    CREATE TABLE trait (
      subject text NOT NULL,
      name text NOT NULL,
      time BIGINT NOT NULL,
      mid text NOT NULL,
      bucket INTEGER NOT NULL,
      value text NOT NULL,
      PRIMARY KEY (subject, name, time, mid, bucket)
    ) CLUSTERED
    """,
    """
    CREATE TABLE membership (
      subject text NOT NULL,
      time BIGINT NOT NULL,
      mid text NOT NULL,
      bucket INTEGER NOT NULL,
      account text NOT NULL,
      PRIMARY KEY (subject, time, mid, bucket)
    ) CLUSTERED
    """,
    """
    CREATE VIEW current_trait AS
    SELECT subject, bucket, name, value
    FROM trait
    WHERE value <> 'null' AND NOT EXISTS (
      SELECT 1 FROM trait later
      WHERE later.subject = trait.subject AND later.bucket = trait.bucket
        AND later.name = trait.name AND (later.time, later.mid) > (trait.time, trait.mid)
    )
    """,
)

# Histories are long and written in any order. A table with an index takes half the space of one
# tree, and a third of the time.
_DERIVED = (
    """
    CREATE TABLE history (
      subject text NOT NULL,
      page INTEGER NOT NULL,
      bucket INTEGER NOT NULL,
      body text NOT NULL,
      PRIMARY KEY (subject, page, bucket)
    )
    """,
    """
    CREATE TABLE lead (
      subject text NOT NULL,
      definition text NOT NULL,
      cycle INTEGER NOT NULL,
      bucket INTEGER NOT NULL,
      id text NOT NULL,
      version INTEGER NOT NULL,
      rank INTEGER NOT NULL,
      qualified_at BIGINT NOT NULL,
      marked_at BIGINT NOT NULL,
      state text NOT NULL,
      kind text NOT NULL,
      priority text NOT NULL,
      owner text,
      due_at BIGINT,
      account text,
      flags text NOT NULL,
      evidence text NOT NULL,
      PRIMARY KEY (subject, definition, cycle, bucket)
    )
    """,
    "CREATE UNIQUE INDEX lead_id ON lead (id, bucket)",
    "CREATE INDEX lead_listing ON lead (rank, marked_at DESC, id)",
)

_DECIDED = (
    """
    CREATE TABLE definition_version (
      name text NOT NULL,
      version INTEGER NOT NULL,
      hash text NOT NULL,
      created_at BIGINT NOT NULL,
      source text NOT NULL,
      PRIMARY KEY (name, version)
    )
    """,
    """
    CREATE TABLE api_key (
      id text NOT NULL PRIMARY KEY,
      kind text NOT NULL,
      label text NOT NULL,
      digest text NOT NULL,
      created_at BIGINT NOT NULL,
      revoked_at BIGINT
    )
    """,
    "CREATE TABLE note (name text NOT NULL PRIMARY KEY, body text NOT NULL)",
    """
    CREATE TABLE refused (
      id text NOT NULL,
      bucket INTEGER NOT NULL,
      received_at BIGINT NOT NULL,
      key_id text,
      position INTEGER NOT NULL,
      code text NOT NULL,
      message text NOT NULL,
      field text,
      mid text,
      payload text NOT NULL,
      PRIMARY KEY (id, bucket)
    )
    """,
    "CREATE INDEX refused_arrival ON refused (received_at, id)",
)

# The views are for people who look around. They read whole tables, so programs should not use them.
_VIEWS = (
    """
    CREATE VIEW users AS
    SELECT substr(subject, 3) AS user_id, iso(first_seen) AS first_seen,
      iso(last_seen) AS last_seen, events, (
        SELECT account FROM membership
        WHERE membership.subject = seen.subject ORDER BY time DESC, mid DESC LIMIT 1
      ) AS account, traits_of(seen.subject) AS traits
    FROM (
      SELECT subject, min(time) AS first_seen, max(time) AS last_seen, count(name) AS events
      FROM event WHERE subject >= 'u:' GROUP BY subject
    ) seen
    """,
    """
    CREATE VIEW accounts AS
    SELECT account AS account_id, iso(first_seen) AS first_seen, iso(last_seen) AS last_seen,
      events, users, traits_of('g:' || account) AS traits
    FROM (
      SELECT account, min(time) AS first_seen, max(time) AS last_seen, count(name) AS events,
        count(DISTINCT CASE WHEN subject >= 'u:' THEN subject END) AS users
      FROM event WHERE account IS NOT NULL GROUP BY account
    ) seen
    """,
    """
    CREATE VIEW events AS
    SELECT mid AS message_id, iso(time) AS time, name,
      CASE WHEN subject >= 'u:' THEN substr(subject, 3) END AS user_id,
      CASE WHEN subject < 'b' THEN substr(subject, 3) ELSE anonymous_id END AS anonymous_id,
      account, coalesce(properties, '{}') AS properties, coalesce(context, '{}') AS context,
      iso(received) AS received
    FROM event WHERE name IS NOT NULL
    """,
    """
    CREATE VIEW pqls AS
    SELECT id AS lead_id, definition, version, cycle,
      CASE WHEN subject >= 'u:' THEN 'user' ELSE 'account' END AS subject_kind,
      substr(subject, 3) AS subject_id,
      CASE WHEN subject >= 'u:' THEN account ELSE substr(subject, 3) END AS account,
      iso(qualified_at) AS qualified_at, iso(marked_at) AS marked_at, state, kind, priority,
      owner, iso(due_at) AS due_at, flags, traits_of(lead.subject) AS traits, evidence
    FROM lead
    """,
)
_TRAITS_OF = "(SELECT coalesce({}, '{{}}') FROM current_trait t WHERE t.subject = \\1)"

# Open pages have a table of their own, to keep it small: it is read and written all the time. One
# subject may have very many cells; the index finds those of a page.
_HISTORIES = (
    "DROP TABLE history",
    """
    CREATE TABLE history (
      subject text NOT NULL,
      bucket INTEGER NOT NULL,
      body BYTES NOT NULL,
      PRIMARY KEY (subject, bucket)
    )
    """,
    """
    CREATE TABLE sealed_page (
      subject text NOT NULL,
      number INTEGER NOT NULL,
      bucket INTEGER NOT NULL,
      body BYTES NOT NULL,
      PRIMARY KEY (subject, number, bucket)
    )
    """,
    """
    CREATE TABLE cell (
      subject text NOT NULL,
      slot INTEGER NOT NULL,
      key text NOT NULL,
      page INTEGER NOT NULL,
      bucket INTEGER NOT NULL,
      body BYTES,
      PRIMARY KEY (subject, slot, key, page, bucket)
    ) CLUSTERED
    """,
    "CREATE INDEX cell_page ON cell (subject, page)",
    """
    CREATE TABLE due (
      subject text NOT NULL,
      bucket INTEGER NOT NULL,
      time BIGINT NOT NULL,
      PRIMARY KEY (subject, bucket)
    ) CLUSTERED
    """,
    "CREATE INDEX due_time ON due (time, subject)",
    "CREATE TABLE turn (token BIGINT NOT NULL)",
    "INSERT INTO turn (token) VALUES (0)",
    "DELETE FROM note WHERE name = 'catalogue'",
)

_IDENTITY = (
    """
    CREATE TABLE link (
      subject text NOT NULL,
      linked_to text NOT NULL,
      bucket INTEGER NOT NULL,
      time BIGINT NOT NULL,
      mid text NOT NULL,
      PRIMARY KEY (subject, linked_to, bucket)
    ) CLUSTERED
    """,
    "CREATE INDEX link_linked_to ON link (linked_to)",
    """
    CREATE TABLE person (
      subject text NOT NULL,
      bucket INTEGER NOT NULL,
      person text NOT NULL,
      PRIMARY KEY (subject, bucket)
    ) CLUSTERED
    """,
    "CREATE INDEX person_ids ON person (person, subject)",
)

_LEDGER = (
    "ALTER TABLE lead ADD COLUMN expires_at BIGINT",
    "ALTER TABLE lead ADD COLUMN merged_into text",
    "CREATE INDEX lead_state ON lead (state, rank, marked_at DESC, id, expires_at)",
    """
    CREATE TABLE change (
      number BIGINT NOT NULL,
      bucket INTEGER NOT NULL,
      lead text NOT NULL,
      at BIGINT NOT NULL,
      what text NOT NULL,
      before text NOT NULL,
      after text NOT NULL,
      reason text,
      actor text,
      PRIMARY KEY (number, bucket)
    ) CLUSTERED
    """,
    "CREATE INDEX change_lead ON change (lead, number)",
    "ALTER TABLE block ADD COLUMN messages BIGINT",
    """
    UPDATE block SET messages = (SELECT count(*) FROM event WHERE event.block = block.number)
    WHERE sealed = 1
    """,
    """ALTER TABLE definition_version ADD COLUMN "text" text NOT NULL DEFAULT ''""",
    "CREATE TABLE tally (name text NOT NULL PRIMARY KEY, number BIGINT NOT NULL)",
)

_IDS_OF = """(
  SELECT \\1 UNION ALL SELECT linked.subject FROM person linked WHERE linked.person = \\1
)"""

_TRAITS_OF_PERSON = """(
  SELECT coalesce({}, '{{}}') FROM (
    SELECT name, value,
      row_number() OVER (PARTITION BY name ORDER BY time DESC, mid DESC) AS place
    FROM trait WHERE trait.subject IN ids_of(\\1)
  ) latest
  WHERE place = 1 AND value <> 'null'
)"""

_VIEWS_OF_PERSONS = (
    "DROP VIEW users",
    "DROP VIEW accounts",
    "DROP VIEW events",
    "DROP VIEW pqls",
    """
    CREATE VIEW users AS
    SELECT substr(whose, 3) AS user_id, iso(first_seen) AS first_seen,
      iso(last_seen) AS last_seen, events, (
        SELECT account FROM membership
        WHERE membership.subject IN ids_of(whose) ORDER BY time DESC, mid DESC LIMIT 1
      ) AS account, traits_of_person(whose) AS traits
    FROM (
      SELECT coalesce(person, event.subject) AS whose, min(time) AS first_seen,
        max(time) AS last_seen, count(name) AS events
      FROM event
      LEFT JOIN person ON person.subject = event.subject AND person.bucket = event.bucket
      GROUP BY coalesce(person, event.subject)
    ) seen
    WHERE whose >= 'u:'
    """,
    """
    CREATE VIEW accounts AS
    SELECT account AS account_id, iso(first_seen) AS first_seen, iso(last_seen) AS last_seen,
      events, users, traits_of_person(key) AS traits
    FROM (
      SELECT account, 'g:' || account AS key, min(time) AS first_seen, max(time) AS last_seen,
        count(name) AS events, count(
          DISTINCT CASE WHEN person IS NOT NULL THEN person
            WHEN event.subject >= 'u:' THEN event.subject END
        ) AS users
      FROM event
      LEFT JOIN person ON person.subject = event.subject AND person.bucket = event.bucket
      WHERE account IS NOT NULL GROUP BY account
    ) seen
    """,
    """
    CREATE VIEW events AS
    SELECT mid AS message_id, iso(time) AS time, name,
      CASE WHEN person IS NOT NULL THEN substr(person, 3)
        WHEN event.subject >= 'u:' THEN substr(event.subject, 3) END AS user_id,
      CASE WHEN event.subject < 'b' THEN substr(event.subject, 3) ELSE anonymous_id END
        AS anonymous_id,
      account, coalesce(properties, '{}') AS properties, coalesce(context, '{}') AS context,
      iso(received) AS received
    FROM event
    LEFT JOIN person ON person.subject = event.subject AND person.bucket = event.bucket
    WHERE name IS NOT NULL
    """,
    """
    CREATE VIEW pqls AS
    SELECT id AS lead_id, definition, version, cycle,
      CASE WHEN subject >= 'u:' THEN 'user' ELSE 'account' END AS subject_kind,
      substr(subject, 3) AS subject_id,
      CASE WHEN subject >= 'u:' THEN account ELSE substr(subject, 3) END AS account,
      iso(qualified_at) AS qualified_at, iso(marked_at) AS marked_at, state, kind, priority,
      owner, iso(due_at) AS due_at, iso(expires_at) AS expires_at, merged_into, flags,
      traits_of_person(lead.subject) AS traits, evidence
    FROM lead
    """,
)

# The subjects whose open page is stale: it lacks messages that are stored.
_LAGGING = (
    """
    CREATE TABLE lagging (
      subject text NOT NULL,
      bucket INTEGER NOT NULL,
      PRIMARY KEY (subject, bucket)
    ) CLUSTERED
    """,
)

_ACCOUNTING = (
    """
    CREATE TABLE usage (
      key_id text NOT NULL,
      month text NOT NULL,
      outcome text NOT NULL,
      number BIGINT NOT NULL,
      PRIMARY KEY (key_id, month, outcome)
    ) CLUSTERED
    """,
    "ALTER TABLE refused ADD COLUMN around text",
    "CREATE INDEX refused_code ON refused (code, received_at, id)",
    "ALTER TABLE api_key ADD COLUMN rate BIGINT",
    "ALTER TABLE api_key ADD COLUMN quota BIGINT",
)

_REPORTS = (
    """
    CREATE TABLE client_report (
      key_id text NOT NULL,
      client text NOT NULL,
      number BIGINT NOT NULL,
      PRIMARY KEY (key_id, client)
    ) CLUSTERED
    """,
)

# The order of facts is (time, position, mid). In a store from before this, every position is 0.
_LATEST_FIRST = "position DESC, mid DESC"
_TRAITS_NOW = _TRAITS_OF_PERSON.replace("mid DESC", _LATEST_FIRST)
_POSITIONS = (
    *(
        f"ALTER TABLE {table} ADD COLUMN position INTEGER NOT NULL DEFAULT 0"
        for table in ("event", "posting", "trait", "membership", "link")
    ),
    *(f"DROP VIEW {view}" for view in ("users", "accounts", "pqls", "current_trait")),
    _FACTS[-1].replace(
        "(later.time, later.mid) > (trait.time, trait.mid)",
        "(later.time, later.position, later.mid) > (trait.time, trait.position, trait.mid)",
    ),
    *(
        view.replace("mid DESC", _LATEST_FIRST).replace("traits_of_person", "traits_now")
        for view in _VIEWS_OF_PERSONS
        if re.search("CREATE VIEW (users|accounts|pqls)", view)
    ),
)

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
_LIST_ORDER = "rank, marked_at DESC, id, state, definition, kind, country, plan"
_READS = (
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
    f"CREATE INDEX lead_listing ON lead ({_LIST_ORDER})",
    *(
        f"CREATE INDEX lead_{name} ON lead ({name}, {_LIST_ORDER})"
        for name in ("definition", "kind", "country", "plan")
    ),
    f"CREATE INDEX lead_owner ON lead (substr(owner, 1, 64), {_LIST_ORDER})",
    f"CREATE INDEX lead_subject_kind ON lead (substr(subject, 1, 2), {_LIST_ORDER})",
    "CREATE INDEX lead_account ON lead (account, rank, marked_at DESC, id)",
    "CREATE INDEX lead_qualified ON lead (qualified_at)",
    "CREATE INDEX lead_marked ON lead (marked_at)",
    "CREATE INDEX lead_expiry ON lead (expires_at) WHERE state = 'new'",
)

# How many events a subject has by name in a sealed block, if it has many messages there. Those of
# other subjects are counted when somebody asks.
MANY_IN_BLOCK = 16

_ADD_COUNTS = """
INSERT INTO event_count (block, subject, name, bucket, number)
SELECT block, {key}, name, {bucket}, count(*) FROM event
WHERE {blocks} AND name IS NOT NULL AND {own} AND (block, {column}) IN (
  SELECT block, {column} FROM event WHERE {column} IS NOT NULL AND {blocks}
  GROUP BY block, {column} HAVING count(*) >= {many}
)
GROUP BY block, {column}, name, {bucket}
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


_COUNTS = (
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

# Which import stored a message, or a rejected line. It is null for what came over HTTP, so the
# indexes take nothing from ordinary ingestion.
_IMPORTS = (
    """
    CREATE TABLE import_run (
      number BIGINT NOT NULL PRIMARY KEY,
      began_at BIGINT NOT NULL,
      source text NOT NULL,
      format text NOT NULL,
      summary text NOT NULL,
      ended_at BIGINT,
      undo_began_at BIGINT,
      undone_at BIGINT
    )
    """,
    "ALTER TABLE event ADD COLUMN import_number BIGINT",
    "ALTER TABLE refused ADD COLUMN import_number BIGINT",
    """
    CREATE INDEX event_import ON event (import_number, time, position, mid)
    WHERE import_number IS NOT NULL
    """,
    """
    CREATE INDEX refused_import ON refused (import_number, id) WHERE import_number IS NOT NULL
    """,
)

# Whether a group call ends the membership, instead of beginning one.
_LEAVING = ("ALTER TABLE membership ADD COLUMN has_left INTEGER NOT NULL DEFAULT 0",)

# What people did with leads, and what became of the leads. A lead is named by its subject,
# definition and cycle, because leads of one person are merged.
_LEADS = (
    """
    CREATE TABLE lead_transition (
      number BIGINT NOT NULL,
      bucket INTEGER NOT NULL,
      subject text NOT NULL,
      definition text NOT NULL,
      cycle INTEGER NOT NULL,
      at BIGINT NOT NULL,
      patch text NOT NULL,
      reason text,
      actor text,
      idempotency_key text,
      digest text,
      PRIMARY KEY (number, bucket)
    ) CLUSTERED
    """,
    "CREATE INDEX lead_transition_subject ON lead_transition (subject, number)",
    *(
        f"ALTER TABLE lead ADD COLUMN {column}"
        for column in (
            "default_owner text", "withdrawn text", "conversion text", "contacted_at BIGINT",
            "won_at BIGINT", "self_serve INTEGER NOT NULL DEFAULT 0", "snoozed_until BIGINT",
            "amount text", "currency text",
        )
    ),
    "UPDATE lead SET default_owner = owner",
    """
    UPDATE lead SET withdrawn = 'what it rested on is gone'
    WHERE state = 'voided' AND merged_into IS NULL
    """,
    """
    CREATE INDEX lead_due ON lead (due_at) WHERE state IN ('new', 'assigned')
    """,
    "DROP VIEW pqls",
    _POSITIONS[-1].replace(
        "merged_into, flags", """merged_into, iso(contacted_at) AS contacted_at,
      iso(won_at) AS won_at, self_serve, iso(snoozed_until) AS snoozed_until, amount, currency,
      flags"""
    ),
)  # fmt: skip

_DEFINITION_CHANGES = (
    """
    CREATE TABLE definition_change (
      number BIGINT NOT NULL PRIMARY KEY,
      name text NOT NULL,
      version INTEGER,
      at BIGINT NOT NULL,
      origin text,
      actor text,
      reason text
    )
    """,
    """
    INSERT INTO definition_change (number, name, version, at)
    SELECT row_number() OVER (ORDER BY created_at, name, version), name, version, created_at
    FROM definition_version
    """,
)

_ACCESS = (
    "ALTER TABLE api_key ADD COLUMN prefix text",
    "ALTER TABLE api_key ADD COLUMN expires_at BIGINT",
    "ALTER TABLE api_key ADD COLUMN last_used_at BIGINT",
    """
    CREATE TABLE audit (
      number BIGINT NOT NULL PRIMARY KEY,
      at BIGINT NOT NULL,
      what text NOT NULL,
      actor text NOT NULL,
      reason text,
      details text NOT NULL
    )
    """,
)

NEVER_DUE = 2**61
DUE_ORDER = f"coalesce(due_at, {NEVER_DUE})"
"""What leads are sorted by when they are due: those that are never due come last."""

# What is searched, in lower case: e-mail addresses, names, and ids with capitals. A text with an
# escape, which PostgreSQL may not be able to decode, is added when it is next set.
_LISTS = (
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
    f"CREATE INDEX lead_version ON lead (version, {_LIST_ORDER})",
    f"CREATE INDEX lead_due_order ON lead ({DUE_ORDER}, id)",
)

_MIGRATIONS = (
    Migration("0001_facts", _FACTS),
    Migration("0002_derived", _DERIVED),
    Migration("0003_decided", _DECIDED),
    Migration("0004_views", _VIEWS),
    Migration("0005_persons", (*_HISTORIES, *_IDENTITY, *_LEDGER, *_VIEWS_OF_PERSONS)),
    Migration("0006_lagging", _LAGGING),
    Migration("0007_accounting", _ACCOUNTING),
    Migration("0008_reports", _REPORTS),
    Migration("0009_positions", _POSITIONS),
    Migration("0010_reads", _READS),
    Migration("0011_event_counts", _COUNTS),
    Migration("0012_imports", _IMPORTS),
    Migration("0013_leaving", _LEAVING),
    Migration("0014_leads", _LEADS),
    Migration("0015_access", _ACCESS),
    Migration("0016_lists", _LISTS),
    Migration("0017_definition_changes", _DEFINITION_CHANGES),
)


def migrations(dialect: Dialect) -> list[Migration]:
    """All migrations for a database, oldest first."""
    return [
        Migration(m.name, tuple(_in_dialect(s, dialect) for s in m.statements)) for m in _MIGRATIONS
    ]


def _in_dialect(statement: str, dialect: Dialect) -> str:
    traits_of = _TRAITS_OF.format(dialect.json_object)
    traits_of_person = _TRAITS_OF_PERSON.format(dialect.json_object)
    statement = re.sub(r"traits_of\((.+?)\)", traits_of, statement)
    statement = re.sub(r"traits_of_person\((.+?)\)", traits_of_person, statement)
    statement = re.sub(r"traits_now\((.+?)\)", _TRAITS_NOW.format(dialect.json_object), statement)
    statement = re.sub(r"json_text\((\w+)\)", dialect.json_text.format(r"\1"), statement)
    statement = re.sub(r"ids_of\((.+?)\)", _IDS_OF, statement)
    statement = re.sub(r"iso\((\w+)\)", dialect.iso.format(r"\1"), statement)
    statement = statement.replace("CLUSTERED", dialect.clustered)
    statement = statement.replace("BYTES", dialect.bytes)
    return re.sub(r'(?<!")\btext\b', dialect.text, statement)
