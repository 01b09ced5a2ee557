"""What metrics are counted from: milestones of subjects, revenue, and what was spent.

``first_event`` has the first fact of each raw id in each account, for each ``role``. ``milestone``
puts together the ids of a person, and what happened in an account. All three derived tables catch
up when somebody asks for a metric. ``milestone_stale`` has the ids that must be read again.
"""

from __future__ import annotations

METRICS = (
    """
    CREATE TABLE first_event (
      subject text NOT NULL,
      role text NOT NULL,
      account text NOT NULL,
      bucket INTEGER NOT NULL,
      time BIGINT NOT NULL,
      position INTEGER NOT NULL,
      mid text NOT NULL,
      channel text,
      PRIMARY KEY (subject, role, account, bucket)
    ) CLUSTERED
    """,
    """
    CREATE INDEX first_event_account ON first_event (account, role, time, position, mid)
    WHERE account <> ''
    """,
    """
    CREATE TABLE milestone (
      subject text NOT NULL,
      bucket INTEGER NOT NULL,
      seen BIGINT NOT NULL,
      signup BIGINT,
      trial BIGINT,
      value BIGINT,
      conversion BIGINT,
      first_member text,
      channel text,
      PRIMARY KEY (subject, bucket)
    ) CLUSTERED
    """,
    "CREATE INDEX milestone_seen ON milestone (seen)",
    """
    CREATE TABLE milestone_stale (
      subject text NOT NULL,
      bucket INTEGER NOT NULL,
      PRIMARY KEY (subject, bucket)
    ) CLUSTERED
    """,
    """
    CREATE TABLE revenue_event (
      subject text NOT NULL,
      time BIGINT NOT NULL,
      position INTEGER NOT NULL,
      mid text NOT NULL,
      bucket INTEGER NOT NULL,
      account text,
      role text NOT NULL,
      mrr text,
      currency text,
      term_months INTEGER,
      PRIMARY KEY (subject, time, position, mid, bucket)
    ) CLUSTERED
    """,
    """
    CREATE TABLE spend (
      day text NOT NULL,
      channel text NOT NULL,
      currency text NOT NULL,
      amount text NOT NULL,
      PRIMARY KEY (day, channel, currency)
    ) CLUSTERED
    """,
)
