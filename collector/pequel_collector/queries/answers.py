"""The records that queries return. ``web.api.schemas`` makes JSON of them. Times are ms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Generic, NamedTuple, TypeVar

from ..insights.likelihood.model import Term
from ..marking.active import ActiveDefinitions, BackfillProgress
from ..marking.work import tag
from ..model import JSON, Lead, id_of, kind_of
from ..ports import Change, DefinitionEntry, Link, Version
from ..rules.language.definition import Definition
from ..usage import Balance
from .briefs import Brief, FeatureUse, with_users

Item = TypeVar("Item")
STAGE = "stage"
"""The trait with the stage that others set: MQL, SQL and so on."""

OPEN_STATES = frozenset({"new", "assigned", "contacted", "won"})


class Page(NamedTuple, Generic[Item]):
    """A part of a list. ``next_cursor`` continues it; None at its end."""

    data: Sequence[Item]
    next_cursor: str | None = None


class Total(NamedTuple):
    """How many items a list has; at least so many if it is not exact."""

    total: int
    is_exact: bool


class ListedSubject(NamedTuple):
    """A user or an account in a list. ``traits`` are those that describe a person."""

    key: str
    traits: Mapping[str, JSON]
    first_seen: int
    last_seen: int
    open_leads: int


class Person(NamedTuple):
    """A user in an account: what they did there, and the ids of the account's leads they caused.

    ``events_30d`` are the events of the last 30 days. ``first_seen`` and ``last_seen`` are those in
    the account.
    """

    id: str
    traits: Mapping[str, JSON]
    first_seen: int
    last_seen: int
    events: int
    events_30d: int
    caused: Sequence[str]


class PeoplePage(NamedTuple):
    """A page of people. ``complete`` is false if the account has more messages than are read."""

    data: Sequence[Person]
    complete: bool
    next_cursor: str | None


class Step(NamedTuple):
    """A step of a path: an ``event``, ``signup``, ``trial``, ``conversion``, or a ``lead``.

    ``name`` is the event, or the definition of the lead; ``times`` how often an event happened.
    """

    at: int
    kind: str
    name: str
    times: int | None = None
    lead: str | None = None


class Path(NamedTuple):
    """The steps of a user, in order. ``complete`` is false if there are too many messages."""

    key: str
    steps: Sequence[Step]
    complete: bool


class NearSubject(NamedTuple):
    """Somebody who is near a definition: ``missing`` are the leaves that do not hold yet."""

    key: str
    account: str | None
    traits: Mapping[str, JSON]
    last_seen: int
    progress: float
    missing: Sequence[JSON]
    likelihood: float | None = None


class NearPage(NamedTuple):
    """A page of those near a definition, out of ``looked_at`` subjects, which may be all."""

    data: Sequence[NearSubject]
    looked_at: int
    is_complete: bool
    next_cursor: str | None


class Adopter(NamedTuple):
    """A user, and whether and how often they have used a feature."""

    key: str
    traits: Mapping[str, JSON]
    first_seen: int
    last_seen: int
    uses: int

    @property
    def used(self) -> bool:
        """Whether the user has used the feature."""
        return self.uses > 0


class AdoptionPage(NamedTuple):
    """A page of users by a feature, and how many of those looked at have used it, or have not."""

    feature: str
    events: Sequence[str]
    data: Sequence[Adopter]
    used: int
    not_used: int
    next_cursor: str | None


class ContactAnswer(NamedTuple):
    """A contact of somebody, the ``actor``, with a lead."""

    at: int | None
    channel: str | None
    note: str | None
    actor: str | None


class ClaimAnswer(NamedTuple):
    """The claim of a partner that holds a lead."""

    partner: str
    at: int
    until: int


class LeadAnswer(NamedTuple):
    """A lead at an instant, with the traits of its subject.

    ``holds_now`` says whether its definition is still met. ``via`` is ``account`` for the lead of
    an account that is shown on one of its users. ``history`` and ``contacts`` are those of a single
    lead, and so is ``features``: what its subject used. Of a long history, which has
    ``history_total`` entries, only the newest are there. ``likelihood`` is that of the subject to
    convert, where it was asked for; ``likelihood_reasons`` are those of a single lead. ``revision``
    is how many entries the ledger has of a single lead, whoever may see them.
    """

    lead: Lead
    state: str
    holds_now: bool
    traits: Mapping[str, JSON]
    brief: Brief
    overdue: bool = False
    via: str | None = None
    history: Sequence[Change] | None = None
    history_total: int | None = None
    contacts: Sequence[ContactAnswer] | None = None
    features: Sequence[FeatureUse] | None = None
    claim: ClaimAnswer | None = None
    likelihood: float | None = None
    likelihood_reasons: Sequence[Term] | None = None
    revision: int | None = None

    @property
    def stage(self) -> JSON:
        """The stage that others set on the lead's subject, else on its account; a trait."""
        own = self.traits.get(STAGE)
        return self.brief.account_traits.get(STAGE) if own is None else own

    @property
    def evidence(self) -> dict[str, JSON]:
        """The evidence as people read it."""
        return with_users(self.lead.evidence, self.lead.subject)

    @property
    def tag(self) -> str | None:
        """The tag of a single lead, which every change of it alters."""
        return None if self.revision is None else tag(self.lead.id, self.revision)

    @property
    def time_to_contact_seconds(self) -> float | None:
        """The seconds from ``marked_at`` to the first contact."""
        contacted_at = self.lead.contacted_at
        return None if contacted_at is None else max(0, contacted_at - self.lead.marked_at) / 1000

    @property
    def account(self) -> str | None:
        """The id of the lead's account: of an account's lead, its own."""
        subject = self.lead.subject
        return self.lead.account if kind_of(subject) == "user" else id_of(subject)


