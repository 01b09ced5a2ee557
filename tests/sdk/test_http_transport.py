"""Batches travel over HTTP."""

import base64
import gzip
import io
import json
import os
import socket
import threading
import time
import tracemalloc
from contextlib import suppress

import pytest
import requests
import responses
from requests.adapters import HTTPAdapter

import pequel
from pequel import Verdict
from pequel.clock import Clock
from pequel.config import checked
from pequel.sending.http_transport import HttpTransport

URL = "http://collector.test/v1/batch"
SETTINGS = {"write_key": "key", "host": "http://collector.test/"}
RECEIPT = {"success": True, "accepted": 2}
EVENTS = [b'{"n":1}', '{"n":"ü"}'.encode()]
CONTEXT = {"library": {"name": "pequel", "version": pequel.__version__}}
SENT = [{"context": CONTEXT, "n": 1}, {"context": CONTEXT, "n": "ü"}]


@pytest.fixture
def http():
    with responses.RequestsMock() as mocked:
        yield mocked


@pytest.fixture
def make(clock):
    """Makes transports to the staged collector."""

    def transport(**options):
        return HttpTransport(checked({**SETTINGS, **options}), clock)

    return transport


def test_a_batch_is_posted_with_the_key_as_basic_user(http, make):
    """The body holds the events as they were encoded, and when they were sent."""
    http.post(URL, json=RECEIPT)
    assert make().send(EVENTS).verdict is Verdict.DELIVERED
    request = http.calls[0].request
    assert base64.b64decode(request.headers["Authorization"].removeprefix("Basic ")) == b"key:"
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["User-Agent"].startswith("pequel-python/")
    assert json.loads(gzip.decompress(request.body)) == {
        "batch": SENT,
        "sentAt": "2026-03-01T10:00:00.000Z",
    }


def test_compression_can_be_turned_off(http, make):
    """Then the body is plain JSON."""
    http.post(URL, json=RECEIPT)
    make(gzip=False).send(EVENTS)
    request = http.calls[0].request
    assert "Content-Encoding" not in request.headers
    assert json.loads(request.body)["batch"] == SENT


def test_a_key_may_hold_any_character(http, make):
    """Headers are bytes; the key goes in as UTF-8."""
    http.post(URL, json=RECEIPT)
    make(write_key="ключ").send(EVENTS)
    sent = http.calls[0].request.headers["Authorization"].removeprefix("Basic ")
    assert base64.b64decode(sent).decode() == "ключ:"


def test_a_netrc_file_does_not_replace_the_key(http, make, monkeypatch, tmp_path):
    """Credentials of the machine's user are not the product's."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine collector.test login somebody password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    http.post(URL, json=RECEIPT)
    make().send(EVENTS)
    sent = http.calls[0].request.headers["Authorization"].removeprefix("Basic ")
    assert base64.b64decode(sent) == b"key:"


def test_a_redirect_is_not_followed(http, make):
    """Following one would turn the POST into a GET, and lose the events."""
    http.post(URL, status=302, headers={"Location": "http://elsewhere.test/"})
    assert make().send(EVENTS).verdict is Verdict.RETRY
    assert len(http.calls) == 1


@pytest.mark.parametrize(
    "error",
    [requests.ConnectionError("refused"), requests.Timeout("slow"), requests.RequestException()],
)
def test_what_gets_no_answer_is_tried_again(http, make, error):
    """With the host and the error in its detail."""
    http.post(URL, body=error)
    outcome = make().send(EVENTS)
    assert outcome.verdict is Verdict.RETRY
    reason = str(error) or type(error).__name__
    assert outcome.detail == f"cannot reach collector.test: {reason}"


@pytest.mark.parametrize("value", ["7", "Sun, 01 Mar 2026 10:00:07 GMT"])
def test_retry_after_is_passed_on(http, make, value):
    """As seconds from now, whichever way it was given."""
    http.post(URL, status=429, headers={"Retry-After": value})
    assert make().send(EVENTS).retry_after == 7.0


def test_the_connection_is_kept(make, collector):
    """Many batches, one connection."""
    transport = make(host=collector.host)
    for _ in range(5):
        assert transport.send(EVENTS).verdict is Verdict.DELIVERED
    assert len(collector.batches) == 5
    assert len(collector.connections) == 1


@pytest.fixture
def answering():
    """Starts servers that answer every request with these pieces: `answering(pieces, pause)`."""
    servers = []

    def start(pieces, pause=0.0):
        server = socket.create_server(("127.0.0.1", 0))
        servers.append(server)

        def serve():
            connection, _ = server.accept()
            with connection, suppress(OSError):  # the client has heard enough
                connection.recv(65_536)
                for piece in pieces:
                    connection.sendall(piece)
                    time.sleep(pause)

        threading.Thread(target=serve, daemon=True).start()
        return f"http://127.0.0.1:{server.getsockname()[1]}"

    yield start
    for server in servers:
        server.close()


HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%b\r\n"


def test_an_answer_that_trickles_in_ends_in_time(answering):
    """However short the pauses are."""
    body = json.dumps(RECEIPT).encode() + b" " * 10_000
    host = answering([HEAD % (len(body), b""), *(body[i : i + 1] for i in range(10_000))], 0.02)
    transport = HttpTransport(checked({**SETTINGS, "host": host, "timeout": 0.2}), Clock())
    began = time.monotonic()
    outcome = transport.send(EVENTS)
    assert time.monotonic() - began < 5
    assert outcome.verdict is Verdict.RETRY
    assert "did not end within 0.2 seconds" in outcome.detail


@pytest.mark.parametrize("packed", [False, True])
def test_an_answer_longer_than_any_receipt_is_not_read_to_its_end(make, answering, packed):
    """Nor unpacked; it is no receipt."""
    length = 100_000_000
    body, encoding = b" " * length, b""
    if packed:
        body, encoding = gzip.compress(body), b"Content-Encoding: gzip\r\n"
    transport = make(host=answering([HEAD % (len(body), encoding), body]))
    transport.send([])  # what there is to import, is
    tracemalloc.start()
    transport = make(host=answering([HEAD % (len(body), encoding), body]))
    assert transport.send(EVENTS).verdict is Verdict.RETRY
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 20_000_000


def test_an_answer_that_a_hook_has_read_or_a_session_made_up_is_read(http, clock):
    """As an application's own session may have it."""
    http.post(URL, json=RECEIPT)
    hooked = requests.Session()
    hooked.hooks["response"].append(lambda answer, **_: answer.content and answer)
    assert HttpTransport(checked(SETTINGS), clock, hooked).send(EVENTS).detail == ""
    made_up = requests.Session()
    answer = requests.Response()
    answer.status_code, answer._content = 200, json.dumps(RECEIPT).encode()
    made_up.post = lambda *_, **__: answer
    assert HttpTransport(checked(SETTINGS), clock, made_up).send(EVENTS).detail == ""


