"""The server that every SDK sends to: counts what arrives, and misbehaves when told to.

Run as a process of its own: `python -m peers.server`; it prints its address. Paths that begin with
`/_` are for the one who measures, see `peers.sink`.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from . import wire


class Behaviour(NamedTuple):
    """How to answer events.

    Attributes:
        status: of the answer; only with 200 do events count as arrived.
        headers: of the answer.
        body: of the answer, in place of a receipt.
        delay: seconds before the answer.
        hang: give no answer at all.
        largest: events in one request, at most; more are answered 413.
        first: how many requests to treat so; those after are answered well.
    """

    status: int = 200
    headers: dict[str, str] = {}  # noqa: RUF012 - it is only read
    body: str | None = None
    delay: float = 0.0
    hang: bool = False
    largest: int = 1_000_000
    first: int = 1_000_000


class Ledger:
    """What has arrived since the last `clear`."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.clear()

    def clear(self, behaviour: Behaviour | None = None) -> None:
        """Forget everything, let those go who hang, and behave so from now on."""
        with self.changed:
            self.behaviour = behaviour or Behaviour()
            self.arrived: list[dict[str, Any]] = []
            self.tries: list[tuple[float, int]] = []
            self.connections: set[Any] = set()
            self.bytes = 0
            self.hanging = 0
            self.generation = getattr(self, "generation", 0) + 1
            self.changed.notify_all()

    def behave(self, behaviour: Behaviour) -> None:
        """From now on; what arrived stays."""
        with self.changed:
            self.behaviour = behaviour

    def counts(self) -> dict[str, Any]:
        """In numbers."""
        return {
            "events": len(self.arrived),
            "requests": len(self.tries),
            "connections": len(self.connections),
            "bytes": self.bytes,
            "hanging": self.hanging,
            "tries": self.tries,
        }


class Handler(BaseHTTPRequestHandler):
    """Answers the SDKs, and the one who measures."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer is one write, which TCP does not hold back
    server: Server

    def do_GET(self) -> None:
        """Answer one who measures, or one who followed a redirect."""
        path, query = urlsplit(self.path).path, dict(parse_qsl(urlsplit(self.path).query))
        ledger = self.server.ledger
        if path == "/_wait":
            with ledger.changed:
                ledger.changed.wait_for(lambda: _reached(ledger, query), float(query["seconds"]))
        answer = ledger.counts() if path.startswith("/_") else wire.ANSWER
        if path == "/_properties":
            answer = {"properties": [wire.properties(event) for event in ledger.arrived]}
        self._answer(Behaviour(), json.dumps(answer))

    def do_POST(self) -> None:
        """Take events, or orders."""
        body = self._body()
        if self.path.startswith("/_"):
            order = Behaviour(**json.loads(body))
            act = self.server.ledger.clear if self.path == "/_clear" else self.server.ledger.behave
            act(order)
            return self._answer(Behaviour(), "{}")
        return self._take(body)

    def _take(self, body: bytes) -> None:
        events = wire.events(body, self.headers)
        behaviour = self._booked(events, body)
        if behaviour.hang:
            return self._hang()
        time.sleep(behaviour.delay)
        receipt = json.dumps({**wire.ANSWER, "accepted": len(events), "rejected": []})
        return self._answer(behaviour, receipt)

    def _booked(self, events: list[dict[str, Any]], body: bytes) -> Behaviour:
        """Count the request, and say how to answer it."""
        ledger = self.server.ledger
        with ledger.changed:
            behaviour = ledger.behaviour
            if len(ledger.tries) >= behaviour.first:
                behaviour = Behaviour()
            if len(events) > behaviour.largest:
                behaviour = Behaviour(413, body='{"code": 413, "error": "too large"}')
            ledger.tries.append((time.time(), len(events)))
            ledger.connections.add(self.client_address)
            ledger.bytes += self._head() + len(body)
            if behaviour[:3] == Behaviour()[:3] and not behaviour.hang:
                ledger.arrived += events
            ledger.hanging += behaviour.hang
            ledger.changed.notify_all()
        return behaviour

    def _hang(self) -> None:
        ledger = self.server.ledger
        with ledger.changed:
            now = ledger.generation
            ledger.changed.wait_for(lambda: ledger.generation != now)
        self.close_connection = True

    def _answer(self, behaviour: Behaviour, body: str) -> None:
        data = (body if behaviour.body is None else behaviour.body).encode()
        self.send_response(behaviour.status)
        for name, text in {"Content-Type": "application/json", **behaviour.headers}.items():
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _head(self) -> int:
        """Bytes of the request before its body."""
        lines = (len(name) + len(text) + 4 for name, text in self.headers.items())
        return len(self.raw_requestline) + sum(lines) + 2

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """One ledger for all connections."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.ledger = Ledger()

    def handle_error(self, *_: Any) -> None:
        """A client that went away is no error of ours."""


def _reached(ledger: Ledger, query: dict[str, str]) -> bool:
    return len(ledger.arrived) >= int(query.get("events", 0)) and ledger.hanging >= int(
        query.get("hanging", 0)
    )


if __name__ == "__main__":
    server = Server()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    sys.stdin.read()  # ends with the one who started it
