"""Events by image: a page or a mail that can run nothing asks for one, and gets it always."""

from __future__ import annotations

import base64
from collections.abc import Callable

from flask import Blueprint, Response, current_app, request

from ...errors import PequelError
from ...wire import pixel
from ...wire.event import Envelope
from ...wire.normalise import normalise
from .. import credentials
from ..collector import Collector
from . import routes
from .accept import take

GIF = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
"""One pixel that nobody sees."""


def blueprint(collector: Collector, new_id: Callable[[], str]) -> Blueprint:
    """The pixel, over a collector."""
    paths = Blueprint("pixel", __name__)

    @paths.get(routes.PIXEL)
    def show(type_: str) -> Response:
        if request.method == "GET":
            _try(collector, type_, new_id)
        return Response(GIF, mimetype="image/gif", headers={"Cache-Control": "no-store"})

    return paths


def _try(collector: Collector, type_: str, new_id: Callable[[], str]) -> None:
    """Take the event in. Nobody reads an answer here, so the log is told what failed."""
    try:
        _take(collector, type_, new_id)
    except PequelError as error:
        current_app.logger.warning("a pixel's event is lost: %s", error.message)
    except Exception:  # the image is shown whatever happens
        current_app.logger.exception("a pixel's event is lost")


def _take(collector: Collector, type_: str, new_id: Callable[[], str]) -> None:
    received, settings = collector.clock(), collector.settings
    key = credentials.of_writer(request, collector.keys)
    key = key or credentials.of_body(request, collector.keys, None)
    raw = pixel.event(type_, request.args.items(), settings.max_depth)
    messages, rejected = normalise(Envelope([raw]), settings, received, new_id)
    take(collector, messages, rejected, key)
