"""``GET /v1/audit``: who administered what, when and why."""

from __future__ import annotations

from flask import Blueprint, Response, request

from ...app.bootstrap import Collector
from .. import credentials
from ..answers import schemas
from ..asked import arguments
from ..json import json_response
from ..openapi.operation import describe, query_page
from ..require_reader import require_reader

_PAGE = arguments.PageArguments()


def blueprint(collector: Collector) -> Blueprint:
    """The audit log of a collector."""
    bp = Blueprint("audit", __name__, url_prefix="/v1")
    require_reader(bp, collector)

    @bp.get("/audit")
    @describe(
        query_page(
            "Administrative acts, latest first",
            "operations",
            schemas.AUDIT_ENTRY,
            arguments=_PAGE,
            scope="audit",
        )
    )
    def audit() -> Response:
        credentials.require_key(collector.keys, credentials.reader_token(request), "audit")
        given = arguments.read(request, _PAGE)
        found = collector.queries.audit(given["limit"], given["cursor"])
        return json_response(schemas.page(schemas.AUDIT_ENTRY, found))

    return bp
