"""The records that the layers above pass to each other, and times as text.

Times are integer milliseconds since 1970-01-01T00:00:00Z. A *subject key* names one stream
of facts: ``u:`` + user id, ``a:`` + anonymous id, or ``g:`` + account id.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import lru_cache
from hashlib import blake2b
from operator import attrgetter
from typing import Any, Literal, NamedTuple, TypeGuard

import msgspec
from msgspec import UNSET, Struct, UnsetType

Kind = Literal["user", "account"]
LeadState = Literal["new", "assigned", "contacted", "won", "lost", "dismissed", "expired", "voided"]
"""What has become of a lead. ``expired`` is never stored: it is shown for a ``new`` lead after its
``expires_at``. A ``voided`` lead is one that the facts no longer give, or that was merged."""

OPEN_STATES: tuple[LeadState, ...] = ("new", "assigned", "contacted", "won")
"""The states of a lead that makes its subject a PQL."""

CLOSED_STATES: tuple[LeadState, ...] = ("won", "lost", "dismissed", "voided")
"""The states of a lead that nobody has to work."""

EXPANSION_KINDS = ("upgrade", "cross_sell", "expansion")
"""The kinds of leads that more revenue from a customer wins."""

JSON = Any
Clock = Callable[[], int]
"""Gives the time now."""

BUCKETS = 4096
_PREFIX = {"user": "u:", "account": "g:"}
_KIND: dict[str, Kind] = {"u:": "user", "g:": "account"}

_NUMBERS = (int, float, Decimal)
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_FIRST, _LAST = -62_135_596_800_000, 253_402_300_799_999
_DAY, _MINUTE = 86_400_000, 60_000
_SECONDS = {f"{n:02}": n * 1000 for n in range(60)}
_MINUTES = {f"T{n // 60:02}:{n % 60:02}:": n * _MINUTE for n in range(1440)}
_MILLISECONDS = {f".{n:03}": n for n in range(1000)}
_OF_MINUTE, _OF_SECOND = list(_MINUTES), list(_SECONDS)
_OF_MILLISECOND = [f"{text}Z" for text in _MILLISECONDS]
_ISO_8601 = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)"
    r"(?:[Tt ](?P<hour>[01]\d|2[0-3]):(?P<minute>[0-5]\d)"
    r"(?::(?P<second>[0-5]\d)(?:[.,](?P<fraction>\d{1,30}))?)?"
    r"(?P<offset>[Zz]|(?P<sign>[+-])(?P<hours>[01]\d|2[0-3])(?::?(?P<minutes>[0-5]\d))?)?)?",
    re.ASCII,
)


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
    """``user`` or ``account``; None for an anonymous visitor, who is not a subject."""
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
    """One accepted call, as it is stored.

    ``subject`` is the key of its user, else of its visitor. A fact of an account alone has neither:
    its ``subject`` is the key of that account. ``account`` is the account that the message names.
    ``time`` is the event time, corrected by the clocks; ``original`` is the time that the client
    gave. ``traits`` are those of an identify or group call, as they came. ``position`` is its
    place, from 0, among the messages of the same ``time`` that were stored from its request or
    file.
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
    position: int = 0

    @property
    def user_id(self) -> str | None:
        """The user id; None for an anonymous message."""
        return self.subject[2:] if self.subject.startswith("u:") else None

    @property
    def is_event(self) -> bool:
        """Whether it counts as an event: track, page and screen do."""
        return self.name is not None

    @property
    def is_of_account(self) -> bool:
        """Whether it is a fact of an account alone, without a user or a visitor."""
        return self.subject.startswith("g:")

    @property
    def is_leaving(self) -> bool:
        """Whether it is a group call with which a person leaves the account."""
        return self.type == "group" and self.traits.get("left") is True

    @property
    def traits_set(self) -> Mapping[str, JSON]:
        """The traits that it sets on its user, or as a group call on its account.

        In a group call, ``left`` as true or false is about the person, and is no trait.
        """
        traits = self.traits
        if self.type != "group" or not isinstance(traits.get("left"), bool):
            return traits
        return {name: value for name, value in traits.items() if name != "left"}


fact_order = attrgetter("time", "position", "mid")
"""The place of a message, or of what was made from it, in the order of facts."""


