"""``/v1/likelihood``: the model of how likely subjects are to convert, and its training."""

from __future__ import annotations

from flask import Blueprint, Response, request

from ...app.bootstrap import Collector
from ...app.likelihood import save
from ...errors import NotFound
from ...insights.likelihood.model import stored
from ...insights.likelihood.scores import HOW
from ...insights.likelihood.training import require_installed, train
from ...ports import By
from ..answers.likelihood_schemas import LIKELIHOOD
from ..asked import arguments, json_body
from ..asked.insight_body import SampleBody, budget, wanted_of
from ..json import json_response
from ..one_at_a_time import OneAtATime
from ..openapi.operation import Content, describe, query
from ..require_reader import current_key, require_reader


class LikelihoodArguments(arguments.NoArguments):
    """Whose likelihood."""

    subject = arguments.OneOf("user", "account", load_default="user")


_ARGUMENTS = LikelihoodArguments()
_BODY = Content(
    "application/json",
    json_body.schema_of(SampleBody),
    {"landmark": "7d", "horizon": "30d", "subject": "user"},
)
_GET = query(
    "The model of how likely subjects are to convert, and its calibration",
    "definitions",
    LIKELIHOOD,
    arguments=_ARGUMENTS,
    errors=(404,),
)
_TRAIN = query(
    "Train a model of how likely subjects are to convert",
    "definitions",
    LIKELIHOOD,
    bodies=(_BODY,),
    scope="define",
)


def blueprint(collector: Collector) -> Blueprint:
    """The likelihood to convert, over a collector."""
    bp = Blueprint("likelihood", __name__, url_prefix="/v1")
    require_reader(bp, collector)
    turn = OneAtATime("a training")

    @bp.get("/likelihood")
    @describe(_GET)
    def show() -> Response:
        subject = arguments.read(request, _ARGUMENTS)["subject"]
        with collector.store.reading() as view:
            model = stored(view, subject)
        if model is None:
            raise NotFound(f"there is no model of {subject}s: {HOW}", subject=subject)
        return json_response(LIKELIHOOD.dump(model))

    @bp.post("/likelihood")
    @describe(_TRAIN)
    def training() -> Response:
        key = current_key()
        asked = json_body.read(request, collector.settings, SampleBody)
        wanted = wanted_of(asked)
        require_installed()
        catalogue = collector.catalogue
        with turn, collector.store.reading() as view:
            most = budget(view, catalogue)
            model = train(view, catalogue, wanted, collector.clock(), budget=most)
        save(collector.store, model, By(key.id))
        return json_response(LIKELIHOOD.dump(model))

    return bp
