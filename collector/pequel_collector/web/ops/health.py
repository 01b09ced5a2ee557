"""Whether the collector lives, and whether it can do its work. Nobody needs a key to ask."""

from __future__ import annotations

from flask import Blueprint, Response

from ..collector import Collector
from ..errors import RETRY_AFTER
from ..json import answer


def blueprint(collector: Collector) -> Blueprint:
    """Liveness and readiness."""
    paths = Blueprint("health", __name__)

    @paths.get("/healthz")
    def healthz() -> Response:
        return answer({"status": "ok"})

    @paths.get("/readyz")
    def readyz() -> Response:
        trouble = collector.trouble()
        if trouble is None:
            return answer({"status": "ready"})
        return answer({"status": "not ready", "reason": trouble}, 503, retry_after=RETRY_AFTER)

    return paths