class Stored(NamedTuple):
    """A message, the account it is attributed to, and its person.

    ``person`` is the subject key of the user that the message belongs to after identity links; None
    for a visitor who is not linked to a user. Messages read from the store have None, because the
    store keeps only the ids that a message came with.
    """

    message: Message
    account: str | None
    person: str | None = None


class Report(NamedTuple):
    """How many events a client dropped since its previous report, by reason.

    ``client`` names one process of a client. ``number`` counts its reports.
    """

    client: str
    number: int
    dropped: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class RejectedEvent:
    """An event of a batch that was rejected.

    ``index`` is its position in the batch. ``payload`` is the text of the event as it came, without
    its write key. ``envelope`` holds what its request said beside the event: the ``type`` of the
    path, ``context``, ``sentAt`` and ``anonymousId``, each only if given. ``received`` is the time
    of the request. One that is not kept is only counted, and has no payload.
    """

    index: int
    code: str
    message: str
    field: str | None = None
    mid: str | None = None
    payload: str = ""
    envelope: Mapping[str, JSON] | None = None
    received: int | None = None
    is_kept: bool = True


class Conversion(NamedTuple):
    """An event that made a customer, or with ``expands`` more revenue from one.

    ``amount`` is its ``mrr`` as a decimal text, ``currency`` its currency; None if it has none.
    """

    time: int
    mid: str
    expands: bool = False
    amount: str | None = None
    currency: str | None = None


class Contact(Struct, frozen=True, omit_defaults=True):
    """A contact of somebody with a lead; ``at`` is when (ms), None for when it was logged."""

    channel: str | None = None
    at: int | None = None
    note: str | None = None


class Routed(Struct, frozen=True):
    """Who a route assigned a lead to, and why.

    ``name`` is the route; None if every route that matched was full. ``assigned`` is what it says,
    such as ``round_robin:dach``; ``owner`` or ``partner`` who that came to. ``step`` is 0 for the
    route itself, and from 1 on the step of its escalation.
    """

    name: str | None
    assigned: str | None
    why: str
    owner: str | None = None
    partner: str | None = None
    step: int = 0


class Claim(Struct, frozen=True):
    """A partner claims a lead until an instant (ms), for which nobody else can claim it."""

    partner: str
    until: int


class LeadPatch(Struct, frozen=True):
    """What somebody changes of a lead. What is unset stays; None removes.

    ``routed`` is what a route decides, and ``claim`` what a partner does: both stand alone.
    """

    state: LeadState | UnsetType = UNSET
    owner: str | UnsetType | None = UNSET
    contact: Contact | UnsetType = UNSET
    snoozed_until: int | UnsetType | None = UNSET
    amount: str | UnsetType | None = UNSET
    currency: str | UnsetType | None = UNSET
    routed: Routed | UnsetType = UNSET
    claim: Claim | UnsetType = UNSET


class Transition(NamedTuple):
    """What somebody did with a lead. It is stored once and never changed.

    It names the lead by its subject, definition and cycle. ``at`` is when it was recorded.
    ``idempotency_key`` is the client's name for the request, ``digest`` the hash of its body.
    ``number`` is its place among all transitions; the store gives it.
    """

    subject: str
    definition: str
    cycle: int
    at: int
    patch: LeadPatch
    reason: str | None = None
    actor: str | None = None
    idempotency_key: str | None = None
    digest: str | None = None
    number: int = 0


