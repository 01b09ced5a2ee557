"""Alerts on their way: one row for each change of a lead and each alert that sends it.

A row has no body. ``change`` is the number of its ledger entry, in whose order the rows of one lead
and one alert are sent. Only the first of them that waits has a ``next_at``, so nothing behind it is
looked at. A claim sets ``next_at`` to the end of its lease.
"""

from __future__ import annotations

DELIVERY = (
    """
    CREATE TABLE delivery (
      change BIGINT NOT NULL,
      alert text NOT NULL,
      bucket INTEGER NOT NULL,
      lead text NOT NULL,
      event text NOT NULL,
      at BIGINT NOT NULL,
      queued_at BIGINT NOT NULL,
      state text NOT NULL,
      attempts INTEGER NOT NULL,
      next_at BIGINT,
      began_at BIGINT,
      ended_at BIGINT,
      result text,
      reference text,
      PRIMARY KEY (change, alert, bucket)
    ) CLUSTERED
    """,
    "CREATE INDEX delivery_due ON delivery (alert, next_at) WHERE state = 'waiting'",
    "CREATE INDEX delivery_lead ON delivery (lead, alert, change)",
)

KEPT_FOR_A_WHILE = (
    """
    CREATE INDEX delivery_ended ON delivery (ended_at)
    WHERE state IN ('sent', 'dropped') AND reference IS NULL
    """,
)
"""What is removed when it is old. A row with a reference is not: it ties a record to its lead."""
