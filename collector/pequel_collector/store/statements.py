"""The SQL statements that both databases share, by name.

``:name`` is a value, ``= ANY(:names)`` matches any value of a list, and
``EACH(:names) AS value`` is a table with a row for each of its values. ``AND bucket …`` does not
change the result: it says on which machine to look if tables are spread over machines. Statements
about a list of subjects leave it out, because the subjects are on all machines, and because a
server would try every pair of two lists. The SQL of the list of leads is in ``lead_list``,
that of messages by subject in ``message_statements``.
"""

from __future__ import annotations

from .migrations.reads import LISTED_TRAITS, SET_LISTED_TRAITS, add_counts, listed_traits
from .sections import add_namings
from .session import Insertion

# -- messages ----------------------------------------------------------------------------------

KNOWN = "SELECT mid FROM event WHERE mid = ANY(:mids)"

APPEND = Insertion(
    "event",
    (
        "mid", "bucket", "block", "subject", "account", "account_bucket", "time", "received",
        "type", "name", "named_account", "anonymous_id", "previous_id", "sent", "properties",
        "traits", "context", "original", "position",
    ),
)  # fmt: skip

APPEND_IMPORTED = APPEND._replace(columns=(*APPEND.columns, "import_number"))

SELECT_MESSAGES = """
SELECT mid, type, subject, time, received, name, anonymous_id, previous_id, named_account,
  properties, traits, context, original, sent, position, account
FROM event
"""

MESSAGES = f"{SELECT_MESSAGES} WHERE mid = ANY(:mids)"

ARRIVALS = f"""
{SELECT_MESSAGES} WHERE block = :block
ORDER BY received DESC, mid DESC LIMIT :limit
"""

# -- messages that are removed -------------------------------------------------------------------

BLOCKS_OF = "SELECT mid, block FROM event WHERE mid = ANY(:mids)"

REMOVE = "DELETE FROM event WHERE mid = ANY(:mids)"

REMOVE_POSTINGS = """
DELETE FROM posting WHERE section = :section AND subject = ANY(:subjects) AND mid = ANY(:mids)
"""

REMOVE_NAMINGS = "DELETE FROM naming WHERE section = :section AND subject = ANY(:subjects)"

ADD_NAMINGS = add_namings("block = ANY(:blocks) AND subject = ANY(:subjects)")

REMOVE_COUNTS = (
    "DELETE FROM event_count WHERE block = :place AND subject = ANY(:subjects)",
    "DELETE FROM section_count WHERE section = :place AND subject = ANY(:subjects)",
)

HAS_FEWER_MESSAGES = "UPDATE block SET messages = messages - :fewer WHERE number = :block"

LOWER_NEWEST = """
UPDATE block SET newest_before = (
  SELECT max(last) FROM (
    SELECT (
      SELECT time FROM event WHERE event.block = earlier.number ORDER BY time DESC LIMIT 1
    ) AS last
    FROM block earlier WHERE earlier.number < :block
  ) newest
)
WHERE number = :block AND newest_before <= :removed
"""

# -- imports -----------------------------------------------------------------------------------

_IMPORT = (
    "number", "began_at", "source", "format", "summary", "ended_at", "undo_began_at", "undone_at",
)  # fmt: skip

IMPORTS = f"SELECT {', '.join(_IMPORT)} FROM import_run ORDER BY number"

IMPORT = f"SELECT {', '.join(_IMPORT)} FROM import_run WHERE number = :number"

SAVE_IMPORT = Insertion(
    "import_run",
    _IMPORT,
    "ON CONFLICT (number) DO UPDATE SET "
    + ", ".join(f"{column} = excluded.{column}" for column in _IMPORT[1:]),
)

IMPORTED = f"""
{SELECT_MESSAGES} WHERE import_number = :number
ORDER BY time DESC, position DESC, mid DESC LIMIT :limit
"""

IMPORTED_MESSAGES = """
SELECT import_number, count(*) FROM event WHERE import_number IS NOT NULL GROUP BY import_number
"""

KEEP = """
UPDATE event SET import_number = NULL WHERE mid = ANY(:mids) AND import_number IS NOT NULL
"""

# -- blocks ------------------------------------------------------------------------------------

OPEN_BLOCK = "SELECT max(number) FROM block"

