"""Records of the domain to rows of the tables (``from_…``), and back (``to_…``).

The values of a row are in the order of the columns of its statement.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from msgspec import convert, to_builtins

from ..leads.deadlines import next_check
from ..model import (
    JSON,
    Conversion,
    Key,
    Lead,
    LeadPatch,
    Message,
    RejectedEvent,
    Routed,
    Stored,
    Transition,
    account_key,
    bucket_of,
)
from ..ports import (
    AuditEntry,
    By,
    Cell,
    Change,
    DefinitionEntry,
    ImportRun,
    Link,
    Membership,
    StoredRejectedEvent,
    Trait,
    Usage,
    Version,
)
from .encoding import decode, encode, escape, escape_each, unescape
from .session import Row

RANKS = {"high": 0, "normal": 1, "low": 2}


def from_message(stored: Stored, block: int) -> Row:
    message, account, _ = stored
    mid, subject, of_account, name, named, anonymous_id, previous_id, original = escape_each(
        message.mid,
        message.subject,
        account,
        message.name,
        message.account,
        message.anonymous_id,
        message.previous_id,
        message.original,
    )
    return (
        mid,
        bucket_of(message.subject),
        block,
        subject,
        of_account,
        account_bucket(account),
        message.time,
        message.received,
        message.type,
        name,
        named,
        anonymous_id,
        previous_id,
        message.sent,
        _object(message.properties),
        _object(message.traits),
        _object(message.context),
        original,
        message.position,
    )


def to_message(row: Row) -> Stored:
    (
        mid, type_, subject, time, received, name, anonymous_id, previous_id, named_account,
        properties, traits, context, original, sent, position, account,
    ) = row  # fmt: skip
    message = Message(
        unescape(mid),
        type_,
        unescape(subject),
        time,
        received,
        unescape(name),
        unescape(anonymous_id),
        unescape(previous_id),
        unescape(named_account),
        decode(properties) if properties else {},
        decode(traits) if traits else {},
        decode(context) if context else {},
        unescape(original),
        sent,
        position,
    )
    return Stored(message, unescape(account))


def account_bucket(account: str | None) -> int | None:
    return None if account is None else bucket_of(account_key(account))


def posting(section: int, account: str, time: int, position: int, mid: str) -> Row:
    """The posting of a message under its account."""
    subject = account_key(account)
    return section, escape(subject), time, escape(mid), bucket_of(subject), position


def event_count(place: int, account: str, name: str, number: int) -> Row:
    """How many events of a name an account has in a block or section."""
    subject = account_key(account)
    return place, escape(subject), escape(name), bucket_of(subject), number


def from_trait(trait: Trait) -> Row:
    subject, name, time, mid, value, position = trait
    place = escape(subject), escape(name), time, escape(mid)
    return *place, bucket_of(subject), encode(value), position


def to_trait(row: Row) -> Trait:
    subject, name, time, mid, value, position = row
    return Trait(unescape(subject), unescape(name), time, unescape(mid), decode(value), position)


def from_membership(membership: Membership) -> Row:
    subject, time, mid, account, position, left = membership
    place = escape(subject), time, escape(mid), bucket_of(subject)
    return *place, escape(account), position, int(left)


def to_membership(row: Row) -> Membership:
    subject, time, mid, account, position, left = row
    call = unescape(subject), time, unescape(mid), unescape(account), position
    return Membership(*call, bool(left))


def from_link(link: Link) -> Row:
    id_, user, time, mid, position = link
    return escape(id_), escape(user), bucket_of(id_), time, escape(mid), position


def to_link(row: Row) -> Link:
    id_, user, time, mid, position = row
    return Link(unescape(id_), unescape(user), time, unescape(mid), position)


def of_subject(subject: str, value: Any) -> Row:
    """A row of a table with one value for each subject."""
    return escape(subject), bucket_of(subject), value


def of_key(subject: str) -> Row:
    """A row of a table that is a set of subjects."""
    return escape(subject), bucket_of(subject)


def from_page(subject: str, number: int, body: bytes) -> Row:
    return escape(subject), number, bucket_of(subject), body


def from_cell(subject: str, page: int, cell: Cell) -> Row:
    """A version of a cell, at the end of a page."""
    slot, key, body = cell
    return escape(subject), slot, escape(key), page, bucket_of(subject), body


def from_lead(lead: Lead, listed: Row) -> Row:
    """A row of a lead with the listed traits of its subject, as they are stored."""
    return (
        lead.id,
        escape(lead.definition),
        lead.version,
        escape(lead.subject),
        lead.cycle,
        lead.qualified_at,
        lead.marked_at,
        lead.state,
        lead.kind,
        lead.priority,
        escape(lead.owner),
        lead.due_at,
        escape(lead.account),
        lead.expires_at,
        lead.merged_into,
        encode(lead.flags),
        encode(lead.evidence),
        escape(lead.default_owner),
        lead.withdrawn,
        None if lead.conversion is None else encode(lead.conversion),
        lead.contacted_at,
        lead.won_at,
        int(lead.self_serve),
        lead.snoozed_until,
        lead.amount,
        lead.currency,
        escape(lead.partner),
        None if lead.route is None else encode(to_builtins(lead.route)),
        lead.claimed_at,
        lead.claimed_until,
        lead.due_soon_at,
        lead.overdue_for,
        lead.escalate_at,
        next_check(lead),
        RANKS.get(lead.priority, RANKS["normal"]),
        bucket_of(lead.subject),
        *listed,
    )


def to_lead(row: Row) -> Lead:
    (
        id_, definition, version, subject, cycle, qualified_at, marked_at, state, kind, priority,
        owner, due_at, account, expires_at, merged_into, flags, evidence, default_owner, withdrawn,
        conversion, contacted_at, won_at, self_serve, snoozed_until, amount, currency, partner,
        route, claimed_at, claimed_until, due_soon_at, overdue_for, escalate_at, _,
    ) = row  # fmt: skip
    return Lead(
        id_,
        unescape(definition),
        version,
        unescape(subject),
        cycle,
        qualified_at,
        marked_at,
        state,
        kind,
        priority,
        unescape(owner),
        due_at,
        unescape(account),
        expires_at,
        merged_into,
        decode(flags),
        decode(evidence),
        unescape(default_owner),
        withdrawn,
        None if conversion is None else Conversion(*decode(conversion)),
        contacted_at,
        won_at,
        bool(self_serve),
        snoozed_until,
        amount,
        currency,
        unescape(partner),
        None if route is None else convert(decode(route), Routed),
        claimed_at,
        claimed_until,
        due_soon_at,
        overdue_for,
        escalate_at,
    )


def from_transition(transition: Transition) -> Row:
    subject, definition, cycle, at, patch, reason, actor, key, digest, number = transition
    lead = escape(subject), escape(definition), cycle
    texts = encode(to_builtins(patch)), escape(reason), escape(actor), escape(key), digest
    return *lead, at, *texts, number, bucket_of(subject)


def to_transition(row: Row) -> Transition:
    subject, definition, cycle, at, patch, reason, actor, key, digest, number = row
    lead = unescape(subject), unescape(definition), cycle
    texts = unescape(reason), unescape(actor), unescape(key), digest
    return Transition(*lead, at, convert(decode(patch), LeadPatch), *texts, number)


def from_change(number: int, change: Change) -> Row:
    lead, at, what, before, after, reason, actor, _, partner = change
    texts = escape(what), encode(before), encode(after), escape(reason), escape(actor)
    return number, bucket_of(lead), escape(lead), at, *texts, escape(partner)


def to_change(row: Row) -> Change:
    lead, at, what, before, after, reason, actor, number = row
    return Change(
        unescape(lead),
        at,
        unescape(what),
        decode(before),
        decode(after),
        unescape(reason),
        unescape(actor),
        number,
    )


def from_version(version: Version) -> Row:
    name, number, hash_, created_at, source, text = version
    return escape(name), number, hash_, created_at, encode(source), escape(text)


def to_version(row: Row) -> Version:
    name, number, hash_, created_at, source, text = row
    return Version(unescape(name), number, hash_, created_at, decode(source), unescape(text))


def from_definition_entry(number: int, entry: DefinitionEntry) -> Row:
    name, version, at, *texts = entry
    return number, escape(name), version, at, *map(escape, texts)


def to_definition_entry(row: Row) -> DefinitionEntry:
    name, version, at, *texts = row
    return DefinitionEntry(unescape(name), version, at, *map(unescape, texts))


def from_key(key: Key) -> Row:
    text = key.id, key.kind, escape(key.label), key.digest
    limits = key.rate, key.quota
    return (
        *text,
        key.created_at,
        key.revoked_at,
        *limits,
        key.prefix,
        key.expires_at,
        key.last_used_at,
        escape(key.partner),
    )


def to_key(row: Row) -> Key:
    id_, kind, label, digest, created_at, revoked_at, rate, quota, prefix, *rest = row
    expires_at, last_used_at, partner = rest
    found = Key(id_, kind, unescape(label), digest, created_at, revoked_at, rate, quota)
    return replace(
        found,
        prefix=prefix or "",
        expires_at=expires_at,
        last_used_at=last_used_at,
        partner=unescape(partner),
    )


def from_audit(number: int, entry: AuditEntry) -> Row:
    by = escape(entry.by.actor), escape(entry.by.reason)
    return number, entry.at, entry.what, *by, encode(entry.details)


def to_audit(row: Row) -> AuditEntry:
    at, what, actor, reason, details, number = row
    return AuditEntry(at, what, By(unescape(actor), unescape(reason)), decode(details), number)


def from_rejected(rejected: StoredRejectedEvent) -> Row:
    id_, received_at, key, event, import_number = rejected
    return (
        escape(id_),
        received_at,
        escape(key),
        event.index,
        event.code,
        escape(event.message),
        escape(event.field),
        escape(event.mid),
        escape(event.payload),
        None if event.envelope is None else encode(event.envelope),
        import_number,
        bucket_of(id_),
    )


def to_rejected(row: Row) -> StoredRejectedEvent:
    id_, received_at, key, index, code, message, field, mid, payload, envelope, import_number = row
    event = RejectedEvent(
        index,
        code,
        unescape(message),
        unescape(field),
        unescape(mid),
        unescape(payload),
        None if envelope is None else decode(envelope),
    )
    return StoredRejectedEvent(unescape(id_), received_at, unescape(key), event, import_number)


def from_import(run: ImportRun) -> Row:
    number, began_at, source, format_, summary, *times = run
    return number, began_at, escape(source), escape(format_), encode(dict(summary)), *times


def to_import(row: Row) -> ImportRun:
    number, began_at, source, format_, summary, *times = row
    return ImportRun(number, began_at, unescape(source), unescape(format_), decode(summary), *times)


def from_usage(usage: Usage) -> Row:
    return escape(usage.key), usage.month, escape(usage.outcome), usage.number


def to_usage(row: Row) -> Usage:
    key, month, outcome, number = row
    return Usage(unescape(key), month, unescape(outcome), int(number))


def _object(value: Mapping[str, JSON]) -> Any:
    return encode(value) if value else None
