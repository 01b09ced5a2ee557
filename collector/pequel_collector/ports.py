"""What the use cases need from a store, on one page, in the words of the domain.

A store holds *facts* (messages, traits, memberships), what is *derived* from them (histories
and leads) and the few things people decide (keys, definition versions). Two implementations
pass one test suite; nothing above this module knows which is in use.

A *history* is what the definitions look at, per subject, in order of time, cut into pages: one
open page that grows, and sealed pages numbered from 1. It can be rebuilt from the messages.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from .model import JSON, Key, Lead, Rejection, Stored


class Trait(NamedTuple):
    """One value of one trait of a user or an account, from ``time`` on; None unsets it."""

    subject: str
    name: str
    time: int
    mid: str
    value: JSON


class Membership(NamedTuple):
    """A group call of a user: from ``time`` on the user's account is ``account``."""

    subject: str
    time: int
    mid: str
    account: str


class Version(NamedTuple):
    """A definition as it once stood: immutable, named by the hash of its content."""

    name: str
    version: int
    hash: str
    created_at: int
    source: JSON


class Refused(NamedTuple):
    """A refused message, kept as it came."""

    id: str
    received_at: int
    key: str | None
    rejection: Rejection


@dataclass(frozen=True, slots=True)
class LeadFilter:
    """Which leads to list. None means any; of states, any but ``voided``.

    Times are ms; ``from`` is included, ``to`` is not.
    """

    definition: str | None = None
    subject_kind: str | None = None
    subject: str | None = None
    state: str | None = None
    owner: str | None = None
    kind: str | None = None
    country: str | None = None
    plan: str | None = None
    account: str | None = None
    qualified_from: int | None = None
    qualified_to: int | None = None
    marked_after: int | None = None


class LeadCursor(NamedTuple):
    """The last lead of a page: priority (0 high, 1 normal, 2 low), ``marked_at``, id."""

    rank: int
    marked_at: int
    id: str


class Reading(Protocol):
    """A consistent view of the store; what was committed before it began is in it."""

    def events(
        self, subject: str, since: int | None = None, until: int | None = None
    ) -> Iterator[Stored]:
        """The messages of a user, a visitor or an account in (time, messageId) order.

        ``since`` and ``until`` are both included. An account's are those attributed to it.
        """

    def latest(self, limit: int) -> list[Stored]:
        """The messages that arrived last, latest first."""

    def known(self, mids: Collection[str]) -> set[str]:
        """Which of these message ids are stored."""

    def newest(self) -> int | None:
        """The latest event time of any stored message; None in an empty store."""

    def counts(self, subject: str) -> dict[str, int]:
        """How many events a subject has, by event name."""

    def span(self, subject: str) -> tuple[int, int] | None:
        """Times of the first and last message of a subject; None for one never seen."""

    def subjects(self) -> Iterator[str]:
        """Every user and account key that has a message, in key order."""

    def traits(self, subjects: Collection[str]) -> dict[str, dict[str, JSON]]:
        """The current traits of each subject; unset ones are absent."""

    def memberships(self, users: Collection[str]) -> dict[str, list[Membership]]:
        """The group calls of each user, in (time, messageId) order."""

    def histories(self, subjects: Collection[str]) -> dict[str, str]:
        """The open page of each subject that has one."""

    def sealed(self, subject: str) -> list[str]:
        """The sealed pages of a subject, oldest first."""

    def lead(self, lead_id: str) -> Lead | None:
        """One lead, or None."""

    def leads(
        self, wanted: LeadFilter, limit: int, after: LeadCursor | None = None
    ) -> list[tuple[Lead, LeadCursor]]:
        """Leads by priority, then latest mark first; ``after`` continues behind a cursor."""

    def leads_of(self, subjects: Collection[str]) -> dict[str, list[Lead]]:
        """All leads of each subject, earliest qualification first."""

    def versions(self) -> list[Version]:
        """Every version of every definition, oldest first."""

    def keys(self) -> list[Key]:
        """Every key, revoked ones too, oldest first."""

    def refused(self, limit: int) -> list[Refused]:
        """What was refused, latest first."""

    def note(self, name: str) -> str | None:
        """A remembered text, such as which catalogue the leads follow; None if there is none."""

    def totals(self) -> dict[str, int]:
        """Number of stored messages, leads and refused messages."""


class Writing(Reading, Protocol):
    """One write transaction. Writers come one at a time; it sees its own writes."""

    def append(self, messages: Sequence[Stored]) -> set[str]:
        """Store messages, each with the account it is attributed to; the ids that were new.

        The ids within one call are different. An id stored before changes nothing.
        """

    def attribute(self, mids: Mapping[str, str | None], subject: str) -> None:
        """Set the account to which stored messages of one user are attributed."""

    def add_traits(self, traits: Sequence[Trait]) -> None:
        """Append to the trait histories."""

    def add_memberships(self, memberships: Sequence[Membership]) -> None:
        """Append to the group-call histories."""

    def save_histories(self, pages: Mapping[str, str]) -> None:
        """Write the open page of each subject."""

    def seal(self, subject: str, pages: Iterable[tuple[int, str]]) -> None:
        """Write sealed pages of a subject by number."""

    def forget_history(self, subject: str) -> None:
        """Remove every page of a subject: it will be rebuilt from the messages."""

    def save_leads(self, leads: Sequence[Lead]) -> None:
        """Write leads, new or changed."""

    def add_version(self, version: Version) -> None:
        """Record a definition version."""

    def set_note(self, name: str, text: str) -> None:
        """Remember a text under a name."""

    def add_key(self, key: Key) -> None:
        """Record a key."""

    def revoke_key(self, key_id: str, at: int) -> bool:
        """Revoke a key; whether there was one to revoke."""

    def refuse(self, refused: Sequence[Refused]) -> None:
        """Keep refused messages."""


class Store(Protocol):
    """A database of one project."""

    url: str

    def reading(self) -> AbstractContextManager[Reading]:
        """A consistent view, for as long as the context lasts."""

    def writing(self) -> AbstractContextManager[Writing]:
        """A write transaction: committed and on disk when the context ends well, else undone.

        Raises Unavailable when the database cannot take writes.
        """

    def close(self) -> None:
        """Release every connection. Using the store afterwards is an error."""
