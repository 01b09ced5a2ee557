"""``GET /v1/events/stream``: nothing that arrives is missed or shown twice, on both databases."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from threading import Thread
from typing import Any

import pytest
from flask.testing import FlaskClient

from pequel_collector.app.arrival_watch import MAX_WAITING, ArrivalWatch
from pequel_collector.app.bootstrap import Collector, open_collector
from pequel_collector.config import Settings
from pequel_collector.errors import TooMany
from pequel_collector.importing.line import Line
from pequel_collector.ingest import import_runs
from pequel_collector.ingest.event_log import Import
from pequel_collector.queries.events import looking_back
from pequel_collector.rules.parser.catalogue import read_catalogue
from pequel_collector.store.parts import arrivals
from pequel_collector.web.app import create_app
from support.described import client_of

NOW = 1_772_366_400_000
READ = {"Authorization": "Bearer r"}
WRITE = {"Authorization": "Bearer w"}
TOML = """
[[pql]]
name = "keen"
when = { event = "used", gte = 2 }

[[pql]]
name = "team"
subject = "account"
when = { event = "used", gte = 3 }
"""


@pytest.fixture
def collector(store_url: str) -> Iterator[Collector]:
    settings = Settings(database=store_url, write_key="w", read_key="r", admin_key="a")
    with closing(open_collector(settings, read_catalogue(TOML), clock=lambda: NOW)) as collector:
        yield collector


@pytest.fixture
def client(collector: Collector) -> FlaskClient:
    return client_of(create_app(collector))


def used(mid: str, user: str = "ada", event: str = "used", **more: Any) -> dict[str, Any]:
    return {"type": "track", "userId": user, "event": event, "messageId": mid, **more}


def send(client: FlaskClient, *events: dict[str, Any]) -> None:
    assert client.post("/v1/batch", json={"batch": events}, headers=WRITE).status_code == 200


def page(client: FlaskClient, **given: Any) -> Any:
    answer = client.get("/v1/events/stream", query_string=given, headers=READ)
    assert answer.status_code == 200, answer.json
    return answer.json


def start(client: FlaskClient, **given: Any) -> str:
    found = page(client, **given)
    assert found["data"] == []
    return str(found["next_cursor"])


def told(item: dict[str, Any]) -> str:
    """An item as one word."""
    match item["kind"]:
        case "event":
            return str(item["event"]["messageId"])
        case "refused":
            return f"refused:{item['refused']['code']}"
        case "lead":
            return f"lead:{item['lead']['definition']}"
        case _:
            return f"missed:{item['count']}"


def follow(client: FlaskClient, cursor: str, **given: Any) -> list[str]:
    """All that arrived after a place."""
    found: list[str] = []
    while True:
        answer = page(client, after=cursor, **given)
        if not answer["data"]:
            return found
        found += map(told, answer["data"])
        cursor = answer["next_cursor"]


def test_events_refused_ones_and_leads_come_in_the_order_of_their_commits(
    client: FlaskClient,
) -> None:
    send(client, used("before"))
    place = start(client)
    send(client, used("m1"), {"type": "track", "userId": "ada"})
    send(client, used("m1"), used("m2"))
    assert follow(client, place) == ["m1", "refused:missing_field", "lead:keen", "m2"]


def test_pages_of_any_size_show_the_same(client: FlaskClient) -> None:
    place = start(client)
    for number in range(7):
        send(client, *(used(f"m{number}{part}", f"u{number}") for part in "abc"))
    whole = follow(client, place)
    assert len(whole) == 28
    assert all(follow(client, place, limit=limit) == whole for limit in (1, 2, 5))


def test_a_user_is_followed_under_all_ids_with_the_leads_it_opens(client: FlaskClient) -> None:
    place = start(client, user="ada")
    visitor = {"type": "track", "anonymousId": "v1", "event": "viewed", "messageId": "v"}
    send(client, visitor, used("a1", anonymousId="v1"), used("b1", "bob"), used("b2", "bob"))
    send(client, used("a2"), {"type": "track", "userId": "bob"}, {"type": "track", "userId": "ada"})
    assert follow(client, place, user="ada") == [
        "v",
        "a1",
        "a2",
        "refused:missing_field",
        "lead:keen",
    ]


def test_a_user_is_followed_with_what_was_refused_under_any_id(client: FlaskClient) -> None:
    place = start(client, user="ada")
    send(client, used("m1", anonymousId="v1"))
    for ids in ({"anonymousId": "v1"}, {"userId": "ada"}, {"anonymousId": "ada"}, {"userId": "b"}):
        send(client, {"type": "track", **ids})
    for odd in ({"userId": ["ada"]}, {"userId": True}, {}):
        send(client, {"type": "track", **odd})
    assert follow(client, place, user="ada") == ["m1", *["refused:missing_field"] * 3]
    place = start(client, user="7")
    send(client, {"type": "track", "userId": 7})
    assert follow(client, place, user="7") == ["refused:missing_field"]


def test_an_event_is_followed_by_its_name_with_the_leads_it_opens(client: FlaskClient) -> None:
    place = start(client, event="used")
    context = {"groupId": "acme"}
    send(client, used("a1", context=context), used("x", event="other"))
    send(client, used("a2", context=context), used("b1", "bob", context=context))
    assert follow(client, place, event="used") == ["a1", "a2", "b1", "lead:team", "lead:keen"]


def test_the_messages_of_an_arrival_are_read_once_however_many_leads_it_has(
    collector: Collector, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = start(client, event="used")
    send(client, *(used(f"m{number}", f"u{number // 2}") for number in range(60)))
    asked: list[str] = []
    with collector.store.reading() as tx:
        kind = type(tx)
    read = kind.messages

    def counted(self: Any, ids: Any) -> Any:
        asked.extend(ids)
        return read(self, ids)

    monkeypatch.setattr(kind, "messages", counted)
    assert len(follow(client, place, event="used")) == 90
    assert len(asked) <= 60 * 3


def test_an_import_is_no_arrival_but_the_leads_that_it_opens_are(
    collector: Collector, client: FlaskClient
) -> None:
    place = start(client)
    lines = [Line(i, json.dumps(used(f"m{i}")).encode(), True) for i in range(3)]
    run = import_runs.begin(collector.store, NOW, "a file", "pequel")
    accept = collector.ingest.accept_batch
    Import(accept, collector.settings, lambda: NOW, number=run.number).run(lines)
    assert follow(client, place) == ["lead:keen"]


def test_a_commit_with_very_many_events_says_how_many_are_missed(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrivals, "MAX_IDS", 2)
    place = start(client)
    send(client, *(used(f"m{i}", f"u{i}") for i in range(5)))
    assert follow(client, place) == ["m0", "m1", "missed:3"]


def test_who_comes_back_too_late_is_shown_the_gap(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrivals, "KEPT", 2)
    monkeypatch.setattr(arrivals, "TRIMMED_EVERY", 1)
    place = start(client)
    for number in range(5):
        send(client, used(f"m{number}", f"u{number}"))
    assert follow(client, place) == ["missed:None", "m3", "m4"]


def test_a_place_of_another_database_is_a_gap(client: FlaskClient, collector: Collector) -> None:
    for number in range(3):
        send(client, used(f"m{number}", f"u{number}"))
    place = start(client)
    with collector.store.writing() as tx:
        tx._session.run("DELETE FROM arrival")  # type: ignore[attr-defined]  # as if restored
    assert follow(client, place) == ["missed:None"]


def test_what_was_removed_since_is_left_out(client: FlaskClient, collector: Collector) -> None:
    place = start(client)
    send(client, used("m1"), used("m2", "bob"))
    with collector.store.writing() as tx:
        tx.remove(list(tx.messages(["m1"]).values()))
    assert follow(client, place) == ["m2"]


def test_several_who_wait_all_get_what_arrives(client: FlaskClient, collector: Collector) -> None:
    app, place, found = create_app(collector), start(client), []

    def wait() -> None:
        found.append(page(app.test_client(), after=place, wait=20)["data"])

    threads = [Thread(target=wait) for _ in range(3)]
    for thread in threads:
        thread.start()
    send(client, used("m1"))
    for thread in threads:
        thread.join()
    assert [[told(item) for item in data] for data in found] == [["m1"]] * 3


def test_a_wait_ends_with_the_collector(client: FlaskClient, collector: Collector) -> None:
    collector.arrivals.close()
    assert page(client, after=start(client), wait=20)["data"] == []


def test_only_so_many_may_wait(client: FlaskClient, collector: Collector) -> None:
    places = [collector.arrivals.enter() for _ in range(MAX_WAITING)]
    answer = client.get("/v1/events/stream?wait=1", headers=READ)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "5")
    places[0]()
    places[0]()
    collector.arrivals.close()
    assert page(client, wait=1)["data"] == []
    assert page(client, wait=1)["data"] == []  # the place was given back


@pytest.mark.parametrize(
    ("query", "field"),
    [("wait=21", "wait"), ("wait=-1", "wait"), ("limit=101", "limit"), ("after=x", "cursor"),
     ("user=", "user"), ("since=1", "since")],
)  # fmt: skip
def test_a_wrong_parameter_is_named(client: FlaskClient, query: str, field: str) -> None:
    answer = client.get(f"/v1/events/stream?{query}", headers=READ)
    assert (answer.status_code, answer.json["error"]["details"]["field"]) == (400, field)


def test_a_cursor_belongs_to_its_filter(client: FlaskClient) -> None:
    place = start(client, user="ada")
    answer = client.get("/v1/events/stream", query_string={"after": place}, headers=READ)
    assert answer.status_code == 400


class Ticks:
    """A clock that goes on by a second whenever it is read."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


