"""Requests to the collector, by one `requests` session per process."""

from __future__ import annotations

import binascii
import json
import os
import random
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from pequel import fork_guard, network_errors
from pequel.backoff import backoff, retry_after
from pequel.clock import Clock
from pequel.errors import (
    ConflictError,
    NotFoundError,
    ReaderError,
    UnauthorizedError,
    UnavailableError,
)
from pequel.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import requests

    from pequel.config import Options

NO_ANSWER = "no_answer"
UNEXPECTED = "unexpected_answer"
_OK = 200
_FAILED = 500
_TEMPORARY = {429, 502, 503, 504}  # the same request may succeed a little later
_ERRORS: dict[int, type[ReaderError]] = {
    401: UnauthorizedError,
    404: NotFoundError,
    409: ConflictError,
    **dict.fromkeys(_TEMPORARY, UnavailableError),
}


class ApiClient:
    """Asks the collector at `options.host`, and tries again while that may help."""

    def __init__(
        self,
        options: Options,
        read_key: str,
        session: requests.Session | None = None,
        clock: Clock | None = None,
        jitter: Callable[[], float] | None = None,
    ) -> None:
        self._options = options
        self._authorization = _authorization(read_key)
        self._session_argument = session
        self._session_of_pid: tuple[int, requests.Session] | None = None
        self._clock = clock or Clock()
        self._jitter = jitter or random.Random().random

    def get(self, path: str, parameters: Mapping[str, str] | None = None) -> dict[str, Any]:
        """The JSON object at a path. Raises ReaderError."""
        target = f"{path}?{urlencode(parameters)}" if parameters else path
        return self._request("GET", target)

    def ask(self, path: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Ask a question at a path, which changes nothing; the answer. Raises ReaderError."""
        headers = {"Content-Type": "application/json"}
        return self._request("POST", path, json.dumps(fields).encode(), headers)

    def patch(self, path: str, fields: Mapping[str, Any], key: str) -> dict[str, Any]:
        """Make a change at a path, once; the JSON object in the answer. Raises ReaderError.

        `key` names the change, so that the collector knows it again if it is sent twice.
        """
        return self._change("PATCH", path, fields, key)

    def post_once(self, path: str, fields: Mapping[str, Any], key: str) -> dict[str, Any]:
        """The same as `patch`, for a change that has a path of its own."""
        return self._change("POST", path, fields, key)

    def _change(
        self, method: str, path: str, fields: Mapping[str, Any], key: str
    ) -> dict[str, Any]:
        headers = {"Idempotency-Key": key, "Content-Type": "application/json"}
        return self._request(method, path, json.dumps(fields).encode(), headers)

    def _request(
        self,
        method: str,
        target: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        failures = 0
        while True:
            try:
                return self._try(method, target, body, headers)
            except ReaderError as error:
                if not _may_pass(error, "Idempotency-Key" in (headers or {})):
                    raise
                failures += 1
                wait = self._wait(failures, error.retry_after)
                if failures > self._options.max_retries or wait > self._options.max_retry_wait:
                    raise
                self._clock.sleep(wait)

    def close(self) -> None:
        """Close the connections of this process; the next request opens new ones."""
        if self._session_of_pid is not None:
            self._session_of_pid[1].close()
            self._session_of_pid = None

    def _wait(self, failures: int, asked: float | None) -> float:
        chosen = backoff(failures, self._jitter(), self._options.max_retry_wait)
        return max(asked or 0.0, chosen)

    def _try(
        self, method: str, target: str, body: bytes | None, headers: Mapping[str, str] | None
    ) -> dict[str, Any]:
        fork_guard.import_for_sending()
        import requests  # here, so that only those who read pay for it

        no_connection = (
            requests.ConnectionError,
            requests.Timeout,
            requests.exceptions.ChunkedEncodingError,
        )
        try:
            answer = self._send(method, target, body, headers)
        except requests.RequestException as error:
            kind = UnavailableError if isinstance(error, no_connection) else ReaderError
            raise kind(NO_ANSWER, network_errors.describe(self._options.host, error)) from error
        wait = retry_after(answer.headers.get("Retry-After"), self._clock.now_ms())
        return parse(answer.status_code, answer.content, wait)

    def _send(
        self, method: str, target: str, body: bytes | None, headers: Mapping[str, str] | None
    ) -> requests.Response:
        import requests

        session = self._session()
        host = f"{self._options.host}/"
        plain = requests.Request(method, host, headers, data=body, auth=self._authorize)
        request = session.prepare_request(plain)
        # Set here, as requests would resolve an id such as `..` like a folder.
        request.url = str(request.url).removesuffix("/") + target
        settings = session.merge_environment_settings(request.url, {}, None, None, None)
        timeout = self._options.timeout
        return session.send(request, timeout=timeout, allow_redirects=False, **settings)

    def _authorize(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Set the key here, as a .netrc would override a header."""
        request.headers["Authorization"] = self._authorization
        return request

    def _session(self) -> requests.Session:
        """The session of this process; one from before a fork shares the parent's connections."""
        if self._session_argument is not None:
            return self._session_argument
        pid = os.getpid()
        if self._session_of_pid is None or self._session_of_pid[0] != pid:
            self._session_of_pid = (pid, _new_session())
        return self._session_of_pid[1]


def parse(status: int, body: bytes, retry_after: float | None = None) -> dict[str, Any]:
    """The JSON object in an answer.

    Raises:
        ReaderError: the answer is an error, and this the class for its status; or it is not the
            answer of a collector, such as a login page.
    """
    answer = _object(body)
    if status == _OK and answer is not None:
        return answer
    error = (answer or {}).get("error")
    if isinstance(error, dict):
        kind = _ERRORS.get(status, ReaderError)
        raise kind(
            str(error.get("code")),
            str(error.get("message")),
            status=status,
            details=error.get("details"),
            retry_after=retry_after,
        )
    kind = UnavailableError if status in _TEMPORARY else ReaderError
    message = f"status {status}, which is not the answer of a collector; check the host"
    raise kind(UNEXPECTED, message, status=status, retry_after=retry_after)


def _may_pass(error: ReaderError, is_change: bool) -> bool:
    """Whether the same request may succeed a little later. A change has a key of its own."""
    failed_inside = error.status is not None and error.status >= _FAILED
    return isinstance(error, UnavailableError) or (is_change and failed_inside)


def member(answer: Mapping[str, Any], name: str, kind: type) -> Any:
    """A member that an answer must have, of this type. Raises ReaderError without it."""
    found = answer.get(name)
    if not isinstance(found, kind):
        message = f"the answer is without {name}; check the host"
        raise ReaderError(UNEXPECTED, message, status=_OK)
    return found


def _authorization(read_key: str) -> str:
    """The header's value. A header holds ASCII only; Basic auth carries any text, encoded."""
    if read_key.isascii():
        return f"Bearer {read_key}"
    return "Basic " + binascii.b2a_base64(f"{read_key}:".encode(), newline=False).decode()


def _new_session() -> requests.Session:
    import requests

    session = requests.Session()
    session.headers["User-Agent"] = f"pequel-python/{__version__}"
    return session


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None
