"""The application over a real collector: what is asked of it as HTTP, on both databases."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest
from flask.testing import FlaskClient

from pequel_collector.app.bootstrap import open_collector
from pequel_collector.config import Settings
from pequel_collector.rules.parser.catalogue import read_catalogue
from pequel_collector.web.app import create_app

READ = {"Authorization": "Bearer r"}
ACTIVATED = '[[pql]]\nname = "activated"\nwhen = { event = "project_created" }'


@pytest.fixture
def client(store_url: str) -> Iterator[FlaskClient]:
    """The application, with a write key, a read key and an admin key."""
    settings = Settings(database=store_url, write_key="w", read_key="r", admin_key="a")
    collector = open_collector(settings, read_catalogue(ACTIVATED))
    yield create_app(collector).test_client()
    collector.close()


def _track(client: FlaskClient, key: str = "w", **fields: Any) -> dict[str, Any]:
    event = {"userId": "u1", "event": "project_created"} | fields
    answer = client.post("/v1/track", json=event, headers={"X-Write-Key": key})
    assert answer.status_code == 200, answer.text
    return dict(answer.json or {})


@pytest.mark.parametrize(
    "path",
    [
        "/v1/events",
        "/v1/rejected",
        "/v1/definitions",
        "/v1/pqls",
        "/v1/users/u1",
        "/v1/users/u1/pql",
        "/v1/users/u1/timeline",
        "/v1/accounts/acme",
        "/v1/accounts/acme/pql",
        "/v1/accounts/acme/timeline",
    ],
)
def test_every_question_has_an_answer_after_the_barest_of_events(
    client: FlaskClient, path: str
) -> None:
    """An event without properties, context or time is an event like any other."""
    _track(client, groupId="acme")
    answer = client.get(path, headers=READ)
    assert answer.status_code == 200, answer.text


def test_the_response_has_the_qualified_leads_for_a_key_that_reads(client: FlaskClient) -> None:
    """A write key is not told; the next read is."""
    assert "qualified" not in _track(client)
    [mark] = _track(client, "a", userId="u2")["qualified"]
    lead = client.get(f"/v1/pqls/{mark['lead_id']}", headers=READ).json or {}
    assert (lead["definition"], lead["subject"]["id"]) == ("activated", "u2")


def test_a_body_that_is_too_large_is_refused_however_it_is_sent(client: FlaskClient) -> None:
    """Chunked, without a length, it is not cut and then misread."""
    body = b'{"batch": []' + b" " * 4_000_001 + b"}"
    chunked = {"wsgi.input_terminated": True, "CONTENT_LENGTH": ""}
    for environ in ({}, chunked):
        answer = client.post(
            "/v1/batch",
            input_stream=BytesIO(body),
            environ_overrides={"CONTENT_LENGTH": str(len(body)), **environ},
            headers={"X-Write-Key": "w"},
        )
        assert (answer.status_code, (answer.json or {})["code"]) == (413, "too_large")


@pytest.mark.parametrize("parts", [[True, True, "x"], [True, "x"], {}, [2**70, "x"], None])
@pytest.mark.parametrize("path", ["/v1/pqls", "/v1/users/u1/timeline"])
def test_a_forged_cursor_is_a_bad_parameter(client: FlaskClient, path: str, parts: Any) -> None:
    """Whatever it holds."""
    _track(client)
    cursor = base64.urlsafe_b64encode(json.dumps(parts).encode()).decode()
    answer = client.get(path, query_string={"cursor": cursor}, headers=READ)
    assert (answer.status_code, (answer.json or {})["error"]["code"]) == (400, "bad_parameter")
