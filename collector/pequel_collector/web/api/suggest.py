"""``POST /v1/definitions/suggest``: definitions that precede conversion."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from flask import Blueprint, Response, request
from msgspec import Meta

from ...app.bootstrap import Collector
from ...insights.suggest.suggest import suggest
from ..answers.suggest_schemas import SUGGESTIONS
from ..asked import json_body
from ..asked.insight_body import SampleBody, budget, catalogue_of, wanted_of
from ..json import json_response
from ..one_at_a_time import OneAtATime
from ..openapi.operation import Content, describe, query
from ..require_reader import require_reader


class SuggestBody(SampleBody, forbid_unknown_fields=True, kw_only=True):
    """What to search."""

    toml: str | None = None
    level: Annotated[float, Meta(gt=0, le=0.2)] = 0.05


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
        wanted = replace(wanted_of(asked), level=asked.level)
        with turn, collector.store.reading() as view:
            catalogue = catalogue_of(view, collector.catalogue, asked.toml)
            found = suggest(view, catalogue, wanted, budget=budget(view, catalogue))
        return json_response(SUGGESTIONS.dump(found))

    return bp
