"""What people do with leads, and how definitions changed."""

from __future__ import annotations

from .persons import POSITIONS

# Whether a group call ends the membership, instead of beginning one.
LEAVING = ("ALTER TABLE membership ADD COLUMN has_left INTEGER NOT NULL DEFAULT 0",)

# What people did with leads, and what became of the leads. A lead is named by its subject,
# definition and cycle, because leads of one person are merged.
LEADS = (
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
    POSITIONS[-1].replace(
        "merged_into, flags", """merged_into, iso(contacted_at) AS contacted_at,
      iso(won_at) AS won_at, self_serve, iso(snoozed_until) AS snoozed_until, amount, currency,
      flags"""
    ),
)  # fmt: skip

DEFINITION_CHANGES = (
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

OTHER_FIELDS = ("ALTER TABLE definition_change ADD COLUMN changed text",)
