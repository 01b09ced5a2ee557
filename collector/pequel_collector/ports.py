"""What the use cases need from a store, on one page, in the words of the domain.

A store holds *facts* (messages, traits, memberships), what is *derived* from them (histories
and leads) and the few things people decide (keys, definition versions). Two implementations
pass one test suite; nothing above this module knows which is in use.

A *history* is what the definitions look at, per subject, in order of time, cut into pages: one
open page that grows, and sealed pages numbered from 1. *Cells* are the parts of a history's state
that are too many to stand in a page; each version of a cell carries the number of the page at whose
end it held. All of it can be rebuilt from the messages.

Messages keep the ids that they came with. *Links* say which ids belong to one *person*; whoever
reads the messages of a person names all of that person's ids.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from .model import JSON, Key, Lead, LeadState, RejectedEvent, Stored


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


class Link(NamedTuple):
    """A message that names an id together with a user: the id is that user's.

    Of several for one pair the first in the order of facts is kept.
    """

    id: str
    user: str
    time: int
    mid: str


class Version(NamedTuple):
    """A definition as it once stood: immutable, named by the hash of its content.

    ``source`` is its table as plain data, ``text`` the table as it was written.
    """

    name: str
    version: int
    hash: str
    created_at: int
    source: JSON
    text: str = ""


class Cell(NamedTuple):
    """A part of a history's state that is kept apart: ``body`` None says that it is gone."""

    slot: int
    key: str
    body: bytes | None


class Change(NamedTuple):
    """An entry of the ledger of leads, which is only ever appended to.

    ``what`` is what happened: ``opened``, ``restated``, ``voided``, ``reopened``, ``merged``, …;
    ``before`` and ``after`` are the values that changed, by name.
    """

    lead: str
    at: int
    what: str
    before: JSON
    after: JSON
    reason: str | None = None
    actor: str | None = None


class StoredRejectedEvent(NamedTuple):
    """A refused message, kept as it came."""

    id: str
    received_at: int
    key: str | None
    rejection: RejectedEvent


class RejectedFilter(NamedTuple):
    """Which refused messages to list. None means any."""

    code: str | None = None
    key: str | None = None


ANY_REJECTED = RejectedFilter()


class RejectedCursor(NamedTuple):
    """The last refused message of a page."""

    received_at: int
    id: str


class Usage(NamedTuple):
    """How many events that came in with a key in a month (``2026-11``) came to an outcome.

    Outcomes are ``stored``, ``duplicate``, ``suppressed`` and ``rejected:`` with the code; and for
    those that did not come in, ``dropped:`` with the client's reason.
    """

    key: str
    month: str
    outcome: str
    number: int


@dataclass(frozen=True, slots=True)
class LeadFilter:
    """Which leads to list. None means any; of states, any but ``voided``.

    Times are ms; ``from`` is included, ``to`` is not. A lead that is ``new`` with its
    ``expires_at`` at or before ``now`` is listed, and given back, as ``expired``.
    """

    definition: str | None = None
    subject_kind: str | None = None
    subject: str | None = None
    state: LeadState | None = None
    owner: str | None = None
    kind: str | None = None
    country: str | None = None
    plan: str | None = None
    account: str | None = None
    qualified_from: int | None = None
    qualified_to: int | None = None
    marked_after: int | None = None
    now: int | None = None


class LeadCursor(NamedTuple):
    """The last lead of a page: priority (0 high, 1 normal, 2 low), ``marked_at``, id."""

    rank: int
    marked_at: int
    id: str


