"""The records that the floors above pass to each other.

Times are integer milliseconds since 1970-01-01T00:00:00Z. A *subject key* names one stream
of facts: ``u:`` + user id, ``a:`` + anonymous id, or ``g:`` + account id.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Literal, NamedTuple

import msgspec
from msgspec import Struct

Kind = Literal["user", "account"]
LeadState = Literal["new", "assigned", "contacted", "won", "lost", "dismissed", "expired", "voided"]
"""What has become of a lead. ``expired`` is never stored: it is shown for a ``new`` lead after its
``expires_at``. A ``voided`` lead is one that the facts no longer give, or that was merged."""

OPEN_STATES: tuple[LeadState, ...] = ("new", "assigned", "contacted", "won")
"""The states of a lead that makes its subject a PQL."""

JSON = Any

BUCKETS = 4096
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - in UTC, as every instant of ours
_FIRST, _LAST = -62_135_596_800_000, 253_402_300_799_999
_PREFIX = {"user": "u:", "account": "g:"}
_KIND: dict[str, Kind] = {"u:": "user", "g:": "account"}


def user_key(user_id: str) -> str:
    """The subject key of a user id."""
    return "u:" + user_id


def anonymous_key(anonymous_id: str) -> str:
    """The subject key of an anonymous id."""
    return "a:" + anonymous_id


def account_key(account_id: str) -> str:
    """The subject key of an account id."""
    return "g:" + account_id


def subject_key(kind: Kind, identifier: str) -> str:
    """The subject key of a user or an account."""
    return _PREFIX[kind] + identifier


def kind_of(key: str) -> Kind | None:
    """``user`` or ``account``; None for an anonymous visitor, who is no subject."""
    return _KIND.get(key[:2])


def id_of(key: str) -> str:
    """The id inside a subject key."""
    return key[2:]


@lru_cache(maxsize=65536)
def bucket_of(key: str) -> int:
    """The fixed bucket, 0 to 4095, that holds every row of a subject: a hash of project and key."""
    digest = blake2b(b"default\0" + key.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") % BUCKETS


class Message(Struct, frozen=True):
    """One accepted call, as it is stored: a fact of its person and of the account it falls to.

    ``account`` is the account *named* on the message; ``time`` is the corrected event time.
    ``properties`` holds the properties of an event or the traits of an identify or group call.
    """

    mid: str
    type: str
    subject: str
    time: int
    received: int
    name: str | None = None
    anonymous_id: str | None = None
    previous_id: str | None = None
    account: str | None = None
    properties: Mapping[str, JSON] = msgspec.field(default_factory=dict)
    traits: Mapping[str, JSON] = msgspec.field(default_factory=dict)
    context: Mapping[str, JSON] = msgspec.field(default_factory=dict)
    original: str | None = None
    sent: int | None = None

    @property
    def user_id(self) -> str | None:
        """The user id, or None for an anonymous message."""
        return self.subject[2:] if self.subject.startswith("u:") else None

    @property
    def is_event(self) -> bool:
        """Whether counting sees it: track, page and screen are events, the others only facts."""
        return self.name is not None


class Stored(NamedTuple):
    """A message, the account it is attributed to, and whose it is.

    ``person`` is a user's subject key: that of the user at the end of the identity links, or None
    for a visitor whom no link leads to a user. The store itself gives back None, for it keeps the
    ids that a message came with.
    """

    message: Message
    account: str | None
    person: str | None = None


class Report(NamedTuple):
    """How many events a client dropped since its report before, by reason.

    ``client`` names one process of a client, ``number`` counts its reports.
    """

    client: str
    number: int
    dropped: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class RejectedEvent:
    """One refused message of a batch: where it stood, why, and what it was.

    ``payload`` is the text of the event as it came, without its write key. ``around`` is what it
    was read with besides: the ``type`` of its path, the ``context``, ``sentAt`` and ``anonymousId``
    of its request, as far as there were any; ``received`` is when that was (ms).
    """

    index: int
    code: str
    message: str
    field: str | None = None
    mid: str | None = None
    payload: str = ""
    around: Mapping[str, JSON] | None = None
    received: int | None = None


@dataclass(slots=True)
class Lead:
    """One definition, one subject, one cycle: the ledger entry that a qualification opens.

    ``account`` is the account that a user had at ``qualified_at``; None for an account's lead.
    A lead that nobody has worked by ``expires_at`` is expired. ``merged_into`` is the id of the
    lead that took the place of this one when two users turned out to be one person.
    """

    id: str
    definition: str
    version: int
    subject: str
    cycle: int
    qualified_at: int
    marked_at: int
    state: LeadState = "new"
    kind: str = "new"
    priority: str = "normal"
    owner: str | None = None
    due_at: int | None = None
    account: str | None = None
    expires_at: int | None = None
    merged_into: str | None = None
    flags: list[str] = field(default_factory=list)
    evidence: dict[str, JSON] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Key:
    """An API key: only its hash is stored.

    ``rate`` is how many events it may send in a second, ``quota`` in a month; None is what the
    settings say.
    """

    id: str
    kind: Literal["write", "read", "admin"]
    label: str
    digest: str
    created_at: int
    revoked_at: int | None = None
    rate: int | None = None
    quota: int | None = None


def iso(time: int) -> str:
    """An instant as text: UTC, milliseconds, ``Z``; one beyond the years 1 to 9999 as their end."""
    within = min(max(time, _FIRST), _LAST)
    return (_EPOCH + timedelta(milliseconds=within)).isoformat(timespec="milliseconds") + "Z"


def lead_id(definition: str, subject: str, cycle: int) -> str:
    """The id of a lead: the same for the same definition, subject and cycle, everywhere."""
    text = "\0".join((definition, subject, str(cycle)))
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
