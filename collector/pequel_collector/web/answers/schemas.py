"""The JSON of the query API, made from records: a schema for each answer."""

from __future__ import annotations

from typing import Any, ClassVar

from marshmallow import Schema, fields, missing

from ...marking.active import BackfillProgress
from ...model import JSON, Stored, id_of
from ...queries import answers
from .answer_schema import (
    AnswerSchema,
    Counts,
    DescribedField,
    Object,
    Objects,
    Read,
    SubjectId,
    SubjectKey,
    Time,
)
from .backtest_schemas import Rate

_STATE = {"type": ["string", "null"]}


class Entry(AnswerSchema):
    """An entry in the ledger of a lead: ``from`` and ``to`` are its states before and after."""

    class Meta:
        include: ClassVar = {
            "from": fields.Function(lambda entry: entry.before.get("state"), metadata=_STATE),
            "to": fields.Function(lambda entry: entry.after.get("state"), metadata=_STATE),
        }

    at = Time()
    what = fields.String()
    before = fields.Raw(allow_none=True)
    after = fields.Raw(allow_none=True)
    reason = fields.String(allow_none=True)
    actor = fields.String(allow_none=True)


class Trial(AnswerSchema):
    """The free trial of a subject: when it started and ends, and the days that are left."""

    started_at = Time(allow_none=True)
    ends_at = Time(allow_none=True)
    days_left = fields.Integer(allow_none=True)


class FeatureUse(AnswerSchema):
    """What a subject used of a feature, and what it did not use."""

    name = fields.String()
    used = fields.Boolean()
    used_events = fields.List(fields.String())
    unused_events = fields.List(fields.String())


class Contact(AnswerSchema):
    """A contact of somebody with a lead."""

    at = Time()
    channel = fields.String(allow_none=True)
    note = fields.String(allow_none=True)
    actor = fields.String()


class Route(AnswerSchema):
    """The route that assigned a lead, to whom, and why; ``step`` counts escalations."""

    name = fields.String(allow_none=True)
    assigned = fields.String(allow_none=True)
    owner = fields.String(allow_none=True)
    partner = fields.String(allow_none=True)
    why = fields.String()
    step = fields.Integer()


class Claim(AnswerSchema):
    """A partner's claim: nobody else can claim the lead meanwhile."""

    partner = fields.String()
    at = Time()
    until = Time()


class LikelihoodReason(AnswerSchema):
    """A condition of the model that holds, and what it adds to the log of the odds."""

    text = fields.String()
    weight = fields.Float()


class Lead(AnswerSchema):
    """A lead. ``evidence`` has a sentence and the leaves; ``via`` says whose it is instead.

    ``history``, ``contacts`` and ``features``, what its subject used, come only with a lead that is
    asked for by its id. Of ``history_total`` entries of the history, the newest 1,000 are there.
    ``likelihood`` is that of its subject to convert: in a list by likelihood, and, with its
    reasons, of a lead that is asked for by its id; if there is a model.
    """

    OMITTED_IF_NONE = frozenset(
        {
            *("via", "history", "history_total", "contacts", "features"),
            *("likelihood", "likelihood_reasons"),
        }
    )

    id = fields.String(attribute="lead.id")
    definition = fields.String(attribute="lead.definition")
    version = fields.Integer(attribute="lead.version")
    subject = SubjectKey(attribute="lead.subject")
    cycle = fields.Integer(attribute="lead.cycle")
    qualified_at = Time(attribute="lead.qualified_at")
    marked_at = Time(attribute="lead.marked_at")
    state = fields.String()
    holds_now = fields.Boolean()
    kind = fields.String(attribute="lead.kind")
    priority = fields.String(attribute="lead.priority")
    owner = fields.String(attribute="lead.owner", allow_none=True)
    partner = fields.String(attribute="lead.partner", allow_none=True)
    route = fields.Nested(Route, attribute="lead.route", allow_none=True)
    claim = fields.Nested(Claim, allow_none=True)
    stage = fields.Raw(metadata={"type": ["string", "number", "boolean", "null"]})
    due_at = Time(attribute="lead.due_at", allow_none=True)
    overdue = fields.Boolean()
    snoozed_until = Time(attribute="lead.snoozed_until", allow_none=True)
    contacted_at = Time(attribute="lead.contacted_at", allow_none=True)
    time_to_contact_seconds = fields.Raw(metadata={"type": ["number", "null"]})
    won_at = Time(attribute="lead.won_at", allow_none=True)
    self_serve = fields.Boolean(attribute="lead.self_serve", allow_none=True)
    amount = fields.String(attribute="lead.amount", allow_none=True)
    currency = fields.String(attribute="lead.currency", allow_none=True)
    expires_at = Time(attribute="lead.expires_at", allow_none=True)
    merged_into = fields.String(attribute="lead.merged_into", allow_none=True)
    flags = fields.List(fields.String(), attribute="lead.flags")
    account = fields.String(allow_none=True)
    traits = Object()
    title = fields.String(attribute="brief.title")
    play = fields.String(attribute="brief.play", allow_none=True)
    description = fields.String(attribute="brief.description", allow_none=True)
    account_traits = Object(attribute="brief.account_traits", allow_none=True)
    trial = fields.Nested(Trial, attribute="brief.trial", allow_none=True)
    evidence = Object()
    via = fields.String()
    history = fields.List(fields.Nested(Entry))
    history_total = fields.Integer()
    contacts = fields.List(fields.Nested(Contact))
    features = fields.List(fields.Nested(FeatureUse))
    likelihood = Rate()
    likelihood_reasons = fields.List(fields.Nested(LikelihoodReason))