class ReadTransaction(Protocol):
    """A consistent view of the store; what was committed before it began is in it."""

    # -- messages --------------------------------------------------------------------------

    def events(
        self, subjects: Collection[str], since: int | None = None, until: int | None = None
    ) -> Iterator[Stored]:
        """The messages of all these users, visitors or accounts, in (time, messageId) order.

        ``since`` and ``until`` are both included. An account's are those attributed to it. A
        message that is of several of the subjects comes once.
        """

    def latest(self, limit: int) -> list[Stored]:
        """The messages that arrived last, latest first."""

    def known(self, mids: Collection[str]) -> set[str]:
        """Which of these message ids are stored."""

    def newest(self) -> int | None:
        """The latest event time of any stored message; None in an empty store."""

    def counts(self, subjects: Collection[str]) -> dict[str, int]:
        """How many events these subjects have together, by event name."""

    def span(self, subjects: Collection[str]) -> tuple[int, int] | None:
        """Times of the first and last message of these subjects; None where there is none."""

    def subjects(self, after: str = "", limit: int | None = None) -> list[str]:
        """User and account keys that have a message, in key order, those behind ``after``."""

    def visitors(self, after: str = "", limit: int | None = None) -> list[str]:
        """Visitor keys that have a message, linked or not, in key order, those behind ``after``."""

    # -- who is who ------------------------------------------------------------------------

    def persons(self, ids: Collection[str]) -> dict[str, str]:
        """The person of each id that is linked to one; an id without a link is not in it."""

    def ids_of(self, persons: Collection[str]) -> dict[str, list[str]]:
        """All ids of each person, its own first, then the linked ones in key order."""

    def links(self, ids: Collection[str]) -> list[Link]:
        """Every link that has one of these ids on either side, in (time, messageId) order."""

    def links_between(self, pairs: Collection[tuple[str, str]]) -> list[Link]:
        """The links of these pairs of an id and a user, as far as there are any."""

    # -- what is known of subjects ---------------------------------------------------------

    def traits(self, subjects: Mapping[str, Collection[str]]) -> dict[str, dict[str, JSON]]:
        """The current traits of each subject, from those of all its ids; unset ones are absent."""

    def trait_history(self, ids: Collection[str]) -> list[Trait]:
        """Every value that was set on any of these ids, in order of id, name, time, messageId."""

    def memberships(self, ids: Collection[str]) -> dict[str, list[Membership]]:
        """The group calls made with each id, in (time, messageId) order."""

    def histories(self, subjects: Collection[str]) -> dict[str, bytes]:
        """The open page of each subject that has one, as it was written last."""

    def stale(self, subjects: Collection[str]) -> set[str]:
        """The subjects whose open page lags: their messages later than it are to be folded yet."""

    def page(self, subject: str, number: int) -> bytes:
        """A sealed page of a subject, which must exist."""

    def cell(self, subject: str, slot: int, key: str) -> bytes | None:
        """The latest version of a cell; None if there is none or it is gone."""

    def cells(self, subject: str, slot: int) -> dict[str, bytes]:
        """The latest version of every cell of a slot, by key, without those that are gone."""

    def cell_versions(self, subject: str, slot: int) -> list[tuple[int, Cell]]:
        """Every version of every cell of a slot, with its page, in order of page and key."""

    def due(self, until: int, limit: int) -> list[str]:
        """Subjects for which a moment of the clock has come by then, earliest first."""

    # -- leads -----------------------------------------------------------------------------

    def lead(self, lead_id: str) -> Lead | None:
        """One lead, or None."""

    def leads(
        self, wanted: LeadFilter, limit: int, after: LeadCursor | None = None
    ) -> list[tuple[Lead, LeadCursor]]:
        """Leads by priority, then latest mark first; ``after`` continues behind a cursor."""

    def leads_of(self, subjects: Collection[str]) -> dict[str, list[Lead]]:
        """All leads of each subject, earliest qualification first."""

    def changes(self, lead_id: str) -> list[Change]:
        """The ledger of one lead, oldest first."""

    # -- what people decide, and the rest --------------------------------------------------

    def versions(self) -> list[Version]:
        """Every version of every definition, oldest first."""

    def keys(self) -> list[Key]:
        """Every key, revoked ones too, oldest first."""

    def refused(
        self, limit: int, wanted: RejectedFilter = ANY_REJECTED, after: RejectedCursor | None = None
    ) -> list[StoredRejectedEvent]:
        """What was refused, latest first; ``after`` continues behind a cursor."""

    def usage(self) -> list[Usage]:
        """What became of the events that came in, by key, month and outcome."""

    def meta(self, name: str) -> str | None:
        """A remembered text, such as which catalogue the leads follow; None if there is none."""

    def totals(self) -> dict[str, int]:
        """Number of stored messages, leads and refused messages, and every tally."""


