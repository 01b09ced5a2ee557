"""``POST /v1/definitions/lint``: what is doubtful in definitions."""

from __future__ import annotations

from flask import Blueprint, Response, request

from ..lint.linter import lint
from ..lint.sampling import take
from ..rules.definition import Catalogue
from ..rules.reader import read_catalogue
from ..wire import body
from . import arguments
from .answers import answer
from .collector import Collector
from .private import private

BODY = "body"
"""What the text of a request is called in the places of its findings."""


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
        sample = None
        if given.get("data") == "true":
            with collector.store.reading() as view:
                sample = take(view, catalogue, collector.clock())
        return answer(lint(catalogue, BODY, sample).as_json())

    return paths


def _catalogue(collector: Collector) -> Catalogue:
    """What the body says, or the definitions in force where there is none."""
    sent = request.stream.read(collector.settings.max_body + 1)
    encoding = request.headers.get("Content-Encoding", "")
    text = body.read(sent, encoding, collector.settings).decode()
    return read_catalogue(text, BODY) if text.strip() else collector.catalogue