# An older version accepted ids so long that a posting with two of them does not fit into an index
# of PostgreSQL. Such messages are never in a full block: they move on to the next open one, where
# they need no posting.
_IS_LONG = """(
  octet_length(mid) + octet_length(subject) > 2600
  OR octet_length(mid) + octet_length(account) > 2600
)"""

MESSAGES_IN_BLOCK = "SELECT count(*) FROM event WHERE block = :block"

LONG_IN_BLOCK = f"{MESSAGES_IN_BLOCK} AND {_IS_LONG}"

NEWEST = """
SELECT max(time) FROM (
  SELECT max(time) AS time FROM event WHERE block = :block
  UNION ALL SELECT newest_before FROM block WHERE number = :block
) newest
"""

KEEP_OPEN = f"UPDATE event SET block = block + 1 WHERE block = :block AND {_IS_LONG}"

ADD_COUNTS_OF_BLOCK = add_counts("block = :block")

SEAL_BLOCK = """
UPDATE block
SET sealed = 1, messages = (SELECT count(*) FROM event WHERE event.block = block.number)
WHERE number = :block
"""

ADD_BLOCK = "INSERT INTO block (number, sealed, newest_before) VALUES (:block, 0, :newest)"

# -- attribution -------------------------------------------------------------------------------

ATTRIBUTION = """
SELECT mid, block, time, position, name, account FROM event
WHERE mid = ANY(:mids) AND bucket = :bucket AND subject = :subject
"""

ATTRIBUTE = """
UPDATE event SET account = :account, account_bucket = :account_bucket
WHERE mid = ANY(:mids) AND bucket = :bucket
"""

DELETE_POSTINGS = """
DELETE FROM posting
WHERE section = ANY(:sections) AND subject = :subject AND bucket = :bucket AND mid = ANY(:mids)
"""

ADD_POSTINGS = Insertion("posting", ("section", "subject", "time", "mid", "bucket", "position"))

# -- traits and group calls --------------------------------------------------------------------

ADD_TRAITS = Insertion(
    "trait",
    ("subject", "name", "time", "mid", "bucket", "value", "position"),
    "ON CONFLICT DO NOTHING",
)

REMOVE_TRAITS = """
DELETE FROM trait
WHERE subject = :subject AND name = :name AND time = ANY(:times) AND mid = ANY(:mids)
"""

FEW_TRAITS = """
SELECT subject, name, time, position, mid, value FROM trait WHERE subject = ANY(:subjects)
LIMIT :limit
"""

# The last row of each subject and name is the current value. There may be very many others, so
# each name is found by a search for the next one.
TRAITS = """
WITH RECURSIVE names (subject, name) AS (
  SELECT value.value, (SELECT min(name) FROM trait WHERE subject = value.value)
  FROM EACH(:subjects) AS value
  UNION ALL
  SELECT subject, (
    SELECT min(trait.name) FROM trait
    WHERE trait.subject = names.subject AND trait.name > names.name
  )
  FROM names WHERE name IS NOT NULL
)
SELECT trait.subject, trait.name, time, position, mid, trait.value FROM names
JOIN trait ON trait.subject = names.subject AND trait.name = names.name AND trait.time = (
  SELECT max(time) FROM trait latest
  WHERE latest.subject = names.subject AND latest.name = names.name
)
ORDER BY trait.subject, trait.name, time, position, mid
"""

TRAIT_HISTORY = """
SELECT subject, name, time, mid, value, position FROM trait WHERE subject = ANY(:subjects)
"""

ADD_MEMBERSHIPS = Insertion(
    "membership",
    ("subject", "time", "mid", "bucket", "account", "position", "has_left"),
    "ON CONFLICT DO NOTHING",
)

REMOVE_MEMBERSHIPS = """
DELETE FROM membership
WHERE subject = ANY(:subjects) AND time = ANY(:times) AND mid = ANY(:mids)
"""

MEMBERSHIPS = """
SELECT subject, time, mid, account, position, has_left FROM membership
WHERE subject = ANY(:subjects)
"""

# -- who is who --------------------------------------------------------------------------------

ANY_PERSON = "SELECT EXISTS (SELECT 1 FROM person)"

PERSONS = """
SELECT subject, person FROM person WHERE subject = ANY(:subjects)
"""

