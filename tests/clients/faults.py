"""A proxy before a collector that spoils requests, and remembers what passed through it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import cast
from urllib.parse import urlsplit

RETRY_AFTER = 1
"""Seconds after which a client that is refused may come again."""

_OF_ONE_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}


@dataclass(frozen=True)
class EventError:
    """What becomes of a request: it is answered so, or its connection ends without an answer."""

    status: int | None = None
    arrives: bool = False


TOO_MANY = EventError(429)
UNAVAILABLE = EventError(503)
DROPPED = EventError()
UNHEARD = EventError(arrives=True)
"""The collector has it, and answers, but the client never hears of that."""


@dataclass(frozen=True)
class Exchange:
    """A request of a client's, and what it was answered, if it was."""

    method: str
    path: str
    body: bytes
    came: float
    went: float
    status: int | None
    retry_after: str | None


class Proxy(ThreadingHTTPServer):
    """Passes requests on, except that the first posts meet a fault each."""

    daemon_threads = True

    def __init__(self, target: str, faults: Iterable[EventError]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.target = urlsplit(target).netloc
        self.faults = deque(faults)
        self.exchanges: list[Exchange] = []

    @property
    def url(self) -> str:
        """Where clients find it."""
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def posts(self) -> list[Exchange]:
        """The requests that carried events, in the order of their ends."""
        return [one for one in self.exchanges if one.method == "POST"]


@contextmanager
def proxy(target: str, faults: Iterable[EventError] = ()) -> Iterator[Proxy]:
    """Run a proxy before the collector at this address."""
    with Proxy(target, faults) as server:
        thread = Thread(target=server.serve_forever, args=[0.05], daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._pass_on()

    def do_OPTIONS(self) -> None:
        self._pass_on()

    def do_POST(self) -> None:
        faults = cast("Proxy", self.server).faults
        try:
            fault = faults.popleft()
        except IndexError:
            self._pass_on()
        else:
            self._spoil(fault)

    def log_request(self, code: object = "-", size: object = "-") -> None:
        """Say nothing: what happened is in the exchanges."""

    def _pass_on(self) -> None:
        came, sent = time.monotonic(), self._body()
        answer, body = self._answer_of_collector(sent)
        self.send_response(answer.status)
        for name, text in answer.getheaders():
            if name.lower() not in _OF_ONE_HOP:
                self.send_header(name, text)
        self._end(body)
        self._remember(sent, came, answer.status, answer.getheader("Retry-After"))

    def _spoil(self, fault: EventError) -> None:
        came, sent = time.monotonic(), self._body()
        if fault.arrives:
            self._answer_of_collector(sent)
        if fault.status:
            self._refuse(fault.status)
        else:
            self.close_connection = True
        self._remember(sent, came, fault.status, str(RETRY_AFTER) if fault.status else None)

    def _refuse(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Retry-After", str(RETRY_AFTER))
        if origin := self.headers["Origin"]:
            self.send_header("Access-Control-Allow-Origin", origin)
            self.send_header("Access-Control-Allow-Credentials", "true")
            self.send_header("Access-Control-Expose-Headers", "Retry-After")
        self._end(b'{"success": false}')

    def _end(self, body: bytes) -> None:
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _answer_of_collector(self, sent: bytes) -> tuple[HTTPResponse, bytes]:
        """With the client's own `Host`, so that the collector believes to be here."""
        target = cast("Proxy", self.server).target
        with closing(HTTPConnection(target, timeout=30)) as connection:
            headers = dict(self.headers.items()) | {"Connection": "close"}
            connection.request(self.command, self.path, sent or None, headers)
            answer = connection.getresponse()
            return answer, answer.read()

    def _body(self) -> bytes:
        assert "Transfer-Encoding" not in self.headers, "a body in chunks, which no client here has"
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _remember(
        self, sent: bytes, came: float, status: int | None, retry_after: str | None
    ) -> None:
        went = time.monotonic()
        exchange = Exchange(self.command, self.path, sent, came, went, status, retry_after)
        cast("Proxy", self.server).exchanges.append(exchange)
