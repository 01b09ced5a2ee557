"""What arrived, in the order of the commits, for those who follow."""

from __future__ import annotations

# One row for each transaction that stored something new. Only the last ones are kept.
ARRIVALS = (
    """
    CREATE TABLE arrival (
      number BIGINT NOT NULL PRIMARY KEY,
      body text NOT NULL
    )
    """,
)
