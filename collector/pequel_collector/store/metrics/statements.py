"""The SQL of the tables that metrics are counted from, shared by both databases."""

from __future__ import annotations

from ..session import Insertion

_WHOLE = "ON CONFLICT ({}, bucket) DO UPDATE SET "


def _replacing(key: str, *columns: str) -> str:
    return _WHOLE.format(key) + ", ".join(f"{name} = excluded.{name}" for name in columns)


BLOCK_MESSAGES = """
SELECT subject, account, time, position, mid, name,
  CASE WHEN name = ANY(:priced) THEN properties END,
  CASE WHEN context LIKE '%"campaign"%' OR context LIKE '%"referrer"%' THEN context END
FROM event WHERE block = :block
"""

FIRST_FACTS = """
SELECT subject, role, account, time, position, mid, channel
FROM first_event WHERE subject = ANY(:subjects)
"""

ADD_FIRST_FACTS = Insertion(
    "first_event",
    ("subject", "role", "account", "bucket", "time", "position", "mid", "channel"),
    _replacing("subject, role, account", "time", "position", "mid", "channel"),
)

FORGET_FIRST_FACTS = "DELETE FROM first_event WHERE subject = ANY(:subjects)"

ADD_REVENUE = Insertion(
    "revenue_event",
    (
        "subject", "time", "position", "mid", "bucket", "account", "role", "mrr", "currency",
        "term_months",
    ),
    "ON CONFLICT DO NOTHING",
)  # fmt: skip

FORGET_REVENUE = "DELETE FROM revenue_event WHERE subject = ANY(:subjects)"

MILESTONES_OF = """
SELECT subject, seen, signup, trial, value, conversion, first_member, channel
FROM milestone WHERE subject = ANY(:subjects)
"""

REVENUE_OF = """
SELECT subject, time, position, mid, account, role, mrr, currency, term_months
FROM revenue_event WHERE subject = ANY(:subjects)
"""

MESSAGES_AFTER_BLOCK = "SELECT count(*) FROM event WHERE block > :block"

IDS_AFTER_BLOCK = "SELECT DISTINCT subject FROM event WHERE block > :block"

ALL_STALE = "SELECT subject FROM milestone_stale"

ACCOUNT_FIRSTS = """
SELECT account, role, min(time) FROM first_event
WHERE account = ANY(:accounts) AND account <> '' AND role <> 'touch' GROUP BY account, role
"""

FIRST_MEMBER = """
SELECT coalesce(person.person, first_event.subject) FROM first_event
LEFT JOIN person ON person.subject = first_event.subject
  AND person.bucket = first_event.bucket
WHERE account = :account AND account <> '' AND role = 'seen'
  AND (person.person IS NOT NULL OR substr(first_event.subject, 1, 2) = 'u:')
ORDER BY time, position, mid LIMIT 1
"""

SAVE_MILESTONES = Insertion(
    "milestone",
    (
        "subject", "bucket", "seen", "signup", "trial", "value", "conversion", "first_member",
        "channel",
    ),
    _replacing(
        "subject", "seen", "signup", "trial", "value", "conversion", "first_member", "channel"
    ),
)  # fmt: skip

REMOVE_MILESTONES = "DELETE FROM milestone WHERE subject = ANY(:subjects)"

NOTE_STALE = Insertion("milestone_stale", ("subject", "bucket"), "ON CONFLICT DO NOTHING")

STALE = "SELECT subject FROM milestone_stale ORDER BY subject LIMIT :limit"

CLEAR_STALE = "DELETE FROM milestone_stale WHERE subject = ANY(:subjects)"

CLEAR = tuple(
    f"DELETE FROM {table}"
    for table in ("first_event", "milestone", "revenue_event", "milestone_stale")
)

# -- what metrics ask ----------------------------------------------------------------------------

TRAIT_OF = """(
  SELECT substr(value, 1, 200) FROM trait
  WHERE trait.name = :trait AND trait.subject IN (
    SELECT {0} UNION ALL SELECT subject FROM person WHERE person = {0}
  )
  ORDER BY time DESC, position DESC, mid DESC LIMIT 1
)"""
"""The value of a trait of the subject in a column, as JSON."""

OF_PERSONS = "milestone who"

OF_ACCOUNTS = "milestone who LEFT JOIN milestone member ON member.subject = who.first_member"

QUALIFIED = """(
  SELECT subject, min(qualified_at) AS at, min(contacted_at) AS contacted, min(won_at) AS won
  FROM lead
  WHERE state <> 'voided' AND withdrawn IS NULL {0} GROUP BY subject
) marked"""

