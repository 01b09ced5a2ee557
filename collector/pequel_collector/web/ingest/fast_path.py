"""The fast path for events: past what Flask does for each request, to the same handler.

For a request with one event, Flask takes longer than everything else before the store. Only POST
requests to the exact path of a route take the fast path; Flask gives others the same answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from logging import Logger
from typing import Any

from ...wire.event import EventType
from .. import bodies, errors
from ..json import encode
from ..request import RawRequest
from . import cors, routes
from .handler import IngestHandler

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]
"""A WSGI application."""

_ROUTES: dict[str, EventType | None] = {**dict.fromkeys(routes.BATCHES), **routes.SINGLES}
_STATUS_LINES = {200: "200 OK", 400: "400 BAD REQUEST"}


class FastPath:
    """WSGI middleware that answers requests with events itself.

    ``max_drained`` is how many bytes are read of a body that is refused.
    """

    def __init__(
        self, application: Application, ingest_handler: IngestHandler, max_drained: int, log: Logger
    ) -> None:
        self._application, self._handler = application, ingest_handler
        self._max_drained, self._log = max_drained, log

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request."""
        path = environ.get("PATH_INFO", "")
        if environ["REQUEST_METHOD"] == "POST" and path in _ROUTES:
            return self._ingest(environ, start_response, _ROUTES[path])
        return self._application(environ, start_response)

    def _ingest(
        self, environ: dict[str, Any], start_response: Any, type_: EventType | None
    ) -> Iterable[bytes]:
        request = RawRequest(environ)
        headers = cors.cors_headers(request.headers, "POST")
        try:
            status, data = self._handler.handle(request, type_)
        except Exception as error:  # noqa: BLE001 - every error has a response; the rest is logged
            response = errors.ingest_error_response(error)
            if response.status_code == 500:
                self._log.error("POST %s failed", environ.get("PATH_INFO"), exc_info=error)
            for name, value in headers:
                response.headers.add(name, value)
            bodies.drain(request.stream, self._max_drained)
            return response(environ, start_response)
        body = encode(data)
        headers += [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        start_response(_STATUS_LINES[status], headers)
        return [body]