class LikelyPage(NamedTuple):
    """A page of leads by likelihood, out of ``looked_at`` leads, which may be all."""

    data: Sequence[LeadAnswer]
    looked_at: int
    is_complete: bool
    next_cursor: str | None


class LedgerAnswer(NamedTuple):
    """An entry in the ledger of leads, and its lead as it is now."""

    lead: str
    at: int
    what: str
    before: Mapping[str, JSON]
    after: Mapping[str, JSON]
    reason: str | None
    actor: str | None
    lead_now: LeadAnswer | None


class Profile(NamedTuple):
    """A user or an account. ``account``, ``ids`` and ``conflicts`` are a user's.

    ``conflicts`` are the links of the user's ids that did not count; None without any.
    """

    key: str
    traits: Mapping[str, JSON]
    first_seen: int
    last_seen: int
    event_counts: Mapping[str, int]
    features: Sequence[FeatureUse]
    leads: Sequence[LeadAnswer]
    account: str | None = None
    ids: Sequence[str] = ()
    conflicts: Sequence[Link] | None = None


class Status(NamedTuple):
    """The leads of a user or an account, and the progress towards each other definition."""

    key: str
    account: str | None
    leads: Sequence[LeadAnswer]
    progress: Sequence[dict[str, JSON]]

    @property
    def is_pql(self) -> bool:
        """Whether one of the leads is open."""
        return any(lead.state in OPEN_STATES for lead in self.leads)


class VersionAnswer(NamedTuple):
    """A version of a definition, and when it last came in force: who did that, and why.

    ``changed`` says what is different from the version before it; None for the first.
    """

    version: Version
    latest: DefinitionEntry
    changed: str | None = None


class DefinitionAnswer(NamedTuple):
    """An active definition, every version of it, and the log of what changed it, oldest first."""

    definition: Definition
    description: str
    version: int | None
    in_force_since: int | None
    versions: Sequence[VersionAnswer]
    log: Sequence[DefinitionEntry] = ()


class Definitions(NamedTuple):
    """The active definitions, where they came from, and how far history has been replayed.

    The tables that definitions share are as in the file: ``[project]``, ``[features]``,
    ``[[metric]]`` and ``[labels]``. They are empty if the file has none.
    """

    data: Sequence[DefinitionAnswer]
    origin: ActiveDefinitions | None
    backfill: BackfillProgress | None
    project: Mapping[str, JSON]
    features: Mapping[str, JSON]
    metrics: Sequence[JSON]
    labels: Mapping[str, JSON]
    next_cursor: str | None = None


class KeyUsage(NamedTuple):
    """The events that came in with a key in a month."""

    key: str | None
    label: str | None
    month: str
    balance: Balance


class UsageAnswer(NamedTuple):
    """The events that came in, by key and month, and in total."""

    data: Sequence[KeyUsage]
    total: Balance
