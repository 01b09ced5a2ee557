"""The application over a real collector: what is asked of it as HTTP, on both databases."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import closing
from io import BytesIO
from typing import Any

import pytest
from flask.testing import FlaskClient

from pequel_collector.app.bootstrap import Collector, open_collector
from pequel_collector.config import Settings
from pequel_collector.ports import LeadFilter
from pequel_collector.queries.cursors import list_id
from pequel_collector.rules.parser.catalogue import read_catalogue
from pequel_collector.web.app import create_app
from support.described import client_of

READ = {"Authorization": "Bearer r"}
ACTIVATED = '[[pql]]\nname = "activated"\nwhen = { event = "project_created" }'


@pytest.fixture
def collector(store_url: str) -> Iterator[Collector]:
    """A collector with a write key, a read key and an admin key."""
    settings = Settings(database=store_url, write_key="w", read_key="r", admin_key="a")
    with closing(open_collector(settings, read_catalogue(ACTIVATED))) as collector:
        yield collector


@pytest.fixture
def client(collector: Collector) -> FlaskClient:
    return client_of(create_app(collector))


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


def test_a_key_with_marks_sees_what_its_events_open_and_nothing_else(
    collector: Collector, client: FlaskClient
) -> None:
    token = collector.keys.create("write+marks").token
    assert len(_track(client, token)["qualified"]) == 1
    answer = client.get("/v1/pqls", headers={"Authorization": f"Bearer {token}"})
    assert (answer.status_code, (answer.json or {})["error"]["code"]) == (401, "wrong_key")
    settings = client.get(f"/v1/projects/{token}/settings")
    assert token not in settings.text


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
@pytest.mark.parametrize(
    ("path", "of"),
    [
        ("/v1/pqls", list_id("pqls", LeadFilter())),
        ("/v1/users/u1/timeline", list_id("timeline", "user", "u1")),
    ],
)
def test_a_forged_cursor_is_a_bad_parameter(
    client: FlaskClient, path: str, of: str, parts: Any
) -> None:
    """Whatever it holds."""
    _track(client)
    parts = [of, *parts] if isinstance(parts, list) else parts
    cursor = base64.urlsafe_b64encode(json.dumps(parts).encode()).decode()
    answer = client.get(path, query_string={"cursor": cursor}, headers=READ)
    assert (answer.status_code, (answer.json or {})["error"]["code"]) == (400, "bad_parameter")


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("49", {"text", "whole", "decimal"}),
        ("49.0", {"whole", "decimal"}),
        ("4.9e1", {"whole", "decimal"}),
        ("true", {"truth"}),
        ("null", set()),
        ("049", set()),
    ],
)
def test_a_filter_by_a_trait_finds_the_text_and_what_it_stands_for(
    client: FlaskClient, value: str, found: set[str]
) -> None:
    """In a query everything is text; a CRM may have sent the number."""
    countries = {"text": "49", "whole": 49, "decimal": 49.0, "truth": True, "none": None}
    for user, country in countries.items():
        _track(client, userId=user)
        traits = {"userId": user, "traits": {"country": country, "plan": 1}}
        client.post("/v1/identify", json=traits, headers={"X-Write-Key": "w"})
    query = {"country": value, "plan": "1", "limit": "2"}
    seen: list[str] = []
    while True:
        page = client.get("/v1/pqls", query_string=query, headers=READ).json or {}
        seen += [lead["subject"]["id"] for lead in page["data"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert (len(seen), set(seen)) == (len(found), found)
