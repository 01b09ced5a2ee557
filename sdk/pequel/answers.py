"""Types of the dicts that `Reader` and `Leads` return.

The reference of the query API describes each field. Times are ISO 8601 text in UTC.
"""

from __future__ import annotations

from typing import Any, Literal, TypedDict


class Subject(TypedDict):
    """The user or the account of a lead or an answer."""

    kind: Literal["user", "account"]
    id: str


Window = TypedDict("Window", {"from": str | None, "to": str | None})
"""The time span that a condition looks at; None at an open end."""


class Points(TypedDict):
    """The points that one component adds to a score."""

    of: str
    points: float


class EvidenceEvent(TypedDict):
    """An event that a condition counted, with the properties that the condition reads."""

    message_id: str
    time: str
    user: str | None
    properties: dict[str, Any]


class _LeafMore(TypedDict, total=False):
    per: dict[str, Any]
    users: list[str]
    points: list[Points]


class Leaf(_LeafMore):
    """One condition of a definition: what was observed, and what is needed.

    Only some conditions have `per`, `users` or `points`. `events` are the latest ones, the latest
    first, and `more_events` is the number of the others.
    """

    measure: str
    holds: bool
    observed: Any
    needed: Any
    window: Window | None
    events: list[EvidenceEvent]
    more_events: int


class LeafProgress(Leaf):
    """A condition as of now: how much is missing, the seconds that are left, and if it is over."""

    missing: float | None
    time_left: float | None
    closed: bool


class Guard(TypedDict):
    """A condition that prevents a lead, and whether it does."""

    guard: str
    blocks: bool


class Evidence(TypedDict):
    """Why a lead qualified."""

    sentence: str
    leaves: list[Leaf]
    guards: list[Guard]


class Trial(TypedDict):
    """When the free trial of a subject started and ends, and the days that are left."""

    started_at: str | None
    ends_at: str | None
    days_left: int | None


class FeatureUse(TypedDict):
    """What a subject has used of a feature, and what not."""

    name: str
    used: bool
    used_events: list[str]
    unused_events: list[str]


class Route(TypedDict):
    """The route that assigned a lead, to whom and why. `step` counts escalations."""

    name: str | None
    assigned: str | None
    owner: str | None
    partner: str | None
    why: str
    step: int


class Claim(TypedDict):
    """A partner's claim on a lead."""

    partner: str
    at: str
    until: str


class _LeadMore(TypedDict, total=False):
    via: Literal["account"]
    likelihood: float


class Lead(_LeadMore):
    """A lead. `via` is present if a user has it through the account.

    `likelihood` is that of converting. A list has it if it is sorted by it.

    `title` and `play` are those of the definition, and `description` is its sentence.
    """

    id: str
    definition: str
    version: int
    subject: Subject
    cycle: int
    qualified_at: str
    marked_at: str
    state: str
    holds_now: bool
    kind: str
    priority: str
    owner: str | None
    partner: str | None
    route: Route | None
    claim: Claim | None
    stage: Any
    due_at: str | None
    overdue: bool
    snoozed_until: str | None
    contacted_at: str | None
    time_to_contact_seconds: float | None
    won_at: str | None
    self_serve: bool
    amount: str | None
    currency: str | None
    expires_at: str | None
    merged_into: str | None
    flags: list[str]
    account: str | None
    traits: dict[str, Any]
    title: str
    play: str | None
    description: str | None
    account_traits: dict[str, Any] | None
    trial: Trial | None
    evidence: Evidence


_States = TypedDict("_States", {"from": str | None, "to": str | None})


class Change(_States):
    """An entry in the history of a lead. `from` and `to` are its states before and after."""

    at: str
    what: str
    before: dict[str, Any]
    after: dict[str, Any]
    reason: str | None
    actor: str | None


class Contact(TypedDict):
    """Somebody's contact with the subject of a lead."""

    at: str | None
    channel: str | None
    note: str | None
    actor: str | None


class LeadDetail(Lead):
    """One lead, with its history and its contacts, oldest first, and the use of features."""

    history: list[Change]
    history_total: int
    contacts: list[Contact]
    features: list[FeatureUse]


class LedgerEntry(Change):
    """A change of some lead, and that lead as it is now."""

    lead_id: str
    lead: Lead | None


class Progress(TypedDict):
    """How close to a definition, from 0 to 1, and which guards prevent the lead."""

    definition: str
    progress: float
    leaves: list[LeafProgress]
    blocked_by: list[str]
    can_still_qualify: bool


class PqlStatus(TypedDict):
    """Whether a user or an account is a PQL, its leads, and its progress to further ones."""

    subject: Subject
    is_pql: bool
    account: str | None
    leads: list[Lead]
    progress: list[Progress]


class PersonId(TypedDict):
    """An id that a user has or had."""

    kind: Literal["user", "anonymous"]
    id: str


class Account(TypedDict):
    """What is known about an account."""

    id: str
    traits: dict[str, Any]
    first_seen: str | None
    last_seen: str | None
    event_counts: dict[str, int]
    features: list[FeatureUse]
    ids: list[PersonId]
    leads: list[Lead]


class LinkConflict(TypedDict):
    """An id that a message named with a user, though it was linked to another user before."""

    id: PersonId
    user_id: str
    message_id: str
    time: str


class _Conflicts(TypedDict, total=False):
    conflicts: list[LinkConflict]


class User(Account, _Conflicts):
    """What is known about a user. `account` is the user's account now.

    `conflicts` is there only if the user has any.
    """

    account: str | None


class ListedSubject(TypedDict):
    """A user or an account in a list. `traits` are those that describe a person."""

    id: str
    traits: dict[str, Any]
    first_seen: str
    last_seen: str
    open_leads: int


