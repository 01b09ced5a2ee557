"""``POST /v1/definitions/lint``: what is doubtful in definitions."""

from __future__ import annotations

from flask import Blueprint, Response, request

from ...insights.sampling import take
from ...lint.coverage import coverage
from ...lint.linter import lint
from ...marking.active import BODY
from ...rules.language.definition import Catalogue
from ...rules.parser.catalogue import read_catalogue
from ..collector import Collector
from ..json import answer
from . import arguments
from .definitions_body import definitions_in
from .require_reader import private


class LintArguments(arguments.NoArguments):
    """Whether the store's data is looked at as well."""

    data = arguments.OneOf("true", "false")


_ARGUMENTS = LintArguments()


def blueprint(collector: Collector) -> Blueprint:
    """The linter, over a collector."""
    paths = Blueprint("lint", __name__, url_prefix="/v1")
    private(paths, collector)

    @paths.post("/definitions/lint")
    def definitions() -> Response:
        given = arguments.read(request, _ARGUMENTS)
        catalogue = _catalogue(collector)
        if given.get("data") != "true":
            return answer(lint(catalogue, BODY).as_json() | {"coverage": None})
        with collector.store.reading() as view:
            sample = take(view, catalogue, collector.clock())
        covered = [row.as_json() for row in coverage(catalogue, sample)]
        return answer(lint(catalogue, BODY, sample).as_json() | {"coverage": covered})

    return paths


def _catalogue(collector: Collector) -> Catalogue:
    """What the body says, or the definitions in force where there is none."""
    text = definitions_in(request, collector.settings)
    return read_catalogue(text, BODY) if text.strip() else collector.catalogue
