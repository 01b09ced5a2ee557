"""``POST /v1/definitions/suggest``: definitions that precede conversion."""

from __future__ import annotations

from typing import Annotated, Literal

from flask import Blueprint, Response, request
from msgspec import Meta, Struct

from ...app.bootstrap import Collector
from ...insights.suggest.suggest import Wanted, suggest
from ...rules.language.quantities import DAY, SECOND
from ..answers.suggest_schemas import SUGGESTIONS
from ..asked import json_body
from ..json import json_response
from ..one_at_a_time import OneAtATime
from ..openapi.operation import Content, describe, query
from ..require_reader import require_reader
from .backtest import Short, budget, catalogue_of, end_in

LONGEST = 366 * DAY
"""The longest landmark of a search."""


class SuggestBody(Struct, forbid_unknown_fields=True):
    """What to search."""

    toml: str | None = None
    landmark: Short = "7d"
    horizon: Short = "30d"
    subject: Literal["user", "account"] = "user"
    level: Annotated[float, Meta(gt=0, le=0.2)] = 0.05
    end: Short | None = None


_BODY = Content(
    "application/json",
    json_body.schema_of(SuggestBody),
    {"landmark": "7d", "horizon": "30d", "subject": "user"},
)
_SUGGEST = query(
    "Definitions that precede conversion, and what each event says of it",
    "definitions",
    SUGGESTIONS,
    bodies=(_BODY,),
)


def blueprint(collector: Collector) -> Blueprint:
    """Suggestions, over a collector."""
    bp = Blueprint("suggest", __name__, url_prefix="/v1")
    require_reader(bp, collector)
    turn = OneAtATime("a search")

    @bp.post("/definitions/suggest")
    @describe(_SUGGEST)
    def definitions() -> Response:
        asked = json_body.read(request, collector.settings, SuggestBody)
        wanted = wanted_of(asked)
        with turn, collector.store.reading() as view:
            catalogue = catalogue_of(view, collector.catalogue, asked.toml)
            found = suggest(view, catalogue, wanted, budget=budget(view, catalogue))
        return json_response(SUGGESTIONS.dump(found))

    return bp


def wanted_of(asked: SuggestBody) -> Wanted:
    """What to search. Raises BadRequest."""
    landmark = json_body.duration("landmark", asked.landmark)
    if landmark > LONGEST or landmark % SECOND:
        raise json_body.mistake("landmark", repr(asked.landmark), "at most 366d")
    horizon = json_body.duration("horizon", asked.horizon)
    return Wanted(landmark, horizon, asked.subject, asked.level, end_in(asked.end))
