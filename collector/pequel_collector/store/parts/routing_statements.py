"""The SQL of routing: counts, turns, leads to look at, and what partners see."""

from __future__ import annotations

from ..session import Insertion
from ..statements import SELECT_LEADS

ROUTED_COUNTS = "SELECT name, number FROM routed_count WHERE week = :week"

COUNT_ROUTED = Insertion(
    "routed_count",
    ("week", "name", "number"),
    "ON CONFLICT (week, name) DO UPDATE SET number = routed_count.number + excluded.number",
)

LAST_OF_TEAMS = "SELECT team, member FROM round_robin"

SET_LAST_OF_TEAMS = Insertion(
    "round_robin",
    ("team", "member"),
    "ON CONFLICT (team) DO UPDATE SET member = excluded.member",
)

LEADS_TO_CHECK = f"""
{SELECT_LEADS} WHERE check_at <= :until ORDER BY check_at, id LIMIT :limit
"""

# A database reads a part of a query with a limit as it is written: by the index of the partner, not
# through the rows of others. So how long a partner waits does not depend on others.
_ALONE = f"LIMIT {2**62}"

CHANGES_OF_PARTNER = f"""
SELECT lead, at, what, before, after, reason, actor, number FROM change
WHERE number IN (
  SELECT number FROM (
    SELECT number FROM change WHERE partner = :partner AND number > :number {_ALONE}
  ) own
  ORDER BY number LIMIT :limit
)
ORDER BY number
"""

LEAD_OF_PARTNER = f"{SELECT_LEADS} WHERE id = :id AND partner = :partner"

# The changes of one lead without those while it was another partner's.
_SHOWN_TO_PARTNER = """
FROM change WHERE lead = :lead AND (partner IS NULL OR partner = :partner)
"""

LATEST_SHOWN_TO_PARTNER = f"""
SELECT lead, at, what, before, after, reason, actor, number {_SHOWN_TO_PARTNER}
ORDER BY number DESC LIMIT :limit
"""

COUNT_SHOWN_TO_PARTNER = f"SELECT count(*) {_SHOWN_TO_PARTNER}"

_OF_PARTNER_AND_LEAD = "FROM change WHERE lead = :lead AND partner = :partner"

COUNT_UP_TO_CHANGE = f"SELECT count(*) {_OF_PARTNER_AND_LEAD} AND number <= :number"

NTH_CHANGE = f"SELECT number {_OF_PARTNER_AND_LEAD} ORDER BY number LIMIT 1 OFFSET :before"

_OWN_LEADS = f"(SELECT * FROM lead WHERE partner = :partner {_ALONE}) own"

WON_BY_PARTNER = f"""
{SELECT_LEADS} WHERE id IN (
  SELECT id FROM {_OWN_LEADS}
  WHERE state = 'won' AND won_at >= :since AND won_at < :until
    AND won_at >= :time AND (won_at > :time OR id > :id)
  ORDER BY won_at, id LIMIT :limit
)
ORDER BY won_at, id
"""

WON_AMOUNTS = f"""
SELECT currency, amount, count(*) FROM {_OWN_LEADS}
WHERE state = 'won' AND won_at >= :since AND won_at < :until
GROUP BY currency, amount
"""

LEADS_BY_STATE = f"""
SELECT state, count(*), count(claimed_at), count(contacted_at) FROM {_OWN_LEADS}
WHERE merged_into IS NULL
GROUP BY state
"""

TRAITS = ("country", "plan")
"""The groups that are traits of the subjects."""

# Of each subject once.
_POTENTIAL = """
SELECT {0}, count(DISTINCT subject) FROM (
  SELECT {0}, subject FROM lead
  WHERE state IN ('new', 'assigned', 'contacted') AND marked_at >= :since
    AND marked_at < :until
  ORDER BY marked_at DESC LIMIT :limit
) latest
GROUP BY {0}
"""

POTENTIAL = {by: _POTENTIAL.format(by) for by in (*TRAITS, "definition", "kind")}
