"""``POST /v1/definitions/diff``: what lies between two texts of definitions."""

from __future__ import annotations

from flask import Blueprint, Response, request

from ...app.bootstrap import Collector
from ...insights.diff import diff, diff_on_data, resolved
from ..answers.diff_schemas import DIFF
from ..asked import json_body
from ..asked.insight_body import QuestionBody, budget, question_of
from ..json import json_response
from ..one_at_a_time import OneAtATime
from ..openapi.operation import Content, describe, query
from ..require_reader import require_reader


class DiffBody(QuestionBody, forbid_unknown_fields=True, kw_only=True):
    """Two texts, or what names them, and how to look at the data."""

    new: str
    old: str = "active"
    data: bool = True


_BODY = Content(
    "application/json",
    json_body.schema_of(DiffBody),
    {"old": "active", "new": '[[pql]]\nname = "keen"\nwhen = { event = "used" }\n'},
)
_DIFF = query(
    "What lies between two texts of definitions, in words and on the data",
    "definitions",
    DIFF,
    bodies=(_BODY,),
    errors=(404,),
)


def blueprint(collector: Collector) -> Blueprint:
    """Differences, over a collector."""
    bp = Blueprint("diff", __name__, url_prefix="/v1")
    require_reader(bp, collector)
    turn = OneAtATime("a diff")

    @bp.post("/definitions/diff")
    @describe(_DIFF)
    def definitions() -> Response:
        asked = json_body.read(request, collector.settings, DiffBody)
        question = question_of(asked)
        with turn, collector.store.reading() as view:
            old, new = resolved(view, asked.old, "old"), resolved(view, asked.new, "new")
            if not asked.data:
                return json_response(DIFF.dump(diff(old, new)))
            most = min((budget(view, each) for each in (old, new)), key=lambda b: b.messages or 0)
            return json_response(DIFF.dump(diff_on_data(view, old, new, question, budget=most)))

    return bp
