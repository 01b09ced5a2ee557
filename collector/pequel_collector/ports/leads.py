"""Leads, what people did with them, and who gets them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

from ..model import JSON, Lead, LeadState, Transition

LeadSort = Literal["priority", "qualified_at", "-qualified_at", "marked_at", "-marked_at", "due_at"]


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


class LeadReads(Protocol):
    """The part of a read transaction that reads leads, and what people and routes did with them."""

    def lead_subjects(self) -> Iterator[tuple[str, str]]:
        """Each definition with a subject that has a lead of it that is not voided."""

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

    def open_leads_of_accounts(self, accounts: Collection[str]) -> list[OpenLead]:
        """The open leads of accounts, given their ids, and of their users."""

    def potential(self, by: str, since: int, until: int, limit: int) -> dict[str | None, int]:
        """How many subjects have an open lead, by country, plan, definition or kind.

        Of the leads marked from an instant to before another one, the latest so many are looked at.
        """

    def standing(self, lead_ids: Collection[str]) -> set[str]:
        """Those of the leads that stand, or were merged into one that stands."""


class LeadWrites(Protocol):
    """The part of a write transaction that writes leads, and what was done with them."""

    def save_leads(self, leads: Sequence[Lead]) -> None:
        """Write leads, new or changed."""

    def add_transitions(self, transitions: Sequence[Transition]) -> list[Transition]:
        """Append what people did with leads; returns the same with their numbers."""

    def log(self, changes: Sequence[Change]) -> list[Change]:
        """Append to the ledger of leads; returns the same with their numbers."""

    def count_routed(self, week: int, numbers: Mapping[str, int]) -> None:
        """Add to the numbers of ``routed_counts``."""

    def set_last_of_teams(self, members: Mapping[str, str]) -> None:
        """Set who got the last lead of each ``round_robin``."""
