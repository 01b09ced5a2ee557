"""What the tests of the SDK share: a clock that is moved by hand, and a collector on localhost."""

import gzip
import json
import threading
import time
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

import pytest

import pequel
from pequel import default_client
from pequel.clock import Clock
from pequel.config import checked
from pequel.sending.callbacks import Callbacks
from pequel.sending.queue import EventQueue
from pequel.sending.sender import Sender


class HandClock(Clock):
    """Time that passes only when it is waited for or moved."""

    def __init__(self):
        self.ms = 1_772_359_200_000  # 2026-03-01T10:00:00.000Z
        self.seconds = 0.0

    def now_ms(self):
        return self.ms

    def monotonic(self):
        return self.seconds

    def advance(self, seconds):
        self.seconds += seconds
        self.ms += round(seconds * 1000)

    def wait(self, event, seconds):
        if seconds is None:
            event.wait(None)
        else:
            event.wait(0)
            self.advance(seconds)


class Desk:
    """A sender with all it needs, and no thread; `sent` shows what reached the transport."""

    def __init__(self, outcomes=(), transport=None, jitter=1.0, **options):
        self.clock = HandClock()
        self.options = checked(options)
        self.transport = transport or pequel.RecordingTransport(outcomes)
        self.errors = []
        self.queue = EventQueue(self.options)
        self.sender = Sender(
            self.queue,
            self.transport,
            self.options,
            Callbacks(lambda error, message: self.errors.append((error, message))),
            self.clock,
            lambda: jitter,
        )

    def put(self, *numbers):
        for number in numbers:
            self.queue.put(json.dumps({"n": number}).encode())

    def run(self):
        """Step until nothing waits, moving the clock; returns the waits there were."""
        waits = []
        while (wait := self.sender.step()) is not None:
            if wait:
                waits.append(wait)
            self.clock.advance(wait)
        return waits

    @property
    def sent(self):
        return [[event["n"] for event in batch] for batch in self.transport.tried]

    @property
    def delivered(self):
        return [event["n"] for event in self.transport.events]


@pytest.fixture
def clock():
    return HandClock()


@pytest.fixture
def desk():
    """Makes senders: `desk(outcomes, **options)`."""
    return Desk


@pytest.fixture
def transport():
    return pequel.RecordingTransport()


@pytest.fixture
def client(transport):
    """A client whose events end in `transport`; `client.errors` holds what on_error was told."""
    errors = []
    client = pequel.Client(
        "key", transport=transport, on_error=lambda error, message: errors.append((error, message))
    )
    client.errors = errors
    yield client
    client.shutdown()


@pytest.fixture
def sent(client, transport):
    """Flushes, and gives every event that was delivered."""

    def flushed():
        assert client.flush()
        return transport.events

    return flushed


@pytest.fixture
def no_default(monkeypatch):
    """A process in which nobody has configured a default client."""
    for setting in pequel.config.SETTINGS:
        monkeypatch.delenv(setting.variable, raising=False)
    monkeypatch.setattr(default_client, "_clients", {})


class Request(NamedTuple):
    """What arrived, and when, in seconds."""

    at: float
    path: str
    headers: dict
    body: dict


class Collector(ThreadingHTTPServer):
    """Accepts every batch, and remembers it.

    Attributes:
        answers: what to answer instead, one for each request: status, headers, body.
        requests: all that arrived; `batches` and `events` are what was accepted of it.
        now: tells the seconds.
        delay: seconds before each answer.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.host = f"http://127.0.0.1:{self.server_port}"
        self.answers = deque()
        self.requests = []
        self.now = time.monotonic
        self.delay = 0.0
        self.batches = []
        self.connections = set()

    @property
    def events(self):
        return [event for batch in self.batches for event in batch]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer is one write, which TCP does not hold back

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        body = json.loads(body)
        request = Request(self.server.now(), self.path, dict(self.headers), body)
        self.server.requests.append(request)
        self.server.connections.add(self.client_address)
        time.sleep(self.server.delay)
        if self.server.answers:
            self._answer(*self.server.answers.popleft())
            return
        batch = body["batch"]
        self.server.batches.append(batch)
        receipt = {"success": True, "accepted": len(batch), "duplicates": 0, "rejected": []}
        self._answer(200, {}, receipt)

    def _answer(self, status, headers, answer):
        data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


@pytest.fixture
def collector():
    """A collector on localhost."""
    with Collector() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(scope="session")
def desk_class():
    """The same as `desk`, for laws, whose examples share their fixtures."""
    return Desk
