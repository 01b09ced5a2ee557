"""``GET /v1/audit``: who administered what."""

from __future__ import annotations

from flask.testing import FlaskClient

ADMIN = {"Authorization": "Bearer admin"}
OTHER = '[[pql]]\nname = "other"\nwhen = { event = "used" }\n'


def test_definitions_that_are_put_are_noted_with_the_key_and_the_reason(
    client: FlaskClient,
) -> None:
    client.put("/v1/definitions?reason=fewer%20leads", data=OTHER, headers=ADMIN)
    client.put("/v1/definitions", data=OTHER, headers=ADMIN)
    page = client.get("/v1/audit", headers=ADMIN).json
    assert [entry["what"] for entry in page["data"]] == ["definitions_put", "definitions_loaded"]
    assert page["data"][0] == {
        "at": "2026-03-01T12:00:00.000Z",
        "what": "definitions_put",
        "actor": "settings-admin",
        "reason": "fewer leads",
        "details": {"versions": {"activated": None, "other": 1}},
    }


def test_pages_continue(client: FlaskClient) -> None:
    client.put("/v1/definitions", data=OTHER, headers=ADMIN)
    first = client.get("/v1/audit?limit=1", headers=ADMIN).json
    cursor = first["next_cursor"]
    second = client.get(f"/v1/audit?limit=1&cursor={cursor}", headers=ADMIN).json
    found = [entry["what"] for entry in (*first["data"], *second["data"])]
    assert (found, second["next_cursor"]) == (["definitions_put", "definitions_loaded"], None)


def test_only_an_admin_key_may_ask(client: FlaskClient) -> None:
    for key in ("read", "write"):
        response = client.get("/v1/audit", headers={"Authorization": f"Bearer {key}"})
        assert (response.status_code, response.json["error"]["code"]) == (401, "wrong_key")
