"""Every statement, by name, in the SQL that the databases share.

``:name`` is a value, ``= ANY(:names)`` any of a list. ``AND bucket …`` never changes what is
found: it says where to look when tables are spread over machines.
"""

from __future__ import annotations

from .session import Insertion

# -- messages ----------------------------------------------------------------------------------

KNOWN = "SELECT mid FROM event WHERE mid = ANY(:mids)"

APPEND = Insertion(
    "event",
    (
        "mid", "bucket", "block", "subject", "account", "account_bucket", "time", "received",
        "type", "name", "named_account", "anonymous_id", "previous_id", "sent", "properties",
        "traits", "context", "original",
    ),
)  # fmt: skip

_MESSAGE = """
SELECT mid, type, subject, time, received, name, anonymous_id, previous_id, named_account,
  properties, traits, context, original, sent, account
FROM event
"""

MESSAGES = f"{_MESSAGE} WHERE mid = ANY(:mids)"

ARRIVALS = f"""
{_MESSAGE} WHERE block = :block
ORDER BY received DESC, mid DESC LIMIT :limit
"""

NAMES = "SELECT name, count(*) FROM event WHERE mid = ANY(:mids) AND name IS NOT NULL GROUP BY name"

# -- blocks ------------------------------------------------------------------------------------

OPEN_BLOCK = "SELECT max(number) FROM block"

BLOCK_SIZE = "SELECT count(*) FROM event WHERE block = :block"

NEWEST = """
SELECT max(time) FROM (
  SELECT max(time) AS time FROM event WHERE block = :block
  UNION ALL SELECT newest_before FROM block WHERE number = :block
) newest
"""

POST = """
INSERT INTO posting (block, subject, time, mid, bucket)
SELECT block, subject, time, mid, bucket FROM event WHERE block = :block
UNION ALL
SELECT block, 'g:' || account, time, mid, account_bucket FROM event
WHERE block = :block AND account IS NOT NULL
ORDER BY 1, 2, 3, 4
"""

SEAL_BLOCK = "UPDATE block SET sealed = 1 WHERE number = :block"

NEXT_BLOCK = "INSERT INTO block (number, sealed, newest_before) VALUES (:block, 0, :newest)"

# -- messages by subject: those in sealed blocks through their postings, the others by looking -----

SEALED_PLACES = """
SELECT time, mid FROM posting
WHERE block = ANY(:blocks) AND subject = :subject AND bucket = :bucket
  AND time >= :since AND time <= :until
ORDER BY time, mid
"""

SEALED_SPAN = """
SELECT min(time), max(time) FROM posting
WHERE block = ANY(:blocks) AND subject = :subject AND bucket = :bucket
"""

OPEN_PLACES = """
SELECT time, mid, subject, account FROM event WHERE block = :block ORDER BY time, mid
"""

OPEN_PLACES_OF_PERSON = """
SELECT time, mid FROM event
WHERE block = :block AND subject = :name AND time >= :since AND time <= :until
ORDER BY time, mid
"""

OPEN_PLACES_OF_ACCOUNT = """
SELECT time, mid FROM event
WHERE block = :block AND account = :name AND time >= :since AND time <= :until
ORDER BY time, mid
"""

# Visitors, ``a:…``, are no subjects; accounts and users come after them.
SUBJECTS = """
SELECT subject FROM (
  SELECT DISTINCT subject FROM posting WHERE subject >= 'g:'
  UNION
  SELECT subject FROM event WHERE block = :block AND subject >= 'g:'
  UNION
  SELECT 'g:' || account FROM event WHERE block = :block AND account IS NOT NULL
) subjects
ORDER BY subject
"""

# -- attribution -------------------------------------------------------------------------------

ATTRIBUTION = """
SELECT mid, block, time, account FROM event
WHERE mid = ANY(:mids) AND bucket = :bucket AND subject = :subject
"""

ATTRIBUTE = """
UPDATE event SET account = :account, account_bucket = :account_bucket
WHERE mid = ANY(:mids) AND bucket = :bucket
"""

WITHDRAW = """
DELETE FROM posting
WHERE block = ANY(:blocks) AND subject = :subject AND bucket = :bucket AND mid = ANY(:mids)
"""

