"""Liveness and readiness. They need no key."""

from __future__ import annotations

from flask import Blueprint, Response

from ...app.bootstrap import Collector
from ...model import JSON
from ..errors import RETRY_AFTER
from ..json import json_response
from ..openapi.operation import Content, Operation, describe

_STATUS: JSON = {
    "type": "object",
    "required": ["status"],
    "properties": {"status": {"type": "string"}, "reason": {"type": "string"}},
}
_ALIVE = Operation(
    "Whether the collector is alive",
    "operations",
    contents=(Content("application/json", _STATUS, {"status": "ok"}),),
)
_READY = Operation(
    "Whether events can be stored and queries answered",
    "operations",
    contents=(Content("application/json", _STATUS, {"status": "ready"}),),
    others={
        503: Content("application/json", _STATUS, {"status": "not ready", "reason": "disk full"})
    },
)


def blueprint(collector: Collector) -> Blueprint:
    """Liveness and readiness of a collector."""
    bp = Blueprint("health", __name__)

    @bp.get("/healthz")
    @describe(_ALIVE)
    def healthz() -> Response:
        return json_response({"status": "ok"})

    @bp.get("/readyz")
    @describe(_READY)
    def readyz() -> Response:
        reason = collector.trouble()
        if reason is None:
            return json_response({"status": "ready"})
        not_ready = {"status": "not ready", "reason": reason}
        return json_response(not_ready, 503, retry_after=RETRY_AFTER)

    return bp
