"""``pequel tail``: what arrives is printed at once, from a database or from a collector."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
import responses
from click.testing import CliRunner

from pequel_collector.app.bootstrap import Collector, open_collector
from pequel_collector.cli.collector_url import CollectorUrl
from pequel_collector.cli.commands import pequel
from pequel_collector.cli.tail import FollowedCollector, FollowedStore, text_of
from pequel_collector.config import Settings
from pequel_collector.queries.events.wanted import FollowFilter
from pequel_collector.rules.parser.catalogue import read_catalogue
from pequel_collector.web.app import create_app
from support.processes import KEYS, run_server

NOW = 1_772_366_400_412
TOML = '[[pql]]\nname = "keen"\ntitle = "Keen user"\nwhen = { event = "used" }\n'
URL = "http://collector.example"
STREAM = f"{URL}/v1/events/stream"
ALL = FollowFilter()


@pytest.fixture
def collector() -> Iterator[Collector]:
    settings = Settings(database="sqlite://", write_key="w", read_key="r")
    with closing(open_collector(settings, read_catalogue(TOML), clock=lambda: NOW)) as collector:
        yield collector


def send(collector: Collector, *events: dict[str, Any]) -> None:
    client = create_app(collector).test_client()
    headers = {"Authorization": "Bearer w"}
    assert client.post("/v1/batch", json={"batch": events}, headers=headers).status_code == 200


USED = {"type": "track", "userId": "ada", "event": "used", "properties": {"n": 1}}
IDENTIFY = {"type": "identify", "userId": "ada", "traits": {"plan": "free"}}
VIEWED = {"type": "page", "anonymousId": "v1", "context": {"groupId": "acme"}}


def test_everything_that_arrives_is_a_line(collector: Collector) -> None:
    source = FollowedStore(collector.store, ALL)
    send(collector, USED, IDENTIFY, VIEWED, {"type": "track", "userId": "bob"})
    assert [text_of(item) for item in next(source.pages())] == [
        '12:00:00.412  ada  used  {"n": 1}',
        '12:00:00.412  ada  identify  {"plan": "free"}',
        "12:00:00.412  v1 (acme)  page",
        (
            "12:00:00.412  refused (missing_field): event: not there, "
            'expected the name of the event  {"type":"track","userId":"bob"}'
        ),
        "12:00:00.412  ★ user ada is a lead for Keen user: used",
    ]


def test_a_name_that_is_nearly_one_of_a_definition_is_marked(collector: Collector) -> None:
    source = FollowedStore(collector.store, ALL)
    send(collector, USED | {"event": "Used"}, USED | {"event": "opened"})
    assert [text_of(item) for item in next(source.pages())] == [
        '12:00:00.412  ada  Used  {"n": 1}  ← looks like used',
        '12:00:00.412  ada  opened  {"n": 1}',
    ]


def test_what_a_terminal_would_take_for_a_command_is_replaced(collector: Collector) -> None:
    source = FollowedStore(collector.store, ALL)
    send(collector, USED | {"event": "a\x1b[2J\x07\n\u202eb", "userId": "x\x9by\nz"})
    lines = [text_of(item) for item in next(source.pages())]
    assert lines == ['12:00:00.412  x\ufffdy\ufffdz  a\ufffd[2J\ufffd\ufffd\ufffdb  {"n": 1}']


def test_the_last_items_come_first_if_asked_for(collector: Collector) -> None:
    send(collector, USED | {"event": "before"}, USED, IDENTIFY)
    pages = FollowedStore(collector.store, ALL, last=2).pages()
    assert [item["kind"] for item in next(pages)] == ["event", "lead"]
    send(collector, USED | {"event": "after"})
    assert [item["event"]["event"] for item in next(pages)] == ["after"]


@responses.activate
def test_the_last_items_of_a_collector_come_first_too() -> None:
    responses.get(STREAM, json=page({"kind": "event"}, cursor="c0"))
    responses.get(STREAM, json=page({"kind": "lead"}, cursor="c1"))
    pages = FollowedCollector(CollectorUrl(URL, "r"), ALL, last=5).pages()
    assert [next(pages), next(pages)] == [[{"kind": "event"}], [{"kind": "lead"}]]
    first, second = (call.request.params for call in responses.calls)
    assert (first, second["after"], "last" in second) == ({"last": "5"}, "c0", False)


@responses.activate
def test_no_last_item_with_a_filter_says_how_many_events_were_looked_at(
    collector: Collector, capsys: pytest.CaptureFixture[str]
) -> None:
    responses.get(STREAM, json=page(cursor="c0"))
    FollowedStore(collector.store, FollowFilter(event="rare"), last=2)
    FollowedCollector(CollectorUrl(URL, "r"), FollowFilter(user="bob"), last=2)
    FollowedStore(collector.store, ALL, last=2)
    assert capsys.readouterr().err.splitlines() == [
        "none of this among the latest 5,000 events",
        "none of this among the latest 5,000 events of this user",
    ]


@pytest.mark.parametrize(("number", "shown"), [(None, "some"), (1200, "1,200")])
def test_what_is_missed_is_said(number: int | None, shown: str) -> None:
    line = text_of({"kind": "missed", "at": None, "count": number})
    assert line.startswith(f"… {shown} items are not shown")


def test_a_filter_reaches_the_database(collector: Collector) -> None:
    source = FollowedStore(collector.store, FollowFilter(user="bob"))
    send(collector, USED, USED | {"userId": "bob"})
    found = next(source.pages())
    assert [item["kind"] for item in found] == ["event", "lead"]
    assert found[0]["event"]["userId"] == "bob"


def page(*data: Any, cursor: str = "c") -> dict[str, Any]:
    return {"data": list(data), "next_cursor": cursor}


@responses.activate
def test_a_collector_that_goes_away_is_waited_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(CollectorUrl, "pause", lambda _, error: pauses.append(error.pause))
    responses.get(STREAM, json=page(cursor="c0"))
    responses.get(STREAM, body=requests.ConnectionError(OSError("gone")))
    responses.get(STREAM, status=503, headers={"Retry-After": "7"}, body="<html>")
    responses.get(STREAM, json=page({"kind": "event"}, cursor="c1"))
    responses.get(STREAM, json=page(cursor="c2"))
    source = FollowedCollector(CollectorUrl(URL + "/", "r"), FollowFilter(event="used"))
    pages = source.pages()
    assert [next(pages), next(pages)] == [[{"kind": "event"}], []]
    assert pauses == [1.0, 7.0]
    asked = [call.request.params for call in responses.calls]
    assert [each.get("after") for each in asked] == [None, "c0", "c0", "c0", "c1"]
    assert all(each["event"] == "used" for each in asked)
    said = capsys.readouterr().err.splitlines()
    assert said == [f"cannot reach {URL}: ConnectionError; trying again", "the collector is back"]


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (401, '{"error": {"message": "the key is unknown"}}', f"{URL}: the key is unknown"),
        (404, "<html>", f"{URL}: it answers 404, expected a Pequel collector"),
        (200, "[]", f"{URL}: it answers 200, expected a Pequel collector"),
    ],
)
@responses.activate
def test_what_waiting_cannot_mend_is_an_error(
    status: int, body: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PEQUEL_READ_KEY", " r ")
    responses.get(STREAM, status=status, body=body)
    done = CliRunner().invoke(pequel, ["tail", "--url", URL])
    assert (done.exit_code, done.stderr) == (1, f"pequel: {said}\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--url", "collector"], "--url: found 'collector', expected http://… or https://…"),
        (["--database", "sqlite:///none.db"], "there is no database none.db"),
    ],
)
def test_a_mistake_is_named(
    arguments: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PEQUEL_READ_KEY", "r")
    done = CliRunner().invoke(pequel, ["tail", *arguments])
    assert (done.exit_code, done.stderr) == (1, f"pequel: {said}\n")


def test_without_a_key_there_is_no_asking(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in KEYS:
        monkeypatch.delenv(name, raising=False)
    done = CliRunner().invoke(pequel, ["tail", "--url", URL])
    assert "set PEQUEL_READ_KEY" in done.stderr


@contextmanager
def tailing(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "pequel_collector.cli", "tail", *arguments],
        cwd=folder,
        env=os.environ | KEYS,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr
        assert process.stderr.readline().startswith("waiting for events")
        yield process
        process.send_signal(signal.SIGINT)
        assert process.wait(15) == 0
    finally:
        process.kill()
        process.communicate()


def test_two_follow_a_collector_that_stops_at_once(tmp_path: Path) -> None:
    """One over HTTP, one in the database. Those who wait do not hold up the end."""
    (tmp_path / "pequel.toml").write_text(TOML)
    with (
        run_server(tmp_path, "--workers", "2") as server,
        tailing(tmp_path, "--url", server.url, "--json") as one,
        tailing(tmp_path) as two,
    ):
        headers = {"Authorization": f"Bearer {KEYS['PEQUEL_WRITE_KEY']}"}
        requests.post(f"{server.url}/v1/batch", json={"batch": [USED]}, headers=headers, timeout=9)
        assert one.stdout
        assert two.stdout
        found = [json.loads(one.stdout.readline()) for _ in range(2)]
        assert [item["kind"] for item in found] == ["event", "lead"]
        assert 'ada  used  {"n": 1}' in two.stdout.readline()
        assert "★ user ada is a lead for Keen user" in two.stdout.readline()
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(5) == 0
