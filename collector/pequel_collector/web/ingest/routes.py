"""The paths of the ingestion routes, and which requests are for one of them.

Segment and Customer.io use ``/v1``; RudderStack ``/v1``, ``/beacon`` and ``/pixel``; Jitsu
``/api/s``; June ``/sdk``.
"""

from __future__ import annotations

from typing import get_args

from flask import Request
from werkzeug.exceptions import NotFound

from ...wire.event import EventType

TYPES: tuple[EventType, ...] = get_args(EventType)

BATCHES = (
    "/v1/batch",
    "/v1/import",
    "/v1/b",
    "/sdk/batch",
    "/beacon/v1/batch",
    "/api/s/batch",
    "/api/s/s2s/batch",
)
SINGLES: dict[str, EventType] = {
    **{f"{prefix}/{t}": t for prefix in ("/v1", "/sdk", "/api/s", "/api/s/s2s") for t in TYPES},
    **{f"/v1/{t[0]}": t for t in TYPES},
}
"""Full names, and the letters of the browser library: ``s`` is screen."""

METRICS = "/v1/m"
PIXEL = "/pixel/v1/<type_>"
SETTINGS = "/v1/projects/<key>/settings"
SOURCE_CONFIG = "/sourceConfig"

_PATHS = {*BATCHES, *SINGLES, METRICS, SOURCE_CONFIG}
_ROOTS = ("/sdk/", "/beacon/", "/pixel/", "/api/s/", "/v1/projects/")


def is_ingest(request: Request) -> bool:
    """Whether a request is for an ingestion route, or for a path below one of their folders."""
    path = request.path
    return path.startswith(_ROOTS) or path.rstrip("/") in _PATHS


def may_be_of_page(request: Request) -> bool:
    """Whether code of a web page may have sent a request: events, though to a wrong path."""
    is_lost = isinstance(request.routing_exception, NotFound) or request.path == "/"
    return (request.method == "POST" and is_lost) or is_ingest(request)
