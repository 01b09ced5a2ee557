"""``GET /v1/metrics`` and what is below it, and ``POST /v1/spend``."""

from __future__ import annotations

import re
from typing import Any, ClassVar

import msgspec
from flask import Blueprint, Request, Response, request

from ...app.bootstrap import Collector
from ...config import Settings
from ...errors import BadRequest
from ...insights.metrics.catalogue import ROLES
from ...insights.metrics.spend import MAX_RECORDS, spend_of
from ...model import JSON
from ...ports import Spend
from ...queries.metrics import Question
from .. import credentials
from ..answers import metric_schemas
from ..answers.schemas import page
from ..asked import arguments, json_body
from ..json import json_response
from ..openapi.operation import Content, Tag, describe, query, query_page
from ..require_reader import require_reader
from .queries import page_slot

_TAG: Tag = "metrics"


class QuestionArguments(arguments.NoArguments):
    """What one may ask of a metric."""

    class Meta:
        include: ClassVar = {
            "from": arguments.Time(load_default=None),
            "to": arguments.Time(load_default=None),
        }

    horizon = arguments.Duration(load_default=None)
    definition = arguments.Text(load_default=None)
    by = arguments.Text(load_default=None)


class MemberArguments(arguments.PageArguments):
    """What one may ask of the members of a metric."""

    class Meta:
        include: ClassVar = QuestionArguments.Meta.include

    horizon = arguments.Duration(load_default=None)
    definition = arguments.Text(load_default=None)
    standing = arguments.OneOf("in", "out", "immature", load_default=None)


MAX_SPEND = 2_000_000
"""Bytes of a body of spend, as sent and inflated: 200 for each amount."""

Scalar = str | int | float | bool | None
# Lists inside of records are refused before they take memory.
_RECORDS = msgspec.json.Decoder(list[Scalar | dict[str, Scalar]] | dict[str, Scalar])

_PLACE = re.compile(r"`\$\[(\d+)\]")

_SPEND_ITEM: JSON = {
    "type": "object",
    "additionalProperties": False,
    "required": ["channel", "day", "amount", "currency"],
    "properties": {
        "channel": {"type": "string"},
        "day": {"type": "string", "format": "date"},
        "amount": {"type": ["string", "number"], "examples": ["120.50"]},
        "currency": {"type": "string", "pattern": "^[A-Za-z]{3}$"},
    },
}
_SPEND = Content(
    "application/json",
    {
        "oneOf": [
            _SPEND_ITEM,
            {"type": "array", "items": _SPEND_ITEM, "minItems": 1, "maxItems": MAX_RECORDS},
        ]
    },
    [{"channel": "google", "day": "2026-03-01", "amount": "120.50", "currency": "EUR"}],
)

_NONE = arguments.NoArguments()
_QUESTION, _MEMBERS = QuestionArguments(), MemberArguments()
_LIST = query_page("The metrics", _TAG, metric_schemas.ABOUT)
_ONE = query(
    "The figure of a metric", _TAG, metric_schemas.FIGURE, arguments=_QUESTION, errors=(404,)
)
_VIEW = query(
    f"The figures of a role: {', '.join(ROLES)}",
    _TAG,
    metric_schemas.VIEW,
    arguments=_QUESTION,
    errors=(404,),
)
_WHO = query_page(
    "Who counts as what in a metric",
    _TAG,
    metric_schemas.MEMBER,
    arguments=_MEMBERS,
    errors=(404,),
)
_POST = query(
    "State what channels cost, by day",
    _TAG,
    metric_schemas.SPENT,
    bodies=(_SPEND,),
    scope="work",
)


def blueprint(collector: Collector) -> Blueprint:
    """The metrics, over a collector."""
    bp = Blueprint("metric_calls", __name__, url_prefix="/v1")
    require_reader(bp, collector)

    @bp.get("/metrics")
    @describe(_LIST)
    def listed() -> Response:
        arguments.read(request, _NONE)
        return json_response(metric_schemas.abouts())

    @bp.get("/metrics/<name>")
    @describe(_ONE)
    def metric(name: str) -> Response:
        found = collector.metrics.metric(name, _question(arguments.read(request, _QUESTION)))
        return json_response(metric_schemas.FIGURE.dump(found))

    @bp.get("/metrics/views/<role>")
    @describe(_VIEW)
    def view(role: str) -> Response:
        found = collector.metrics.view(role, _question(arguments.read(request, _QUESTION)))
        return json_response(metric_schemas.VIEW.dump(found))

    @bp.get("/metrics/<name>/members")
    @describe(_WHO)
    def members(name: str) -> Response:
        given = arguments.read(request, _MEMBERS)
        limit, cursor, standing = (given.pop(part) for part in ("limit", "cursor", "standing"))
        with page_slot(limit):
            found = collector.metrics.members(name, _question(given), standing, limit, cursor)
            return json_response(page(metric_schemas.MEMBER, found))

    @bp.post("/spend")
    @describe(_POST)
    def spend() -> Response:
        token = credentials.reader_token(request)
        credentials.require_key(collector.keys, token, "work")
        arguments.read(request, _NONE)
        spent = _spend_in(request, collector.settings)
        collector.metrics.add_spend(spent)
        return json_response(metric_schemas.SPENT.dump(Written(len(spent))))

    return bp


class Written(msgspec.Struct):
    """How many amounts were written."""

    written: int


def _question(given: dict[str, Any]) -> Question:
    return Question(given.pop("from"), given.pop("to"), **given)


def _spend_in(request: Request, settings: Settings) -> list[Spend]:
    """The amounts in a body. Raises BadRequest."""
    text = json_body.text_of(request, settings, MAX_SPEND)
    try:
        records = _RECORDS.decode(text)
    except msgspec.ValidationError as error:
        place = _PLACE.search(str(error))
        field, expected = place[1] if place else "body", "amounts, each an object with plain values"
        message = f"{field}: {error}, expected {expected}"
        raise BadRequest(message, "bad_spend", field=field, expected=expected) from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadRequest(f"the body is not JSON: {error}", "bad_json") from None
    return spend_of(records)
