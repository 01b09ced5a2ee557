"""The fast path answers as Flask does, which a slash at the end takes."""

from __future__ import annotations

import gzip
import io
import json
from typing import Any

import pytest
from werkzeug.test import TestResponse

from pequel_collector.errors import TooMany, Unavailable
from pequel_collector.web.app import create_app

from .conftest import new_collector, raising

EVENT = {"type": "track", "event": "e", "userId": "u1", "messageId": "m1"}
BATCH = {"batch": [EVENT, {**EVENT, "messageId": "m2"}, EVENT]}
BROKEN = {"batch": [EVENT, {"type": "track", "userId": "u1"}]}
WRITE = {"Authorization": "Bearer write"}
ADMIN = {"Authorization": "Bearer admin"}
PAGE = {"Origin": "https://app.example", "Access-Control-Request-Headers": "x"}


def sent(data: Any, path: str = "/v1/batch", **more: Any) -> dict[str, Any]:
    body = data if isinstance(data, bytes) else json.dumps(data).encode()
    return {"path": path, "data": body, "headers": WRITE, **more}


REQUESTS = {
    "a batch": sent(BATCH),
    "one event": sent(EVENT, "/v1/track"),
    "a type that the path says": sent(EVENT, "/v1/i"),
    "a page of another origin": sent(BATCH, headers=WRITE | PAGE),
    "a key in the query": sent(
        BATCH, headers={}, query_string="writeKey=write&writeKey=other&x=%ff&y"
    ),
    "a key in the body": sent(BATCH | {"writeKey": "write"}, headers={}),
    "a key that reads": sent({"batch": [{**EVENT, "event": "activated"}]}, headers=ADMIN),
    "headers that say more": sent(
        {"batch": [{**EVENT, "userId": None}]}, headers=WRITE | {"AnonymousId": "YTE="}
    ),
    "gzip": sent(gzip.compress(json.dumps(BATCH).encode()), headers=WRITE),
    "a broken event": sent(BROKEN),
    "a broken event where all must be whole": sent(BROKEN, headers=WRITE | {"X-Strict-Mode": "1"}),
    "no key": sent(BATCH, headers={}),
    "an unknown key": sent(BATCH, headers={"Authorization": "Basic eDo="}),
    "no JSON": sent(b"{"),
    "no JSON, and no key": sent(b"{", headers={}),
    "no UTF-8": sent(b'"\xff"'),
    "no encoding that is known": sent(BATCH, headers=WRITE | {"Content-Encoding": "br"}),
    "a body that is too large": sent(b" " * 50_000),
    "an empty body": sent(b""),
    "a library's telemetry": sent({"series": []}, "/v1/m"),
    "no route": sent(BATCH, "/v1/nothing"),
}


def answer(asked: dict[str, Any], slash: str, error: Exception | None = None) -> TestResponse:
    """What a collector of its own answers."""
    collector = new_collector()
    if error is not None:
        collector.intake.accept = raising(error)
    client = create_app(collector).test_client()
    return client.post(**{**asked, "path": asked["path"] + slash})


def same(one: TestResponse, other: TestResponse) -> bool:
    """Whether two answers are alike, byte by byte but for the order of their headers."""
    return (one.status_code, one.data, sorted(one.headers)) == (
        other.status_code,
        other.data,
        sorted(other.headers),
    )


@pytest.mark.parametrize("asked", [pytest.param(r, id=name) for name, r in REQUESTS.items()])
def test_a_request_is_answered_as_by_flask(asked: dict[str, Any]) -> None:
    assert same(answer(asked, ""), answer(asked, "/"))


@pytest.mark.parametrize(
    "error", [Unavailable("full"), TooMany("enough", retry_after=7), RuntimeError("a bug")]
)
def test_an_error_is_answered_as_by_flask(error: Exception) -> None:
    short, long = (answer(REQUESTS["one event"], slash, error) for slash in ("", "/"))
    assert short.status_code in {429, 500, 503}
    assert same(short, long)


def test_a_body_without_memory_is_refused_with_a_time_to_retry() -> None:
    class Full(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def readinto(self, _buffer: object) -> int:
            raise Unavailable("too many large requests at once")

    for path in ("/v1/track", "/v1/track/", "/v1/nothing", "/v1/m"):
        client = create_app(new_collector()).test_client()
        body = {"wsgi.input": Full(), "CONTENT_LENGTH": "9"}
        given = client.post(path, headers=WRITE | PAGE, environ_overrides=body)
        assert given.status_code == {"/v1/nothing": 404, "/v1/m": 200}.get(path, 503)
        assert given.headers["Access-Control-Allow-Origin"] == PAGE["Origin"]


def test_an_unexpected_error_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    answer(REQUESTS["one event"], "", RuntimeError("a bug"))
    [record] = caplog.records
    assert record.getMessage() == "POST /v1/track failed"
    assert record.exc_info is not None
