"""``/v1/definitions``: the active definitions, and how to replace them."""

from __future__ import annotations

from flask import Blueprint, Response, request

from ...app.bootstrap import Collector
from ...marking.active import backfill_lines, change_lines
from ...marking.backfill import Activation
from ...ports import By
from .. import credentials
from ..json import json_response
from ..openapi.operation import TOML, describe, query
from . import arguments, schemas
from .definitions_body import definitions_in
from .require_reader import require_reader


class DefinitionsArguments(arguments.NoArguments):
    """``format=toml`` asks for the text, as it was read."""

    format = arguments.OneOf("json", "toml")


class PutArguments(arguments.NoArguments):
    """``actor`` and ``reason`` say who changes the definitions and why."""

    actor = arguments.Text()
    reason = arguments.Text()


_FORMAT, _WHO = DefinitionsArguments(), PutArguments()
_GET = query(
    "The active definitions",
    "definitions",
    schemas.DEFINITIONS,
    arguments=_FORMAT,
    contents=(TOML,),
)
_PUT = query(
    "Put other definitions in force",
    "definitions",
    schemas.NEW_DEFINITIONS,
    arguments=_WHO,
    bodies=(TOML,),
    needs_body=False,
    scope="define",
)


def blueprint(collector: Collector) -> Blueprint:
    """Reading and changing definitions, over a collector."""
    bp = Blueprint("definitions", __name__, url_prefix="/v1")
    require_reader(bp, collector)

    @bp.get("/definitions")
    @describe(_GET)
    def definitions() -> Response:
        if arguments.read(request, _FORMAT).get("format") == "toml":
            active = collector.active_definitions()
            return Response(active.text if active else "", mimetype="application/toml")
        return json_response(schemas.DEFINITIONS.dump(collector.queries.definitions()))

    @bp.put("/definitions")
    @describe(_PUT)
    def put_definitions() -> Response:
        token = credentials.reader_token(request)
        key = credentials.require_key(collector.keys, token, "define")
        given = arguments.read(request, _WHO)
        by = By(key.id, given.get("reason"))
        text = definitions_in(request, collector.settings)
        new = collector.put_definitions(text, by, given.get("actor"))
        changes = changes_of(collector, new)
        active = schemas.DEFINITIONS.dump(collector.queries.definitions())
        versions = schemas.NEW_VERSION.dump(new.versions, many=True)
        return json_response(active | {"new_versions": versions, "changes": changes})

    return bp


def changes_of(collector: Collector, new: Activation) -> list[str]:
    """What changed, and what that did if history is short."""
    if new.changes and new.is_retroactive:
        progress = collector.backfill_briefly()
        if progress and progress.is_finished:
            return backfill_lines(progress)
    return change_lines(new.changes) or ["nothing changed"]