class LedgerEntry(Entry):
    """An entry in the ledger of all leads, with its lead as it is now."""

    lead_id = fields.String(attribute="lead")
    lead = fields.Nested(Lead, attribute="lead_now")


class Profile(AnswerSchema):
    """What is known of a user or an account."""

    id = SubjectId(attribute="key")
    traits = Object()
    first_seen = Time()
    last_seen = Time()
    event_counts = Object()
    features = fields.List(fields.Nested(FeatureUse))


class LinkConflict(AnswerSchema):
    """An id that a message named with a user, though it was linked to another user before."""

    id = SubjectKey()
    user_id = SubjectId(attribute="user")
    message_id = fields.String(attribute="mid")
    time = Time()


class UserProfile(Profile):
    """What is known of a user."""

    OMITTED_IF_NONE = frozenset({"conflicts"})

    account = fields.String(allow_none=True)
    ids = fields.List(SubjectKey())
    conflicts = fields.List(fields.Nested(LinkConflict))
    leads = fields.List(fields.Nested(Lead))


class AccountProfile(Profile):
    """What is known of an account."""

    leads = fields.List(fields.Nested(Lead))


class Status(AnswerSchema):
    """Whether a user or an account is a PQL, and how far it is from each definition."""

    subject = SubjectKey(attribute="key")
    is_pql = fields.Boolean()
    account = fields.String(allow_none=True)
    leads = fields.List(fields.Nested(Lead))
    progress = Objects()


class Total(AnswerSchema):
    """How many leads a list has; at least so many, if ``total_is_exact`` is false."""

    total = fields.Integer()
    total_is_exact = fields.Boolean(attribute="is_exact")


class BesideLeads(Total):
    """What may stand beside leads: how many there are, and how many a list by likelihood saw.

    ``complete`` says that ``looked_at`` are all leads, so that none is likelier.
    """

    looked_at = fields.Integer()
    complete = fields.Boolean(attribute="is_complete")


class LookedAt(AnswerSchema):
    """How many leads a list by likelihood saw, and whether these are all."""

    looked_at = fields.Integer()
    complete = fields.Boolean(attribute="is_complete")


class ListedSubject(AnswerSchema):
    """A user or an account in a list, with the traits that describe a person."""

    id = SubjectId(attribute="key")
    traits = fields.Raw()
    first_seen = Time()
    last_seen = Time()
    open_leads = fields.Integer()


class Person(AnswerSchema):
    """A user in an account. ``caused`` are the ids of the account's leads that they caused."""

    id = fields.String()
    traits = fields.Raw()
    first_seen = Time()
    last_seen = Time()
    events = fields.Integer()
    events_30d = fields.Integer()
    caused = fields.List(fields.String())


class People(AnswerSchema):
    """The people of an account. ``complete`` says whether all of its messages were read."""

    data = fields.List(fields.Nested(Person))
    complete = fields.Boolean()
    next_cursor = fields.String(allow_none=True)


class Step(AnswerSchema):
    """A step of a path: a key action, a milestone, or a lead."""

    OMITTED_IF_NONE = frozenset({"times", "lead"})

    at = Time()
    kind = fields.String()
    name = fields.String()
    count = fields.Integer(attribute="times")
    lead = fields.String()


