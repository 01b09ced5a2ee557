"""The definitions in force: what they say, since when, and how to put others in their place."""

from __future__ import annotations

from flask import Blueprint, Response, request

from .. import credentials
from ..collector import Answer, Collector
from ..json import answer
from . import arguments, schemas
from .definitions_body import definitions_in
from .require_reader import private

_NONE = arguments.NoArguments()


def blueprint(collector: Collector) -> Blueprint:
    """ReadTransaction and changing definitions, over a collector."""
    paths = Blueprint("definitions", __name__, url_prefix="/v1")
    private(paths, collector)

    @paths.get("/definitions")
    def definitions() -> Response:
        arguments.read(request, _NONE)
        return answer(_in_force(collector))

    @paths.put("/definitions")
    def put_definitions() -> Response:
        credentials.require(collector.keys, credentials.of_reader(request), credentials.ADMINS)
        arguments.read(request, _NONE)
        new = collector.put_definitions(definitions_in(request, collector.settings))
        versions = [schemas.NEW_VERSION.dump(version) for version in new]
        return answer(_in_force(collector) | {"new_versions": versions})

    return paths


def _in_force(collector: Collector) -> Answer:
    found = collector.queries.definitions()
    replay, origin = found["backfill"], found["origin"]
    return schemas.page(schemas.DEFINITION, found) | {
        "origin": origin and schemas.ORIGIN.dump(origin),
        "backfill": replay and schemas.BACKFILL.dump(replay),
    }