IDS_OF = "SELECT person, subject FROM person WHERE person = ANY(:subjects)"

SET_PERSONS = Insertion(
    "person",
    ("subject", "bucket", "person"),
    "ON CONFLICT (subject, bucket) DO UPDATE SET person = excluded.person",
)

UNLINK = "DELETE FROM person WHERE subject = ANY(:subjects)"

LINKS = """
SELECT subject, linked_to, time, mid, position FROM link
WHERE subject = ANY(:subjects)
UNION
SELECT subject, linked_to, time, mid, position FROM link WHERE linked_to = ANY(:subjects)
"""

FIRST_LINKS = f"SELECT * FROM ({LINKS}) found ORDER BY time, position, mid LIMIT :limit"

LINKS_BETWEEN = """
SELECT subject, linked_to, time, mid, position FROM link
WHERE subject = ANY(:ids) AND linked_to = ANY(:users)
"""

ADD_LINKS = Insertion(
    "link",
    ("subject", "linked_to", "bucket", "time", "mid", "position"),
    "ON CONFLICT (subject, linked_to, bucket) DO UPDATE"
    " SET time = excluded.time, position = excluded.position, mid = excluded.mid"
    " WHERE (excluded.time, excluded.position, excluded.mid)"
    " < (link.time, link.position, link.mid)",
)

REMOVE_LINKS = """
DELETE FROM link WHERE subject = ANY(:ids) AND linked_to = ANY(:users) AND mid = ANY(:mids)
"""

# -- histories ---------------------------------------------------------------------------------

LAST_WRITER = "SELECT token FROM turn"

SET_LAST_WRITER = "UPDATE turn SET token = :token"

HISTORIES = """
SELECT subject, body FROM history
WHERE subject = ANY(:subjects)
"""

SAVE_HISTORIES = Insertion(
    "history",
    ("subject", "bucket", "body"),
    "ON CONFLICT (subject, bucket) DO UPDATE SET body = excluded.body",
    has_bytes=True,
)

PAGE = """
SELECT body FROM sealed_page WHERE subject = :subject AND number = :number AND bucket = :bucket
"""

SEAL_PAGE = Insertion(
    "sealed_page",
    ("subject", "number", "bucket", "body"),
    "ON CONFLICT (subject, number, bucket) DO UPDATE SET body = excluded.body",
    has_bytes=True,
)

CELL = """
SELECT body FROM cell
WHERE subject = :subject AND slot = :slot AND key = :key AND bucket = :bucket
ORDER BY page DESC LIMIT 1
"""

CELL_VERSIONS = """
SELECT page, key, body FROM cell WHERE subject = :subject AND slot = :slot AND bucket = :bucket
ORDER BY page, key
"""

CELLS = """
SELECT key, body FROM cell WHERE subject = :subject AND slot = :slot AND bucket = :bucket
ORDER BY key, page
"""

SAVE_CELLS = Insertion(
    "cell",
    ("subject", "slot", "key", "page", "bucket", "body"),
    "ON CONFLICT (subject, slot, key, page, bucket) DO UPDATE SET body = excluded.body",
    has_bytes=True,
)

UNSEAL = (
    "DELETE FROM sealed_page WHERE subject = :subject AND number >= :number AND bucket = :bucket",
    "DELETE FROM cell WHERE subject = :subject AND page >= :number AND bucket = :bucket",
)

FORGET_HISTORY = tuple(
    f"DELETE FROM {table} WHERE subject = :subject AND bucket = :bucket"
    for table in ("history", "sealed_page", "cell", "lagging")
)

STALE = "SELECT subject FROM lagging WHERE subject = ANY(:subjects)"

MARK_STALE = Insertion("lagging", ("subject", "bucket"), "ON CONFLICT (subject, bucket) DO NOTHING")

UNMARK_STALE = "DELETE FROM lagging WHERE subject = ANY(:subjects)"

# -- due subjects ------------------------------------------------------------------------------

DUE = "SELECT subject FROM due WHERE time <= :until ORDER BY time, subject LIMIT :limit"

SET_DUE = Insertion(
    "due",
    ("subject", "bucket", "time"),
    "ON CONFLICT (subject, bucket) DO UPDATE SET time = excluded.time",
)

