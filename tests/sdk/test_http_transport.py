"""Batches travel over HTTP."""

import base64
import gzip
import json

import pytest
import requests
import responses

from pequel import Verdict
from pequel.config import checked
from pequel.http_transport import HttpTransport

URL = "http://collector.test/v1/batch"
RECEIPT = {"success": True, "accepted": 2}
EVENTS = [b'{"n":1}', '{"n":"ü"}'.encode()]


@pytest.fixture
def http():
    with responses.RequestsMock() as mocked:
        yield mocked


@pytest.fixture
def make(clock):
    """Makes transports to the staged collector."""

    def transport(**options):
        settings = {"write_key": "key", "host": "http://collector.test/", **options}
        return HttpTransport(checked(settings), clock)

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
        "batch": [{"n": 1}, {"n": "ü"}],
        "sentAt": "2026-03-01T10:00:00.000Z",
    }


def test_compression_can_be_turned_off(http, make):
    """Then the body is plain JSON."""
    http.post(URL, json=RECEIPT)
    make(gzip=False).send(EVENTS)
    request = http.calls[0].request
    assert "Content-Encoding" not in request.headers
    assert json.loads(request.body)["batch"] == [{"n": 1}, {"n": "ü"}]


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
    """With the error in its detail."""
    http.post(URL, body=error)
    outcome = make().send(EVENTS)
    assert outcome.verdict is Verdict.RETRY
    assert type(error).__name__ in outcome.detail


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
