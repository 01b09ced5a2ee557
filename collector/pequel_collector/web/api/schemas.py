"""The JSON of the query API, made from the records of ``queries``.

Times are ISO 8601 in UTC with milliseconds.
"""

from __future__ import annotations

from functools import lru_cache
from operator import attrgetter
from typing import Any, ClassVar

from marshmallow import Schema, fields, missing

from ...marking.active import BackfillProgress
from ...model import JSON, Stored, id_of, iso, kind_of
from ...queries import answers

_getter = lru_cache(attrgetter)


class AnswerSchema(Schema):
    """Reads attributes, by dotted names. Raises AttributeError for one that is missing."""

    OMITTED_IF_NONE: ClassVar[frozenset[str]] = frozenset()

    def get_attribute(self, obj: Any, attr: str, default: Any) -> Any:  # noqa: ARG002
        value = _getter(attr)(obj)
        return missing if value is None and attr in self.OMITTED_IF_NONE else value


class Time(fields.Field[Any]):
    """A time in ms as text."""

    def _serialize(self, value: Any, *_: Any, **_options: Any) -> Any:
        return None if value is None else iso(value)


class SubjectKey(fields.Field[Any]):
    """A subject key as an object: ``{"kind": "user", "id": "u1"}``."""

    def _serialize(self, value: Any, *_: Any, **_options: Any) -> Any:
        return {"kind": kind_of(value) or "anonymous", "id": id_of(value)}


class SubjectId(fields.Field[Any]):
    """The id in a subject key."""

    def _serialize(self, value: Any, *_: Any, **_options: Any) -> Any:
        return id_of(value)


class Counts(fields.Field[Any]):
    """Numbers by name, in the order of the names, without zeros."""

    def _serialize(self, value: Any, *_: Any, **_options: Any) -> Any:
        return {name: number for name, number in sorted(value.items()) if number}


class Entry(AnswerSchema):
    """An entry in the ledger of a lead: ``from`` and ``to`` are its states before and after."""

    class Meta:
        include: ClassVar = {
            "from": fields.Function(lambda entry: entry.before.get("state")),
            "to": fields.Function(lambda entry: entry.after.get("state")),
        }

    at = Time()
    what = fields.String()
    before = fields.Raw()
    after = fields.Raw()
    reason = fields.String()
    actor = fields.String()


class Contact(AnswerSchema):
    """A contact of somebody with a lead."""

    at = Time()
    channel = fields.String()
    note = fields.String()
    actor = fields.String()


class Lead(AnswerSchema):
    """A lead. ``evidence`` has a sentence and the leaves; ``via`` says whose it is instead.

    ``history`` and ``contacts`` come only with a lead that is asked for by its id.
    """

    OMITTED_IF_NONE = frozenset({"via", "history", "contacts"})

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
    owner = fields.String(attribute="lead.owner")
    due_at = Time(attribute="lead.due_at")
    overdue = fields.Boolean()
    snoozed_until = Time(attribute="lead.snoozed_until")
    contacted_at = Time(attribute="lead.contacted_at")
    time_to_contact_seconds = fields.Raw()
    won_at = Time(attribute="lead.won_at")
    self_serve = fields.Boolean(attribute="lead.self_serve")
    amount = fields.String(attribute="lead.amount")
    currency = fields.String(attribute="lead.currency")
    expires_at = Time(attribute="lead.expires_at")
    merged_into = fields.String(attribute="lead.merged_into")
    flags = fields.List(fields.String(), attribute="lead.flags")
    account = fields.String()
    traits = fields.Raw()
    evidence = fields.Raw(attribute="lead.evidence")
    via = fields.String()
    history = fields.List(fields.Nested(Entry))
    contacts = fields.List(fields.Nested(Contact))


class LedgerEntry(Entry):
    """An entry in the ledger of all leads, with its lead as it is now."""

    lead_id = fields.String(attribute="lead")
    lead = fields.Nested(Lead, attribute="lead_now")


class Profile(AnswerSchema):
    """What is known of a user or an account."""

    id = SubjectId(attribute="key")
    traits = fields.Raw()
    first_seen = Time()
    last_seen = Time()
    event_counts = fields.Raw()


class UserProfile(Profile):
    """What is known of a user."""

    account = fields.String()
    ids = fields.List(SubjectKey())
    leads = fields.List(fields.Nested(Lead))


class AccountProfile(Profile):
    """What is known of an account."""

    leads = fields.List(fields.Nested(Lead))


class Status(AnswerSchema):
    """Whether a user or an account is a PQL, and how far it is from each definition."""

    subject = SubjectKey(attribute="key")
    is_pql = fields.Boolean()
    account = fields.String()
    leads = fields.List(fields.Nested(Lead))
    progress = fields.Raw()


def _anonymous_id(stored: Stored) -> str | None:
    message = stored.message
    return message.anonymous_id if message.user_id else id_of(message.subject)


