"""The application around its parts."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import Client

from pequel_collector.errors import Unavailable
from pequel_collector.web.errors import LOG_INTERVAL, CauseLog, always


def test_it_lives(client: FlaskClient) -> None:
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json) == (200, {"status": "ok"})


def test_it_is_ready_when_its_store_answers(
    client: FlaskClient, collector: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert client.get("/readyz").status_code == 200
    monkeypatch.setattr(collector.health, "probe", lambda _waited: "the disk is full")
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json == {"status": "not ready", "reason": "the disk is full"}
    assert "Retry-After" in answer.headers


@pytest.mark.parametrize("path", ["/v1", "/v1/pqls/a/b", "/v1/people", "/v1/people/", "/static/x"])
def test_what_is_not_there_is_not_found(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.json["error"]["code"]) == (404, "not_found")
    assert answer.json["error"]["message"] == f"there is no path '{path.rstrip('/') or '/'}'"


def test_a_long_path_is_shown_as_far_as_it_helps(client: FlaskClient) -> None:
    assert len(client.get("/" + "x" * 5000).json["error"]["message"]) < 250


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [("DELETE", "/v1/definitions", "GET or PUT"), ("POST", "/healthz", "GET")],
)
def test_a_wrong_method_is_answered_with_the_allowed_ones(
    client: FlaskClient, method: str, path: str, expected: str
) -> None:
    answer = client.open(path, method=method)
    assert answer.status_code == 405
    assert answer.json["error"]["message"] == f"found the method '{method}', expected {expected}"


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_an_unknown_path_answers_in_the_shape_of_the_query_api(
    client: FlaskClient, method: str
) -> None:
    """A page can read it too: it may have sent events to a wrong path."""
    headers = {"Origin": "https://shop.example"}
    for path in ("/v1/pqlz", "/v1/definitions/lnt", "/v2/batch"):
        answer = client.open(path, method=method, headers=headers)
        error = answer.json["error"]
        assert (answer.status_code, error["code"], error["details"]) == (404, "not_found", {})
        assert ("Access-Control-Allow-Origin" in answer.headers) == (method == "POST")
    assert client.open("/sdk/nowhere", method=method).json["success"] is False


def test_an_ingestion_route_answers_in_its_own_shape(client: FlaskClient) -> None:
    answer = client.get("/v1/batch")
    assert answer.json["message"] == "found the method 'GET', expected POST"
    assert "POST" in answer.headers["Allow"]


def test_importing_it_does_nothing() -> None:
    """No application, no store and no file, until one is asked for."""
    code = "import pequel_collector.web.app as a; print([n for n in vars(a) if n == 'app'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("path", ["/v1/pqls", "/v1/users/u1/pql", "/metrics", "/healthz"])
def test_what_only_answers_questions_has_one_shape_of_error(client: FlaskClient, path: str) -> None:
    for method in ("POST", "PUT", "DELETE"):
        answer = client.open(path, method=method)
        assert answer.status_code == 405
        assert answer.get_json()["error"]["code"] == "method_not_allowed"


class TestTheCausesOf503s:
    def test_are_logged_once_a_minute_each_with_the_error_of_the_driver(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        now = 0.0
        log = CauseLog(lambda: now)
        full = Unavailable("the disk is full: 17 bytes are free")
        full.__cause__ = OSError("no space\nleft")
        for error in (
            full,
            full,
            Unavailable("locked"),
            Unavailable("the disk is full: 5 bytes are free"),
        ):
            log.add(error)
        now += LOG_INTERVAL
        log.add(full)
        line = "answering 503: the disk is full: 17 bytes are free (no space left)"
        assert caplog.messages == [line, "answering 503: locked", line]

    def test_are_logged_for_requests(
        self, client: FlaskClient, collector: Any, monkeypatch: pytest.MonkeyPatch, caplog: Any
    ) -> None:
        monkeypatch.setattr("pequel_collector.web.errors._causes", CauseLog())
        monkeypatch.setattr(collector.health, "trouble", lambda _waited: "the disk is full")
        for path in ("/v1/track", "/v1/batch"):
            body = {"userId": "u1", "event": "used"}
            body = body if path == "/v1/track" else {"batch": [body | {"type": "track"}]}
            answer = client.post(path, json=body, headers={"Authorization": "Bearer write"})
            assert answer.status_code == 503
        assert caplog.messages.count("answering 503: the disk is full") == 1


@pytest.mark.parametrize(("path", "key"), [("/v1/pqls", "error"), ("/v1/batch", "success")])
def test_a_request_without_a_slot_is_answered_in_the_shape_of_its_path(
    client: FlaskClient, path: str, key: str
) -> None:
    busy = always(client.application, Unavailable("too many requests at once"))
    answer = Client(busy).post(path, headers={"Origin": "https://shop.example"})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    assert key in answer.get_json()
    assert ("Access-Control-Allow-Origin" in answer.headers) == (path == "/v1/batch")
