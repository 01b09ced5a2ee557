"""Errors as responses: one table from error to status, and two shapes of body.

Clients of the tracking API look for ``success``, ``error``, ``code`` and ``message`` side by side;
the query API answers ``{"error": {"code", "message", "details"}}``. Neither shows internals.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable
from time import monotonic
from typing import Any, NamedTuple

from flask import Flask, Response, current_app, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound

from .. import errors
from .ingest import routes
from .json import json_response

STATUS: dict[type, int] = {
    errors.BadRequest: 400,
    errors.DefinitionError: 400,
    errors.Unauthorized: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.Stale: 412,
    errors.TooLarge: 413,
    errors.Unsupported: 415,
    errors.TooMany: 429,
    errors.Unavailable: 503,
}
RETRY_AFTER = "2"
"""Seconds to wait after a 429 or a 503. Without the header, clients retry at once."""

LOG_INTERVAL = 60.0
"""Seconds between two lines about the same cause of 503s."""

_CODES = {400: "bad_request", 404: "not_found", 405: "method_not_allowed", 413: "too_large"}
_IMPLIED_METHODS = {"HEAD", "OPTIONS"}
_MAX_SHOWN = 200


class Problem(NamedTuple):
    status: int
    code: str
    message: str
    details: dict[str, Any]


class CauseLog:
    """Logs why requests are answered with 503: each cause once a minute."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._logged_at: dict[str, float] = {}

    def add(self, error: errors.Unavailable) -> None:
        """Log the error, unless another of the same cause was logged within the last minute."""
        cause = re.sub(r"\d+", "N", error.message)
        if self._clock() - self._logged_at.get(cause, float("-inf")) < LOG_INTERVAL:
            return
        self._logged_at[cause] = self._clock()
        detail = " ".join(str(error.__cause__ or "").split())
        _log.warning("answering 503: %s%s", error.message, detail and f" ({detail})")


_log = logging.getLogger(__name__)
_causes = CauseLog()


def install(app: Flask) -> None:
    """Answer every error of an application."""
    app.register_error_handler(Exception, handle)


def always(app: Flask, error: Exception) -> Callable[[dict[str, Any], Any], Iterable[bytes]]:
    """A WSGI application that answers every request with this error, as ``app`` would."""

    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        with app.request_context(environ):
            return app.process_response(handle(error))(environ, start_response)

    return answer


def ingest_error(code: str, message: str) -> dict[str, object]:
    """An error in the shape of the tracking API."""
    return {"success": False, "error": message, "code": code, "message": message}


def ingest_error_response(error: Exception) -> Response:
    """The response to a request with events that failed as a whole."""
    problem = problem_of(error)
    return _response(problem, ingest_error(problem.code, problem.message))


def handle(error: Exception) -> Response:
    if routes.is_ingest(request):
        response = ingest_error_response(error)
    else:
        problem = problem_of(error)
        fields = {"code": problem.code, "message": problem.message, "details": problem.details}
        response = _response(problem, {"error": fields})
    if isinstance(error, MethodNotAllowed):
        response.headers["Allow"] = ", ".join(sorted(error.valid_methods or ()))
    if response.status_code == 500:
        current_app.logger.error("%s %s failed", request.method, request.path, exc_info=error)
    return response


def problem_of(error: Exception) -> Problem:
    if isinstance(error, errors.Unavailable):
        _causes.add(error)
    if isinstance(error, errors.PequelError):
        for kind in type(error).__mro__:
            if kind in STATUS:
                return Problem(STATUS[kind], error.code, error.message, error.details)
    if isinstance(error, HTTPException):
        status = error.code or 500
        return Problem(status, _CODES.get(status, "http"), _http_message(error), {})
    return Problem(500, "internal", "internal error: the request is not the cause", {})


def _response(problem: Problem, body: dict[str, object]) -> Response:
    response = json_response(body, problem.status)
    if problem.status in (429, 503):
        response.headers["Retry-After"] = str(problem.details.get("retry_after", RETRY_AFTER))
    if problem.status == 401:
        # With Basic, a browser would open a window that asks for a password.
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def _http_message(error: HTTPException) -> str:
    if isinstance(error, NotFound):
        return f"there is no path {(request.path.rstrip('/') or '/')[:_MAX_SHOWN]!a}"
    if isinstance(error, MethodNotAllowed):
        allowed = sorted({*(error.valid_methods or ())} - _IMPLIED_METHODS)
        found = ascii(request.method[:_MAX_SHOWN])
        return f"found the method {found}, expected {' or '.join(allowed)}"
    return str(error.description)
