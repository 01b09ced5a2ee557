"""``POST /v1/hooks/{crm}``: stages and owners that a CRM writes back.

Senders switch off an endpoint that answers 4xx. So an event that changes nothing is answered 200
with the reason; only a request that cannot be read or trusted is an error.
"""

from __future__ import annotations

from typing import Any

import msgspec
from flask import Blueprint, Request, Response, request
from marshmallow import fields

from ...app.bootstrap import Collector
from ...app.crm import Taken
from ...config import Settings
from ...errors import BadRequest, TooLarge
from ...leads.crm import OUTCOMES, CrmEvent
from ...model import JSON
from ...rules.language.crm import Crm
from .. import bodies
from ..answers.answer_schema import AnswerSchema
from ..json import json_response
from ..openapi.operation import QUERY_ERRORS, Content, Operation, describe
from ..paths import require_utf8
from . import hubspot, signed

MAX_BODY = 262_144
"""Bytes of a body."""

MAX_EVENTS = 100
"""Events of a request: as many as HubSpot sends at once."""


class CrmEventAnswer(AnswerSchema):
    """What became of one event: ``changed``, ``unchanged``, ``ignored`` or ``refused``, and why."""

    id = fields.String()
    outcome = fields.String(metadata={"enum": list(OUTCOMES)})
    reason = fields.String(allow_none=True)
    lead_id = fields.String(attribute="lead", allow_none=True)


class CrmEvents(AnswerSchema):
    """What became of the events of a request, in their order."""

    events = fields.List(fields.Nested(CrmEventAnswer))


ANSWER = CrmEvents()
_EVENT: JSON = {
    "type": "object",
    "description": "Events of HubSpot have its own form.",
    "required": ["id", "at"],
    "properties": {
        "id": {"type": "string", "minLength": 1, "maxLength": signed.MAX_LENGTH},
        "at": {"type": "string", "format": "date-time"},
        "lead": {"type": "string"},
        "record": {"type": "string"},
        "stage": {"type": "string"},
        "owner": {"type": ["string", "null"]},
    },
}
BODY = Content(
    "application/json",
    {"oneOf": [{"type": "object"}, {"type": "array", "items": _EVENT, "maxItems": MAX_EVENTS}]},
    [
        {
            "id": "e-1",
            "lead": "df48c7f1430f4abf6c7b7b16",
            "at": "2026-03-09T10:00:00.000Z",
            "stage": "Working",
            "owner": "005Ws000001abcd",
        }
    ],
)
_POST = Operation(
    "Take stages and owners back from a CRM",
    "leads",
    ANSWER,
    bodies=(BODY,),
    errors=tuple(e for e in (*QUERY_ERRORS, 404, 413) if e != 403),
)


def blueprint(collector: Collector) -> Blueprint:
    """The webhooks of CRMs, over a collector."""
    bp = Blueprint("crm_hooks", __name__, url_prefix="/v1/hooks")
    desk = collector.crm

    @bp.post("/<crm>")
    @describe(_POST)
    def take(crm: str) -> Response:
        require_utf8(request)
        found = desk.crm(crm)
        body = _body(request)
        _check(request, found, body, collector)
        events = events_in(body, found, collector.clock())
        return json_response(ANSWER.dump(Answered(desk.take(found, events))))

    return bp


class Answered(msgspec.Struct):
    """What became of the events of a request."""

    events: list[Taken]


def events_in(body: bytes, crm: Crm, now: int) -> list[CrmEvent]:
    """The events of a body: a list of them, or one alone. Raises BadRequest and TooLarge."""
    try:
        given = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(f"the body is not JSON: {error}", "bad_json") from None
    listed: list[Any] = given if isinstance(given, list) else [given]
    if len(listed) > MAX_EVENTS:
        raise TooLarge(f"the body has over {MAX_EVENTS} events", limit=MAX_EVENTS)
    if crm.name == hubspot.NAME:
        return [hubspot.event_of(each, now) for each in listed]
    return [signed.event_of(each, crm.name, now) for each in listed]


def _body(request: Request) -> bytes:
    """The body as it was sent: that is what is signed. Raises BadRequest and TooLarge."""
    body = bodies.read(request.environ, request.stream, MAX_BODY)
    if len(body) > MAX_BODY:
        raise TooLarge(f"the body is over {MAX_BODY} bytes", limit=MAX_BODY)
    return body


def _check(request: Request, crm: Crm, body: bytes, collector: Collector) -> None:
    """Check that the CRM has sent a request. Raises Unauthorized and Unavailable."""
    now, desk = collector.clock(), collector.crm
    headers = {name.lower(): value for name, value in request.headers}
    if crm.name == hubspot.NAME:
        urls = urls_of(request, collector.settings)
        hubspot.check(headers, request.method, urls, body, desk.secrets(crm), now)
    else:
        signed.check(headers, body, desk.signers(crm), now)


def urls_of(request: Request, settings: Settings) -> list[str]:
    """The URLs by which the sender may know this one: as it came in, and below ``public_url``."""
    path = request.full_path if request.query_string else request.path
    base = settings.public_url.rstrip("/")
    return [request.url, *([base + path] if base else [])]