def test_a_watch_ends_at_its_time(collector: Collector) -> None:
    watch = ArrivalWatch(collector.store, Ticks())
    assert not watch.wait(1, watch.until(3))


def test_a_watch_has_so_many_places(collector: Collector) -> None:
    watch = ArrivalWatch(collector.store)
    for _ in range(MAX_WAITING):
        watch.enter()
    with pytest.raises(TooMany, match="32"):
        watch.enter()


class TestTheLastItems:
    def test_are_the_end_of_what_a_follower_from_the_start_sees(self, client: FlaskClient) -> None:
        place = start(client)
        for number in range(7):
            send(client, used(f"m{number}", user=f"u{number % 3}"), {"type": "track"})
        every = [told(item) for item in page(client, after=place)["data"]]
        for last in (1, 2, 9, 100):
            found = page(client, last=last)
            assert [told(item) for item in found["data"]] == every[-last:]
        send(client, used("new"))
        assert told(page(client, after=found["next_cursor"])["data"][0]) == "new"

    def test_are_those_that_are_wanted(self, client: FlaskClient) -> None:
        for number in range(6):
            send(client, used(f"m{number}", user=f"u{number % 2}"))
        found = page(client, last=3, user="u1", event="used")["data"]
        assert [item["kind"] for item in found] == ["event", "lead", "event"]
        assert [told(item) for item in found if item["kind"] == "event"] == ["m3", "m5"]

    def test_are_none_in_an_empty_store(self, client: FlaskClient) -> None:
        found = page(client, last=5)
        send(client, used("m0"))
        assert found["data"] == []
        assert told(page(client, after=found["next_cursor"])["data"][0]) == "m0"

    def test_end_where_older_arrivals_are_deleted(
        self, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(arrivals, "KEPT", 2)
        monkeypatch.setattr(arrivals, "TRIMMED_EVERY", 1)
        for number in range(5):
            send(client, used(f"m{number}", event="seen"))
        assert [told(item) for item in page(client, last=9)["data"]] == ["m3", "m4"]

    def test_with_a_filter_come_from_before_the_log_of_arrivals(
        self, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(arrivals, "KEPT", 2)
        monkeypatch.setattr(arrivals, "TRIMMED_EVERY", 1)
        send(client, used("old", event="rare"), {"type": "track", "userId": "ada"})
        for number in range(5):
            send(client, used(f"m{number}", user="bob", event="seen"))
        send(client, used("new", event="rare"))
        assert [told(item) for item in page(client, last=9, event="rare")["data"]][-2:] == [
            "old",
            "new",
        ]
        found = [told(item) for item in page(client, last=9, user="ada")["data"]]
        assert sorted(found) == ["new", "old", "refused:missing_field"]

    def test_with_a_filter_come_from_so_many_messages(
        self, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(arrivals, "KEPT", 2)
        monkeypatch.setattr(arrivals, "TRIMMED_EVERY", 1)
        monkeypatch.setattr(looking_back, "MESSAGES", 3)
        send(client, used("a-old", event="rare"))
        for number in range(3):
            send(client, used(f"m{number}", user="bob", event="seen"))
        assert page(client, last=9, event="rare")["data"] == []
        assert told(page(client, last=9, user="ada")["data"][0]) == "a-old"

    @pytest.mark.parametrize("given", [{"last": 0}, {"last": 101}, {"last": 5, "after": "WyJ"}])
    def test_are_named_if_wrong(self, client: FlaskClient, given: dict[str, Any]) -> None:
        answer = client.get("/v1/events/stream", query_string=given, headers=READ)
        assert answer.status_code == 400
        assert "last: found" in answer.json["error"]["message"]


def test_an_event_says_which_name_was_probably_meant(client: FlaskClient) -> None:
    place = start(client)
    send(client, used("m1", event="Used"), used("m2"), used("m3", event="opened"))
    found = [item for item in page(client, after=place)["data"] if item["kind"] == "event"]
    assert [item.get("looks_like") for item in found] == ["used", None, None]
