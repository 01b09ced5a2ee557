"""The description of the API: whole, right in itself, and what the collector does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
import schemathesis
from flask import Flask, Response
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from hypothesis.strategies import SearchStrategy
from openapi_spec_validator import validate
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from pequel_collector.app.bootstrap import open_collector
from pequel_collector.config import Settings
from pequel_collector.errors import NotFound
from pequel_collector.rules.parser.catalogue import read_catalogue
from pequel_collector.web.app import create_app
from pequel_collector.web.errors import STATUS
from pequel_collector.web.openapi.document import document, routes
from support.described import client_of, closed, examples_in, mistakes, validator_of

EXAMPLES = 4
"""Requests for each call, right ones and as many wrong ones."""

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
NOW = 1_772_366_400_000
ADMIN = {"Authorization": "Bearer admin-of-the-tests"}
DEFINITIONS = """
[[pql]]
name = "activated"
when = { event = "activated" }

[[pql]]
name = "keen"
subject = "account"
when = { event = "used", gte = 3 }
"""
EVENTS = [
    {"type": "track", "userId": "u1", "event": "activated", "anonymousId": "a1"},
    {"type": "group", "userId": "u1", "groupId": "acme", "traits": {"plan": "team"}},
    {"type": "identify", "userId": "u1", "traits": {"email": "ada@acme.example"}},
    {"type": "track", "userId": "u1", "event": "used"},
    {"type": "track", "event": "nobody"},
]


@pytest.fixture(scope="module")
def app() -> Iterator[Flask]:
    """The application over a collector with something of everything."""
    given = Settings(database="sqlite://", admin_key="admin-of-the-tests")
    collector = open_collector(given, read_catalogue(DEFINITIONS), clock=lambda: NOW)
    with closing(collector):
        collector.arrivals.close()  # no call waits
        app = create_app(collector)
        app.test_client().post("/v1/batch", json={"batch": EVENTS}, headers=ADMIN)
        yield app


@pytest.fixture(scope="module")
def described(app: Flask) -> Any:
    return document(app)


class TestRoutes:
    def test_every_route_says_what_it_takes_and_answers(self, app: Flask) -> None:
        silent = [f"{route.method} {route.rule}" for route in routes(app) if not route.operations]
        assert not silent, (
            f"no description of {', '.join(silent)}: write @describe(query(…)) of "
            "web/openapi/operation.py below the route, as in web/api/proof.py"
        )

    def test_nothing_else_is_described(self, app: Flask, described: Any) -> None:
        expected = {
            (path, route.method.lower()) for route in routes(app) for path, _ in route.paths()
        }
        assert expected == {
            (path, method) for path, methods in described["paths"].items() for method in methods
        }

    def test_a_path_of_a_route_with_several_views_leads_to_it(self, app: Flask) -> None:
        adapter = app.url_map.bind("localhost")
        for route in routes(app):
            for path, _ in route.paths():
                rule, _ = adapter.match(re.sub(r"{\w+}", "x", path), route.method, return_rule=True)
                assert rule.rule == route.rule

    def test_a_route_without_a_description_is_noticed(self) -> None:
        app = Flask("another")
        app.add_url_rule("/silent", view_func=Response)
        assert [(r.rule, r.operations) for r in routes(app) if r.rule == "/silent"] == [
            ("/silent", ())
        ]


class TestDocument:
    def test_is_openapi_3_1(self, described: Any) -> None:
        validate(described)
        assert described["openapi"] == "3.1.0"

    def test_every_example_is_right(self, described: Any) -> None:
        strict = closed(described)
        places = list(examples_in(strict))
        assert len(places) > 50
        wrong = {
            where: found
            for where, schema, example in places
            if (found := mistakes(validator_of(schema, strict), example))
        }
        assert wrong == {}, "mend web/openapi/examples.py"

    def test_every_answer_of_the_query_api_has_an_example(self, described: Any) -> None:
        schemas = described["components"]["schemas"]
        named = re.findall(r"components/schemas/(\w+)", str(described["paths"]))
        assert [name for name in sorted(set(named)) if "example" not in schemas[name]] == []

    def test_parameters_have_types_and_bounds(self, described: Any) -> None:
        parameters = {p["name"]: p for p in described["paths"]["/v1/pqls"]["get"]["parameters"]}
        limit = {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100}
        assert parameters["limit"]["schema"] == limit
        assert parameters["subject_kind"]["schema"]["enum"] == ["user", "account"]
        assert parameters["cursor"]["schema"]["maxLength"] == 10_000
        assert parameters["trait.NAME"]["schema"]["type"] == "string"

    def test_a_page_may_have_a_total(self, described: Any) -> None:
        answer = described["paths"]["/v1/pqls"]["get"]["responses"]["200"]
        page = answer["content"]["application/json"]["schema"]
        beside = {"total", "total_is_exact", "looked_at", "complete"}
        assert set(page["properties"]) == {"data", "next_cursor", *beside}
        assert page["required"] == ["data", "next_cursor"]

    def test_a_call_says_which_keys_may_make_it(self, described: Any) -> None:
        put = described["paths"]["/v1/definitions"]["put"]
        assert put["security"] == [{"bearer": ["define"]}, {"basic": ["define"]}]
        assert put["description"] == "Kinds of key: admin."

    def test_calls_without_a_key_say_so(self, described: Any) -> None:
        free = {
            path
            for path, methods in described["paths"].items()
            for operation in methods.values()
            if "security" not in operation
        }
        assert {"/healthz", "/readyz", "/metrics", "/openapi.json", "/docs"} <= free
        assert not any(path.startswith(("/v1/pqls", "/v1/users", "/v1/rejected")) for path in free)

    def test_errors_have_one_shape_for_queries_and_one_for_events(self, described: Any) -> None:
        def shape(path: str, method: str) -> str:
            answer = described["paths"][path][method]["responses"]["401"]
            return str(answer["content"]["application/json"]["schema"]["$ref"])

        assert shape("/v1/pqls", "get") == "#/components/schemas/Error"
        assert shape("/v1/track", "post") == "#/components/schemas/IngestError"

    def test_operations_have_names_of_their_own(self, described: Any) -> None:
        names = [o["operationId"] for m in described["paths"].values() for o in m.values()]
        assert len(set(names)) == len(names)


class TestPages:
    def test_the_description_needs_no_key(self, app: Flask) -> None:
        response = app.test_client().get("/openapi.json")
        assert (response.status_code, response.json["info"]["title"]) == (200, "Pequel")
        assert "Ask who is" in response.json["info"]["description"]

    def test_it_names_the_folder_that_the_collector_is_served_from(self, app: Flask) -> None:
        found = app.test_client().get("/openapi.json", base_url="http://localhost/pequel")
        assert found.json["servers"] == [{"url": "/pequel"}]
        page = app.test_client().get("/docs", base_url="http://localhost/pequel")
        assert '"/pequel/docs/start.js"' in page.text

    def test_the_page_loads_its_own_files_only(self, app: Flask) -> None:
        client = app.test_client()
        page = client.get("/docs")
        addresses = re.findall(r'(?:src|href)="([^"]+)"', page.text)
        assert len(addresses) == 5
        for address in addresses:
            with client.get(address) as response:
                assert response.status_code == 200
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]

    def test_no_other_file_is_sent(self, app: Flask) -> None:
        for name in ("index.html", "..%2f__init__.py", "%00"):
            assert app.test_client().get(f"/docs/{name}").status_code == 404


class TestDescribedClient:
    """The client of all tests of the web notices an answer that is not as described."""

    @pytest.fixture
    def client(self, app: Flask) -> FlaskClient:
        return client_of(app)

    def test_another_field(self, client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("pequel_collector.web.answers.schemas.page", lambda *_: {"data": []})
        with pytest.raises(AssertionError, match="next_cursor"):
            client.get("/v1/events", headers=ADMIN)

    def test_another_status(self, client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(STATUS, NotFound, 418)
        with pytest.raises(AssertionError, match="418 is not described"):
            client.get("/v1/users/nobody", headers=ADMIN)


@pytest.mark.slow
def test_every_call_answers_as_described(
    app: Flask, described: Any, subtests: pytest.Subtests
) -> None:
    """Made-up requests, right and wrong, for each call."""
    schema = schemathesis.openapi.from_dict(closed(described))
    schema.app = app
    seen = set()
    for result in schema.get_all_operations():
        operation = result.ok()
        is_alias = operation.path.startswith(("/sdk", "/api/s")) or len(operation.path) == len(
            "/v1/t"
        )
        for mode in [GenerationMode.POSITIVE] if is_alias else GenerationMode:
            with subtests.test(operation.label, mode=mode.value):
                cases = operation.as_strategy(generation_mode=mode)
                _answers_as_described(cases, 1 if is_alias else EXAMPLES)
        seen.add(operation.label)
    assert len(seen) > 50


@schemathesis.serializer("application/toml")
def toml(_: Any, value: Any) -> bytes:
    """What schemathesis sends as a body of definitions."""
    return str(value).encode("utf-8", "surrogatepass")


def _answers_as_described(cases: SearchStrategy[Any], examples: int) -> None:
    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    @given(case=cases)
    def answers(case: Any) -> None:
        case.call_and_validate(headers=ADMIN, checks=CHECKS)

    try:
        answers()
    except Unsatisfiable:  # no wrong request can be made for a call without parameters
        return