class WriteTransaction(ReadTransaction, Protocol):
    """One write transaction. Writers come one at a time; it sees its own writes."""

    def try_out(self) -> None:
        """Write something that changes nothing. Raises Unavailable where that cannot be."""

    def swap_writer_token(self, token: int) -> int:
        """Leave a token for whoever changes histories next; the one that was left before.

        A transaction that is undone leaves none: so who finds its own token was the last.
        """

    def append(self, messages: Sequence[Stored]) -> set[str]:
        """Store messages, each with the account it is attributed to; the ids that were new.

        The ids within one call are different. An id stored before changes nothing.
        """

    def attribute(self, accounts: Mapping[str, str | None], subject: str) -> None:
        """Set the account, by message id, of stored messages that came with one user or visitor."""

    def add_traits(self, traits: Sequence[Trait]) -> None:
        """Append to the trait histories."""

    def add_memberships(self, memberships: Sequence[Membership]) -> None:
        """Append to the group-call histories."""

    def add_links(self, links: Sequence[Link]) -> None:
        """Remember links. Of one that is known the earlier, by (time, messageId), stays."""

    def set_persons(self, persons: Mapping[str, str]) -> None:
        """Say whose each id is from now on; an id that is its own person has no link any more."""

    def count(self, tallies: Mapping[str, int]) -> None:
        """Add to tallies by name, such as ``unattributed``; none of them begins anew."""

    def save_histories(self, pages: Mapping[str, bytes]) -> None:
        """Write the open page of each subject, which lags no longer."""

    def mark_stale(self, subjects: Collection[str]) -> None:
        """Say that the open pages of these subjects lag."""

    def seal(self, subject: str, number: int, page: bytes, cells: Sequence[Cell]) -> None:
        """Write a sealed page of a subject, and the cells as they are at its end."""

    def unseal(self, subject: str, number: int) -> None:
        """Remove the sealed pages from a number on, and every version of cells they made."""

    def forget_history(self, subject: str) -> None:
        """Remove every page and cell of a subject: it will be rebuilt from the messages."""

    def set_due(self, times: Mapping[str, int | None]) -> None:
        """Set when the clock next has a moment for each subject; None for never."""

    def save_leads(self, leads: Sequence[Lead]) -> None:
        """Write leads, new or changed."""

    def log(self, changes: Sequence[Change]) -> None:
        """Append to the ledger of leads."""

    def add_version(self, version: Version) -> None:
        """Record a definition version."""

    def set_meta(self, name: str, text: str) -> None:
        """Remember a text under a name."""

    def add_key(self, key: Key) -> None:
        """Record a key."""

    def revoke_key(self, key_id: str, at: int) -> bool:
        """Revoke a key; whether there was one to revoke."""

    def refuse(self, refused: Sequence[StoredRejectedEvent]) -> None:
        """Keep refused messages."""

    def forget_rejected(self, ids: Collection[str]) -> set[str]:
        """Let go of refused messages, which were taken in after all; those that there were."""

    def add_usage(self, usages: Sequence[Usage]) -> None:
        """Add to what became of events."""

    def record_client_report(self, key: str, client: str, number: int) -> bool:
        """Note that a client of this key sent its report of this number; whether it is news.

        It is not where one of this number or a higher one was noted before.
        """


class Store(Protocol):
    """A database of one project."""

    url: str

    def free(self) -> int | None:
        """How many bytes are free where it is stored; None where that is not known."""

    def reading(self) -> AbstractContextManager[ReadTransaction]:
        """A consistent view, for as long as the context lasts."""

    def writing(self) -> AbstractContextManager[WriteTransaction]:
        """A write transaction: committed and on disk when the context ends well, else undone.

        Raises Unavailable when the database cannot take writes.
        """

    def close(self) -> None:
        """Release every connection. Using the store afterwards is an error."""
