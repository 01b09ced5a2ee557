"""Requests as real libraries send them, through the application, into a real store."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from pequel_collector.app.bootstrap import Collector, open_collector
from pequel_collector.config import Settings
from pequel_collector.model import Message, parse_iso
from pequel_collector.rules.language.definition import Catalogue
from pequel_collector.web.app import create_app
from support.recorded import Recorded, received, requests, shown

ALL = [pytest.param(one, id=one.name) for one in requests()]
NOW = parse_iso(received()) or 0
ORIGIN = "https://app.example"


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[Collector]:
    """A collector whose store is empty, at the time of the recordings."""
    database = f"sqlite:///{tmp_path / 'pequel.db'}"
    settings = Settings(database=database, write_key="test-write-key")
    collector = open_collector(settings, Catalogue(), clock=lambda: NOW)
    yield collector
    collector.close()


@pytest.fixture
def client(collector: Collector) -> FlaskClient:
    return create_app(collector).test_client()


def send(client: FlaskClient, recorded: Recorded) -> TestResponse:
    """The answer to a request; a chunked one has no length, and an end all the same."""
    if not recorded.chunked:
        return client.open(
            recorded.path, method=recorded.method, headers=recorded.headers, data=recorded.body
        )
    return client.open(
        recorded.path,
        method=recorded.method,
        headers=recorded.headers,
        input_stream=io.BytesIO(recorded.body),
        environ_overrides={"wsgi.input_terminated": True},
    )


def stored(collector: Collector) -> list[Message]:
    """The messages, by message id where they came together."""
    with collector.store.reading() as view:
        return [each.message for each in reversed(view.latest(100))]


def refused(collector: Collector) -> list[dict[str, str | None]]:
    """Why events were refused, in the order in which they came."""
    with collector.store.reading() as view:
        found = sorted((each.event for each in view.rejected(100)), key=lambda r: r.index)
    return [{"code": rejection.code, "field": rejection.field} for rejection in found]


@pytest.mark.parametrize("recorded", ALL)
def test_a_request_is_answered_and_stored_as_its_case_says(
    client: FlaskClient, collector: Collector, recorded: Recorded
) -> None:
    answer = send(client, recorded)
    assert answer.status_code == recorded.status, answer.text
    found, wanted = stored(collector), recorded.stored
    assert len(found) == len(wanted)
    assert [shown(m, w) for m, w in zip(found, wanted, strict=True)] == wanted
    assert refused(collector) == recorded.rejected
    if recorded.is_answered_with_counts:
        said = answer.get_json()
        assert (said["success"], said["accepted"]) == (True, len(wanted))
        assert said["duplicates"] == recorded.duplicates
        assert [{n: r[n] for n in ("code", "field")} for r in said["rejected"]] == recorded.rejected


@pytest.mark.parametrize("recorded", ALL)
def test_an_answer_has_the_shape_that_libraries_read_from_any_page(
    client: FlaskClient, recorded: Recorded
) -> None:
    recorded = replace(recorded, headers={**recorded.headers, "Origin": ORIGIN})
    answer = send(client, recorded)
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert answer.headers["Access-Control-Allow-Credentials"] == "true"
    assert answer.headers["Access-Control-Expose-Headers"] == "Retry-After"
    assert answer.headers.getlist("Vary") == ["Origin"]
    if recorded.method != "OPTIONS":
        assert answer.mimetype == recorded.shows
    if recorded.status != 200:
        said = answer.get_json()
        assert (said["success"], said["code"]) == (False, recorded.code)
        assert said["error"] == said["message"] != ""


@pytest.mark.parametrize(
    "recorded", [pytest.param(one, id=one.name) for one in requests() if one.method == "OPTIONS"]
)
def test_a_preflight_is_allowed_what_it_asks_for(client: FlaskClient, recorded: Recorded) -> None:
    headers, asked = send(client, recorded).headers, recorded.headers
    allowed = headers["Access-Control-Allow-Methods"].split(", ")
    assert headers["Access-Control-Allow-Headers"] == asked["Access-Control-Request-Headers"]
    assert asked["Access-Control-Request-Method"] in allowed
    assert int(headers["Access-Control-Max-Age"]) > 0