SPAN_COUNTS = """
SELECT {4}, sum(CASE WHEN start <= :youngest AND arrival - start <= :horizon THEN 1 END),
  sum(CASE WHEN start <= :youngest THEN 1 END), sum(CASE WHEN start > :youngest THEN 1 END)
FROM (SELECT {0} AS segment, {1} AS start, {2} AS arrival {3}) span {5}
"""

SPAN_LENGTHS = """
SELECT {4}, CAST(json_agg(arrival - start) FILTER (WHERE arrival IS NOT NULL) AS TEXT),
  CAST(json_agg(start) FILTER (WHERE arrival IS {6} NULL) AS TEXT)
FROM (SELECT {0} AS segment, {1} AS start, {2} AS arrival {3}) span {5}
"""

FUNNEL_VISITS = """
SELECT {4}, CAST(json_agg(arrival - start) FILTER (WHERE arrival IS NOT NULL) AS TEXT),
  CAST(json_agg(arrival) FILTER (WHERE arrival IS NOT NULL) AS TEXT),
  CAST(json_agg(start) FILTER (WHERE arrival IS {6} NULL) AS TEXT)
FROM (SELECT {0} AS segment, {1} AS start, {2} AS arrival {3}) span {5}
"""

METRIC_LEADS = """
SELECT lead.id, lead.subject, definition, version, state, qualified_at, marked_at, contacted_at,
  won_at, due_at, expires_at, owner, lead.partner, lead.account,
  CASE WHEN flags LIKE '%"holdout"%' THEN 1 ELSE 0 END, {0}, {1}
FROM lead {2}
WHERE {3}marked_at >= :since AND {3}marked_at < :until
  AND state <> 'voided' AND withdrawn IS NULL {4}
"""

PEOPLE = """
  CASE WHEN own.conversion IS NULL OR of_account.conversion < own.conversion
    THEN of_account.conversion ELSE own.conversion END,
  coalesce(own.channel, member.channel)
"""
"""When the subject of a lead first became a customer, and its channel."""

JOINED_PEOPLE = """
LEFT JOIN milestone own ON own.subject = lead.subject
LEFT JOIN milestone of_account ON of_account.subject = 'g:' || lead.account
LEFT JOIN milestone member ON member.subject = own.first_member
"""

FUNNEL_LEADS = """
SELECT {0}, {1}, marked.at, marked.contacted, marked.won {2} AND {1} IS NOT NULL
"""

STAGES_REACHED = """
SELECT reached.subject, reached.value, reached.time, milestone.conversion FROM (
  SELECT coalesce(person.person, trait.subject) AS subject, value, min(time) AS time FROM trait
  LEFT JOIN person ON person.subject = trait.subject AND person.bucket = trait.bucket
  WHERE name = 'stage' AND value <> 'null'
  GROUP BY coalesce(person.person, trait.subject), value
) reached LEFT JOIN milestone ON milestone.subject = reached.subject
WHERE reached.time >= :since AND reached.time < :until
ORDER BY reached.time, reached.subject, reached.value
"""

LEAD_FLAGS = """
SELECT state, flags FROM lead
WHERE definition = :definition AND marked_at >= :since AND marked_at < :until
"""

DISMISSALS = """
SELECT definition, reason FROM lead_transition
WHERE at >= :since AND at < :until AND reason IS NOT NULL AND patch LIKE '%"state":"dismissed"%'
"""

REVENUE = """
SELECT coalesce(person.person, revenue_event.subject), time, position, mid, account, role, mrr,
  currency, term_months
FROM revenue_event
LEFT JOIN person ON person.subject = revenue_event.subject
  AND person.bucket = revenue_event.bucket
WHERE time < :until
ORDER BY 1, time, position, mid
"""

CHANNELS_OF = f"""
SELECT who.subject, coalesce(who.channel, member.channel) FROM {OF_ACCOUNTS}
WHERE who.subject = ANY(:subjects) AND coalesce(who.channel, member.channel) IS NOT NULL
"""

EARLIEST_SEEN = "SELECT min(seen) FROM milestone"

SPEND = """
SELECT day, channel, currency, amount FROM spend WHERE day >= :first AND day < :before
ORDER BY day, channel, currency
"""

SAVE_SPEND = Insertion(
    "spend",
    ("day", "channel", "currency", "amount"),
    "ON CONFLICT (day, channel, currency) DO UPDATE SET amount = excluded.amount",
)
