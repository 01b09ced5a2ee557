"""Batches over HTTP, by one `requests` session that keeps its connection."""

from __future__ import annotations

import binascii
import os
from typing import TYPE_CHECKING

from pequel import backoff, fork_guard
from pequel.messages import iso8601
from pequel.messages.library import joined_with_library
from pequel.sending import verdicts
from pequel.sending.transport import Delivery, Outcome, Verdict
from pequel.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import TypeAlias

    import requests

    from pequel.clock import Clock
    from pequel.config import Options

    Sessions: TypeAlias = "requests.Session | Callable[[], requests.Session]"

_GZIP_LEVEL = 5
_LEAST_TIMEOUT = 0.001
_CHUNK = 4_096  # small, as some versions of urllib3 decompress a whole chunk of any size
_LARGEST_RECEIPT = 1_048_576


class HttpTransport:
    """Posts batches to `{host}/v1/batch`, with the write key as the user of Basic auth."""

    def __init__(
        self,
        options: Options,
        clock: Clock,
        session: Sessions | None = None,
        proxies: Mapping[str, str] | None = None,
    ) -> None:
        """Post with the host, key and timeout of these settings.

        Args:
            options: the settings of the client.
            clock: gives the time.
            session: posts in place of a session of the SDK. A function is called in each process
                that sends. A session is used as it is; in a forked child its connections are
                closed first, as they are the parent's.
            proxies: as `requests` takes them; they win over those of the environment.
        """
        self._host = options.host
        self._url = f"{options.host}/v1/batch"
        key = f"{options.write_key}:".encode()
        self._basic = "Basic " + binascii.b2a_base64(key, newline=False).decode()
        self._timeout = options.timeout
        self._gzip = options.gzip
        self._clock = clock
        self._session_argument = session
        self._proxies = dict(proxies or {})
        self._pid = os.getpid()
        self._session_of_pid: tuple[int, requests.Session] | None = None

    def send(self, events: Sequence[bytes], /) -> Outcome:
        """Post the events once. Raises no error of the network: the outcome says to try again."""
        return self.deliver(Delivery(events))

    def deliver(self, delivery: Delivery, /) -> Outcome:
        """Post the events and the report once, within the time that is left."""
        fork_guard.import_for_sending()
        import requests  # here, so that only the sending thread pays for it

        from pequel import network_errors

        timeout = self._timeout
        if delivery.timeout is not None:
            timeout = min(timeout, max(delivery.timeout, _LEAST_TIMEOUT))
        try:
            answer = self._post(self._body(delivery), timeout)
            body = self._read_body(answer, timeout)
        except requests.RequestException as error:
            return Outcome(Verdict.RETRY, network_errors.describe(self._host, error))
        wait = backoff.retry_after(answer.headers.get("Retry-After"), self._clock.now_ms())
        outcome = verdicts.read(answer.status_code, body, len(delivery.events), wait)
        if outcome.verdict is not Verdict.RETRY:
            return outcome
        target = answer.headers.get("Location")
        detail = f"{self._host} answered {outcome.detail}" + (
            f", a redirect to {target}" if target else ""
        )
        return outcome._replace(detail=detail)

    def close(self) -> None:
        """Close the connection of this process, unless the session is the application's."""
        if self._session_of_pid is not None and self._session_of_pid[0] == os.getpid():
            if self._session_of_pid[1] is not self._session_argument:
                self._session_of_pid[1].close()
            self._session_of_pid = None

    def _post(self, body: bytes, timeout: float) -> requests.Response:
        headers = {"Content-Type": "application/json"}
        if self._gzip:
            body, headers["Content-Encoding"] = _compressed(body), "gzip"
        session = self._session()
        return session.post(
            self._url,
            data=body,
            headers=headers,
            auth=self._authorize,  # a .netrc would override a header
            timeout=timeout,
            proxies=dict(self._proxies),  # a copy, as the session adds to it
            verify=None if session.verify is True else session.verify,  # or the environment wins
            allow_redirects=False,
            stream=True,
        )

    def _read_body(self, answer: requests.Response, timeout: float) -> bytes:
        """The body of an answer; empty if it is larger than any receipt.

        Raises:
            requests.Timeout: it takes longer than `timeout` seconds.
            Exception: the connection broke; `requests` and urllib3 raise their own errors.
        """
        import requests

        if answer.raw is None:  # a test made it by hand
            return answer.content
        until = self._clock.monotonic() + timeout
        body = bytearray()
        with answer:
            for chunk in _chunks(answer):
                body += chunk
                if len(body) > _LARGEST_RECEIPT:
                    return b""
                if self._clock.monotonic() > until:
                    raise requests.Timeout(f"the answer did not end within {timeout:g} seconds")
        return bytes(body)

    def _authorize(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self._basic
        return request

    def _body(self, delivery: Delivery) -> bytes:
        sent_at = iso8601.from_ms(self._clock.now_ms()).encode()
        report = b',"report":' + delivery.report if delivery.report else b""
        batch = joined_with_library(delivery.events)
        return b'{"batch":[' + batch + b'],"sentAt":"' + sent_at + b'"' + report + b"}"

    def _session(self) -> requests.Session:
        """The session of this process; one from before a fork shares the parent's connection."""
        pid = os.getpid()
        if self._session_of_pid is None or self._session_of_pid[0] != pid:
            self._session_of_pid = (pid, self._open(pid))
        return self._session_of_pid[1]

    def _open(self, pid: int) -> requests.Session:
        if self._session_argument is None:
            return _new_session(self._url, self._proxies)
        if callable(self._session_argument):
            with fork_guard.no_fork():  # it may import
                return self._session_argument()
        if pid != self._pid:
            self._session_argument.close()
        return self._session_argument


def _chunks(answer: requests.Response) -> Iterator[bytes]:
    """The body as it arrives; or whole, if a hook has read it or urllib3 lacks `read1`."""
    read = getattr(answer.raw, "read1", None)
    if read is None or not hasattr(answer.raw, "stream") or _is_read(answer):
        yield from answer.iter_content(_CHUNK)
        return
    while chunk := read(_CHUNK, decode_content=True):
        yield chunk


def _is_read(answer: requests.Response) -> bool:
    return bool(getattr(answer, "_content_consumed", False))


def _new_session(url: str, proxies: dict[str, str]) -> requests.Session:
    """A session that has read proxies and certificates from the environment once.

    Reading them for every request would take a quarter of its time.
    """
    import requests

    session = requests.Session()
    session.headers["User-Agent"] = f"pequel-python/{__version__}"
    found = session.merge_environment_settings(url, dict(proxies), None, None, None)
    session.proxies, session.verify = found["proxies"], found["verify"]
    session.trust_env = False
    return session


def _compressed(body: bytes) -> bytes:
    import gzip

    return gzip.compress(body, _GZIP_LEVEL, mtime=0)
