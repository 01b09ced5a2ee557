"""What a store does: one page of methods, in the words of the domain.

A store holds *facts* (messages, traits, memberships), data *derived* from them (histories and
leads), and what people decide (keys, definition versions). One test suite checks both
implementations; no code above this module knows which one is in use.

A *history* is what the definitions read of one subject, in order of time, in pages: one open page
that grows, and sealed pages numbered from 1. A *cell* is a part of a history's state that is stored
apart, because there are too many to fit in a page. Each version of a cell has the number of the
page at whose end it held. Histories can be rebuilt from the messages.

The *order of facts* is (time, position, messageId). A trait value, a group call and a link have the
time, the position and the id of their message.

Messages keep the ids that they came with. *Links* say which ids belong to one *person*. To read the
messages of a person, pass all ids of that person.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, NamedTuple, Protocol

from .model import JSON, Key, Kind, Lead, LeadState, RejectedEvent, Stored, Transition

LeadSort = Literal["priority", "qualified_at", "-qualified_at", "marked_at", "-marked_at", "due_at"]


class Trait(NamedTuple):
    """A value of a trait of a user or an account from ``time`` on; None unsets it."""

    subject: str
    name: str
    time: int
    mid: str
    value: JSON
    position: int = 0


class Membership(NamedTuple):
    """A group call of a user: the user's account from ``time`` on.

    With ``left``, the user leaves the account at ``time``, if it is the one they are in.
    """

    subject: str
    time: int
    mid: str
    account: str
    position: int = 0
    left: bool = False


class Link(NamedTuple):
    """A message that names an id together with a user, which makes it an id of that user.

    Only the first link of a pair, in the order of facts, is stored.
    """

    id: str
    user: str
    time: int
    mid: str
    position: int = 0


class Version(NamedTuple):
    """A version of a definition. It never changes; ``hash`` is that of its content.

    ``source`` is its TOML table as plain data, ``text`` the table as it was written.
    """

    name: str
    version: int
    hash: str
    created_at: int
    source: JSON
    text: str = ""


class DefinitionEntry(NamedTuple):
    """An entry of the log of definitions: a version came in force at an instant (ms), or none.

    ``version`` is None if the definition was taken out. ``origin`` is ``file`` or ``put``, None for
    entries from before the log. ``actor`` and ``reason`` are who did it and why, as they said.
    """

    name: str
    version: int | None
    at: int
    origin: str | None = None
    actor: str | None = None
    reason: str | None = None


class Cell(NamedTuple):
    """A part of a history's state that is stored apart; ``body`` is None if it was removed."""

    slot: int
    key: str
    body: bytes | None


class SealedPage(NamedTuple):
    """A sealed page of a history, and the versions of cells at its end."""

    number: int
    body: bytes
    cells: Sequence[Cell]


class Change(NamedTuple):
    """An entry of the ledger of leads. Entries are never changed or removed.

    ``what`` is what happened: ``opened``, ``restated``, ``assigned``, ``won``, …; ``before`` and
    ``after`` are the values that changed, by name, and the ``state``. ``number`` is the place in
    the ledger; the store gives it. ``partner`` is whose the lead was after the change.
    """

    lead: str
    at: int
    what: str
    before: JSON
    after: JSON
    reason: str | None = None
    actor: str | None = None
    number: int = 0
    partner: str | None = None


class ListedAccount(NamedTuple):
    """An entry of the account list of a partner: an account id or a domain, and since when (ms).

    ``domain`` is the one form of the domain; None for an entry that is none.
    """

    entry: str
    domain: str | None
    added_at: int


class OpenLead(NamedTuple):
    """An open lead of an account, or of one of its users; ``account`` is the account's id."""

    account: str
    id: str
    partner: str | None


class WonAmount(NamedTuple):
    """How many leads were won with an amount and a currency; None where they have none."""

    currency: str | None
    amount: str | None
    number: int


class PartnerLeads(NamedTuple):
    """How many leads of a partner are in a state, and how many were ever claimed and contacted."""

    state: LeadState
    leads: int
    claimed: int
    contacted: int


# -- the outbox of alerts ------------------------------------------------------------------

DeliveryState = Literal["waiting", "sent", "dead", "dropped"]
"""What became of a delivery. A ``dead`` one has failed for good; the lead of a ``dropped`` one is
gone. Both can be sent again."""


class Queued(NamedTuple):
    """A change of a lead for an alert to send: ``change`` is its number in the ledger.

    ``event`` is the word of ``on``; ``at`` is when it changed.
    """

    change: int
    alert: str
    lead: str
    event: str
    at: int
    queued_at: int


