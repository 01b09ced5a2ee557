"""Asks a collector over HTTP, for commands that need no access to its database."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import requests

from ..errors import BadRequest, PequelError
from ..model import JSON

TIMEOUT = (10.0, 60.0)
"""Seconds to connect, and to wait for an answer."""

PAUSE = 1.0
"""Seconds before the next try, unless the collector says another number."""

MAX_PAUSE = 60.0


class Lost(PequelError):
    """The collector does not answer, or asks to come back later; ``pause`` is in how many s."""

    code = "unavailable"

    def __init__(self, message: str, pause: float = PAUSE) -> None:
        super().__init__(message)
        self.pause = pause


class CollectorUrl:
    """A collector, asked with one key."""

    def __init__(self, url: str, key: str) -> None:
        if not url.startswith(("http://", "https://")):
            raise BadRequest(f"--url: found {url!a}, expected http://… or https://…")
        self._url = url.rstrip("/")
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {key}"

    def get(self, path: str, given: Mapping[str, str]) -> Any:
        """The answer as JSON. Raises Lost, or BadRequest for what another try cannot change."""
        url = self._url + path
        try:
            answer = self._session.get(url, params=given, timeout=TIMEOUT, allow_redirects=False)
        except requests.RequestException as error:
            raise Lost(f"cannot reach {self._url}: {_reason(error)}") from None
        body = _json(answer)
        if answer.status_code == 200 and body is not None:
            return body
        message = _message(body) or f"it answers {answer.status_code}, expected a Pequel collector"
        if answer.status_code == 429 or answer.status_code >= 500:
            raise Lost(f"{self._url}: {message}", _pause(answer))
        raise BadRequest(f"{self._url}: {message}")

    def pause(self, error: Lost) -> None:
        """Wait before the next try."""
        time.sleep(error.pause)


def _json(answer: requests.Response) -> JSON:
    try:
        found = answer.json()
    except (ValueError, requests.RequestException):
        return None
    return found if isinstance(found, dict) else None


def _message(body: JSON) -> str | None:
    error = body.get("error") if body else None
    return error.get("message") if isinstance(error, dict) else None


def _pause(answer: requests.Response) -> float:
    given = answer.headers.get("Retry-After", "")
    return min(float(given), MAX_PAUSE) if given.isdigit() else PAUSE


def _reason(error: Exception) -> str:
    """The innermost reason, without the addresses of objects."""
    while error.__context__ is not None and isinstance(error.__context__, Exception):
        error = error.__context__
    return str(getattr(error, "strerror", None) or type(error).__name__)
