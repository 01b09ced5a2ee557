"""What metrics are counted from."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple, Protocol

from ..model import JSON

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


class MetricReads(Protocol):
    """The part of a read transaction that reads what metrics are counted from."""

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


class MetricWrites(Protocol):
    """The part of a write transaction that writes what metrics are counted from."""

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