class Claimed(NamedTuple):
    """A delivery that this process sends now. ``began_at`` is the time of its first attempt."""

    change: int
    alert: str
    lead: str
    event: str
    at: int
    attempt: int
    began_at: int


class Attempted(NamedTuple):
    """An attempt. What came of it counts only while no other attempt has begun."""

    change: int
    alert: str
    lead: str
    attempt: int


class StoredDelivery(NamedTuple):
    """A delivery in the store. ``next_at`` is None while it waits for another one of its lead."""

    change: int
    alert: str
    lead: str
    event: str
    at: int
    queued_at: int
    state: DeliveryState
    attempts: int
    next_at: int | None = None
    began_at: int | None = None
    ended_at: int | None = None
    result: str | None = None
    reference: str | None = None


class DeliveryFilter(NamedTuple):
    """Which deliveries to list. None means any."""

    alert: str | None = None
    state: DeliveryState | None = None
    lead: str | None = None


class DeliveryPlace(NamedTuple):
    """The last delivery of a page."""

    change: int
    alert: str


class OutboxDepth(NamedTuple):
    """How many deliveries of an alert wait, and since when the oldest does."""

    alert: str
    waiting: int
    oldest: int


# ------------------------------------------------------------------------------------------


class By(NamedTuple):
    """Who does an administrative act, and why they say they do it.

    ``actor`` is the id of an API key, ``cli`` for the command line, or ``file`` for a definitions
    file that is read.
    """

    actor: str
    reason: str | None = None


CLI = By("cli")

Act = Literal[
    "key_created",
    "key_rotated",
    "key_revoked",
    "definitions_put",
    "definitions_loaded",
    "rejected_replayed",
    "import_undone",
    "redelivered",
    "likelihood_trained",
    "accounts_mapped",
]


class AuditEntry(NamedTuple):
    """An administrative act. Entries are never changed or removed; ``number`` counts them."""

    at: int
    what: Act
    by: By
    details: Mapping[str, JSON]
    number: int = 0


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


class Usage(NamedTuple):
    """How many events of a key in a month (``2026-11``) had an outcome.

    Outcomes are ``stored``, ``duplicate``, ``suppressed`` and ``rejected:`` with the code. Events
    that a client dropped have the outcome ``dropped:`` with the client's reason.
    """

    key: str
    month: str
    outcome: str
    number: int


@dataclass(frozen=True, slots=True)
class LeadFilter:
    """Which leads to list. None means any; of states, any but ``voided``.

    The state ``open`` means those that somebody can still work: ``new``, ``assigned``,
    ``contacted``.

    ``country`` and ``plan`` are the value of a trait as text: ``1`` is that text and the number.
    ``sort`` is the order: ``priority`` is by priority, then the latest mark first; a time with a
    minus sign is latest first. Times are ms; ``from`` is included, ``to`` is not. A lead that is
    ``new`` with its ``expires_at`` at or before ``now`` counts as ``expired``, and is returned so.

    With ``only_partners``, no lead is looked at but those of ``partner``. It is for the partner
    itself, which could tell from the time of an answer how many leads others have.
    """

    definition: str | None = None
    subject_kind: str | None = None
    subject: str | None = None
    state: LeadState | Literal["open"] | None = None
    owner: str | None = None
    partner: str | None = None
    kind: str | None = None
    country: str | None = None
    plan: str | None = None
    account: str | None = None
    qualified_from: int | None = None
    qualified_to: int | None = None
    marked_after: int | None = None
    overdue: bool | None = None
    snoozed: bool | None = None
    version: int | None = None
    sort: LeadSort = "priority"
    now: int | None = None
    only_partners: bool = field(default=False, repr=False)


class LeadCursor(NamedTuple):
    """The last lead of a page: what the list is sorted by, and the id.

    ``rank`` is the priority (0 high, 1 normal, 2 low); 0 in a list that is sorted by a time.
    ``time`` is ``marked_at``, or the time that the list is sorted by.
    """

    rank: int
    time: int
    id: str


class SearchHit(NamedTuple):
    """An id, an e-mail address or a name that begins with what is searched, and whose it is.

    ``text`` is in lower case, and cut off after 64 characters. ``subject`` may be a visitor.
    """

    text: str
    subject: str


class Seen(NamedTuple):
    """Somebody had a message at ``time``. The key is empty for one without an account."""

    time: int
    key: str


class Activity(NamedTuple):
    """What somebody did: all events, those since an instant, and the span of all messages."""

    events: int = 0
    recent: int = 0
    first: int = 2**62
    last: int = -(2**62)

    def plus(self, other: Activity) -> Activity:
        """Both together."""
        return Activity(
            self.events + other.events,
            self.recent + other.recent,
            min(self.first, other.first),
            max(self.last, other.last),
        )


