"""From the records of the domain to the rows of the tables, and back.

The columns of each row are those of its statement, in that order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..model import (
    JSON,
    Key,
    Lead,
    Message,
    Rejection,
    Stored,
    account_key,
    bucket_of,
)
from ..ports import (
    Cell,
    Change,
    LeadCursor,
    Link,
    Membership,
    Refused,
    Trait,
    Usage,
    Version,
)
from .session import Row
from .texts import armour, bare, decode, encode

RANKS = {"high": 0, "normal": 1, "low": 2}


def from_message(stored: Stored, block: int) -> Row:
    """A message of the open block."""
    message, account, _ = stored
    return (
        armour(message.mid),
        bucket_of(message.subject),
        block,
        armour(message.subject),
        armour(account),
        account_bucket(account),
        message.time,
        message.received,
        message.type,
        armour(message.name),
        armour(message.account),
        armour(message.anonymous_id),
        armour(message.previous_id),
        message.sent,
        _object(message.properties),
        _object(message.traits),
        _object(message.context),
        armour(message.original),
    )


def to_message(row: Row) -> Stored:
    """A message, and the account it is attributed to."""
    (
        mid, type_, subject, time, received, name, anonymous_id, previous_id, named_account,
        properties, traits, context, original, sent, account,
    ) = row  # fmt: skip
    message = Message(
        bare(mid),
        type_,
        bare(subject),
        time,
        received,
        bare(name),
        bare(anonymous_id),
        bare(previous_id),
        bare(named_account),
        decode(properties) if properties else {},
        decode(traits) if traits else {},
        decode(context) if context else {},
        bare(original),
        sent,
    )
    return Stored(message, bare(account))


def account_bucket(account: str | None) -> int | None:
    """The bucket of an account's subject."""
    return None if account is None else bucket_of(account_key(account))


def posting(block: int, account: str, time: int, mid: str) -> Row:
    """The posting of a message of a sealed block under its account."""
    subject = account_key(account)
    return block, armour(subject), time, armour(mid), bucket_of(subject)


def from_trait(trait: Trait) -> Row:
    """A value of a trait."""
    subject, name, time, mid, value = trait
    return armour(subject), armour(name), time, armour(mid), bucket_of(subject), encode(value)


def to_trait(row: Row) -> Trait:
    """A value of a trait."""
    subject, name, time, mid, value = row
    return Trait(bare(subject), bare(name), time, bare(mid), decode(value))


def from_membership(membership: Membership) -> Row:
    """A group call."""
    subject, time, mid, account = membership
    return armour(subject), time, armour(mid), bucket_of(subject), armour(account)


def to_membership(row: Row) -> Membership:
    """A group call."""
    subject, time, mid, account = row
    return Membership(bare(subject), time, bare(mid), bare(account))


def from_link(link: Link) -> Row:
    """A link."""
    id_, user, time, mid = link
    return armour(id_), armour(user), bucket_of(id_), time, armour(mid)


def to_link(row: Row) -> Link:
    """A link."""
    id_, user, time, mid = row
    return Link(bare(id_), bare(user), time, bare(mid))


def of_subject(subject: str, value: Any) -> Row:
    """A row of a table that has one for each subject: key, bucket and value."""
    return armour(subject), bucket_of(subject), value


def of_key(subject: str) -> Row:
    """A row that says no more than that a subject is among them."""
    return armour(subject), bucket_of(subject)


def from_page(subject: str, number: int, body: bytes) -> Row:
    """A sealed page of a history."""
    return armour(subject), number, bucket_of(subject), body


def from_cell(subject: str, page: int, cell: Cell) -> Row:
    """A cell as it was at the end of a page."""
    slot, key, body = cell
    return armour(subject), slot, armour(key), page, bucket_of(subject), body


def from_lead(lead: Lead) -> Row:
    """A lead."""
    return (
        lead.id,
        armour(lead.definition),
        lead.version,
        armour(lead.subject),
        lead.cycle,
        lead.qualified_at,
        lead.marked_at,
        lead.state,
        lead.kind,
        lead.priority,
        armour(lead.owner),
        lead.due_at,
        armour(lead.account),
        lead.expires_at,
        lead.merged_into,
        encode(lead.flags),
        encode(lead.evidence),
        RANKS.get(lead.priority, RANKS["normal"]),
        bucket_of(lead.subject),
    )


def to_lead(row: Row) -> Lead:
    """A lead."""
    (
        id_, definition, version, subject, cycle, qualified_at, marked_at, state, kind, priority,
        owner, due_at, account, expires_at, merged_into, flags, evidence, _,
    ) = row  # fmt: skip
    return Lead(
        id_,
        bare(definition),
        version,
        bare(subject),
        cycle,
        qualified_at,
        marked_at,
        state,
        kind,
        priority,
        bare(owner),
        due_at,
        bare(account),
        expires_at,
        merged_into,
        decode(flags),
        decode(evidence),
    )


def to_listed_lead(row: Row) -> tuple[Lead, LeadCursor]:
    """A lead, and its place in the list."""
    lead = to_lead(row)
    return lead, LeadCursor(row[-1], lead.marked_at, lead.id)


def from_change(number: int, change: Change) -> Row:
    """The entry of the ledger that has this number."""
    lead, at, what, before, after, reason, actor = change
    texts = armour(what), encode(before), encode(after), armour(reason), armour(actor)
    return number, bucket_of(lead), armour(lead), at, *texts


def to_change(row: Row) -> Change:
    """An entry of the ledger."""
    lead, at, what, before, after, reason, actor = row
    return Change(
        bare(lead), at, bare(what), decode(before), decode(after), bare(reason), bare(actor)
    )


def from_version(version: Version) -> Row:
    """A version of a definition."""
    name, number, hash_, created_at, source, text = version
    return armour(name), number, hash_, created_at, encode(source), armour(text)


def to_version(row: Row) -> Version:
    """A version of a definition."""
    name, number, hash_, created_at, source, text = row
    return Version(bare(name), number, hash_, created_at, decode(source), bare(text))


def from_key(key: Key) -> Row:
    """An API key."""
    text = key.id, key.kind, armour(key.label), key.digest
    return *text, key.created_at, key.revoked_at, key.rate, key.quota


def to_key(row: Row) -> Key:
    """An API key."""
    id_, kind, label, digest, created_at, revoked_at, rate, quota = row
    return Key(id_, kind, bare(label), digest, created_at, revoked_at, rate, quota)


def from_refused(refused: Refused) -> Row:
    """A refused message."""
    id_, received_at, key, rejection = refused
    return (
        armour(id_),
        received_at,
        armour(key),
        rejection.index,
        rejection.code,
        armour(rejection.message),
        armour(rejection.field),
        armour(rejection.mid),
        armour(rejection.payload),
        None if rejection.around is None else encode(rejection.around),
        bucket_of(id_),
    )


def to_refused(row: Row) -> Refused:
    """A refused message."""
    id_, received_at, key, index, code, message, field, mid, payload, around = row
    rejection = Rejection(
        index,
        code,
        bare(message),
        bare(field),
        bare(mid),
        bare(payload),
        None if around is None else decode(around),
    )
    return Refused(bare(id_), received_at, bare(key), rejection)


def from_usage(usage: Usage) -> Row:
    """A count of events."""
    return armour(usage.key), usage.month, armour(usage.outcome), usage.number


def to_usage(row: Row) -> Usage:
    """A count of events."""
    key, month, outcome, number = row
    return Usage(bare(key), month, bare(outcome), int(number))


def _object(value: Mapping[str, JSON]) -> Any:
    return encode(value) if value else None
