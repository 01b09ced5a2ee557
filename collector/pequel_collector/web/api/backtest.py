"""``POST /v1/definitions/backtest``: whether a definition finds those who convert."""

from __future__ import annotations

from typing import Annotated

from flask import Blueprint, Response, request
from msgspec import Meta, Struct

from ...app.bootstrap import Collector
from ...errors import TooLarge
from ...insights.backtest import Question, backtest, require_definition
from ...insights.bulk import Budget
from ...insights.completed import completed
from ...insights.population import population_of
from ...marking.active import BODY, active_definitions
from ...model import parse_iso
from ...ports import ReadTransaction
from ...rules.language.definition import Catalogue
from ..answers.backtest_schemas import BACKTEST
from ..asked import json_body
from ..asked.bounds import messages_for
from ..json import json_response
from ..one_at_a_time import OneAtATime
from ..openapi.operation import Content, describe, query
from ..require_reader import require_reader

MAX_STORED = 20_000_000
"""Messages of a store over which a request may look for those that it needs."""

MAX_MESSAGES = 2_000_000
"""Messages that are read."""

MAX_WORK = 10_000_000
"""Messages read, times conditions."""

Short = Annotated[str, Meta(max_length=512)]
Capacity = Annotated[int, Meta(ge=1, le=1_000_000)]


class BacktestBody(Struct, forbid_unknown_fields=True):
    """What to test, a definition in force or one in a text, and how."""

    definition: Short | None = None
    toml: str | None = None
    landmark: Short = "7d"
    horizon: Short = "30d"
    population: Short = "signup"
    end: Short | None = None
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
        question = question_of(asked)
        with turn, collector.store.reading() as view:
            catalogue = catalogue_of(view, collector.catalogue, asked.toml)
            name = require_definition(catalogue, asked.definition)
            [found] = backtest(view, catalogue, [name], question, budget=budget(view, catalogue))
        return json_response(BACKTEST.dump(found))

    return bp


def question_of(asked: BacktestBody) -> Question:
    """How to look at a definition. Raises BadRequest."""
    return Question(
        json_body.duration("landmark", asked.landmark),
        json_body.duration("horizon", asked.horizon),
        population_of(asked.population),
        end_in(asked.end),
        asked.capacity,
    )


def end_in(text: str | None) -> int | None:
    """The end of the data that a body states. Raises BadRequest."""
    end = None if text is None else parse_iso(text)
    if text is not None and end is None:
        raise json_body.mistake("end", repr(text[:100]), "a time in ISO 8601")
    return end


def catalogue_of(view: ReadTransaction, active: Catalogue, toml: str | None) -> Catalogue:
    """The definitions in a text, completed from those in force; without a text, those in force."""
    if toml is None:
        return active
    in_force = active_definitions(view)
    return completed(toml, "" if in_force is None else in_force.text, BODY)


def budget(view: ReadTransaction, catalogue: Catalogue) -> Budget:
    """How many messages one request may read. Raises TooLarge for too much work."""
    instead = "and a request evaluates {limit} at most: use the command line"
    if view.totals()["messages"] > MAX_STORED:
        raise TooLarge(
            f"the store has over {MAX_STORED:,} messages: use the command line", limit=MAX_STORED
        )
    return Budget(messages_for(catalogue, MAX_MESSAGES, MAX_WORK, instead))
