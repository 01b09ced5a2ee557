"""``POST /v1/definitions/backtest``: whether a definition finds those who convert."""

from __future__ import annotations

from typing import Annotated

from flask import Blueprint, Response, request
from msgspec import Meta

from ...app.bootstrap import Collector
from ...insights.backtest import backtest, require_definition
from ..answers.backtest_schemas import BACKTEST
from ..asked import json_body
from ..asked.insight_body import QuestionBody, Short, budget, catalogue_of, question_of
from ..json import json_response
from ..one_at_a_time import OneAtATime
from ..openapi.operation import Content, describe, query
from ..require_reader import require_reader

Capacity = Annotated[int, Meta(ge=1, le=1_000_000)]


class BacktestBody(QuestionBody, forbid_unknown_fields=True, kw_only=True):
    """What to test, a definition in force or one in a text, and how."""

    definition: Short | None = None
    toml: str | None = None
    capacity: Capacity | None = None


_BODY = Content(
    "application/json",
    json_body.schema_of(BacktestBody),
    {"definition": "set_up", "landmark": "7d", "horizon": "30d", "population": "signup"},
)
_BACKTEST = query(
    "Who would have qualified for a definition, and how many of them converted afterwards",
    "definitions",
    BACKTEST,
    bodies=(_BODY,),
)


def blueprint(collector: Collector) -> Blueprint:
    """Backtests, over a collector."""
    bp = Blueprint("backtest", __name__, url_prefix="/v1")
    require_reader(bp, collector)
    turn = OneAtATime("a backtest")

    @bp.post("/definitions/backtest")
    @describe(_BACKTEST)
    def definitions() -> Response:
        asked = json_body.read(request, collector.settings, BacktestBody)
        question = question_of(asked, asked.capacity)
        with turn, collector.store.reading() as view:
            catalogue = catalogue_of(view, collector.catalogue, asked.toml)
            name = require_definition(catalogue, asked.definition)
            [found] = backtest(view, catalogue, [name], question, budget=budget(view, catalogue))
        return json_response(BACKTEST.dump(found))

    return bp