class Event(AnswerSchema):
    """A stored message, in the words of the tracking API. Events have properties, others traits."""

    message_id = fields.String(data_key="messageId", attribute="message.mid")
    type = fields.String(attribute="message.type")
    event = fields.String(attribute="message.name")
    user_id = fields.String(data_key="userId", attribute="message.user_id")
    anonymous_id = fields.Function(_anonymous_id, data_key="anonymousId")
    account = fields.String()
    timestamp = Time(attribute="message.time")
    received_at = Time(attribute="message.received")
    properties = fields.Raw(attribute="message.properties")
    traits = fields.Raw(attribute="message.traits")
    context = fields.Raw(attribute="message.context")

    def get_attribute(self, obj: Stored, attr: str, default: Any) -> Any:
        omitted = "message.traits" if obj.message.is_event else "message.properties"
        return missing if attr == omitted else super().get_attribute(obj, attr, default)


class RejectedEvent(AnswerSchema):
    """A rejected event and why; ``payload`` is the event as it came."""

    id = fields.String()
    received_at = Time()
    key = fields.String()
    index = fields.Integer(attribute="event.index")
    message_id = fields.String(data_key="messageId", attribute="event.mid")
    code = fields.String(attribute="event.code")
    message = fields.String(attribute="event.message")
    field = fields.String(attribute="event.field")
    payload = fields.String(attribute="event.payload")


class Version(AnswerSchema):
    """A version of a definition."""

    version = fields.Integer()
    hash = fields.String()
    created_at = Time()
    source = fields.Raw()
    text = fields.String()


class NewVersion(AnswerSchema):
    """A version that this request made."""

    name = fields.String()
    version = fields.Integer()
    hash = fields.String()


class Origin(AnswerSchema):
    """Where the active definitions come from: a ``file``, or ``put`` over HTTP."""

    kind = fields.String(attribute="origin")
    at = Time()
    instead_of = Time(attribute="replaced_put_at")


def _state(backfill: BackfillProgress) -> str:
    return "done" if backfill.is_finished else "running"


def _total(backfill: BackfillProgress) -> int | None:
    return None if backfill.total is None else max(backfill.total, backfill.done)


class DefinitionChanges(fields.Field[Any]):
    """What a back-fill did for each definition that changed, as a list."""

    def _serialize(self, value: Any, *_: Any, **_options: Any) -> Any:
        return [
            {"name": name, "version": c.version, "added": c.added, "withdrawn": c.withdrawn}
            for name, c in value.items()
        ]


class Backfill(AnswerSchema):
    """How far history has been replayed under the active definitions."""

    state = fields.Function(_state)
    done = fields.Integer()
    total = fields.Function(_total)
    leads = fields.Integer()
    started_at = Time()
    finished_at = Time()
    changes = DefinitionChanges()


class Definition(AnswerSchema):
    """An active definition, with a sentence and its versions."""

    name = fields.String(attribute="definition.name")
    subject = fields.String(attribute="definition.subject")
    title = fields.String(attribute="definition.title")
    kind = fields.String(attribute="definition.kind")
    priority = fields.String(attribute="definition.priority")
    owner = fields.String(attribute="definition.owner")
    description = fields.String()
    on_change = fields.String(attribute="definition.on_change")
    version = fields.Integer()
    hash = fields.String(attribute="definition.hash")
    in_force_since = Time()
    source = fields.Raw(attribute="definition.source")
    text = fields.String(attribute="definition.text")
    versions = fields.List(fields.Nested(Version))


class Definitions(AnswerSchema):
    """The active definitions, where they come from, and how far history has been replayed.

    ``project``, ``features``, ``metrics`` and ``labels`` are the other tables of the file.
    """

    data = fields.List(fields.Nested(Definition))
    next_cursor = fields.Constant(None)
    origin = fields.Nested(Origin)
    backfill = fields.Nested(Backfill)
    project = fields.Raw()
    features = fields.Raw()
    metrics = fields.Raw()
    labels = fields.Raw()


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

    key = fields.String()
    label = fields.String()
    month = fields.String()


class KeyUsage(Balance, Sender):
    """The events that came in with a key in a month."""

    def get_attribute(self, obj: answers.KeyUsage, attr: str, default: Any) -> Any:
        source = obj if attr in obj._fields else obj.balance
        return super().get_attribute(source, attr, default)


class Usage(AnswerSchema):
    """The events that came in, by key and month, and in total."""

    data = fields.List(fields.Nested(KeyUsage))
    total = fields.Nested(Balance)
    next_cursor = fields.Constant(None)


LEDGER_ENTRY = LedgerEntry()
LEAD, STATUS, EVENT, REJECTED_EVENT = Lead(), Status(), Event(), RejectedEvent()
PROFILES = {"user": UserProfile(), "account": AccountProfile()}
DEFINITIONS, NEW_VERSION, USAGE = Definitions(), NewVersion(), Usage()


def page(schema: Schema, found: answers.Page[Any]) -> dict[str, JSON]:
    """A page of a list as JSON."""
    return {"data": schema.dump(found.data, many=True), "next_cursor": found.next_cursor}
