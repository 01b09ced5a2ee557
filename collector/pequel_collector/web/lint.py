"""``POST /v1/definitions/lint``: what is doubtful in definitions."""

from __future__ import annotations

from flask import Blueprint, Response, request

from ..bootstrap import BODY
from ..lint.coverage import coverage
from ..lint.linter import lint
from ..lint.sampling import take
from ..rules.definition import Catalogue
from ..rules.reader import read_catalogue
from . import arguments
from .answers import answer
from .collector import Collector
from .private import private
from .written import definitions_in


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
