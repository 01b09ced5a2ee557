"""``POST /v1/definitions/backtest``: what it takes, and what it says of bad input."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from flask.testing import FlaskClient

from pequel_collector.app.bootstrap import open_collector
from pequel_collector.config import Settings
from pequel_collector.rules.parser.catalogue import read_catalogue
from pequel_collector.web.app import create_app
from pequel_collector.web.asked import insight_body
from support.described import client_of
from support.streams import messages_of, plain_event

READ = {"Authorization": "Bearer read"}
DAY = 86_400_000
START = 1_770_000_000_001
KEEN = '[[pql]]\nname = "keen"\nwhen = { event = "used", gte = 2 }\n'
SHARED = '[project]\nsignup = "signed_up"\nconversion = "paid"\n[features]\nbasic = ["used"]\n'


@pytest.fixture
def http() -> Iterator[FlaskClient]:
    """u1 converts after two uses, u2 before them, u3 signs up and does nothing."""
    days = {"u1": (0, 1, 2, 20), "u2": (0, 4, 5, 3)}
    plain = [plain_event("u3", "signed_up", "3", START)]
    for user, found in days.items():
        for name, day in zip(("signed_up", "used", "used", "paid"), found, strict=True):
            plain.append(plain_event(user, name, f"{user}{name}{day}", START + day * DAY))
    plain.append(plain_event("u9", "seen", "9", START + 90 * DAY))
    settings = Settings(database="sqlite://", write_key="write", read_key="read")
    with closing(open_collector(settings, read_catalogue(SHARED + KEEN))) as collector:
        for each in plain:
            collector.ingest.accept(messages_of([each]))
        yield client_of(create_app(collector))


def post(http: FlaskClient, **body: Any) -> Any:
    return http.post("/v1/definitions/backtest", json=body, headers=READ)


def test_tests_a_definition_in_force(http: FlaskClient) -> None:
    found = post(http, definition="keen", landmark="7d", horizon="30d").json
    assert found["set_size"] == len(found["qualified"]) == 2
    assert found["population"] == "signup"
    assert found["qualified"]["u1"] == "2026-02-04T02:40:00.001Z"
    strict, landmark = found["strict"], found["landmark"]
    names = ("tp", "fp", "fn", "tn", "population", "converters", "predicted")
    assert [strict[name] for name in names] == [1, 0, 1, 1, 3, 2, 1]
    assert [landmark[name] for name in names] == [1, 0, 0, 1, 2, 1, 1]
    assert (landmark["already_converted"], strict["lead_time_seconds_median"]) == (1, 18 * 86400.0)
    assert (strict["precision"], strict["recall"], strict["base_rate"]) == (1.0, 0.5, 0.666667)
    assert found["population"] == "signup"
    [overlap] = found["overlap"]
    assert overlap == {"definition": "keen", "both": 2, "only_this": 0, "only_other": 0}


def test_completes_a_text_from_what_is_in_force(http: FlaskClient) -> None:
    found = post(http, toml='[[pql]]\nname = "x"\nwhen = { event = { feature = "basic" } }\n').json
    assert (found["definition"], found["set_size"], found["strict"]["converters"]) == ("x", 2, 2)


def test_a_text_with_a_project_stands_for_itself(http: FlaskClient) -> None:
    found = post(http, toml='[project]\nconversion = "seen"\n' + KEEN).json
    assert (found["strict"]["population"], found["strict"]["converters"]) == (4, 1)


def test_places_of_mistakes_are_those_of_the_text_that_came(http: FlaskClient) -> None:
    answer = post(http, toml='[[pql]]\nname = "x"\nwhen = { evnt = "used" }\n')
    [problem] = answer.json["error"]["details"]["problems"]
    assert (answer.status_code, problem["line"], problem["column"]) == (400, 3, 10)


@pytest.mark.parametrize(
    ("body", "field", "message"),
    [
        ({"definition": 7}, "definition", "a value of the type int, expected str or null"),
        ({"definition": "nope"}, "definition", "'nope', expected one of keen"),
        ({"toml": KEEN + KEEN.replace("keen", "two")}, "definition", "found nothing"),
        ({"toml": ""}, "definition", "expected a [[pql]] table"),
        ({"definition": "keen", "landmark": "1mo"}, "landmark", "expected a duration"),
        ({"definition": "keen", "horizon": "0d"}, "horizon", "above zero"),
        ({"definition": "keen", "population": "all"}, "population", '"signup" or "trait:NAME=VAL'),
        ({"definition": "keen", "end": "soon"}, "end", "a time in ISO 8601"),
        ({"definition": "keen", "capacity": "ten"}, "capacity", "the type str, expected int"),
        ({"definition": "keen", "speed": 1}, "speed", "an unknown field, expected one of"),
    ],
)
def test_bad_input_is_named(http: FlaskClient, body: Any, field: str, message: str) -> None:
    answer = post(http, **body)
    error = answer.json["error"]
    assert (answer.status_code, error["details"]["field"]) == (400, field)
    assert message in error["message"]


@pytest.mark.parametrize("call", ["backtest", "diff", "suggest"])
def test_an_unknown_parameter_is_refused(http: FlaskClient, call: str) -> None:
    answer = http.post(f"/v1/definitions/{call}?speed=1", json={}, headers=READ)
    error = answer.json["error"]
    assert (answer.status_code, error["details"]["field"]) == (400, "speed")


def test_a_missing_field_has_a_place(http: FlaskClient) -> None:
    answer = http.post("/v1/definitions/diff", json={}, headers=READ)
    assert (answer.status_code, "field" in answer.json["error"]["details"]) == (400, True)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"7", b"\xff"])
def test_a_body_that_is_no_object_is_refused(http: FlaskClient, body: bytes) -> None:
    answer = http.post("/v1/definitions/backtest", data=body, headers=READ)
    assert answer.status_code == 400


def test_reads_no_more_than_a_request_may(
    http: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(insight_body, "MAX_MESSAGES", 3)
    assert post(http, definition="keen").status_code == 413
    monkeypatch.setattr(insight_body, "MAX_STORED", 3)
    assert "the command line" in post(http, definition="keen").json["error"]["message"]


def test_needs_a_key_that_reads(http: FlaskClient) -> None:
    key = {"Authorization": "Bearer write"}
    assert http.post("/v1/definitions/backtest", json={}, headers=key).status_code == 401