@dataclass(slots=True)
class Lead:
    """A qualification of one subject by one definition in one cycle.

    ``account`` is the account that a user had at ``qualified_at``; None for an account's lead. A
    lead that is still ``new`` at ``expires_at`` is expired. ``merged_into`` is the id of the lead
    that replaced this one when two users turned out to be one person. ``withdrawn`` says why the
    lead has no basis any more. ``default_owner`` is whom the definition names.

    ``due_soon_at`` and ``escalate_at`` are when the background jobs next look at the lead; None if
    that is done. ``overdue_for`` is the ``due_at`` for which the ledger says ``overdue``.

    ``conversion`` is the one that wins the lead. ``state``, ``owner``, and the fields from
    ``contacted_at`` on are what ``leads.states.outcome`` makes of these and of the transitions.
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
    default_owner: str | None = None
    withdrawn: str | None = None
    conversion: Conversion | None = None
    contacted_at: int | None = None
    won_at: int | None = None
    self_serve: bool = False
    snoozed_until: int | None = None
    amount: str | None = None
    currency: str | None = None
    partner: str | None = None
    route: Routed | None = None
    claimed_at: int | None = None
    claimed_until: int | None = None
    due_soon_at: int | None = None
    overdue_for: int | None = None
    escalate_at: int | None = None


@dataclass(frozen=True, slots=True)
class Key:
    """An API key. Only its hash is stored. What each kind may do is in ``access.keys``.

    ``rate`` is how many events it may send in a second, ``quota`` in a month. None means the value
    of the settings. ``prefix`` is how the key begins; empty for one that was made before prefixes
    were kept. From ``expires_at`` on it lets nobody in. ``last_used_at`` is right to the hour.
    ``partner`` is whose leads a key of the kind ``partner`` sees.
    """

    id: str
    kind: str
    label: str
    digest: str
    created_at: int
    revoked_at: int | None = None
    rate: int | None = None
    quota: int | None = None
    prefix: str = ""
    expires_at: int | None = None
    last_used_at: int | None = None
    partner: str | None = None

    def is_active(self, now: int) -> bool:
        """Whether it lets anybody in."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


def iso(time: int) -> str:
    """A time as ISO 8601: ``2026-03-01T10:00:00.000Z``. Limited to the years 1 to 9999."""
    day, of_day = divmod(min(max(time, _FIRST), _LAST), _DAY)
    minute, of_minute = divmod(of_day, _MINUTE)
    second, millisecond = divmod(of_minute, 1000)
    # A tenth of the time that `datetime.isoformat` takes, and a page of leads has hundreds.
    end = _OF_SECOND[second] + _OF_MILLISECOND[millisecond]
    return _day(day) + _OF_MINUTE[minute] + end


@lru_cache(maxsize=4096)
def _day(number: int) -> str:
    return date.fromordinal(_EPOCH_DAY + number).isoformat()


def parse_iso(text: str) -> int | None:
    """The time of an ISO 8601 text; None if it is not one.

    Accepts a date, or a date and a time: ``2026-03-01``, ``2026-03-01T10:00Z``,
    ``2026-03-01 10:00:00.123456789+02:00``. Without an offset the time is UTC. Digits after the
    millisecond are cut off.
    """
    # Nearly every client sends 2026-03-01T10:00:00.000Z, and days repeat.
    if len(text) == 24 and text[23] == "Z":
        day = _parse_day(text[:10])
        minute = _MINUTES.get(text[10:17])
        second = _SECONDS.get(text[17:19])
        millisecond = _MILLISECONDS.get(text[19:23])
        if (
            day is not None
            and minute is not None
            and second is not None
            and millisecond is not None
        ):
            return day + minute + second + millisecond
    return _parse_iso(text)


@lru_cache(maxsize=4096)
def _parse_day(text: str) -> int | None:
    return _parse_iso(text)


def _parse_iso(text: str) -> int | None:
    found = _ISO_8601.fullmatch(text)
    if found is None:
        return None
    try:
        days = date.fromisoformat(found["date"]).toordinal() - _EPOCH_DAY
    except ValueError:
        return None
    minutes = (days * 24 + int(found["hour"] or 0)) * 60 + int(found["minute"] or 0)
    milliseconds = int((found["fraction"] or "")[:3].ljust(3, "0"))
    offset = int(found["hours"] or 0) * 60 + int(found["minutes"] or 0)
    if found["sign"] == "-":
        offset = -offset
    return (minutes - offset) * _MINUTE + int(found["second"] or 0) * 1000 + milliseconds


def is_number(value: JSON) -> TypeGuard[int | float | Decimal]:
    """Whether a value is a number. Booleans are not."""
    return isinstance(value, _NUMBERS) and not isinstance(value, bool)


def lead_id(definition: str, subject: str, cycle: int) -> str:
    """The id of a lead: a hash of its definition, subject and cycle."""
    text = "\0".join((definition, subject, str(cycle)))
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
