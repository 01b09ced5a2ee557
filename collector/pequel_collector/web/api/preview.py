"""``POST /v1/definitions/preview``: who other definitions would mark, before they are in force."""

from __future__ import annotations

from flask import Blueprint, Response, request

from ...app.bootstrap import Collector
from ...audit.preview import Budget
from ...marking.active import BODY
from ...rules.parser.catalogue import read_catalogue
from ..answers import schemas
from ..asked import arguments
from ..asked.bounds import messages_for
from ..asked.definitions_body import definitions_in
from ..definition_slots import EVALUATING, READING
from ..json import json_response
from ..openapi.operation import TOML, describe, query
from ..require_reader import require_reader

MAX_MESSAGES = 100_000
"""Messages that are read."""

MAX_WORK = 2_000_000
"""Messages read, times conditions."""


class PreviewArguments(arguments.NoArguments):
    """``limit`` is how many leads of each kind are named."""

    limit = arguments.Limit(load_default=20)


_ARGUMENTS = PreviewArguments()
_PREVIEW = query(
    "Who would be gained, lost and moved by the definitions in the body",
    "definitions",
    schemas.PREVIEW,
    arguments=_ARGUMENTS,
    bodies=(TOML,),
    needs_body=False,
)


def blueprint(collector: Collector) -> Blueprint:
    """Previews, over a collector."""
    bp = Blueprint("preview", __name__, url_prefix="/v1")
    require_reader(bp, collector)

    @bp.post("/definitions/preview")
    @describe(_PREVIEW)
    def definitions() -> Response:
        limit = arguments.read(request, _ARGUMENTS)["limit"]
        text = definitions_in(request, collector.settings)
        with READING.held():
            catalogue = read_catalogue(text, BODY, collector.settings.is_for_alerts)
        instead = "and a preview over HTTP evaluates {limit} at most: use `pequel preview`"
        messages = messages_for(catalogue, MAX_MESSAGES, MAX_WORK, instead)
        with EVALUATING.held():
            found = collector.preview(catalogue, Budget(messages, limit))
            return json_response(schemas.PREVIEW.dump(found))

    return bp
