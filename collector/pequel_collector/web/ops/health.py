"""Liveness and readiness. They need no key."""

from __future__ import annotations

from flask import Blueprint, Response

from ...app.bootstrap import Collector
from ..errors import RETRY_AFTER
from ..json import json_response


def blueprint(collector: Collector) -> Blueprint:
    """Liveness and readiness of a collector."""
    bp = Blueprint("health", __name__)

    @bp.get("/healthz")
    def healthz() -> Response:
        return json_response({"status": "ok"})

    @bp.get("/readyz")
    def readyz() -> Response:
        reason = collector.trouble()
        if reason is None:
            return json_response({"status": "ready"})
        not_ready = {"status": "not ready", "reason": reason}
        return json_response(not_ready, 503, retry_after=RETRY_AFTER)

    return bp
