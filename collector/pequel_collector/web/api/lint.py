"""``POST /v1/definitions/lint``: the linter's findings."""

from __future__ import annotations

from flask import Blueprint, Response, request

from ...app.bootstrap import Collector
from ...insights.sampling import take
from ...lint.coverage import coverage
from ...lint.linter import lint
from ...marking.active import BODY
from ...rules.language.definition import Catalogue
from ...rules.parser.catalogue import read_catalogue
from ..json import json_response
from . import arguments
from .definitions_body import definitions_in
from .require_reader import require_reader


class LintArguments(arguments.NoArguments):
    """``data=true`` looks at stored data as well."""

    data = arguments.OneOf("true", "false")


_ARGUMENTS = LintArguments()


def blueprint(collector: Collector) -> Blueprint:
    """The linter, over a collector."""
    bp = Blueprint("lint", __name__, url_prefix="/v1")
    require_reader(bp, collector)

    @bp.post("/definitions/lint")
    def definitions() -> Response:
        given = arguments.read(request, _ARGUMENTS)
        catalogue = _catalogue(collector)
        if given.get("data") != "true":
            return json_response(lint(catalogue, BODY).as_json() | {"coverage": None})
        with collector.store.reading() as view:
            sample = take(view, catalogue, collector.clock())
        covered = [row.as_json() for row in coverage(catalogue, sample)]
        return json_response(lint(catalogue, BODY, sample).as_json() | {"coverage": covered})

    return bp


def _catalogue(collector: Collector) -> Catalogue:
    """The definitions in the body, or the active ones if it is empty."""
    text = definitions_in(request, collector.settings)
    return read_catalogue(text, BODY) if text.strip() else collector.catalogue