POSTINGS = Insertion("posting", ("block", "subject", "time", "mid", "bucket"))

# -- traits and group calls --------------------------------------------------------------------

ADD_TRAITS = Insertion(
    "trait", ("subject", "name", "time", "mid", "bucket", "value"), "ON CONFLICT DO NOTHING"
)

TRAITS = """
SELECT subject, name, value FROM (
  SELECT subject, name, value,
    row_number() OVER (PARTITION BY subject, name ORDER BY time DESC, mid DESC) AS place
  FROM trait WHERE subject = ANY(:subjects) AND bucket = ANY(:buckets)
) latest
WHERE place = 1 AND value <> 'null'
"""

ADD_MEMBERSHIPS = Insertion(
    "membership", ("subject", "time", "mid", "bucket", "account"), "ON CONFLICT DO NOTHING"
)

MEMBERSHIPS = """
SELECT subject, time, mid, account FROM membership
WHERE subject = ANY(:subjects) AND bucket = ANY(:buckets)
ORDER BY subject, time, mid
"""

# -- histories: page 0 is the open one ---------------------------------------------------------

HISTORIES = """
SELECT subject, body FROM history
WHERE subject = ANY(:subjects) AND page = 0 AND bucket = ANY(:buckets)
"""

SEALED_PAGES = """
SELECT body FROM history WHERE subject = :subject AND page > 0 AND bucket = :bucket
ORDER BY page
"""

SAVE_PAGES = Insertion(
    "history",
    ("subject", "page", "bucket", "body"),
    "ON CONFLICT (subject, page, bucket) DO UPDATE SET body = excluded.body",
)

FORGET_PAGES = "DELETE FROM history WHERE subject = :subject AND bucket = :bucket"

# -- leads -------------------------------------------------------------------------------------

_LEAD = (
    "id", "definition", "version", "subject", "cycle", "qualified_at", "marked_at", "state", "kind",
    "priority", "owner", "due_at", "account", "flags", "evidence",
)  # fmt: skip

_LEADS = f"SELECT {', '.join(_LEAD)}, rank FROM lead"

LEAD = f"{_LEADS} WHERE id = :id"

LEADS_OF = f"""
{_LEADS} WHERE subject = ANY(:subjects) AND bucket = ANY(:buckets) ORDER BY qualified_at, id
"""

LISTED_LEADS = f"""
{_LEADS} WHERE {{conditions}}
ORDER BY rank, marked_at DESC, id LIMIT :limit
"""

SAVE_LEADS = Insertion(
    "lead",
    (*_LEAD, "rank", "bucket"),
    "ON CONFLICT (subject, definition, cycle, bucket) DO UPDATE SET "
    + ", ".join(
        f"{column} = excluded.{column}"
        for column in (*_LEAD, "rank")
        if column not in {"subject", "definition", "cycle"}
    ),
)

# -- what people decide, and what was refused --------------------------------------------------

VERSIONS = """
SELECT name, version, hash, created_at, source FROM definition_version
ORDER BY created_at, name, version
"""

ADD_VERSION = Insertion("definition_version", ("name", "version", "hash", "created_at", "source"))

KEYS = """
SELECT id, kind, label, digest, created_at, revoked_at FROM api_key ORDER BY created_at, id
"""

ADD_KEY = Insertion("api_key", ("id", "kind", "label", "digest", "created_at", "revoked_at"))

REVOKE_KEY = """
UPDATE api_key SET revoked_at = :at WHERE id = :id AND revoked_at IS NULL RETURNING id
"""

NOTE = "SELECT body FROM note WHERE name = :name"

SET_NOTE = Insertion(
    "note", ("name", "body"), "ON CONFLICT (name) DO UPDATE SET body = excluded.body"
)

REFUSE = Insertion(
    "refused",
    (
        "id", "received_at", "key_id", "position", "code", "message", "field", "mid", "payload",
        "bucket",
    ),
    "ON CONFLICT DO NOTHING",
)  # fmt: skip

REFUSED = """
SELECT id, received_at, key_id, position, code, message, field, mid, payload FROM refused
ORDER BY received_at DESC, id DESC LIMIT :limit
"""

TOTALS = """
SELECT (SELECT count(*) FROM event), (SELECT count(*) FROM lead), (SELECT count(*) FROM refused)
"""
