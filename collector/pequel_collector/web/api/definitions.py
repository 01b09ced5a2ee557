"""``/v1/definitions``: the active definitions, and how to replace them."""

from __future__ import annotations

from flask import Blueprint, Response, request

from ...app.bootstrap import Collector
from ...errors import Forbidden
from ...marking.active import backfill_lines, change_lines
from ...marking.backfill import Activation
from ...marking.revision import revision_lines
from ...ports import By
from ...queries.partner_view import definitions_for_partner
from ..answers import schemas
from ..asked import arguments
from ..asked.definitions_body import definitions_in
from ..definition_slots import READING
from ..json import json_response
from ..openapi.operation import TOML, describe, query
from ..require_reader import current_key, current_partner, require_reader


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
    scope="leads",
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
        form = arguments.read(request, _FORMAT).get("format")
        if current_partner() is not None:
            return _of_partner(collector, form)
        if form == "toml":
            active = collector.active_definitions()
            return Response(active.text if active else "", mimetype="application/toml")
        with READING.held():
            return json_response(schemas.DEFINITIONS.dump(collector.queries.definitions()))

    @bp.put("/definitions")
    @describe(_PUT)
    def put_definitions() -> Response:
        key = current_key()
        given = arguments.read(request, _WHO)
        by = By(key.id, given.get("reason"))
        text = definitions_in(request, collector.settings)
        with READING.held():
            return _put(collector, text, by, given.get("actor"))

    return bp


def _put(collector: Collector, text: str, by: By, actor: str | None) -> Response:
    new = collector.put_definitions(text, by, actor)
    changes = changes_of(collector, new)
    active = schemas.DEFINITIONS.dump(collector.queries.definitions())
    versions = schemas.NEW_VERSION.dump(new.versions, many=True)
    return json_response(active | {"new_versions": versions, "changes": changes})


def _of_partner(collector: Collector, form: str | None) -> Response:
    """The definitions in words. Raises Forbidden for the text of the file."""
    if form == "toml":
        raise Forbidden("a partner's key sees the definitions in words, not as they are written")
    with READING.held():
        found = definitions_for_partner(collector.queries.definitions())
    return json_response(schemas.DEFINITIONS.dump(found))


def changes_of(collector: Collector, new: Activation) -> list[str]:
    """What changed, and what that did if history is short."""
    if new.changes and new.is_retroactive:
        progress = collector.backfill_briefly()
        if progress and progress.is_finished:
            return [*backfill_lines(progress), *revision_lines(new.revision, new.changes)]
    return change_lines(new.changes, new.revision)