class Path(AnswerSchema):
    """The path of a user. ``complete`` says whether all messages that matter were read."""

    id = SubjectId(attribute="key")
    steps = fields.List(fields.Nested(Step))
    complete = fields.Boolean()


class NearSubject(AnswerSchema):
    """A subject that is near a definition, and the leaves that do not hold yet.

    ``likelihood`` is that of converting, if there is a model.
    """

    OMITTED_IF_NONE = frozenset({"likelihood"})

    subject = SubjectKey(attribute="key")
    account = fields.String(allow_none=True)
    traits = fields.Raw()
    last_seen = Time()
    progress = fields.Float()
    missing = Objects()
    likelihood = Rate()


class Near(AnswerSchema):
    """Those near a definition, out of ``looked_at`` subjects.

    ``complete`` says that those are all subjects, so that nobody else is nearer.
    """

    data = fields.List(fields.Nested(NearSubject))
    looked_at = fields.Integer()
    complete = fields.Boolean(attribute="is_complete")
    next_cursor = fields.String(allow_none=True)


class Adopter(AnswerSchema):
    """A user, and whether and how often they have used a feature."""

    id = SubjectId(attribute="key")
    traits = fields.Raw()
    first_seen = Time()
    last_seen = Time()
    used = fields.Boolean()
    uses = fields.Integer()


class Adoption(AnswerSchema):
    """Users by a feature; ``used`` and ``not_used`` are numbers of users."""

    feature = fields.String()
    events = fields.List(fields.String())
    data = fields.List(fields.Nested(Adopter))
    used = fields.Integer()
    not_used = fields.Integer()
    next_cursor = fields.String(allow_none=True)


def _anonymous_id(stored: Stored) -> str | None:
    message = stored.message
    is_visitor = message.user_id is None and not message.is_of_account
    return id_of(message.subject) if is_visitor else message.anonymous_id


def _is_event(stored: Stored) -> bool:
    return stored.message.is_event


class Event(AnswerSchema):
    """A stored message, in the words of the tracking API. Events have properties, others traits."""

    OMITTED = frozenset({"message.properties", "message.traits"})

    message_id = fields.String(data_key="messageId", attribute="message.mid")
    type = fields.String(attribute="message.type")
    event = fields.String(attribute="message.name", allow_none=True)
    user_id = fields.String(data_key="userId", attribute="message.user_id", allow_none=True)
    anonymous_id = fields.Function(
        _anonymous_id, data_key="anonymousId", metadata={"type": ["string", "null"]}
    )
    account = fields.String(allow_none=True)
    timestamp = Time(attribute="message.time")
    received_at = Time(attribute="message.received")
    properties = Object(attribute="message.properties")
    traits = Object(attribute="message.traits")
    context = Object(attribute="message.context")

    def reader(self, attribute: str) -> Read | None:
        match attribute:
            case "message.properties":
                return lambda stored: stored.message.properties if _is_event(stored) else missing
            case "message.traits":
                return lambda stored: missing if _is_event(stored) else stored.message.traits
            case _:
                return super().reader(attribute)


class RejectedEvent(AnswerSchema):
    """A rejected event and why; ``payload`` is the event as it came."""

    id = fields.String()
    received_at = Time()
    key = fields.String(allow_none=True)
    index = fields.Integer(attribute="event.index")
    message_id = fields.String(data_key="messageId", attribute="event.mid", allow_none=True)
    code = fields.String(attribute="event.code")
    message = fields.String(attribute="event.message")
    field = fields.String(attribute="event.field", allow_none=True)
    payload = fields.String(attribute="event.payload")


class Followed(AnswerSchema):
    """Something that arrived: an ``event``, a ``refused`` one or a ``lead``, under that name.

    An item ``missed`` says that items before the next one are not listed: they came too long ago,
    or too many at once. ``count`` is how many, null if that is not known. ``looks_like`` is the
    event that was probably meant, where no definition uses the name of this one.
    """

    OMITTED = frozenset({"event", "refused", "lead", "number", "looks_like"})

    kind = fields.String(metadata={"enum": ["event", "refused", "lead", "missed"]})
    at = Time(allow_none=True)
    event = fields.Nested(Event)
    refused = fields.Nested(RejectedEvent)
    lead = fields.Nested(Lead)
    count = fields.Integer(attribute="number", allow_none=True)
    looks_like = fields.String()

    def reader(self, attribute: str) -> Read | None:
        if attribute in ("kind", "at"):
            return super().reader(attribute)
        if attribute == "looks_like":
            return lambda item: item.looks_like or missing
        kind = "missed" if attribute == "number" else attribute
        return lambda item: getattr(item, attribute) if item.kind == kind else missing