class Person(TypedDict):
    """A user in an account, and what they did there. `caused` are ids of the account's leads."""

    id: str
    traits: dict[str, Any]
    first_seen: str
    last_seen: str
    events: int
    events_30d: int
    caused: list[str]


class _StepMore(TypedDict, total=False):
    count: int
    lead: str


class Step(_StepMore):
    """A step of a user's path. `name` is an event, or the definition of a lead.

    An event has `count`, and a lead has `lead`, its id.
    """

    at: str
    kind: Literal["event", "signup", "trial", "conversion", "lead"]
    name: str


class _NearSubjectMore(TypedDict, total=False):
    likelihood: float


class NearSubject(_NearSubjectMore):
    """Somebody near a definition. `missing` are the conditions that do not hold yet.

    `likelihood` is that of converting, if the collector has a model.
    """

    subject: Subject
    account: str | None
    traits: dict[str, Any]
    last_seen: str
    progress: float
    missing: list[LeafProgress]


class Adopter(TypedDict):
    """A user, and whether and how often they have used a feature."""

    id: str
    traits: dict[str, Any]
    first_seen: str
    last_seen: str
    used: bool
    uses: int


class TimelineEvent(TypedDict, total=False):
    """A call about a user or an account. One that is not an event has `traits`, not `properties`.

    `event` is None for a call that is not an event.
    """

    messageId: str
    type: str
    event: str | None
    userId: str | None
    anonymousId: str | None
    account: str | None
    timestamp: str
    received_at: str
    properties: dict[str, Any]
    traits: dict[str, Any]
    context: dict[str, Any]


class DefinitionVersion(TypedDict):
    """A version of a definition, as data and as written."""

    version: int
    hash: str
    created_at: str
    activated_at: str | None
    actor: str | None
    reason: str | None
    source: dict[str, Any]
    text: str


class Definition(TypedDict):
    """A definition in force, and its versions, the first one first."""

    name: str
    subject: Literal["user", "account"]
    title: str | None
    kind: str
    priority: str
    owner: str | None
    description: str
    on_change: Literal["retroactive", "forward"]
    version: int
    hash: str
    in_force_since: str
    source: dict[str, Any]
    text: str
    versions: list[DefinitionVersion]


class Confusion(TypedDict):
    """One form of a backtest: the four counts, and what follows from them.

    A rate without a denominator is None, and so is its interval.
    """

    tp: int
    fp: int
    fn: int
    tn: int
    population: int
    converters: int
    predicted: int
    base_rate: float | None
    base_rate_interval: list[float] | None
    precision: float | None
    precision_interval: list[float] | None
    recall: float | None
    recall_interval: list[float] | None
    lift: float | None
    lift_interval: list[float] | None
    mcc: float | None
    mcc_interval: list[float] | None
    lead_time_seconds_median: float | None
    immature: int
    already_converted: int


class LeadsPerWeek(TypedDict):
    """How many leads a week a definition gives."""

    weeks: int
    mean: float
    busiest: int
    last: int
    capacity: int | None
    weeks_over_capacity: int | None


class Overlap(TypedDict):
    """How the set of a definition and the leads of one in force overlap."""

    definition: str
    both: int
    only_this: int
    only_other: int


class Backtest(TypedDict):
    """Who would have qualified for a definition, and how many of them converted afterwards."""

    definition: str
    description: str
    subject_kind: Literal["user", "account"]
    population: str
    landmark_seconds: float
    horizon_seconds: float
    end: str
    set_size: int
    strict: Confusion
    landmark: Confusion
    leads_per_week: LeadsPerWeek
    overlap: list[Overlap]
    notes: list[str]
    qualified: dict[str, str]


class MetricAbout(TypedDict):
    """What a metric says, in words, and what one may ask of it."""

    metric: str
    title: str
    formula: str
    family: str
    by: list[str]
    horizon: str | None


class MetricValues(TypedDict, total=False):
    """The values of a figure; which ones depends on the metric."""

    numerator: int
    denominator: int
    immature: int
    rate: float | None
    interval: list[float] | None
    median_seconds: float | None
    p90_seconds: float | None
    n: int
    censored: int
    amounts: dict[str, str | None]
    rates: dict[str, float | None]
    customers: int
    leads: int


class MetricGroup(MetricValues):
    """The values of one segment."""

    by: dict[str, Any]


class Metric(MetricValues):
    """The figure of a metric in a period, as of a time."""

    metric: str
    title: str
    to: str
    horizon: str | None
    definition: str | None
    version: int | None
    as_of: str
    missing: list[str]
    groups: list[MetricGroup]
    more_groups: int


class MetricMember(TypedDict):
    """A subject or a lead of a metric; `standing` is "in", "out" or "immature"."""

    subject: Subject
    lead_id: str | None
    standing: str
    start: str
    end: str | None


class SuggestedDefinition(TypedDict):
    """A definition that a search found, and that the held-out period confirms."""

    name: str
    toml: str
    description: str
    training: Confusion
    held_out: Confusion
    training_p: float
    held_out_p: float


class Behaviour(TypedDict):
    """The condition on one event that goes best with conversion."""

    event: str
    measure: str
    at_least: int
    within_seconds: float
    figures: Confusion
    p: float


class Suggestions(TypedDict):
    """Definitions that precede conversion, and what each event says of it."""

    subject_kind: Literal["user", "account"]
    landmark_seconds: float
    horizon_seconds: float
    end: str
    level: float
    population: int
    converters: int
    tries: int
    suggestions: list[SuggestedDefinition]
    behaviours: list[Behaviour]
    notes: list[str]
