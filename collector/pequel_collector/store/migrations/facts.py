"""Messages, traits, memberships, and the first tables of what follows from them."""

from __future__ import annotations

FACTS = (
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
DERIVED = (
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

DECIDED = (
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
VIEWS = (
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

TRAITS_OF = "(SELECT coalesce({}, '{{}}') FROM current_trait t WHERE t.subject = \\1)"