class Version(AnswerSchema):
    """A version of a definition, and when it last came in force, by whom and why."""

    version = fields.Integer(attribute="version.version")
    hash = fields.String(attribute="version.hash")
    created_at = Time(attribute="version.created_at")
    activated_at = Time(attribute="latest.at")
    actor = fields.String(attribute="latest.actor", allow_none=True)
    reason = fields.String(attribute="latest.reason", allow_none=True)
    changed = fields.String(allow_none=True)
    source = Object(attribute="version.source")
    text = fields.String(attribute="version.text")


class NewVersion(AnswerSchema):
    """A version that this request made."""

    name = fields.String()
    version = fields.Integer()
    hash = fields.String()


class Origin(AnswerSchema):
    """Where the active definitions come from: a ``file``, or ``put`` over HTTP."""

    kind = fields.String(attribute="origin")
    at = Time()
    instead_of = Time(attribute="replaced_put_at", allow_none=True)


def _state(backfill: BackfillProgress) -> str:
    return "done" if backfill.is_finished else "running"


def _total(backfill: BackfillProgress) -> int | None:
    return None if backfill.total is None else max(backfill.total, backfill.done)


class DefinitionChanges(DescribedField):
    """What a back-fill did for each definition that changed, as a list."""

    json_schema: ClassVar = {
        "type": "array",
        "items": {
            "type": "object",
            "required": ["name", "version", "added", "withdrawn"],
            "properties": {
                "name": {"type": "string"},
                "version": {"type": ["integer", "null"]},
                "added": {"type": "integer"},
                "withdrawn": {"type": "integer"},
            },
        },
    }

    def convert(self, value: Any) -> Any:
        return [
            {"name": name, "version": c.version, "added": c.added, "withdrawn": c.withdrawn}
            for name, c in value.items()
        ]


class Backfill(AnswerSchema):
    """How far history has been replayed under the active definitions."""

    state = fields.Function(_state, metadata={"type": "string", "enum": ["running", "done"]})
    done = fields.Integer()
    total = fields.Function(_total, metadata={"type": ["integer", "null"]})
    leads = fields.Integer()
    started_at = Time()
    finished_at = Time(allow_none=True)
    changes = DefinitionChanges()


class Definition(AnswerSchema):
    """An active definition, with a sentence and its versions."""

    name = fields.String(attribute="definition.name")
    subject = fields.String(attribute="definition.subject")
    title = fields.String(attribute="definition.title", allow_none=True)
    kind = fields.String(attribute="definition.kind")
    priority = fields.String(attribute="definition.priority")
    owner = fields.String(attribute="definition.owner", allow_none=True)
    description = fields.String()
    on_change = fields.String(attribute="definition.on_change")
    version = fields.Integer(allow_none=True)
    hash = fields.String(attribute="definition.hash")
    in_force_since = Time(allow_none=True)
    source = Object(attribute="definition.source")
    text = fields.String(attribute="definition.text")
    versions = fields.List(fields.Nested(Version))


class Definitions(AnswerSchema):
    """The active definitions, where they come from, and how far history has been replayed.

    ``project``, ``features``, ``metrics`` and ``labels`` are the other tables of the file.
    """

    data = fields.List(fields.Nested(Definition))
    next_cursor = fields.Constant(None, metadata={"enum": [None]})
    origin = fields.Nested(Origin, allow_none=True)
    backfill = fields.Nested(Backfill, allow_none=True)
    project = Object()
    features = Object()
    metrics = Objects()
    labels = Object()


class NewDefinitions(Definitions):
    """The definitions that a request put in force, and what that changed, in words."""

    new_versions = fields.List(fields.Nested(NewVersion))
    changes = fields.List(fields.String())


class Balance(AnswerSchema):
    """Events that came in: received is stored + duplicates + rejected + suppressed."""

    received = fields.Integer()
    stored = fields.Integer()
    duplicates = fields.Integer()
    rejected = Counts()
    suppressed = fields.Integer()
    dropped_by_clients = Counts(attribute="dropped")


