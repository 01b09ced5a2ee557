"""``/v1/definitions``: the active definitions, and how to replace them."""

from __future__ import annotations

from flask import Blueprint, Response, request

from ...app.bootstrap import Collector
from .. import credentials
from ..json import json_response
from . import arguments, schemas
from .definitions_body import definitions_in
from .require_reader import require_reader

_NONE = arguments.NoArguments()


def blueprint(collector: Collector) -> Blueprint:
    """Reading and changing definitions, over a collector."""
    bp = Blueprint("definitions", __name__, url_prefix="/v1")
    require_reader(bp, collector)

    @bp.get("/definitions")
    def definitions() -> Response:
        arguments.read(request, _NONE)
        return json_response(schemas.DEFINITIONS.dump(collector.queries.definitions()))

    @bp.put("/definitions")
    def put_definitions() -> Response:
        token = credentials.reader_token(request)
        credentials.require_key(collector.keys, token, credentials.ADMINS)
        arguments.read(request, _NONE)
        new = collector.put_definitions(definitions_in(request, collector.settings))
        active = schemas.DEFINITIONS.dump(collector.queries.definitions())
        versions = schemas.NEW_VERSION.dump(new, many=True)
        return json_response(active | {"new_versions": versions})

    return bp
