"""The application around its parts."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from flask.testing import FlaskClient


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


@pytest.mark.parametrize(
    "path", ["/", "/v1", "/v1/pqls/a/b", "/v1/users", "/v1/users/", "/static/x"]
)
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