class Recorder(HTTPAdapter):
    """Accepts everything, and notes with which proxies and certificates it was asked."""

    def __init__(self):
        super().__init__()
        self.asked = []

    def send(self, request, proxies=None, verify=None, **_):
        self.asked.append((dict(proxies or {}), verify, request))
        answer = requests.Response()
        answer.status_code, answer.raw = 200, io.BytesIO(json.dumps(RECEIPT).encode())
        return answer


@pytest.fixture
def recorder(monkeypatch):
    """Stands in for the network behind every session."""
    for name in (
        "http_proxy",
        "https_proxy",
        "no_proxy",
        "all_proxy",
        "requests_ca_bundle",
        "curl_ca_bundle",
    ):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    made = Recorder()
    monkeypatch.setattr(requests.Session, "get_adapter", lambda _self, url: made)
    return made


def test_proxies_and_certificates_of_the_environment_are_used(make, recorder, monkeypatch):
    """As they were when the process first sent."""
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.test:3128")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/certificates.pem")
    assert make().send(EVENTS).verdict is Verdict.DELIVERED
    [(proxies, verify, _)] = recorder.asked
    assert proxies["http"] == "http://proxy.test:3128"
    assert verify == "/certificates.pem"


def test_the_environment_can_keep_a_host_from_its_proxies(make, recorder, monkeypatch):
    """As everything else that heeds NO_PROXY."""
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.test:3128")
    monkeypatch.setenv("NO_PROXY", "collector.test")
    make().send(EVENTS)
    assert "http" not in recorder.asked[0][0]


def test_proxies_that_are_given_go_first(clock, recorder, monkeypatch):
    """Also with a session of the application's own."""
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.test:3128")
    given = {"http": "http://other.test:3128"}
    for session in (None, requests.Session()):
        HttpTransport(checked(SETTINGS), clock, session, given).send(EVENTS)
    assert [proxies["http"] for proxies, _, _ in recorder.asked] == ["http://other.test:3128"] * 2
    assert given == {"http": "http://other.test:3128"}


def test_a_session_of_the_application_is_used(clock, recorder, monkeypatch):
    """With its headers, its certificates before all others, and the key of the client."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/certificates.pem")
    session = requests.Session()
    session.headers["X-Team"] = "growth"
    session.verify = "/own.pem"
    HttpTransport(checked(SETTINGS), clock, session).send(EVENTS)
    [(_, verify, request)] = recorder.asked
    assert verify == "/own.pem"
    assert request.headers["X-Team"] == "growth"
    assert request.headers["Authorization"].startswith("Basic ")


def test_a_function_makes_a_session_for_each_process(clock, recorder, monkeypatch):
    """Called once in each, when it first sends."""
    made = []

    def session():
        made.append(requests.Session())
        return made[-1]

    transport = HttpTransport(checked(SETTINGS), clock, session)
    assert not made
    transport.send(EVENTS)
    transport.send(EVENTS)
    assert len(made) == 1
    monkeypatch.setattr(os, "getpid", lambda: -1)
    transport.send(EVENTS)
    assert len(made) == 2


def test_a_session_that_comes_along_with_a_fork_is_closed_first(clock, recorder, monkeypatch):
    """The connections it holds are the parent's."""
    session = requests.Session()
    closed = []
    monkeypatch.setattr(session, "close", lambda: closed.append(1))
    transport = HttpTransport(checked(SETTINGS), clock, session)
    transport.send(EVENTS)
    assert closed == []
    monkeypatch.setattr(os, "getpid", lambda: -1)
    transport.send(EVENTS)
    transport.send(EVENTS)
    assert closed == [1]


def test_a_session_that_cannot_be_made_is_tried_again(clock):
    """The call that tracks does not notice."""
    flushing = threading.Event()
    wait = clock.wait
    clock.wait = lambda event, seconds: (seconds is None and flushing.set(), wait(event, seconds))

    def session():
        assert flushing.wait(10)
        raise ZeroDivisionError

    client = pequel.Client("key", clock=clock, session=session, max_retries=2)
    client.track("u1", "e")
    assert client.flush(None) is False
    assert client.stats().dropped_by_reason == {"retries_exhausted": 1}
    client.shutdown(None)
