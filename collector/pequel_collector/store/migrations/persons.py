"""Who is who, and the views of persons; positions in the order of facts."""

from __future__ import annotations

import re

from .facts import FACTS

# Open pages have a table of their own, to keep it small: it is read and written all the time. One
# subject may have very many cells; the index finds those of a page.
HISTORIES = (
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

IDENTITY = (
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

LEDGER = (
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

IDS_OF = """(
  SELECT \\1 UNION ALL SELECT linked.subject FROM person linked WHERE linked.person = \\1
)"""

TRAITS_OF_PERSON = """(
  SELECT coalesce({}, '{{}}') FROM (
    SELECT name, value,
      row_number() OVER (PARTITION BY name ORDER BY time DESC, mid DESC) AS place
    FROM trait WHERE trait.subject IN ids_of(\\1)
  ) latest
  WHERE place = 1 AND value <> 'null'
)"""

VIEWS_OF_PERSONS = (
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
LAGGING = (
    """
    CREATE TABLE lagging (
      subject text NOT NULL,
      bucket INTEGER NOT NULL,
      PRIMARY KEY (subject, bucket)
    ) CLUSTERED
    """,
)

# The order of facts is (time, position, mid). In a store from before this, every position is 0.
_LATEST_FIRST = "position DESC, mid DESC"

TRAITS_NOW = TRAITS_OF_PERSON.replace("mid DESC", _LATEST_FIRST)

POSITIONS = (
    *(
        f"ALTER TABLE {table} ADD COLUMN position INTEGER NOT NULL DEFAULT 0"
        for table in ("event", "posting", "trait", "membership", "link")
    ),
    *(f"DROP VIEW {view}" for view in ("users", "accounts", "pqls", "current_trait")),
    FACTS[-1].replace(
        "(later.time, later.mid) > (trait.time, trait.mid)",
        "(later.time, later.position, later.mid) > (trait.time, trait.position, trait.mid)",
    ),
    *(
        view.replace("mid DESC", _LATEST_FIRST).replace("traits_of_person", "traits_now")
        for view in VIEWS_OF_PERSONS
        if re.search("CREATE VIEW (users|accounts|pqls)", view)
    ),
)