NEVER_DUE = "DELETE FROM due WHERE subject = ANY(:subjects)"

# -- leads -------------------------------------------------------------------------------------

_LEAD = (
    "id", "definition", "version", "subject", "cycle", "qualified_at", "marked_at", "state", "kind",
    "priority", "owner", "due_at", "account", "expires_at", "merged_into", "flags", "evidence",
    "default_owner", "withdrawn", "conversion", "contacted_at", "won_at", "self_serve",
    "snoozed_until", "amount", "currency",
    "partner", "route", "claimed_at", "claimed_until", "due_soon_at", "overdue_for", "escalate_at",
)  # fmt: skip

SELECT_LEADS = f"SELECT {', '.join(_LEAD)}, rank FROM lead"

LEADS_BY_ID = f"{SELECT_LEADS} WHERE id = ANY(:ids)"

# Ids are hexadecimal, so they sort before "~".
LEAD_IDS = "SELECT id FROM lead WHERE id >= :first AND id < :last ORDER BY id LIMIT :limit"

LEADS_OF = f"""
{SELECT_LEADS} WHERE subject = ANY(:subjects) ORDER BY qualified_at, id
"""

SAVE_LEADS = Insertion(
    "lead",
    (*_LEAD, "check_at", "rank", "bucket", *LISTED_TRAITS),
    "ON CONFLICT (subject, definition, cycle, bucket) DO UPDATE SET "
    + ", ".join(
        f"{column} = excluded.{column}"
        for column in (*_LEAD, "check_at", "rank", *LISTED_TRAITS)
        if column not in {"subject", "definition", "cycle"}
    ),
)

# The traits that are listed with the leads of subjects, as they are now.
LISTED_TRAITS_OF = f"""
SELECT value.value, {", ".join(listed_traits("value.value"))} FROM EACH(:subjects) AS value
"""

# The subjects of leads that are listed with other traits than they have now.
OUTDATED_LISTED_TRAITS = f"""
SELECT DISTINCT subject FROM lead WHERE subject = ANY(:subjects) AND NOT ({
    " AND ".join(
        f"coalesce({name}, '') = coalesce({value}, '')"
        for name, value in zip(LISTED_TRAITS, listed_traits("lead.subject"), strict=True)
    )
})
"""

REFRESH_LISTED_TRAITS = f"{SET_LISTED_TRAITS} WHERE subject = ANY(:subjects)"

STANDING = "SELECT id, state, merged_into FROM lead WHERE id = ANY(:ids)"

TRANSITIONS_OF = """
SELECT subject, definition, cycle, at, patch, reason, actor, idempotency_key, digest, number
FROM lead_transition WHERE subject = ANY(:subjects) ORDER BY number
"""

LAST_TRANSITION = "SELECT coalesce(max(number), 0) FROM lead_transition"

ADD_TRANSITIONS = Insertion(
    "lead_transition",
    (
        "subject", "definition", "cycle", "at", "patch", "reason", "actor", "idempotency_key",
        "digest", "number", "bucket",
    ),
)  # fmt: skip

_CHANGES = """
SELECT lead, at, what, before, after, reason, actor, number FROM change
WHERE {} ORDER BY number
"""

CHANGES = _CHANGES.format("lead = :lead")

CHANGES_AFTER = _CHANGES.format("number > :number") + " LIMIT :limit"

CHANGES_BY = (
    _CHANGES.format("number > :after AND number < :before AND actor = :actor")
    + " DESC LIMIT :limit"
)

LATEST_CHANGES = CHANGES + " DESC LIMIT :limit"

COUNT_CHANGES = "SELECT count(*) FROM change WHERE lead = :lead"

LAST_CHANGE = "SELECT coalesce(max(number), 0) FROM change"

LOG = Insertion(
    "change",
    ("number", "bucket", "lead", "at", "what", "before", "after", "reason", "actor", "partner"),
)

# -- what people decide, rejected events, numbers ----------------------------------------------

VERSIONS = """
SELECT name, version, hash, created_at, source, text FROM definition_version
ORDER BY created_at, name, version
"""

ADD_VERSION = Insertion(
    "definition_version", ("name", "version", "hash", "created_at", "source", "text")
)