class FirstEvent(NamedTuple):
    """The first event of a name."""

    name: str
    time: int
    mid: str


class Outline(NamedTuple):
    """Of a message only when it was, the name of its event, and who sent it."""

    time: int
    name: str | None
    subject: str


class ConsoleSession(NamedTuple):
    """A token of a session of the console. Tokens of one ``family`` are one session.

    ``kind`` is ``session``, or ``link`` for a link that opens one session. ``key_mark`` names the
    key that opened it; None for a link and what it opens. ``actor`` is who works in it, as they
    said. The session began at ``began_at``, and the token works from ``made_at`` to ``ends_at``.
    """

    digest: str
    family: str
    kind: str
    key_mark: str | None
    actor: str
    began_at: int
    made_at: int
    ends_at: int


class SavedView(NamedTuple):
    """A list of leads that somebody has saved: a name, and the query of its address."""

    id: str
    name: str
    query: str
    actor: str
    made_at: int


class ConsoleReads(Protocol):
    """What the console reads of its own."""

    def console_session(self, digest: str) -> ConsoleSession | None:
        """The token with a hash; None if there is none. It may have ended."""

    def saved_views(self) -> list[SavedView]:
        """All saved views, by name."""

    def lead_owners(self, limit: int) -> list[str]:
        """The owners that leads have, in some order, at most so many.

        Those with names of 64 characters or more are left out.
        """

    def open_leads_of_people(self, accounts: Collection[str], now: int) -> dict[str, int]:
        """How many open leads the people of each account are, by its id, counted up to 1,000."""


class ConsoleWrites(Protocol):
    """What the console writes of its own."""

    def add_console_session(self, session: ConsoleSession) -> None:
        """Store a token."""

    def shorten_console_session(self, digest: str, at: int) -> None:
        """Let a token end at an instant, unless it ends before that anyway."""

    def end_console_session(self, family: str) -> None:
        """Remove all tokens of a session."""

    def end_console_sessions_of(self, session: ConsoleSession) -> None:
        """Remove the tokens of all sessions that were opened with the same key."""

    def take_console_session(self, digest: str) -> bool:
        """Remove a token; False if there is none any more."""

    def purge_console_sessions(self, now: int) -> None:
        """Remove the tokens that have ended."""

    def add_saved_view(self, view: SavedView) -> None:
        """Store a view."""

    def remove_saved_view(self, view_id: str) -> bool:
        """Remove a view; False if there is none."""


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


MILESTONES = "milestones"
"""The meta entry that is there once somebody has asked for a metric. From then on, the store notes
which ids must be read again."""


class BlockMessage(NamedTuple):
    """What metrics need of a stored message. ``properties`` and ``context`` come only if needed."""

    subject: str
    account: str | None
    time: int
    position: int
    mid: str
    name: str | None
    properties: JSON
    context: JSON


class FirstFact(NamedTuple):
    """The first fact of a raw id in an account (empty for none) that plays a ``role``.

    ``channel`` is where it came from, for the role ``touch``.
    """

    subject: str
    role: str
    account: str
    time: int
    position: int
    mid: str
    channel: str | None = None


class Milestone(NamedTuple):
    """When a person, a visitor or an account first did what metrics look at.

    ``first_member`` is that of an account. It has no sign-up and no channel of its own.
    """

    seen: int | None
    signup: int | None
    trial: int | None
    value: int | None
    conversion: int | None
    first_member: str | None
    channel: str | None


class RevenueEvent(NamedTuple):
    """An event that changes what a customer pays; ``subject`` is the person or the account.

    ``role`` is ``conversion``, ``expansion``, ``contraction`` or ``churn``.
    """

    subject: str
    time: int
    position: int
    mid: str
    account: str | None
    role: str
    mrr: str | None
    currency: str | None
    term_months: int | None


class Spend(NamedTuple):
    """What a channel cost on a day (``2026-03-01``); ``amount`` is a decimal text."""

    day: str
    channel: str
    currency: str
    amount: str


EARLIEST = -(2**60)
"""Before any time."""


class SpanQuery(NamedTuple):
    """From which milestone to which, and of whom.

    ``subjects`` are ``user``, ``account`` or ``visitor``: every person, known or not. ``start`` is
    ``seen``, ``signup`` or ``trial``; ``end`` is ``signup``, ``value`` or ``qualified``, for any
    definition or one. Starts are in [since, until); with a ``cohort``, that
    milestone is. ``by`` is ``channel`` or ``trait.NAME``.
    """

    subjects: str
    start: str
    end: str
    since: int
    until: int
    definition: str | None = None
    by: str | None = None
    cohort: str = ""


