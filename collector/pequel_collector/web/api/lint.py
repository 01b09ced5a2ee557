"""``POST /v1/definitions/lint``: the linter's findings."""

from __future__ import annotations

from flask import Blueprint, Response, request

from ...app.bootstrap import Collector
from ...insights.sampling import MESSAGES, take
from ...lint.coverage import Linted, coverage
from ...lint.linter import lint
from ...marking.active import BODY
from ...rules.language.definition import Catalogue
from ...rules.parser.catalogue import read_catalogue
from ..answers import schemas
from ..asked import arguments
from ..asked.bounds import messages_for
from ..asked.definitions_body import definitions_in
from ..definition_slots import EVALUATING, READING
from ..json import json_response
from ..openapi.operation import TOML, describe, query
from ..require_reader import require_reader

MAX_WORK = 4_000_000
"""Messages read, times conditions. With 20 conditions or fewer, the sample is as on the command
line."""


class LintArguments(arguments.NoArguments):
    """``data=true`` looks at stored data as well."""

    data = arguments.OneOf("true", "false")


_ARGUMENTS = LintArguments()
_LINT = query(
    "Likely mistakes in definitions: in the body, or the active ones",
    "definitions",
    schemas.LINTED,
    arguments=_ARGUMENTS,
    bodies=(TOML,),
    needs_body=False,
)


def blueprint(collector: Collector) -> Blueprint:
    """The linter, over a collector."""
    bp = Blueprint("lint", __name__, url_prefix="/v1")
    require_reader(bp, collector)

    @bp.post("/definitions/lint")
    @describe(_LINT)
    def definitions() -> Response:
        given = arguments.read(request, _ARGUMENTS)
        text = definitions_in(request, collector.settings)
        with READING.held():
            # The active definitions if the body is empty.
            catalogue = (
                read_catalogue(text, BODY, collector.settings.is_for_alerts)
                if text.strip()
                else collector.catalogue
            )
            if given.get("data") != "true":
                return json_response(schemas.LINTED.dump(Linted(lint(catalogue, BODY))))
        with EVALUATING.held():
            return json_response(schemas.LINTED.dump(_linted_with_data(collector, catalogue)))

    return bp


def _linted_with_data(collector: Collector, catalogue: Catalogue) -> Linted:
    messages = _messages(catalogue)
    with collector.store.reading() as view:
        sample = take(view, catalogue, collector.clock(), messages)
    return Linted(lint(catalogue, BODY, sample), coverage(catalogue, sample))


def _messages(catalogue: Catalogue) -> int:
    """How many messages to read. Raises TooLarge for too many conditions."""
    instead = "and data=true looks at {limit} at most: use `pequel lint --database`"
    return messages_for(catalogue, MESSAGES, MAX_WORK, instead)
