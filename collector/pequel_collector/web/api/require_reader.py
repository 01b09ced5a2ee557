"""Routes that need a key that reads."""

from __future__ import annotations

from flask import Blueprint, Response, request

from ...app.bootstrap import Collector
from .. import credentials
from ..paths import require_utf8


def require_reader(bp: Blueprint, collector: Collector) -> None:
    """Require a read or admin key on every route of a blueprint, and keep answers out of caches."""

    @bp.before_request
    def authorize() -> None:
        token = credentials.reader_token(request)
        credentials.require_key(collector.keys, token, "read")

    @bp.before_request
    def check_path() -> None:
        require_utf8(request)

    @bp.after_request
    def disable_caching(response: Response) -> Response:
        response.headers["Cache-Control"] = "no-store"
        return response