class FunnelVisits(NamedTuple):
    """Visitors of a segment: how long it took to sign up, when, and when the others came (ms)."""

    segment: JSON
    took: list[int]
    signups: list[int]
    waiting: list[int]


class FunnelLead(NamedTuple):
    """When a subject signed up, and its first qualification, contact and win, of leads that stand.

    ``segment`` is the value of the trait or channel that was asked for.
    """

    segment: JSON
    signup: int
    qualified_at: int
    contacted_at: int | None
    won_at: int | None


class StageReached(NamedTuple):
    """When a subject first had a value of the trait ``stage``, and when it first converted."""

    subject: str
    stage: JSON
    time: int
    converted: int | None


class MetricLead(NamedTuple):
    """What metrics need of a lead that stands.

    ``converted`` is when its subject first became a customer, itself or in the account of the lead.
    ``segment`` is the value of the trait or channel that was asked for.
    """

    id: str
    subject: str
    definition: str
    version: int
    state: str
    qualified_at: int
    marked_at: int
    contacted_at: int | None
    won_at: int | None
    due_at: int | None
    expires_at: int | None
    owner: str | None
    partner: str | None
    account: str | None
    is_held_out: bool
    converted: int | None
    channel: str | None
    segment: JSON = None


class ReadTransaction(ConsoleReads, Protocol):
    """A consistent view of the store: it sees what was committed before it began."""

    # -- messages --------------------------------------------------------------------------

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

    def latest(self, limit: int) -> list[Stored]:
        """The messages that were received last, latest first."""

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

    # -- all subjects at once --------------------------------------------------------------

    def scan(self, wanted: Scan) -> Iterator[tuple[str, Sequence[ScannedMessage]]]:
        """The messages of every subject of a kind, in the order of facts, subject by subject.

        Persons and accounts are taken as stored. The messages of one subject are in memory at once.
        """

    def first_times(self, kind: Kind, name: str | None) -> Iterator[tuple[str, int]]:
        """When every subject of a kind had its first event of a name, or of any."""

    def trait_values(self, kind: Kind, names: Collection[str]) -> Iterator[tuple[str, list[Trait]]]:
        """The values that some traits ever had, in the order of facts, subject by subject."""

    def times_in_accounts(self, name: str) -> Iterator[tuple[str, int]]:
        """Each account id with the time of an event of a name in it, in order."""

    def lead_subjects(self) -> Iterator[tuple[str, str]]:
        """Each definition with a subject that has a lead of it that is not voided."""

    def has_only_dates(self) -> bool:
        """Whether every message is at 00:00 UTC: the data says days, and no times of day."""

    # -- lists of subjects -----------------------------------------------------------------

    def search(
        self, kind: Kind, prefix: str, after: SearchHit | None = None
    ) -> Iterator[SearchHit]:
        """Ids, e-mail addresses and names that begin with a prefix in lower case, in order.

        Addresses and names of the past are among them. Those after a hit.
        """

    def recently_seen(self, kind: Kind, before: Seen | None, limit: int) -> tuple[list[Seen], bool]:
        """Who sent the latest messages before a place, latest first; whether there are more.

        Somebody may come several times. At most ``limit`` messages of each block are looked at.
        """

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

    # -- who is who ------------------------------------------------------------------------

    def persons(self, ids: Collection[str]) -> dict[str, str]:
        """The person of each id that is linked to one; other ids are left out."""

    def ids_of(self, persons: Collection[str]) -> dict[str, list[str]]:
        """All ids of each person: first its own, then the linked ones in key order."""

    def links(self, ids: Collection[str], limit: int | None = None) -> list[Link]:
        """The links with one of these ids on either side, in the order of facts; the first ones."""

    def links_between(self, pairs: Collection[tuple[str, str]]) -> list[Link]:
        """The links of these pairs of an id and a user."""

    # -- what is known of subjects ---------------------------------------------------------

    def traits(self, subjects: Mapping[str, Collection[str]]) -> dict[str, dict[str, JSON]]:
        """The current traits of each subject, over all its ids, without those that are unset."""

    def trait_history(self, ids: Collection[str]) -> list[Trait]:
        """The trait values ever set on these ids, by id and name, in the order of facts."""

    def memberships(self, ids: Collection[str]) -> dict[str, list[Membership]]:
        """The group calls of each id, in the order of facts."""

    def histories(self, subjects: Collection[str]) -> dict[str, bytes]:
        """The open page of each subject that has one."""

    def stale(self, subjects: Collection[str]) -> set[str]:
        """Those of the subjects whose open page is stale: it lacks messages that are stored."""

    def page(self, subject: str, number: int) -> bytes:
        """A sealed page of a subject. Raises LookupError if there is none."""

    def cell(self, subject: str, slot: int, key: str) -> bytes | None:
        """The latest version of a cell; None if there is none or it was removed."""

    def cells(self, subject: str, slot: int) -> dict[str, bytes]:
        """The latest version of every cell of a slot, by key, without removed ones."""

    def cell_versions(self, subject: str, slot: int) -> list[tuple[int, Cell]]:
        """All versions of all cells of a slot, with their pages, in order of page and key."""

    def due(self, until: int, limit: int) -> list[str]:
        """The subjects that are due by then: a definition must be checked without an event."""

    # -- leads -----------------------------------------------------------------------------

    def lead(self, lead_id: str) -> Lead | None:
        """One lead; None if there is none."""

    def leads_by_id(self, ids: Collection[str]) -> dict[str, Lead]:
        """Several leads by id; an id without a lead is left out."""

    def lead_ids(self, prefix: str, limit: int) -> list[str]:
        """The ids of leads that begin with a text, in order."""

    def leads(
        self, wanted: LeadFilter, limit: int, after: LeadCursor | None = None
    ) -> list[tuple[Lead, LeadCursor]]:
        """Leads in the order that the filter names; those after a cursor."""

    def count_leads(self, wanted: LeadFilter, limit: int) -> int:
        """How many leads there are, counted up to a limit."""

    def leads_of(self, subjects: Collection[str]) -> dict[str, list[Lead]]:
        """All leads of each subject, by ``qualified_at``."""

    def transitions_of(self, subjects: Collection[str]) -> list[Transition]:
        """What people did with the leads of these subjects, in order of number."""

    def changes(self, lead_id: str) -> list[Change]:
        """The ledger of one lead, oldest first."""

    def latest_changes(self, lead_id: str, limit: int) -> list[Change]:
        """The newest entries in the ledger of one lead, oldest first."""

    def count_changes(self, lead_id: str) -> int:
        """How many entries the ledger of one lead has."""

    def changes_after(self, number: int, limit: int) -> list[Change]:
        """The entries of the ledger after a number, in order of number.

        An entry is never added before one that was visible.
        """

    # -- routing, partners and deadlines ---------------------------------------------------

    def routed_counts(self, week: int) -> dict[str, int]:
        """How many leads routes gave to each user and partner in a week, by ``leads.routing``."""

    def last_of_teams(self) -> dict[str, str]:
        """Who got the last lead of each ``round_robin``."""

    def leads_to_check(self, until: int, limit: int) -> list[Lead]:
        """Leads with a deadline at or before an instant, the earliest first."""

    def changes_of_partner(self, partner: str, number: int, limit: int) -> list[Change]:
        """The entries of the ledger after a number, of leads that were a partner's then."""

    def lead_of_partner(self, partner: str, lead_id: str) -> Lead | None:
        """A lead if it is the partner's; the lead of another one takes no longer than none."""

    def changes_shown_to(self, partner: str, lead_id: str, limit: int) -> list[Change]:
        """The newest entries of a lead, oldest first, but for the time that it was another's."""

    def count_changes_shown_to(self, partner: str, lead_id: str) -> int:
        """How many such entries a lead has."""

    def place_of_change(self, partner: str, lead_id: str, number: int) -> int:
        """How many entries of a lead, while it was the partner's, go up to a number."""

    def change_at_place(self, partner: str, lead_id: str, place: int) -> int | None:
        """The number of the entry at such a place, from 1 on; None if there is none."""

    def won_by_partner(
        self, partner: str, since: int, until: int, limit: int, after: tuple[int, str] | None = None
    ) -> list[Lead]:
        """Won leads of a partner, by when they were won and id; those after such a place."""

    def won_amounts(self, partner: str, since: int, until: int) -> list[WonAmount]:
        """The amounts of the won leads of a partner; ``until`` is not included."""

    def leads_of_partner(self, partner: str) -> list[PartnerLeads]:
        """How many leads of a partner are in each state."""

    def account_list(self, partner: str) -> list[ListedAccount]:
        """The entries of the account list of a partner as it is now, sorted."""

    def partners_listing(self, account: str, domain: str | None) -> list[str]:
        """The partners whose lists have an account now, by its id or its domain."""

    def open_leads_of_accounts(self, accounts: Collection[str]) -> list[OpenLead]:
        """The open leads of accounts, given their ids, and of their users."""

    def potential(self, by: str, since: int, until: int, limit: int) -> dict[str | None, int]:
        """How many subjects have an open lead, by country, plan, definition or kind.

        Of the leads marked from an instant to before another one, the latest so many are looked at.
        """

    def members(self, account: str) -> list[str]:
        """The ids with a message in an account, given by its key, in order."""

    # -- the outbox of alerts --------------------------------------------------------------

    def deliveries(
        self, wanted: DeliveryFilter, limit: int, after: DeliveryPlace | None = None
    ) -> list[StoredDelivery]:
        """Deliveries, the latest change first; those after a place."""

    def deliveries_of_change(self, change: int) -> list[StoredDelivery]:
        """The deliveries of one ledger entry, by alert."""

    def next_delivery(self, alert: str) -> int | None:
        """When the next delivery of an alert is due; None if none waits."""

    def oldest_ended_delivery(self) -> int | None:
        """When the oldest delivery that ``remove_deliveries`` may remove ended."""

    def outbox(self) -> list[OutboxDepth]:
        """How much waits, by alert, without those where nothing does."""

    def reference(self, alert: str, lead: str) -> str | None:
        """The latest reference that a delivery of a lead by an alert has brought."""

    def lead_of_reference(self, reference: str) -> str | None:
        """The id of the lead whose deliveries have brought a reference; None if there is none."""

    # -- what people decide, and the rest --------------------------------------------------

    def versions(self) -> list[Version]:
        """All versions of all definitions, oldest first."""

    def definition_log(self) -> list[DefinitionEntry]:
        """When which version of each definition came in force, oldest first."""

    def keys(self) -> list[Key]:
        """All keys, revoked ones too, oldest first."""

    def audit(self, limit: int, before: int | None = None) -> list[AuditEntry]:
        """Administrative acts, latest first; those with a smaller number than ``before``."""

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

    def usage(self) -> list[Usage]:
        """The number of events by key, month and outcome."""

    def meta(self, name: str) -> str | None:
        """A text stored with ``set_meta``; None if there is none."""

    def imports(self) -> list[ImportRun]:
        """All imports, oldest first."""

    def import_run(self, number: int) -> ImportRun | None:
        """One import; None if there is none of this number."""

    def imported(self, number: int, limit: int) -> list[Stored]:
        """The latest messages of an import, latest first."""

    def imported_messages(self) -> dict[int, int]:
        """How many messages of each import are stored; no zeros."""

    def standing(self, lead_ids: Collection[str]) -> set[str]:
        """Those of the leads that stand, or were merged into one that stands."""

    def totals(self) -> dict[str, int]:
        """The numbers of ``messages``, ``leads`` and ``rejected``, and every tally."""

    # -- what metrics are counted from -----------------------------------------------------

    def open_block(self) -> int:
        """The number of the block that new messages go to. Blocks are numbered from 1."""

    def has_messages_to_index(self) -> bool:
        """Whether enough blocks are full that ``index_messages`` has something to do."""

    def messages_in_block(self, block: int) -> int:
        """How many messages a block has."""

    def block_messages(self, block: int, priced: Collection[str]) -> list[BlockMessage]:
        """The messages of a block; those of the ``priced`` names come with properties."""

    def stale_milestones(self, limit: int) -> list[str]:
        """Ids whose milestones must be read again, because something earlier changed."""

    def span_counts(
        self, wanted: SpanQuery, horizon: int, now: int
    ) -> list[tuple[JSON, int, int, int]]:
        """Of each segment: who arrived in time, who is mature, and who is immature."""

    def start_counts(
        self, wanted: SpanQuery, horizon: int, now: int
    ) -> list[tuple[JSON, int, int, int]]:
        """The same, as if nobody had arrived."""

    def span_lengths(self, wanted: SpanQuery) -> list[tuple[JSON, list[int], list[int]]]:
        """Of each segment: the lengths of the spans that have an end, and the starts of others."""

    def funnel_visits(self, wanted: SpanQuery) -> list[FunnelVisits]:
        """The visits of each segment. ``wanted.end`` is ``signup``."""

    def span_starts(self, wanted: SpanQuery) -> list[tuple[JSON, list[int]]]:
        """Of each segment: every start."""

    def arrivals(self, wanted: SpanQuery) -> list[tuple[JSON, list[int], list[int]]]:
        """Of each segment: the lengths of the spans that have an end, and their starts."""

    def funnel_leads(self, wanted: SpanQuery) -> list[FunnelLead]:
        """The subjects of a span that have started and arrived, with what their leads went through.

        ``wanted.end`` is ``qualified``.
        """

    def stages_reached(self, since: int, until: int) -> list[StageReached]:
        """The values of the trait ``stage`` that subjects first had in [since, until), by time."""

    def named_spans_of(
        self, wanted: SpanQuery, after: str, limit: int
    ) -> list[tuple[str, int, int | None]]:
        """The key, start and end of each subject, in order of the keys, after one."""

    def metric_leads(
        self,
        since: int,
        until: int,
        definition: str | None = None,
        by: str | None = None,
        *,
        of_people: bool = True,
    ) -> list[MetricLead]:
        """The leads that were marked in [since, until) and stand; ``by`` is a trait.

        Without ``of_people`` the milestones of their subjects are not read: ``converted`` and
        ``channel`` are None.
        """

    def lead_flags(self, definition: str, since: int, until: int) -> list[tuple[str, str]]:
        """State and flags, as JSON, of every lead of a definition marked in [since, until)."""

    def dismissals(self, since: int, until: int) -> list[tuple[str, str]]:
        """Definition and reason of each dismissal at a time in [since, until)."""

    def revenue_events(self, until: int) -> list[RevenueEvent]:
        """The events before ``until`` that change revenue, by subject, in the order of facts."""

    def channels_of(self, keys: Collection[str]) -> dict[str, str]:
        """The channel of each person or account that has one; an account has its first member's."""

    def ids_not_read(self, block: int, messages: int) -> list[str]:
        """Ids with messages in blocks after one, if there are more of these than ``messages``.

        And the ids whose milestones must be read again.
        """

    def first_facts(self, ids: Collection[str]) -> list[FirstFact]:
        """The first facts of ids."""

    def revenue_of(self, ids: Collection[str]) -> list[RevenueEvent]:
        """The events of ids that change revenue."""

    def milestones(self, keys: Collection[str]) -> dict[str, Milestone]:
        """The milestones of persons, visitors and accounts."""

    def earliest_seen(self) -> int | None:
        """The first time in any milestone; None if there is none."""

    def spend(self, first_day: str, before_day: str) -> list[Spend]:
        """What channels cost on the days from one on, before another."""

    def last_write(self) -> tuple[int, ...]:
        """Numbers of which at least one changes with every write that metrics depend on."""


