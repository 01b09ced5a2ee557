"""``POST /v1/definitions/lint``: doubts over HTTP."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import closing

import pytest
from flask.testing import FlaskClient

from pequel_collector.app.bootstrap import Collector, open_collector
from pequel_collector.config import Settings
from pequel_collector.rules.parser.catalogue import read_catalogue
from pequel_collector.web.app import create_app
from support.streams import NOW, messages_of, plain_event

PATH = "/v1/definitions/lint"
READ = {"Authorization": "Bearer read"}
IN_FORCE = '[[pql]]\nname = "active_definitions"\nwhen = { event = "logged_in", gte = 3 }\n'
OTHER = '[[pql]]\nname = "other"\nwhen = { event = "exprted", gte = 3 }\n'


@pytest.fixture
def collector() -> Iterator[Collector]:
    settings = Settings(
        database="sqlite://", write_key="write", read_key="read", admin_key="admin", max_body=1_000
    )
    found = open_collector(settings, read_catalogue(IN_FORCE), clock=lambda: NOW)
    with closing(found):
        yield found


@pytest.fixture
def client(collector: Collector) -> FlaskClient:
    return create_app(collector).test_client()


class TestDefinitions:
    def test_of_the_body_are_looked_at(self, client: FlaskClient) -> None:
        answer = client.post(PATH, headers=READ, data=OTHER.encode())
        assert answer.status_code == 200
        assert {found["definition"] for found in answer.json["findings"]} == {"other"}
        assert answer.json["errors"] == 0
        assert answer.json["warnings"] > 0

    def test_of_an_empty_body_are_those_in_force(self, client: FlaskClient) -> None:
        answer = client.post(PATH, headers=READ)
        found = [one for one in answer.json["findings"] if one["level"] == "error"]
        assert [(one["code"], one["definition"], one["line"]) for one in found] == [
            ("L01", "active_definitions", 3)
        ]
        assert answer.json["errors"] == 1

    def test_may_come_compressed(self, client: FlaskClient) -> None:
        answer = client.post(PATH, headers=READ, data=gzip.compress(OTHER.encode()))
        assert {found["definition"] for found in answer.json["findings"]} == {"other"}

    def test_that_the_grammar_refuses_are_a_mistake_with_its_places(
        self, client: FlaskClient
    ) -> None:
        answer = client.post(PATH, headers=READ, data=b'[[pql]]\nname = "a"\n')
        error = answer.json["error"]
        assert (answer.status_code, error["code"]) == (400, "bad_definition")
        assert (error["details"]["problems"][0]["file"]) == "body"

    def test_put_nothing_in_force(self, client: FlaskClient, collector: Collector) -> None:
        client.post(PATH, headers=READ, data=OTHER.encode())
        assert [d.name for d in collector.catalogue.definitions] == ["active_definitions"]


class TestData:
    @pytest.fixture(autouse=True)
    def _told(self, collector: Collector) -> None:
        events = [plain_event("u1", "exported", f"m{n}", 5) for n in range(20)]
        collector.ingest.accept(messages_of(events))

    def test_is_looked_at_when_asked_for(self, client: FlaskClient) -> None:
        answer = client.post(PATH + "?data=true", headers=READ, data=OTHER.encode())
        messages = [one["message"] for one in answer.json["findings"] if one["code"] == "L04"]
        assert messages == ["exprted was never received: did you mean exported?"]
        assert answer.json["sample"].startswith("1 user")

    def test_coverage_has_the_time_when_each_was_last_seen(self, client: FlaskClient) -> None:
        toml = IN_FORCE.replace("logged_in", "exported").replace("gte = 3", 'distinct = "id"')
        answer = client.post(PATH + "?data=true", headers=READ, data=toml.encode())
        same = {"definition": "active_definitions"}
        assert answer.json["coverage"] == [
            same | {"kind": "event", "name": "exported", "of": None,
                    "last_seen": "1970-01-01T00:00:00.005Z", "seen": 20},
            same | {"kind": "property", "name": "id", "of": "exported",
                    "last_seen": None, "seen": 0},
        ]  # fmt: skip

    def test_is_left_alone_otherwise(self, client: FlaskClient) -> None:
        answer = client.post(PATH, headers=READ, data=OTHER.encode())
        assert "L04" not in {one["code"] for one in answer.json["findings"]}
        assert (answer.json["sample"], answer.json["coverage"]) == (None, None)


class TestWhoMayAsk:
    @pytest.mark.parametrize(("key", "status"), [("read", 200), ("admin", 200), ("write", 401)])
    def test_readers(self, client: FlaskClient, key: str, status: int) -> None:
        headers = {"Authorization": f"Bearer {key}"}
        assert client.post(PATH, headers=headers).status_code == status

    def test_a_key_is_required(self, client: FlaskClient) -> None:
        assert client.post(PATH).json["error"]["code"] == "missing_key"


class TestMistakes:
    def test_a_body_that_is_too_large(self, client: FlaskClient) -> None:
        assert client.post(PATH, headers=READ, data=b"#" * 1_001).status_code == 413

    def test_a_body_that_is_no_text(self, client: FlaskClient) -> None:
        assert client.post(PATH, headers=READ, data=b"\xff").status_code == 400

    @pytest.mark.parametrize("query", ["data=yes", "dada=true"])
    def test_an_unknown_parameter(self, client: FlaskClient, query: str) -> None:
        answer = client.post(f"{PATH}?{query}", headers=READ)
        assert answer.json["error"]["code"] == "bad_parameter"
