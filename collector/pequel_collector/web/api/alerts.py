"""``/v1/alerts``: which alerts there are, their deliveries, a test, and sending again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from flask import Blueprint, Response, request
from marshmallow import fields

from ...access.keys import Scope
from ...app.alerts import AlertAnswer
from ...app.bootstrap import Collector
from ...delivery.attempt import Show
from ...delivery.records import Delivery, Refused, Result, Retry, Sent
from ...model import JSON, Key
from ...ports import By, DeliveryFilter, DeliveryState
from ...queries.answers import Page
from .. import credentials
from ..answers import schemas
from ..answers.answer_schema import AnswerSchema, Time
from ..asked import arguments
from ..json import json_response
from ..openapi.examples import LEAD as SAMPLE
from ..openapi.operation import Tag, describe, query, query_page
from ..require_reader import require_reader

Done = tuple[Delivery, Result]


class Alert(AnswerSchema):
    """An alert of the definitions file, and how it does.

    ``configured`` is false for one that is not in the file any more and still has deliveries.
    ``problem`` says why it cannot be sent, such as a variable that is not set.
    """

    name = fields.String()
    configured = fields.Function(
        lambda answer: answer.alert is not None, metadata={"type": "boolean"}
    )
    form = fields.Function(
        lambda answer: answer.alert and answer.alert.form, metadata={"type": ["string", "null"]}
    )
    on = fields.Function(
        lambda answer: list(answer.alert.on) if answer.alert else [],
        metadata={"type": "array", "items": {"type": "string"}},
    )
    waiting = fields.Integer()
    oldest_waiting_at = Time(allow_none=True)
    problem = fields.String(allow_none=True)


class DeliveryEntry(AnswerSchema):
    """A delivery: one change of a lead, sent by one alert. Its id is the ``webhook-id``.

    ``next_attempt_at`` is null while it waits for an earlier delivery of its lead, and at its end.
    """

    id = fields.String()
    alert = fields.String(attribute="delivery.alert")
    type = fields.Function(
        lambda answer: f"lead.{answer.delivery.event}", metadata={"type": "string"}
    )
    lead_id = fields.String(attribute="delivery.lead")
    state = fields.String(attribute="delivery.state")
    attempts = fields.Integer(attribute="delivery.attempts")
    at = Time(attribute="delivery.at")
    queued_at = Time(attribute="delivery.queued_at")
    next_attempt_at = Time(attribute="delivery.next_at", allow_none=True)
    ended_at = Time(attribute="delivery.ended_at", allow_none=True)
    result = fields.String(attribute="delivery.result", allow_none=True)


class AlertTest(AnswerSchema):
    """What came of a test: ``sent``, ``retry`` if it would be tried again, or ``refused``."""

    id = fields.Function(lambda done: done[0].id, metadata={"type": "string"})
    alert = fields.Function(lambda done: done[0].alert, metadata={"type": "string"})
    type = fields.Function(lambda done: done[0].type, metadata={"type": "string"})
    outcome = fields.Function(lambda done: outcome_of(done[1]), metadata={"type": "string"})
    result = fields.Function(lambda done: said(done[1]), metadata={"type": "string"})


class DeliveryArguments(arguments.PageArguments):
    """The list of deliveries."""

    alert = arguments.Text()
    state = arguments.OneOf(*get_args(DeliveryState))
    lead = arguments.Text()


ALERT, DELIVERY, ALERT_TEST = Alert(), DeliveryEntry(), AlertTest()
_NONE, _DELIVERIES = arguments.NoArguments(), DeliveryArguments()
_TAG: Tag = "alerts"
_LIST = query_page("Alerts", _TAG, ALERT)
_LOG = query_page("Deliveries of alerts, latest first", _TAG, DELIVERY, arguments=_DELIVERIES)
_AGAIN = query(
    "Send a delivery again, under its id", _TAG, DELIVERY, scope="alert", errors=(404, 409)
)
_TEST = query("Send a made-up lead by an alert", _TAG, ALERT_TEST, scope="alert", errors=(404,))


def outcome_of(result: Result) -> str:
    """What came of an attempt, in a word."""
    return {Sent: "sent", Retry: "retry", Refused: "refused"}[type(result)]


def said(result: Result) -> str:
    """What came of an attempt, as the log shows it."""
    return result.detail if isinstance(result, Sent) else result.reason


def show_lead(collector: Collector) -> Show:
    """Gives leads of a collector as the API shows them."""

    def show(lead_id: str) -> Mapping[str, JSON]:
        found: Mapping[str, JSON] = schemas.LEAD.dump(collector.queries.pql(lead_id))
        return found

    return show


def blueprint(collector: Collector) -> Blueprint:
    """Alerts, over a collector."""
    bp = Blueprint("alerts", __name__, url_prefix="/v1/alerts")
    require_reader(bp, collector)
    desk = collector.alerts

    @bp.get("")
    @describe(_LIST)
    def listed() -> Response:
        arguments.read(request, _NONE)
        answers: Page[AlertAnswer] = Page(desk.listed())
        return json_response(schemas.page(ALERT, answers))

    @bp.get("/deliveries")
    @describe(_LOG)
    def deliveries() -> Response:
        given = arguments.read(request, _DELIVERIES)
        wanted = DeliveryFilter(given.get("alert"), given.get("state"), given.get("lead"))
        found = desk.deliveries(wanted, given["limit"], given["cursor"])
        return json_response(schemas.page(DELIVERY, found))

    @bp.post("/deliveries/<delivery_id>/redeliver")
    @describe(_AGAIN)
    def redeliver(delivery_id: str) -> Response:
        key = _require("alert", collector)
        arguments.read(request, _NONE)
        return json_response(DELIVERY.dump(desk.redeliver(delivery_id, By(key.id))))

    @bp.post("/<name>/test")
    @describe(_TEST)
    def test(name: str) -> Response:
        _require("alert", collector)
        arguments.read(request, _NONE)
        return json_response(ALERT_TEST.dump(desk.test(name, SAMPLE)))

    return bp


def _require(scope: Scope, collector: Collector) -> Key:
    return credentials.require_key(collector.keys, credentials.reader_token(request), scope)
