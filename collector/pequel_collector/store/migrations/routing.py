"""Who gets a lead: partners, routes, claims, and when the background jobs look at a lead."""

from __future__ import annotations

from .leads import LEADS
from .reads import LIST_ORDER

# ``check_at`` is the next instant at which the background jobs have something to do with a lead.
# ``routed_count`` counts, by week, the leads that routes gave to somebody; ``round_robin`` has who
# of a team got the last one.
ROUTING = (
    *(
        f"ALTER TABLE lead ADD COLUMN {column}"
        for column in (
            "partner text", "route text", "claimed_at BIGINT", "claimed_until BIGINT",
            "due_soon_at BIGINT", "overdue_for BIGINT", "escalate_at BIGINT", "check_at BIGINT",
        )
    ),
    f"CREATE INDEX lead_partner ON lead (partner, {LIST_ORDER}) WHERE partner IS NOT NULL",
    """
    UPDATE lead SET check_at = due_at
    WHERE state IN ('new', 'assigned') AND due_at IS NOT NULL
    """,
    "CREATE INDEX lead_check ON lead (check_at) WHERE check_at IS NOT NULL",
    "ALTER TABLE change ADD COLUMN partner text",
    "CREATE INDEX change_partner ON change (partner, number) WHERE partner IS NOT NULL",
    "ALTER TABLE api_key ADD COLUMN partner text",
    """
    CREATE TABLE routed_count (
      week INTEGER NOT NULL,
      name text NOT NULL,
      number BIGINT NOT NULL,
      PRIMARY KEY (week, name)
    )
    """,
    "CREATE TABLE round_robin (team text NOT NULL PRIMARY KEY, member text NOT NULL)",
    "DROP VIEW pqls",
    LEADS[-1].replace(
        "amount, currency,",
        "amount, currency,\n      partner, route, iso(claimed_until) AS claimed_until,",
    ),
)  # fmt: skip