class Sender(AnswerSchema):
    """A key and a month. ``key`` is null for events that were imported from a file."""

    key = fields.String(allow_none=True)
    label = fields.String(allow_none=True)
    month = fields.String()


class KeyUsage(Balance, Sender):
    """The events that came in with a key in a month."""

    def path_of(self, attribute: str) -> str:
        return attribute if attribute in answers.KeyUsage._fields else f"balance.{attribute}"


class Usage(AnswerSchema):
    """The events that came in, by key and month, and in total."""

    data = fields.List(fields.Nested(KeyUsage))
    total = fields.Nested(Balance)
    next_cursor = fields.Constant(None, metadata={"enum": [None]})


class Derived(AnswerSchema):
    """What the messages give for a lead, with what people did."""

    state = fields.String()
    qualified_at = Time()
    account = fields.String(allow_none=True)
    evidence = Object()


class Proven(AnswerSchema):
    """The version of a definition that was proven. ``problem`` says why it cannot be evaluated."""

    OMITTED_IF_NONE = frozenset({"problem"})

    name = fields.String()
    version = fields.Integer()
    hash = fields.String(allow_none=True)
    text = fields.String(allow_none=True)
    problem = fields.String()


class Difference(AnswerSchema):
    """A part of a lead that differs."""

    field = fields.String()
    stored = fields.Raw()
    derived = fields.Raw()


class Proof(AnswerSchema):
    """A stored lead, the derived one, and their differences."""

    result = fields.String(attribute="proof.result", allow_none=True)
    lead = fields.Nested(Lead)
    derived = fields.Nested(Derived, attribute="proof.derived", allow_none=True)
    definition = fields.Nested(Proven, attribute="proof.definition")
    facts = fields.Integer(attribute="proof.facts")
    differences = fields.List(fields.Nested(Difference), attribute="proof.differences")


class AuditEntry(AnswerSchema):
    """An administrative act. ``actor`` is the id of a key, ``cli`` or ``file``."""

    at = Time()
    what = fields.String()
    actor = fields.String(attribute="by.actor")
    reason = fields.String(attribute="by.reason", allow_none=True)
    details = Object()


class Finding(AnswerSchema):
    """A likely mistake in a definition. ``accepted`` is the reason that the definition gives."""

    code = fields.String()
    level = fields.String()
    definition = fields.String(allow_none=True)
    file = fields.String(allow_none=True)
    line = fields.Integer(allow_none=True)
    column = fields.Integer(allow_none=True)
    message = fields.String()
    accepted = fields.String(allow_none=True)


class Covered(AnswerSchema):
    """Something that a definition needs, and when it was last seen."""

    definition = fields.String()
    kind = fields.String()
    name = fields.String()
    of = fields.String(allow_none=True)
    last_seen = Time(allow_none=True)
    seen = fields.Integer()


class Linted(AnswerSchema):
    """What the linter found, and what definitions need, if it looked at data."""

    findings = fields.List(fields.Nested(Finding), attribute="report.findings")
    errors = fields.Integer(attribute="report.errors")
    warnings = fields.Integer(attribute="report.warnings")
    notes = fields.Integer(attribute="report.notes")
    accepted = fields.Integer(attribute="report.accepted")
    sample = fields.String(attribute="report.sample", allow_none=True)
    coverage = fields.List(fields.Nested(Covered), allow_none=True)


class PreviewedLeadAnswer(AnswerSchema):
    """A lead that would be gained, lost or moved; ``before`` is when it qualifies now."""

    OMITTED_IF_NONE = frozenset({"before"})

    subject = SubjectKey()
    name = fields.String(allow_none=True)
    cycle = fields.Integer()
    qualified_at = Time()
    before = Time()
    worked = fields.Boolean(attribute="is_worked")


class PreviewedGroup(AnswerSchema):
    """How many leads, how many of them somebody has worked, and the first of them."""

    count = fields.Integer()
    worked = fields.Integer()
    first = fields.List(fields.Nested(PreviewedLeadAnswer))


class PreviewedDefinition(AnswerSchema):
    """What a change would do to the leads of a definition."""

    name = fields.String()
    version = fields.Integer(allow_none=True)
    new_version = fields.Boolean(attribute="is_new")
    gained = fields.Nested(PreviewedGroup)
    lost = fields.Nested(PreviewedGroup)
    earlier = fields.Nested(PreviewedGroup)
    later = fields.Nested(PreviewedGroup)


