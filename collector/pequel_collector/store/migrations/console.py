"""Sessions of the console, and views of it that people have saved."""

from __future__ import annotations

# ``digest`` is the hash of the token in the cookie. Tokens of one ``family`` are one session.
CONSOLE = (
    """
    CREATE TABLE console_session (
      digest text NOT NULL PRIMARY KEY,
      family text NOT NULL,
      kind text NOT NULL,
      key_mark text,
      actor text NOT NULL,
      began_at BIGINT NOT NULL,
      made_at BIGINT NOT NULL,
      ends_at BIGINT NOT NULL
    ) CLUSTERED
    """,
    """
    CREATE TABLE saved_view (
      id text NOT NULL PRIMARY KEY,
      name text NOT NULL,
      query text NOT NULL,
      actor text NOT NULL,
      made_at BIGINT NOT NULL
    ) CLUSTERED
    """,
)

WAITS_UNTIL = "CASE WHEN state IN ('new', 'assigned') THEN due_at END"
"""When a lead that waits for its first contact is due."""

SNOOZED = (
    "CREATE INDEX lead_snoozed ON lead (snoozed_until) WHERE snoozed_until IS NOT NULL",
    f"CREATE INDEX lead_waits ON lead (({WAITS_UNTIL}))",
)
"""The few leads that are snoozed, or overdue, are found by themselves."""
