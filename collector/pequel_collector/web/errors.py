"""Errors as answers: one table from error to status, and two shapes of body.

Clients of the tracking API look for ``success``, ``error``, ``code`` and ``message`` side by side;
the query API says ``{"error": {"code", "message", "details"}}``. Nothing internal is in either.
"""

from __future__ import annotations

from flask import Flask, Response, current_app, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound

from .. import errors
from .ingest import routes
from .json import answer

STATUS: dict[type, int] = {
    errors.BadRequest: 400,
    errors.DefinitionError: 400,
    errors.Unauthorized: 401,
    errors.NotFound: 404,
    errors.TooLarge: 413,
    errors.Unsupported: 415,
    errors.TooMany: 429,
    errors.Unavailable: 503,
}
RETRY_AFTER = "2"
"""Seconds to wait after a 429 or a 503: clients that are told nothing come back at once."""

INGEST = "ingest"
"""The part of the application that takes events in."""

_INTERNAL = "something went wrong here, not with the request"
_UNSAID = {"HEAD", "OPTIONS"}  # methods that come with others
_SHOWN = 200
_CODES = {400: "bad_request", 404: "not_found", 405: "method_not_allowed", 413: "too_large"}


def install(app: Flask) -> None:
    """Answer every error of an application."""
    app.register_error_handler(errors.PequelError, _known)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _unknown)


def refusal(code: str, message: str) -> dict[str, object]:
    """An error in the shape of the tracking API."""
    return {"success": False, "error": message, "code": code, "message": message}


def refused(error: Exception) -> Response:
    """The answer to a request with events that is refused as a whole, for whatever reason."""
    if isinstance(error, errors.PequelError) and (status := _status(error)) is not None:
        return _explained(error, status, answer(refusal(error.code, error.message), status))
    if isinstance(error, HTTPException):
        status = error.code or 500
        return answer(refusal(_CODES.get(status, "http"), _said(error)), status)
    return answer(refusal("internal", _INTERNAL), 500)


def _known(error: errors.PequelError) -> Response:
    status = _status(error)
    if status is None:
        return _unknown(error)
    response = _answer(status, error.code, error.message, error.details)
    return _explained(error, status, response)


def _status(error: errors.PequelError) -> int | None:
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), None)


def _explained(error: errors.PequelError, status: int, response: Response) -> Response:
    """An answer with the headers that say what can be done about an error."""
    if status in (429, 503):
        response.headers["Retry-After"] = str(error.details.get("retry_after", RETRY_AFTER))
    if status == 401:
        # Not Basic, to which a browser would put up a window that asks for a password.
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def _http(error: HTTPException) -> Response:
    status = error.code or 500
    response = _answer(status, _CODES.get(status, "http"), _said(error), {})
    if isinstance(error, MethodNotAllowed):
        response.headers["Allow"] = ", ".join(sorted(error.valid_methods or ()))
    return response


def _said(error: HTTPException) -> str:
    """What is wrong with a request, in words for whoever wrote the client."""
    if isinstance(error, NotFound):
        return f"there is no path {(request.path.rstrip('/') or '/')[:_SHOWN]!a}"
    if isinstance(error, MethodNotAllowed):
        allowed = sorted({*(error.valid_methods or ())} - _UNSAID)
        return f"found the method {request.method[:_SHOWN]!a}, expected {' or '.join(allowed)}"
    return str(error.description)


def _unknown(error: Exception) -> Response:
    current_app.logger.error("%s %s failed", request.method, request.path, exc_info=error)
    return _answer(500, "internal", _INTERNAL, {})


def _answer(status: int, code: str, message: str, details: dict[str, object]) -> Response:
    if routes.is_for_one(request):
        return answer(refusal(code, message), status)
    return answer({"error": {"code": code, "message": message, "details": details}}, status)
