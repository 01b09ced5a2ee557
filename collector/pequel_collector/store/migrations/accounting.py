"""Keys, usage, reports of clients, and imports."""

from __future__ import annotations

ACCOUNTING = (
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

REPORTS = (
    """
    CREATE TABLE client_report (
      key_id text NOT NULL,
      client text NOT NULL,
      number BIGINT NOT NULL,
      PRIMARY KEY (key_id, client)
    ) CLUSTERED
    """,
)

# Which import stored a message, or a rejected line. It is null for what came over HTTP, so the
# indexes take nothing from ordinary ingestion.
IMPORTS = (
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

ACCESS = (
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
