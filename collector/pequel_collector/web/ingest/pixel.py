"""Events by image, for pages and mails that cannot run code. The image is always sent."""

from __future__ import annotations

import base64
from collections.abc import Callable

from flask import Blueprint, Response, current_app, request

from ...app.bootstrap import Collector
from ...errors import PequelError
from ...wire import pixel
from ...wire.event import Envelope
from ...wire.normalise import normalise
from .. import credentials
from ..openapi.operation import describe
from . import description, routes
from .accept import accept

GIF = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
"""One transparent pixel."""


def blueprint(collector: Collector, new_id: Callable[[], str]) -> Blueprint:
    """The pixel, over a collector."""
    bp = Blueprint("pixel", __name__)

    @bp.get(routes.PIXEL)
    @describe(description.PIXEL)
    def show(type_: str) -> Response:
        if request.method == "GET":
            _try_accept(collector, type_, new_id)
        return Response(GIF, mimetype="image/gif", headers={"Cache-Control": "no-store"})

    return bp


def _try_accept(collector: Collector, type_: str, new_id: Callable[[], str]) -> None:
    """Accept the event; log an error, since the client of an image cannot read one."""
    try:
        _accept(collector, type_, new_id)
    except PequelError as error:
        current_app.logger.warning("lost the event of a pixel: %s", error.message)
    except Exception:  # the image is sent in any case
        current_app.logger.exception("lost the event of a pixel")


def _accept(collector: Collector, type_: str, new_id: Callable[[], str]) -> None:
    received, settings = collector.clock(), collector.settings
    key = credentials.writer_key(request, collector.keys)
    key = key or credentials.body_key(request, collector.keys, None)
    raw = pixel.event(type_, request.args.items(), settings.max_depth)
    messages, rejected = normalise(Envelope([raw]), settings, received, new_id)
    accept(collector, messages, rejected, key)
