"""What the query API shows. Times are ISO 8601 in UTC with milliseconds."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields

from ...model import JSON, iso


class Moment(fields.Field[Any]):
    """An instant; milliseconds are written out."""

    def _serialize(self, value: Any, attr: Any, obj: Any, **kwargs: Any) -> Any:  # noqa: ARG002
        return iso(value) if isinstance(value, int) else value


class Subject(Schema):
    """A user or an account."""

    kind = fields.String()
    id = fields.String()


class Lead(Schema):
    """A lead. ``evidence`` has a sentence and the leaves; ``via`` says whose it is instead.

    ``changes``, its entries in the ledger, come only with a lead that is asked for by its id.
    """

    id = fields.String()
    definition = fields.String()
    version = fields.Integer()
    subject = fields.Nested(Subject)
    cycle = fields.Integer()
    qualified_at = Moment()
    marked_at = Moment()
    state = fields.String()
    holds_now = fields.Boolean()
    kind = fields.String()
    priority = fields.String()
    owner = fields.String()
    due_at = Moment()
    expires_at = Moment()
    merged_into = fields.String()
    flags = fields.List(fields.String())
    account = fields.String()
    traits = fields.Raw()
    evidence = fields.Raw()
    via = fields.String()
    changes = fields.Raw()


class Profile(Schema):
    """What is known of a user or an account; only users have an ``account`` and ``ids``."""

    id = fields.String()
    traits = fields.Raw()
    first_seen = Moment()
    last_seen = Moment()
    event_counts = fields.Raw()
    account = fields.String()
    ids = fields.Raw()
    leads = fields.List(fields.Nested(Lead))


class Status(Schema):
    """Whether somebody is a PQL, and per definition how far from it."""

    subject = fields.Nested(Subject)
    is_pql = fields.Boolean()
    account = fields.String()
    leads = fields.List(fields.Nested(Lead))
    progress = fields.Raw()


class Event(Schema):
    """A stored message, in the words of the tracking API. Facts have traits, events properties."""

    message_id = fields.String(data_key="messageId", attribute="messageId")
    type = fields.String()
    event = fields.String()
    user_id = fields.String(data_key="userId", attribute="userId")
    anonymous_id = fields.String(data_key="anonymousId", attribute="anonymousId")
    account = fields.String()
    timestamp = Moment()
    received_at = Moment()
    properties = fields.Raw()
    traits = fields.Raw()
    context = fields.Raw()


class RejectedEventSchema(Schema):
    """A refused event and why; ``payload`` is what came."""

    id = fields.String()
    received_at = Moment()
    key = fields.String()
    index = fields.Integer()
    message_id = fields.String(data_key="messageId", attribute="messageId")
    code = fields.String()
    message = fields.String()
    field = fields.String()
    payload = fields.String()


class Version(Schema):
    """A definition as it once stood."""

    version = fields.Integer()
    hash = fields.String()
    created_at = Moment()
    source = fields.Raw()
    text = fields.String()


class NewVersion(Schema):
    """A version that was recorded just now."""

    name = fields.String()
    version = fields.Integer()
    hash = fields.String()


class Origin(Schema):
    """Where the definitions in force come from: a ``file``, or ``put`` over HTTP."""

    kind = fields.String()
    at = Moment()
    instead_of = Moment()


class Backfill(Schema):
    """How far history has been replayed under the definitions in force."""

    state = fields.String()
    done = fields.Integer()
    total = fields.Integer()
    leads = fields.Integer()
    started_at = Moment()
    finished_at = Moment()


class Definition(Schema):
    """A definition in force, with a sentence and its versions."""

    name = fields.String()
    subject = fields.String()
    title = fields.String()
    kind = fields.String()
    priority = fields.String()
    owner = fields.String()
    description = fields.String()
    on_change = fields.String()
    version = fields.Integer()
    hash = fields.String()
    in_force_since = Moment()
    source = fields.Raw()
    text = fields.String()
    versions = fields.List(fields.Nested(Version))


LEAD, PROFILE, STATUS = Lead(), Profile(), Status()
EVENT, REFUSED, DEFINITION = Event(), RejectedEventSchema(), Definition()
NEW_VERSION, ORIGIN, BACKFILL = NewVersion(), Origin(), Backfill()


def page(schema: Schema, found: dict[str, JSON]) -> dict[str, JSON]:
    """A list: its data, and where the next page begins."""
    return {
        "data": [schema.dump(one) for one in found["data"]],
        "next_cursor": found["next_cursor"],
    }
