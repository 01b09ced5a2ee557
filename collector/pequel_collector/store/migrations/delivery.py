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
    "DROP INDEX delivery_due",
    """
    CREATE INDEX delivery_due ON delivery (alert, next_at, change)
    WHERE state = 'waiting' AND next_at IS NOT NULL
    """,
    """
    CREATE INDEX delivery_waiting ON delivery (alert, queued_at)
    WHERE state = 'waiting' AND queued_at > 0
    """,
    """
    CREATE INDEX delivery_ended ON delivery (ended_at)
    WHERE state IN ('sent', 'dropped') AND reference IS NULL
    """,
)
"""Each index is small and serves one question, also for a planner without statistics: what is due,
how much waits, and what is removed when it is old.

``delivery_due`` has the order of claims. Its condition on ``next_at``, and that of
``delivery_waiting`` on ``queued_at``, keep statements about the rows of one lead from using them,
which would read all that waits. A row with a reference is not removed, because it ties a record to
its lead."""
