"""Messages as they are stored, those that were rejected, and imports."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple, Protocol

from ..model import JSON, Kind, RejectedEvent, Stored
from .subjects import Activity, FirstEvent


class StoredRejectedEvent(NamedTuple):
    """A rejected event in the store. ``key`` is the id of the API key that sent it.

    ``import_number`` is the number of the import whose line it is.
    """

    id: str
    received_at: int
    key: str | None
    event: RejectedEvent
    import_number: int | None = None


class ImportRun(NamedTuple):
    """An import of one file: the file's name, how it was read, and what the import came to.

    ``ended_at`` is None while it runs, and for ever if it was interrupted. Undoing it begins at
    ``undo_began_at`` and is complete at ``undone_at``.
    """

    number: int
    began_at: int
    source: str
    format: str
    summary: Mapping[str, JSON] = MappingProxyType({})
    ended_at: int | None = None
    undo_began_at: int | None = None
    undone_at: int | None = None


class RejectedFilter(NamedTuple):
    """Which rejected events to list. None means any."""

    code: str | None = None
    key: str | None = None


ANY_REJECTED = RejectedFilter()


class RejectedCursor(NamedTuple):
    """The last rejected event of a page."""

    received_at: int
    id: str


class Arrival(NamedTuple):
    """What one transaction stored: ids of messages, of rejected events and of opened leads.

    ``number`` is its place in the order of the commits, without gaps. ``left_out`` is how many ids
    are not named, because there were too many.
    """

    number: int
    messages: Sequence[str]
    rejected: Sequence[str]
    leads: Sequence[str]
    left_out: int = 0


class Outline(NamedTuple):
    """Of a message only when it was, the name of its event, and who sent it."""

    time: int
    name: str | None
    subject: str


class Scan(NamedTuple):
    """Which messages to read of all subjects of a kind.

    ``names`` are names of events; None means every message. ``sets_traits`` adds the calls that set
    traits on such subjects, ``in_accounts`` every message with an account. ``properties`` and
    ``context`` say whether that JSON of a message is read. With ``in_order``, the messages of one
    instant come in order; without it in any order, and without their position and id.
    """

    kind: Kind
    names: frozenset[str] | None
    sets_traits: bool = False
    in_accounts: bool = False
    properties: bool = False
    context: bool = False
    in_order: bool = True

    @property
    def has_ids(self) -> bool:
        """Whether the subject, its account or the kind of call of a message is read."""
        return self.kind == "account" or self.sets_traits or self.in_accounts

    @property
    def has_parts(self) -> bool:
        """Whether more is read of a message than its place and its name."""
        return self.has_ids or self.properties or self.context


class ScannedMessage(NamedTuple):
    """A message as a scan reads it. What the scan does not ask for is None; JSON is text.

    A scan gives plain tuples in this order, up to ``name`` unless it ``has_parts``: to make a
    record of each would take as long as to read it.

    ``person`` is given in the scan of accounts: the subject that the message came with, or its
    person.
    """

    subject: str
    time: int
    position: int
    mid: str
    name: str | None
    account: str | None = None
    person: str | None = None
    type: str | None = None
    properties: str | None = None
    traits: str | None = None
    context: str | None = None


class MessageReads(Protocol):
    """The part of a read transaction that reads messages, rejected events and imports."""

    def events(
        self, subjects: Collection[str], since: int | None = None, until: int | None = None
    ) -> Iterator[Stored]:
        """The messages of these users, visitors or accounts, in the order of facts.

        ``since`` and ``until`` are both included. The messages of an account are those attributed
        to it, with and without a person. A message of several of the subjects is returned once.
        """

    def outlines(
        self, subjects: Collection[str], since: int | None = None, until: int | None = None
    ) -> Iterator[Outline]:
        """The same messages as ``events``, without their contents."""

    def latest_of(
        self, subjects: Collection[str], limit: int, before: tuple[int, int, str] | None = None
    ) -> list[Stored]:
        """The latest messages of these subjects, latest first.

        With ``before``, those before this place in the order of facts.
        """

    def latest_named(self, subjects: Collection[str]) -> str | None:
        """The account in the latest message of these users or visitors that names one."""

    def latest(self, limit: int, name: str | None = None) -> list[Stored]:
        """The messages that were received last, latest first; with a name, those of them."""

    def message(self, mid: str) -> Stored | None:
        """The message of an id; None if it is not stored."""

    def messages(self, mids: Collection[str]) -> dict[str, Stored]:
        """Several messages by id; an id that is not stored is left out."""

    def known(self, mids: Collection[str]) -> set[str]:
        """Which of these message ids are stored."""

    def newest(self) -> int | None:
        """The latest event time of any stored message; None in an empty store."""

    def block_starts(self, since: int) -> dict[int, int]:
        """The time of the first message of each block at or after an instant.

        A block has messages that arrived together. Only the last one still grows.
        """

    def messages_in(
        self, block: int, after: tuple[int, int, str], until: int, limit: int
    ) -> list[Stored]:
        """The messages of a block after a place in the order of facts, before an instant."""

    def counts(self, subjects: Collection[str]) -> dict[str, int]:
        """How many events these subjects have in total, by event name."""

    def span(self, subjects: Collection[str]) -> tuple[int, int] | None:
        """The times of the first and last message of these subjects; None if they have none."""

    def subjects(self, after: str = "", limit: int | None = None) -> list[str]:
        """The users and accounts with a message whose key is greater than ``after``, in order."""

    def visitors(self, after: str = "", limit: int | None = None) -> list[str]:
        """The same for visitors, linked or not."""

    def scan(self, wanted: Scan) -> Iterator[tuple[str, Sequence[ScannedMessage]]]:
        """The messages of every subject of a kind, in the order of facts, subject by subject.

        Persons and accounts are taken as stored. The messages of one subject are in memory at once.
        """

    def first_times(self, kind: Kind, name: str | None) -> Iterator[tuple[str, int]]:
        """When every subject of a kind had its first event of a name, or of any."""

    def times_in_accounts(self, name: str) -> Iterator[tuple[str, int]]:
        """Each account id with the time of an event of a name in it, in order."""

    def has_only_dates(self) -> bool:
        """Whether every message is at 00:00 UTC: the data says days, and no times of day."""

    def first_seen(self, ids: Collection[str]) -> dict[str, int]:
        """The time of the first message of each id that has any."""

    def last_times(self, ids: Collection[str], since: int | None = None) -> dict[str, int]:
        """The time of the last message of each id that has one, at or after ``since``."""

    def activity_in(self, account: str, since: int, limit: int) -> tuple[dict[str, Activity], bool]:
        """What each id did in an account (its key), and whether all of its messages were read.

        ``recent`` counts the events after ``since``. About ``limit`` messages are read, those that
        arrived last.
        """

    def first_events(
        self, ids: Collection[str], names: Collection[str], limit: int
    ) -> list[FirstEvent]:
        """The first event of each name, in the order of facts, among the first so many messages."""

    def names_of(self, ids: Collection[str]) -> dict[str, Counter[str]]:
        """How many events each user or visitor has, by event name."""

    def rejected(
        self, limit: int, wanted: RejectedFilter = ANY_REJECTED, after: RejectedCursor | None = None
    ) -> list[StoredRejectedEvent]:
        """Rejected events, latest first; those after a cursor."""

    def rejected_by_id(self, ids: Collection[str]) -> dict[str, StoredRejectedEvent]:
        """Several rejected events by id; an id that is not there is left out."""

    def last_arrival(self) -> int:
        """The number of the last arrival; 0 if nothing ever arrived."""

    def arrivals_after(self, number: int, limit: int) -> list[Arrival]:
        """The arrivals after a number, oldest first. Only about the last thousand are kept.

        An arrival is never added before one that was visible. Imports are no arrivals, but the
        leads that they open are.
        """

    def imports(self) -> list[ImportRun]:
        """All imports, oldest first."""

    def import_run(self, number: int) -> ImportRun | None:
        """One import; None if there is none of this number."""

    def imported(self, number: int, limit: int) -> list[Stored]:
        """The latest messages of an import, latest first."""

    def imported_messages(self) -> dict[int, int]:
        """How many messages of each import are stored; no zeros."""

    def totals(self) -> dict[str, int]:
        """The numbers of ``messages``, ``leads`` and ``rejected``, and every tally."""

    def open_block(self) -> int:
        """The number of the block that new messages go to. Blocks are numbered from 1."""

    def has_messages_to_index(self) -> bool:
        """Whether enough blocks are full that ``index_messages`` has something to do."""

    def messages_in_block(self, block: int) -> int:
        """How many messages a block has."""

    def last_write(self) -> tuple[int, ...]:
        """Numbers of which at least one changes with every write that metrics depend on."""


class MessageWrites(Protocol):
    """The part of a write transaction that writes messages, rejected events and imports."""

    def append(
        self, messages: Sequence[Stored], imports: Mapping[str, int] | None = None
    ) -> set[str]:
        """Store messages, each with the account it is attributed to; returns the new ids.

        The ids within one call must be different. A message whose id is stored is ignored.
        ``imports`` has the number of the import of each message that comes from one.
        """

    def remove(self, messages: Sequence[Stored]) -> None:
        """Remove stored messages. Their ids are free again.

        What was derived of them is the caller's to remove: traits, group calls, links, histories.
        """

    def save_import(self, run: ImportRun) -> None:
        """Write an import, new or changed."""

    def keep(self, mids: Collection[str]) -> None:
        """Take messages out of their imports, because they came over HTTP too."""

    def attribute(self, accounts: Mapping[str, str | None], subject: str) -> None:
        """Set the account of stored messages of one user or visitor, by message id."""

    def index_messages(self) -> bool:
        """Index some messages of full blocks by subject; whether there is more to do.

        Reads find every message before and after, but search fewer places afterwards. One call
        handles a few thousand messages.
        """

    def add_rejected(self, rejected: Sequence[StoredRejectedEvent]) -> None:
        """Store rejected events. One whose id is stored is ignored."""

    def delete_rejected(self, ids: Collection[str]) -> set[str]:
        """Delete rejected events; returns the ids of those that were there."""

    def delete_rejected_of_import(self, number: int, limit: int) -> int:
        """Delete rejected lines of an import, at most ``limit``; how many were deleted."""
