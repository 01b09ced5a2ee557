"""The short way for events: past what Flask does for every request, to the same handler.

Of a request with one event, Flask takes longer than all else that is done before it is stored.
What is answered is the same on either way; whatever is not the plain case takes the long one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from logging import Logger
from typing import Any

from flask import Response
from werkzeug.exceptions import HTTPException

from ...errors import PequelError
from ...wire.event import EventType
from .. import bodies, errors
from ..json import encode
from ..request import RawRequest
from . import cors, routes
from .handler import IngestHandler

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]
"""A WSGI application."""

_OPEN: dict[str, EventType | None] = {**dict.fromkeys(routes.BATCHES), **routes.SINGLES}
_REASONS = {200: "200 OK", 400: "400 BAD REQUEST"}


class FastPath:
    """A WSGI application in front of another one, which takes requests with events by itself.

    ``most`` is how many bytes of a body are read that is refused.
    """

    def __init__(
        self, application: Application, ingest_handler: IngestHandler, most: int, log: Logger
    ) -> None:
        self._application, self._reception = application, ingest_handler
        self._most, self._log = most, log

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request."""
        path = environ.get("PATH_INFO", "")
        if environ["REQUEST_METHOD"] == "POST" and path in _OPEN:
            return self._take(environ, start_response, _OPEN[path])
        return self._application(environ, start_response)

    def _take(
        self, environ: dict[str, Any], start_response: Any, type_: EventType | None
    ) -> Iterable[bytes]:
        sent = RawRequest(environ)
        headers = cors.allowances(sent.headers, "POST")
        try:
            status, data = self._reception.receive(sent, type_)
        except Exception as error:  # noqa: BLE001 - each has an answer; what nobody expects is logged
            response = self._refused(error, environ)
            for name, value in headers:
                response.headers.add(name, value)
            bodies.exhaust(sent.stream, self._most)
            return response(environ, start_response)
        body = encode(data)
        headers += [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        start_response(_REASONS[status], headers)
        return [body]

    def _refused(self, error: Exception, environ: dict[str, Any]) -> Response:
        if not isinstance(error, PequelError | HTTPException):
            self._log.error("POST %s failed", environ.get("PATH_INFO"), exc_info=error)
        return errors.refused(error)
