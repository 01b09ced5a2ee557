"""The account lists of partners. An entry that is removed stays, with when, to explain routes."""

from __future__ import annotations

ACCOUNT_LISTS = (
    """
    CREATE TABLE partner_account (
      partner text NOT NULL,
      entry text NOT NULL,
      domain text,
      added_at BIGINT NOT NULL,
      removed_at BIGINT,
      PRIMARY KEY (partner, entry, added_at)
    )
    """,
    "CREATE INDEX partner_account_entry ON partner_account (entry) WHERE removed_at IS NULL",
    """
    CREATE INDEX partner_account_domain ON partner_account (domain)
    WHERE removed_at IS NULL AND domain IS NOT NULL
    """,
    "CREATE INDEX partner_account_now ON partner_account (partner, entry) WHERE removed_at IS NULL",
)
