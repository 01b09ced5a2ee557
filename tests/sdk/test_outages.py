"""What the log says of a collector that cannot be reached, and of a wrong host."""

import logging
import ssl

import pytest
import requests

import pequel
from pequel import Outcome, Verdict
from pequel.network_errors import describe
from pequel.sending.sender import _OUTAGE_LOG_INTERVAL

OK = Outcome(Verdict.DELIVERED)
DOWN = Outcome(Verdict.RETRY, "cannot reach c.test: connection refused")
NOBODY = "http://127.0.0.1:9"


def lines(caplog):
    return [(record.levelname, record.getMessage()) for record in caplog.records]


def test_an_outage_is_logged_once_when_it_begins_and_once_when_it_ends(desk, caplog):
    caplog.set_level(logging.INFO, logger="pequel")
    d = desk([DOWN, DOWN, DOWN, OK, OK], flush_interval=0, batch_events=1)
    d.put(1, 2)
    d.run()
    assert lines(caplog) == [
        ("WARNING", f"{DOWN.detail}; events wait, and are tried again"),
        ("INFO", "the collector can be reached again"),
    ]


def test_a_collector_that_comes_and_goes_logs_no_more_than_one_outage_a_minute(desk, caplog):
    caplog.set_level(logging.INFO, logger="pequel")
    d = desk([DOWN, OK, DOWN, OK, DOWN, OK], flush_interval=0, batch_events=1)
    d.put(1, 2)
    d.run()
    assert len(caplog.records) == 2
    d.clock.advance(_OUTAGE_LOG_INTERVAL)
    d.put(3)
    d.run()
    assert len(caplog.records) == 4


def test_deliveries_that_work_are_not_logged(desk, caplog):
    caplog.set_level(logging.DEBUG, logger="pequel")
    d = desk(flush_interval=0)
    d.put(1)
    d.run()
    assert lines(caplog) == []


def test_the_first_failed_delivery_names_the_host_and_the_reason(caplog):
    client = pequel.Client("key", NOBODY)
    client.track("u1", "e")
    assert client.flush(0.5) is False
    assert [line for _, line in lines(caplog)] == [
        "cannot reach 127.0.0.1:9: connection refused; events wait, and are tried again"
    ]
    client.shutdown(0)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ((404, {}, b"<html>Not found</html>"), "answered status 404, which is not the answer of"),
        ((405, {}, {}), "answered status 405, which is not the answer of a collector"),
        ((301, {"Location": "https://c.test/"}, {}), "status 301, a redirect to https://c.test/"),
        ((503, {}, {"success": False, "message": "full"}), "answered status 503: full; events"),
    ],
)
def test_an_answer_that_is_not_a_receipt_is_told_at_once_and_costs_no_event(
    collector, caplog, answer, told
):
    collector.answers.append(answer)
    with pequel.Client("key", collector.host, max_retry_wait=0.1) as client:
        client.track("u1", "e")
    assert collector.host in caplog.records[0].getMessage()
    assert told in caplog.records[0].getMessage()
    assert len(collector.events) == 1


def test_flush_tries_at_once_while_the_client_backs_off(desk):
    down = Outcome(Verdict.RETRY, "status 503")
    transport = pequel.RecordingTransport([down] * 8)
    options = {"flush_interval": 0, "sync": True, "timeout": 0.001}
    client = pequel.Client("key", transport=transport, jitter=lambda: 1.0, **options)
    for n in range(8):
        client.track("u1", "e", {"n": n})
        client.flush(0.001)
    assert len(transport.tried) >= 8
    assert client.flush(5)


def test_flush_does_not_try_before_the_time_that_the_collector_asked_for():
    transport = pequel.RecordingTransport([Outcome(Verdict.RETRY, "status 429", retry_after=60)])
    client = pequel.Client("key", transport=transport, flush_interval=0)
    client.track("u1", "e")
    assert client.flush(0.2) is False
    assert client.flush(0.2) is False
    assert len(transport.tried) == 1
    client.shutdown(0)


def caused(error, cause):
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (requests.ConnectionError(caused(OSError("x"), OSError(111, "Connection refused"))), None),
        (requests.ConnectTimeout("x"), "no connection in time"),
        (requests.ReadTimeout("x"), "no answer in time"),
        (requests.Timeout("the answer did not end"), "the answer did not end"),
        (requests.exceptions.SSLError(ssl.SSLError(1, "wrong version number")), "wrong version"),
        (requests.ConnectionError(), "ConnectionError"),
    ],
)
def test_the_innermost_cause_is_the_reason(error, reason):
    said = describe("https://user:secret@c.test:8321/base", error)
    assert said.startswith(f"cannot reach c.test:8321: {reason or 'connection refused'}")


def test_a_read_key_is_refused_without_repeating_it():
    key = "pk_r_0123456789abcdef"
    with pytest.raises(pequel.ConfigError, match=r"^write_key is a read key \(pk_r_…\)") as caught:
        pequel.Client(key)
    assert key not in str(caught.value)


@pytest.mark.parametrize("path", ["/v1", "/v1/", "/v1/batch", "/base/v1"])
def test_a_host_with_the_path_that_the_sdk_adds_is_refused(path):
    with pytest.raises(pequel.ConfigError, match=r"^host must not contain /v1"):
        pequel.Client("key", f"https://c.test{path}")


def test_flush_is_false_if_an_event_was_dropped_for_want_of_a_key():
    client = pequel.Client("")
    assert client.flush() is True
    client.track("u1", "e")
    assert client.flush() is False