class WriteTransaction(ReadTransaction, ConsoleWrites, Protocol):
    """The only write transaction at a time. It sees its own writes."""

    def swap_writer_token(self, token: int) -> int:
        """Store the token of this writer of histories; returns the one stored before.

        A transaction that is undone stores no token. A writer that gets its own token back knows
        that no other writer has changed a history since.
        """

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

    def add_traits(self, traits: Sequence[Trait]) -> None:
        """Store trait values."""

    def remove_traits(self, traits: Sequence[Trait]) -> None:
        """Remove trait values, by all but their value."""

    def add_memberships(self, memberships: Sequence[Membership]) -> None:
        """Store group calls."""

    def remove_memberships(self, memberships: Sequence[Membership]) -> None:
        """Remove group calls."""

    def add_links(self, links: Sequence[Link]) -> None:
        """Store links. Of two for one pair, the earlier in the order of facts is kept."""

    def remove_links(self, links: Sequence[Link]) -> None:
        """Remove links of these messages."""

    def set_persons(self, persons: Mapping[str, str]) -> None:
        """Set the person of each id. An id that is its own person becomes unlinked."""

    def count(self, tallies: Mapping[str, int]) -> None:
        """Add to running totals by name, such as ``unattributed``."""

    def save_histories(self, pages: Mapping[str, bytes]) -> None:
        """Write the open page of each subject, which is no longer stale."""

    def mark_stale(self, subjects: Collection[str]) -> None:
        """Mark the open pages of these subjects as stale."""

    def seal(self, subject: str, number: int, page: bytes, cells: Sequence[Cell]) -> None:
        """Write a sealed page of a subject, and the versions of cells at its end."""

    def seal_all(self, subject: str, pages: Sequence[SealedPage]) -> None:
        """Write several sealed pages of a subject, in order of their numbers."""

    def unseal(self, subject: str, number: int) -> None:
        """Remove the sealed pages from a number on, and the versions of cells at their ends."""

    def forget_history(self, subject: str) -> None:
        """Remove all pages and cells of a subject, to rebuild them from the messages."""

    def set_due(self, times: Mapping[str, int | None]) -> None:
        """Set the time at which each subject is next due; None for never."""

    def save_leads(self, leads: Sequence[Lead]) -> None:
        """Write leads, new or changed."""

    def add_transitions(self, transitions: Sequence[Transition]) -> list[Transition]:
        """Append what people did with leads; returns the same with their numbers."""

    def log(self, changes: Sequence[Change]) -> list[Change]:
        """Append to the ledger of leads; returns the same with their numbers."""

    def queue_deliveries(self, queued: Sequence[Queued]) -> None:
        """Put deliveries into the outbox. Each waits for those of its alert and lead before it."""

    def claim_deliveries(self, alert: str, now: int, until: int, limit: int) -> list[Claimed]:
        """Claim deliveries that are due, the earliest first: nobody else sends them until then."""

    def retry_delivery(self, attempted: Attempted, next_at: int, result: str) -> bool:
        """Let a delivery wait for its next attempt; False if the attempt does not count."""

    def end_delivery(
        self,
        attempted: Attempted,
        state: DeliveryState,
        now: int,
        result: str,
        reference: str | None = None,
    ) -> bool:
        """End a delivery, and make the next of its lead due; False if it does not count."""

    def give_up_deliveries(self, alert: str, before: int, now: int, result: str, limit: int) -> int:
        """Give up deliveries that are due and were queued before an instant; how many."""

    def remove_deliveries(self, before: int, limit: int) -> int:
        """Remove deliveries that were sent or dropped before an instant; how many.

        The last one of a lead and an alert that has a reference stays, and so do dead ones.
        """

    def redeliver(self, delivery: StoredDelivery, now: int) -> bool:
        """Let an ended delivery wait again; False if it waits already."""

    def count_routed(self, week: int, numbers: Mapping[str, int]) -> None:
        """Add to the numbers of ``routed_counts``."""

    def add_to_account_list(self, partner: str, listed: Sequence[ListedAccount]) -> None:
        """Add entries to the account list of a partner."""

    def end_in_account_list(self, partner: str, entries: Collection[str], at: int) -> None:
        """Note that entries are no longer on the account list of a partner."""

    def set_last_of_teams(self, members: Mapping[str, str]) -> None:
        """Set who got the last lead of each ``round_robin``."""

    def add_version(self, version: Version) -> None:
        """Store a version of a definition."""

    def log_definitions(self, entries: Sequence[DefinitionEntry]) -> None:
        """Append to the log of definitions."""

    def set_meta(self, name: str, text: str) -> None:
        """Store a text under a name."""

    def add_key(self, key: Key) -> None:
        """Store a key."""

    def add_audit(self, entry: AuditEntry) -> None:
        """Append to the administrative acts. The store gives the entry its number."""

    def expire_key(self, key_id: str, at: int) -> None:
        """Set the time from which on a key lets nobody in."""

    def use_keys(self, times: Mapping[str, int], since: int) -> None:
        """Set when each key was last used, unless it was used after ``since`` anyway."""

    def revoke_key(self, key_id: str, at: int) -> bool:
        """Revoke a key. False if there is no such key, or it is revoked already."""

    def add_rejected(self, rejected: Sequence[StoredRejectedEvent]) -> None:
        """Store rejected events. One whose id is stored is ignored."""

    def delete_rejected(self, ids: Collection[str]) -> set[str]:
        """Delete rejected events; returns the ids of those that were there."""

    def delete_rejected_of_import(self, number: int, limit: int) -> int:
        """Delete rejected lines of an import, at most ``limit``; how many were deleted."""

    def add_usage(self, usages: Sequence[Usage]) -> None:
        """Add to the numbers of events by key, month and outcome."""

    def add_first_facts(
        self, facts: Sequence[FirstFact], revenue: Sequence[RevenueEvent]
    ) -> list[FirstFact]:
        """Add facts and events; returns the facts that are the first ones now."""

    def forget_first_facts(self, ids: Collection[str]) -> set[str]:
        """Remove the first facts and revenue events of ids; the accounts that they were in."""

    def accounts_of_first_facts(self, ids: Collection[str]) -> set[str]:
        """The accounts in which these ids have facts."""

    def refresh_milestones(self, ids: Collection[str], accounts: Collection[str]) -> None:
        """Put together the milestones of the persons of some ids, and of accounts."""

    def clear_stale_milestones(self, ids: Collection[str]) -> None:
        """Note that these ids were read again."""

    def clear_milestones(self) -> None:
        """Remove all milestones, first facts and revenue events."""

    def save_spend(self, spent: Sequence[Spend]) -> None:
        """Write what channels cost; an amount replaces that of its day, channel and currency."""

    def record_client_report(self, key: str, client: str, number: int) -> bool:
        """Record the number of a client's report; whether the report is new.

        It is not new if this number, or a higher one of the same client, was recorded before.
        """


class Store(Protocol):
    """A database of one project.

    ``on_queued`` is called after each commit that has put deliveries into the outbox.
    """

    url: str
    on_queued: Callable[[], None]

    def free(self) -> int | None:
        """Free bytes on the disk of the database; None if that is not known."""

    def reading(self) -> AbstractContextManager[ReadTransaction]:
        """A read transaction, which ends with the context."""

    def writing(self) -> AbstractContextManager[WriteTransaction]:
        """A write transaction: committed to disk at the end of the context, undone on an error.

        Raises Unavailable if the database does not accept writes.
        """

    def close(self) -> None:
        """Close all connections. The store cannot be used afterwards."""
