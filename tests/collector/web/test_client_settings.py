"""What libraries fetch before they send."""

from __future__ import annotations

from dataclasses import replace

import pytest
from flask.testing import FlaskClient

from pequel_collector.app.bootstrap import Collector
from pequel_collector.web.app import create_app


def segment(client: FlaskClient, **request: str) -> dict[str, object]:
    """The part of the settings that Segment's libraries send by."""
    base, origin = request["base"], request.get("origin")
    headers = {"Origin": origin} if origin else {}
    answer = client.get("/v1/projects/k1/settings", base_url=base, headers=headers)
    found: dict[str, object] = answer.get_json()["integrations"]["Segment.io"]
    return found


def test_settings_lead_back_to_where_they_came_from(client: FlaskClient) -> None:
    found = segment(client, base="http://collector.example:8321")
    assert found["apiHost"] == "collector.example:8321/v1"
    assert (found["protocol"], found["apiKey"]) == ("http", "k1")


@pytest.mark.parametrize(
    ("base", "origin", "protocol"),
    [
        ("https://collector.example", None, "https"),
        ("http://collector.example", "http://app.example", "http"),
        ("http://collector.example", "https://app.example", "https"),
        ("http://localhost:8321", "https://app.example", "http"),
        ("http://127.0.0.1:8321", "https://app.example", "http"),
        ("http://[::1]:8321", "https://app.example", "http"),
    ],
)
def test_a_secure_page_is_led_to_a_secure_address(
    client: FlaskClient, base: str, origin: str | None, protocol: str
) -> None:
    """A proxy that ends TLS makes a plain request of its own."""
    assert segment(client, base=base, origin=origin or "")["protocol"] == protocol


FORWARDED = {
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "shop.example",
    "X-Forwarded-Prefix": "/pequel",
}


@pytest.mark.parametrize(
    ("proxies", "protocol", "host"),
    [(0, "http", "localhost/v1"), (1, "https", "shop.example/pequel/v1")],
)
def test_settings_lead_back_through_a_proxy_that_is_trusted(
    collector: Collector, proxies: int, protocol: str, host: str
) -> None:
    """Anybody can send these headers, so by default they mean nothing."""
    collector.settings = replace(collector.settings, trusted_proxies=proxies)
    client = create_app(collector).test_client()
    answer = client.get("/v1/projects/k1/settings", headers=FORWARDED).get_json()
    for part in answer["integrations"].values():
        assert (part["protocol"], part["apiHost"]) == (protocol, host)


def test_settings_hold_what_starts_every_library(client: FlaskClient) -> None:
    found = client.get("/v1/projects/k1/settings").get_json()
    assert found["metrics"] == {"sampleRate": 0}
    assert found["plan"]["track"] == {"__default": {"enabled": True, "integrations": {}}}
    assert found["integrations"]["Segment.io"]["versionSettings"]["componentTypes"] == ["browser"]
    assert found["integrations"]["Customer.io Data Pipelines"]["apiHost"] == "localhost/v1"


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/sourceConfig/?writeKey=write", {}),
        ("/sourceConfig?p=npm", {"Authorization": "Basic d3JpdGU6"}),
        ("/sourceConfig/?p=npm", {"Authorization": "Basic d3JpdGU="}),
    ],
)
def test_a_source_is_enabled_whatever_its_key(
    client: FlaskClient, path: str, headers: dict[str, str]
) -> None:
    source = client.get(path, headers=headers).get_json()["source"]
    assert (source["enabled"], source["writeKey"]) == (True, "write")
    assert (source["destinations"], source["dataplanes"]) == ([], {})


@pytest.mark.parametrize("key", ["admin", "read"])
@pytest.mark.parametrize("path", ["/v1/projects/%s/settings", "/sourceConfig?writeKey=%s"])
def test_a_key_that_reads_is_not_repeated(client: FlaskClient, path: str, key: str) -> None:
    assert f'"{key}"' not in client.get(path % key).text


@pytest.mark.parametrize("token", ["admin", "read", "a gateway's token"])
def test_what_authorization_holds_is_not_repeated_unless_it_writes(
    client: FlaskClient, token: str
) -> None:
    answer = client.get("/sourceConfig", headers={"Authorization": f"Bearer {token}"})
    assert answer.get_json()["source"]["writeKey"] == ""


@pytest.mark.parametrize("path", ["/v1/projects/k1/settings", "/sourceConfig/"])
def test_what_is_fetched_is_not_cached(client: FlaskClient, path: str) -> None:
    assert client.get(path).headers["Cache-Control"] == "private, no-store"
    answer = client.head(path)
    assert (answer.status_code, answer.data) == (200, b"")


@pytest.mark.parametrize("path", ["/v1/projects/k1/settings", "/sourceConfig", "/pixel/v1/track"])
def test_nothing_is_posted_there(client: FlaskClient, path: str) -> None:
    answer = client.post(path, headers={"Origin": "https://app.example"})
    assert (answer.status_code, answer.get_json()["code"]) == (405, "method_not_allowed")
    assert "Access-Control-Allow-Origin" in answer.headers
