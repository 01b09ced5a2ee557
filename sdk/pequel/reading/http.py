"""RequestScope over HTTP, by one `requests` session that keeps its connections."""

from __future__ import annotations

import binascii
import os
import random
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from pequel import backoff
from pequel.clock import Clock, WakeEvent
from pequel.errors import ReaderError, UnavailableError
from pequel.reading import replies
from pequel.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import requests

    from pequel.config import Options

NO_ANSWER = "no_answer"


class ApiClient:
    """Asks the collector at `options.host`, and asks again while that may help."""

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
        self._given = session
        self._opened: tuple[int, requests.Session] | None = None
        self._clock = clock or Clock()
        self._jitter = jitter or random.Random().random

    def ask(self, path: str, parameters: Mapping[str, str] | None = None) -> dict[str, Any]:
        """The answer. Raises ReaderError."""
        target = f"{path}?{urlencode(parameters)}" if parameters else path
        failures = 0
        while True:
            try:
                return self._try(target)
            except UnavailableError as error:
                failures += 1
                wait = self._wait(failures, error.retry_after)
                if failures > self._options.max_retries or wait > self._options.max_retry_wait:
                    raise
                self._clock.wait(WakeEvent(), wait)

    def close(self) -> None:
        """Close the connections of this process; the next question opens new ones."""
        if self._opened is not None:
            self._opened[1].close()
            self._opened = None

    def _wait(self, failures: int, asked: float | None) -> float:
        chosen = backoff.backoff(failures, self._jitter(), self._options.max_retry_wait)
        return max(asked or 0.0, chosen)

    def _try(self, target: str) -> dict[str, Any]:
        import requests  # here, so that only who asks pays for it

        lost = (
            requests.ConnectionError,
            requests.Timeout,
            requests.exceptions.ChunkedEncodingError,
        )
        try:
            reply = self._get(target)
        except requests.RequestException as error:
            kind = UnavailableError if isinstance(error, lost) else ReaderError
            raise kind(NO_ANSWER, f"{type(error).__name__}: {error}") from error
        wait = backoff.retry_after(reply.headers.get("Retry-After"), self._clock.now_ms())
        return replies.read(reply.status_code, reply.content, wait)

    def _get(self, target: str) -> requests.Response:
        import requests

        session = self._session()
        question = requests.Request("GET", f"{self._options.host}/", auth=self._authorize)
        request = session.prepare_request(question)
        # Put there as it is: requests takes an id such as `..` for a way through folders.
        request.url = str(request.url).removesuffix("/") + target
        around = session.merge_environment_settings(request.url, {}, None, None, None)
        timeout = self._options.timeout
        return session.send(request, timeout=timeout, allow_redirects=False, **around)

    def _authorize(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Give the key here: as a header, a .netrc would override it."""
        request.headers["Authorization"] = self._authorization
        return request

    def _session(self) -> requests.Session:
        """The session of this process: one inherited by a fork would share its connections."""
        if self._given is not None:
            return self._given
        pid = os.getpid()
        if self._opened is None or self._opened[0] != pid:
            self._opened = (pid, _new_session())
        return self._opened[1]


def _authorization(read_key: str) -> str:
    """A header holds ASCII; a key may be any text, which the other scheme carries."""
    if read_key.isascii():
        return f"Bearer {read_key}"
    return "Basic " + binascii.b2a_base64(f"{read_key}:".encode(), newline=False).decode()


def _new_session() -> requests.Session:
    import requests

    session = requests.Session()
    session.headers["User-Agent"] = f"pequel-python/{__version__}"
    return session
