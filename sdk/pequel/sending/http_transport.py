"""Batches over HTTP, by one `requests` session that keeps its connection."""

from __future__ import annotations

import binascii
import os
from typing import TYPE_CHECKING

from pequel import backoff
from pequel.clock import Clock
from pequel.messages import iso8601
from pequel.sending import verdicts
from pequel.sending.transport import Delivery, Outcome, Verdict
from pequel.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import TypeAlias

    import requests

    from pequel.config import Options

    Sessions: TypeAlias = "requests.Session | Callable[[], requests.Session]"

_LEVEL = 6
_LEAST_TIMEOUT = 0.001
_PIECE = 4_096  # short, as some versions of urllib3 unpack a whole piece, however long it gets
_LONGEST_RECEIPT = 1_048_576


class HttpTransport:
    """Posts batches to `{host}/v1/batch`, with the write key as the user of Basic auth."""

    def __init__(
        self,
        options: Options,
        clock: Clock | None = None,
        session: Sessions | None = None,
        proxies: Mapping[str, str] | None = None,
    ) -> None:
        """Post with the host, key and timeout of these settings.

        Args:
            options: the settings of the client.
            clock: tells the time.
            session: posts in place of a session of the SDK's own. A function is called in each
                process that sends. A session is used as it is; in a forked child its connections
                are closed first, as they are the parent's.
            proxies: as `requests` takes them; they go before those of the environment.
        """
        self._url = f"{options.host}/v1/batch"
        key = f"{options.write_key}:".encode()
        self._basic = "Basic " + binascii.b2a_base64(key, newline=False).decode()
        self._timeout = options.timeout
        self._gzip = options.gzip
        self._clock = clock or Clock()
        self._given = session
        self._proxies = dict(proxies or {})
        self._pid = os.getpid()
        self._opened: tuple[int, requests.Session] | None = None

    def send(self, events: Sequence[bytes], /) -> Outcome:
        """Post the events once; what cannot be sent or answered is to be tried again."""
        return self.deliver(Delivery(events))

    def deliver(self, delivery: Delivery, /) -> Outcome:
        """Post the events and the report once, within the time there is."""
        import requests  # here, so that only the sending thread pays for it

        timeout = self._timeout
        if delivery.timeout is not None:
            timeout = min(timeout, max(delivery.timeout, _LEAST_TIMEOUT))
        try:
            answer = self._post(self._body(delivery), timeout)
            body = self._received(answer, timeout)
        except requests.RequestException as error:
            return Outcome(Verdict.RETRY, f"{type(error).__name__}: {error}")
        wait = backoff.retry_after(answer.headers.get("Retry-After"), self._clock.now_ms())
        return verdicts.read(answer.status_code, body, len(delivery.events), wait)

    def close(self) -> None:
        """Close the connection of this process, unless the session is the application's."""
        if self._opened is not None and self._opened[0] == os.getpid():
            if self._opened[1] is not self._given:
                self._opened[1].close()
            self._opened = None

    def _post(self, body: bytes, timeout: float) -> requests.Response:
        headers = {"Content-Type": "application/json"}
        if self._gzip:
            body, headers["Content-Encoding"] = _compressed(body), "gzip"
        session = self._session()
        return session.post(
            self._url,
            data=body,
            headers=headers,
            auth=self._authorize,  # as a header, a .netrc would override it
            timeout=timeout,
            proxies=dict(self._proxies),  # a session adds to it
            verify=None if session.verify is True else session.verify,  # or it gives way to others
            allow_redirects=False,
            stream=True,
        )

    def _received(self, answer: requests.Response, timeout: float) -> bytes:
        """What an answer says; nothing where that is longer than any receipt.

        Raises:
            requests.Timeout: it takes longer than so many seconds.
            Exception: it broke off; each library has its own for that, and so has `requests`.
        """
        import requests

        if answer.raw is None:  # it was made by hand, as in tests
            return answer.content
        until = self._clock.monotonic() + timeout
        body = bytearray()
        with answer:
            for piece in _pieces(answer):
                body += piece
                if len(body) > _LONGEST_RECEIPT:
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
        batch = b",".join(delivery.events)
        return b'{"batch":[' + batch + b'],"sentAt":"' + sent_at + b'"' + report + b"}"

    def _session(self) -> requests.Session:
        """The session of this process: one inherited by a fork would share its connection."""
        pid = os.getpid()
        if self._opened is None or self._opened[0] != pid:
            self._opened = (pid, self._open(pid))
        return self._opened[1]

    def _open(self, pid: int) -> requests.Session:
        if self._given is None:
            return _new_session(self._url, self._proxies)
        if callable(self._given):
            return self._given()
        if pid != self._pid:
            self._given.close()
        return self._given


def _pieces(answer: requests.Response) -> Iterator[bytes]:
    """An answer as it arrives, unless a hook has read it, or the library waits for more."""
    read = getattr(answer.raw, "read1", None)
    if read is None or not hasattr(answer.raw, "stream") or _is_read(answer):
        yield from answer.iter_content(_PIECE)
        return
    while piece := read(_PIECE, decode_content=True):
        yield piece


def _is_read(answer: requests.Response) -> bool:
    return bool(getattr(answer, "_content_consumed", False))


def _new_session(url: str, proxies: dict[str, str]) -> requests.Session:
    """A session that has read proxies and certificates from the environment once, for good.

    To read them at every request would take a quarter of its time.
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

    return gzip.compress(body, _LEVEL, mtime=0)
