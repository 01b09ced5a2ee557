"""A wrong key leaves a trace: a line in the log, once a minute at most, and a count."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing

import pytest

from pequel_collector.access.refused import LOG_INTERVAL, SECONDS, beginning_of
from pequel_collector.app.bootstrap import Collector, open_collector
from pequel_collector.app.jobs import Housekeeper
from pequel_collector.config import Settings
from pequel_collector.errors import Unavailable
from pequel_collector.web.app import create_app
from support.streams import NOW

WRONG = "pk_w_0123456789abcdef0123456789abcdef"


class Clock:
    now = NOW

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def collector(clock: Clock) -> Iterator[Collector]:
    settings = Settings(database="sqlite://", write_key="w", read_key="r")
    with closing(open_collector(settings, clock=clock)) as collector:
        yield collector


def ask(collector: Collector, token: str, path: str = "/v1/track") -> int:
    client = create_app(collector).test_client()
    headers = {"Authorization": f"Bearer {token}"}
    event = {"userId": "u1", "event": "e", "writeKey": token}
    if path == "/v1/track":
        return client.post(path, json=event, headers=headers).status_code
    return client.get(path, headers=headers).status_code


def work(collector: Collector) -> None:
    Housekeeper(collector, lambda _: None, lambda _: None).run_once()


def counted(collector: Collector) -> str:
    text = create_app(collector).test_client().get("/metrics").text
    [line] = [line for line in text.splitlines() if line.startswith("pequel_unknown_key_total")]
    return line.split()[1]


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if "unknown key" in each.getMessage()]


@pytest.mark.parametrize("path", ["/v1/track", "/v1/pqls"])
def test_a_request_with_an_unknown_key_is_logged_and_counted(
    collector: Collector, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    assert ask(collector, WRONG, path) == 401
    work(collector)
    assert lines(caplog) == ["refused 1 request with an unknown key (pk_w_0123…)"]
    assert caplog.records[-1].levelno == logging.WARNING
    assert counted(collector) == "1.0"


def test_there_is_one_line_a_minute(
    collector: Collector, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        ask(collector, WRONG)
        work(collector)
    assert (len(lines(caplog)), counted(collector)) == (1, "3.0")
    clock.now += LOG_INTERVAL
    work(collector)
    assert lines(caplog)[1:] == ["refused 2 requests with an unknown key (pk_w_0123…)"]
    clock.now += LOG_INTERVAL
    work(collector)
    assert len(lines(caplog)) == 2


def test_those_of_the_last_minute_are_counted_in_bounded_memory(
    collector: Collector, clock: Clock
) -> None:
    refused = collector.keys.refused
    assert refused.within_last_minute() == (0, "")
    for _ in range(100):
        refused.add(WRONG)
        refused.add("a password")
        clock.now += 1_000
    assert refused.within_last_minute() == (118, "not in the form of a key")
    assert len(refused._by_second) == SECONDS
    clock.now += 59_000
    assert refused.within_last_minute()[0] == 0


def test_a_known_key_leaves_no_trace(
    collector: Collector, caplog: pytest.LogCaptureFixture
) -> None:
    assert (ask(collector, "w"), ask(collector, "r", "/v1/pqls")) == (200, 200)
    work(collector)
    assert (lines(caplog), counted(collector)) == ([], "0.0")


def test_a_store_that_is_away_loses_no_count(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(collector, WRONG)
    with monkeypatch.context() as away:
        away.setattr(collector.store, "writing", lambda: (_ for _ in ()).throw(Unavailable("no")))
        with pytest.raises(Unavailable):
            collector.keys.refused.save()
    collector.keys.refused.save()
    assert counted(collector) == "1.0"


@pytest.mark.parametrize(
    ("token", "shown"),
    [
        (WRONG, "pk_w_0123…"),
        ("pk_m_9", "pk_m_9…"),
        ("pk_w_\n\x1b[0m", "not in the form of a key"),
        ("a secret of somebody else", "not in the form of a key"),
        ("", "not in the form of a key"),
    ],
)
def test_no_more_of_a_key_is_shown_than_may_be(token: str, shown: str) -> None:
    assert beginning_of(token) == shown