class PreviewedRoute(AnswerSchema):
    """How many open leads of a definition a route would assign to somebody."""

    definition = fields.String()
    route = fields.String(allow_none=True)
    assigned = fields.String(allow_none=True)
    leads = fields.Integer()


class Previewed(AnswerSchema):
    """What a change of definitions would do, and how much of the data was looked at.

    ``routing`` says where the open leads would go.
    """

    data = fields.List(fields.Nested(PreviewedDefinition))
    next_cursor = fields.Constant(None)
    subjects = fields.Integer()
    whole = fields.Boolean(attribute="is_whole")
    routing = fields.List(fields.Nested(PreviewedRoute))


class WonLead(AnswerSchema):
    """A lead that a partner has won."""

    id = fields.String()
    definition = fields.String()
    subject = SubjectKey()
    account = fields.String(allow_none=True)
    won_at = Time()
    amount = fields.String(allow_none=True)
    currency = fields.String(allow_none=True)
    self_serve = fields.Boolean()
    claimed_at = Time(allow_none=True)
    contacted_at = Time(allow_none=True)


class PartnerTotals(AnswerSchema):
    """How many leads a partner has, and what it has won in each currency."""

    leads = fields.Integer()
    open = fields.Integer()
    claimed = fields.Integer()
    contacted = fields.Integer()
    won = fields.Integer()
    lost = fields.Integer()
    amounts = Object()


class PartnerLedger(AnswerSchema):
    """The leads that a partner has won, earliest first."""

    partner = fields.String()
    data = fields.List(fields.Nested(WonLead))
    totals = fields.Nested(PartnerTotals)
    next_cursor = fields.String(allow_none=True)


class PotentialGroup(AnswerSchema):
    """How many subjects of a group have an open lead."""

    name = fields.String()
    pqls = fields.Integer()


class Potential(AnswerSchema):
    """Groups of subjects with an open lead, without those that are too small."""

    by = fields.String()
    data = fields.List(fields.Nested(PotentialGroup))
    suppressed_groups = fields.Integer()
    smallest_group = fields.Integer()
    next_cursor = fields.Constant(None, metadata={"enum": [None]})


class ListChange(AnswerSchema):
    """The account list of a partner: how many entries it has, and how many came and went."""

    partner = fields.String()
    listed = fields.Integer()
    added = fields.Integer()
    removed = fields.Integer()


class AccountsByState(AnswerSchema):
    """How many accounts of a list are customers, have an open lead, a trial, or none of these."""

    customer = fields.Integer()
    lead = fields.Integer()
    trial = fields.Integer()
    none = fields.Integer()


class MappedAccount(AnswerSchema):
    """An account on the list of a partner: the entry that names it, its state and open leads."""

    entry = fields.String()
    account = fields.String()
    state = fields.String(metadata={"enum": ["customer", "lead", "trial", "none"]})
    leads = fields.List(fields.String())


class Overlap(AnswerSchema):
    """Which accounts of the list of a partner are ours, and what they are to us."""

    partner = fields.String()
    listed = fields.Integer()
    known = fields.Integer()
    by_state = fields.Nested(AccountsByState)
    data = fields.List(fields.Nested(MappedAccount))
    next_cursor = fields.String(allow_none=True)


PREVIEW = Previewed()
LIST_CHANGE, OVERLAP = ListChange(), Overlap()
PARTNER_LEDGER, POTENTIAL = PartnerLedger(), Potential()
LEDGER_ENTRY, AUDIT_ENTRY = LedgerEntry(), AuditEntry()
LEAD, STATUS, EVENT, REJECTED_EVENT = Lead(), Status(), Event(), RejectedEvent()
PROFILES = {"user": UserProfile(), "account": AccountProfile()}
DEFINITIONS, NEW_VERSION, USAGE = Definitions(), NewVersion(), Usage()
PROOF, LINTED = Proof(), Linted()
BESIDE_LEADS, LOOKED_AT = BesideLeads(), LookedAt()
TOTAL, LISTED_SUBJECT, PEOPLE, PATH = Total(), ListedSubject(), People(), Path()
FOLLOWED = Followed()
NEAR, ADOPTION = Near(), Adoption()
NEW_DEFINITIONS = NewDefinitions()
"""Describes an answer that is put together of two others."""


def page(schema: Schema, found: answers.Page[Any] | answers.LikelyPage) -> dict[str, JSON]:
    """A page of a list as JSON."""
    return {"data": schema.dump(found.data, many=True), "next_cursor": found.next_cursor}