DEFINITION_LOG = """
SELECT name, version, at, origin, actor, reason, changed FROM definition_change ORDER BY number
"""

LAST_DEFINITION_ENTRY = "SELECT coalesce(max(number), 0) FROM definition_change"

LOG_DEFINITIONS = Insertion(
    "definition_change",
    ("number", "name", "version", "at", "origin", "actor", "reason", "changed"),
)

KEYS = """
SELECT
  id, kind, label, digest, created_at, revoked_at, rate, quota, prefix, expires_at, last_used_at,
  partner
FROM api_key
ORDER BY created_at, id
"""

ADD_KEY = Insertion(
    "api_key",
    (
        "id", "kind", "label", "digest", "created_at", "revoked_at", "rate", "quota", "prefix",
        "expires_at", "last_used_at", "partner",
    ),
)  # fmt: skip

EXPIRE_KEY = "UPDATE api_key SET expires_at = :at WHERE id = :id"

USE_KEY = """
UPDATE api_key SET last_used_at = :at
WHERE id = :id AND (last_used_at IS NULL OR last_used_at <= :since)
"""

AUDIT = """
SELECT at, what, actor, reason, details, number FROM audit
WHERE number < :before ORDER BY number DESC LIMIT :limit
"""

LAST_AUDIT = "SELECT coalesce(max(number), 0) FROM audit"

ADD_AUDIT = Insertion("audit", ("number", "at", "what", "actor", "reason", "details"))

REVOKE_KEY = """
UPDATE api_key SET revoked_at = :at WHERE id = :id AND revoked_at IS NULL RETURNING id
"""

META = "SELECT body FROM note WHERE name = :name"

SET_META = Insertion(
    "note", ("name", "body"), "ON CONFLICT (name) DO UPDATE SET body = excluded.body"
)

ADD_REJECTED = Insertion(
    "refused",
    (
        "id", "received_at", "key_id", "position", "code", "message", "field", "mid", "payload",
        "around", "import_number", "bucket",
    ),
    "ON CONFLICT DO NOTHING",
)  # fmt: skip

_ANY_REJECTED = """
SELECT id, received_at, key_id, position, code, message, field, mid, payload, around, import_number
FROM refused"""

REJECTED_BY_ID = f"{_ANY_REJECTED} WHERE id = ANY(:subjects)"

_REJECTED = f"""
{_ANY_REJECTED}
WHERE (received_at, id) < (:before, :id) {{conditions}}
ORDER BY received_at DESC, id DESC LIMIT :limit
"""

# By whether a code and a key are wanted.
REJECTED = {
    (False, False): _REJECTED.format(conditions=""),
    (True, False): _REJECTED.format(conditions="AND code = :code"),
    (False, True): _REJECTED.format(conditions="AND key_id = :key"),
    (True, True): _REJECTED.format(conditions="AND code = :code AND key_id = :key"),
}

DELETE_REJECTED = "DELETE FROM refused WHERE id = ANY(:subjects) RETURNING id"

DELETE_REJECTED_OF_IMPORT = """
DELETE FROM refused
WHERE id IN (SELECT id FROM refused WHERE import_number = :number ORDER BY id LIMIT :limit)
RETURNING id
"""

USAGE = "SELECT key_id, month, outcome, number FROM usage ORDER BY key_id, month, outcome"

ADD_USAGE = Insertion(
    "usage",
    ("key_id", "month", "outcome", "number"),
    "ON CONFLICT (key_id, month, outcome) DO UPDATE SET number = usage.number + excluded.number",
)

RECORD_CLIENT_REPORT = """
INSERT INTO client_report (key_id, client, number) VALUES (:key, :client, :number)
ON CONFLICT (key_id, client) DO UPDATE SET number = excluded.number
WHERE client_report.number < excluded.number
RETURNING number
"""

TOTALS = """
SELECT
  (SELECT coalesce(sum(messages), 0) FROM block)
    + (SELECT count(*) FROM event WHERE block = :block),
  (SELECT count(*) FROM lead),
  (SELECT count(*) FROM refused)
"""

TALLIES = "SELECT name, number FROM tally"

ADD_TALLIES = Insertion(
    "tally",
    ("name", "number"),
    "ON CONFLICT (name) DO UPDATE SET number = tally.number + excluded.number",
)
