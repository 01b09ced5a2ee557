"""Client reports: the collector is told what was dropped here, each drop once."""

import json

import pytest

import pequel
from pequel import Delivery, Outcome, Verdict
from pequel.sending.client_report import ClientReports
from pequel.sending.sender import REPORT_INTERVAL

OK = Outcome(Verdict.DELIVERED)
RETRY = Outcome(Verdict.RETRY, "status 503")


class Reported(pequel.RecordingTransport):
    """Keeps what is reported, whether it got through or not, and with how many events."""

    def __init__(self, outcomes=()):
        super().__init__(outcomes)
        self.reports = []

    def deliver(self, delivery: Delivery):
        if delivery.report:
            report = json.loads(delivery.report)
            self.reports.append((len(delivery.events), report["number"], report["dropped"]))
        return self.send(delivery.events)


@pytest.fixture
def reported(desk):
    """Makes senders without a thread that report: `reported(outcomes, **options)`."""

    def made(outcomes=(), **options):
        transport = Reported(outcomes)
        d = desk(transport=transport, flush_interval=0, **options)
        reports = ClientReports("c1", lambda: d.queue.stats().dropped_by_reason)
        d.sender._reports = reports
        d.reports = transport.reports
        return d

    return made


def test_a_report_names_its_client_and_counts_since_the_last():
    """By reason; what did not change is not in it."""
    dropped = {"invalid": 2}
    reports = ClientReports("c1", dropped.copy)
    assert json.loads(reports.current()) == {"client": "c1", "number": 1, "dropped": {"invalid": 2}}
    reports.confirm()
    assert reports.current() is None
    dropped["queue_full"] = 5
    assert json.loads(reports.current())["dropped"] == {"queue_full": 5}
    assert json.loads(reports.current())["number"] == 2


def test_a_report_stays_the_same_until_it_got_through():
    """What is dropped meanwhile is for the next, so that the collector can tell a repetition."""
    dropped = {"invalid": 1}
    reports = ClientReports("c1", dropped.copy)
    first = reports.current()
    dropped["invalid"] = 3
    assert reports.current() == first
    reports.confirm()
    assert json.loads(reports.current()) == {"client": "c1", "number": 2, "dropped": {"invalid": 2}}


def test_drops_go_along_with_the_next_batch(reported):
    """And again with each try, until there is a receipt."""
    d = reported([RETRY, OK, OK])
    d.queue.count_drop("invalid")
    d.put(1)
    d.sender.step()
    d.queue.count_drop("invalid")
    d.clock.advance(1)
    d.sender.step()
    d.put(2)
    d.sender.step()
    assert d.reports == [(1, 1, {"invalid": 1}), (1, 1, {"invalid": 1}), (1, 2, {"invalid": 1})]


def test_without_drops_there_is_no_report(reported):
    """A batch is a batch."""
    d = reported()
    d.put(1)
    d.run()
    assert d.reports == []


def test_a_report_goes_alone_when_no_batch_comes(reported):
    """After a minute."""
    d = reported()
    d.queue.count_drop("invalid")
    assert d.sender.step() == REPORT_INTERVAL
    d.clock.advance(REPORT_INTERVAL)
    assert d.sender.step() == 0
    assert d.sender.step() is None
    assert d.reports == [(0, 1, {"invalid": 1})]


def test_a_report_alone_is_tried_again_after_another_minute(reported):
    """It is not worth more."""
    d = reported([RETRY, OK])
    d.queue.count_drop("invalid")
    assert d.run() == [REPORT_INTERVAL] * 2
    assert d.reports == [(0, 1, {"invalid": 1})] * 2


def test_a_report_alone_keeps_the_wait_that_was_asked_for(reported):
    """As everything does."""
    d = reported([RETRY._replace(retry_after=100), OK], max_retries=0)
    d.put(1)
    d.sender.step()
    assert d.sender.step() == 100
    assert d.run() == [100]
    assert d.reports == [(0, 1, {"retries_exhausted": 1})]


def test_an_unknown_key_hears_no_report(reported):
    """There is nobody to tell."""
    d = reported([Outcome(Verdict.UNAUTHORIZED)])
    d.put(1)
    d.run()
    assert d.reports == []
    assert d.sender.reports_done


def test_shutdown_sends_the_last_report():
    """Once, whatever comes of it."""
    for outcomes in ([], [RETRY]):
        transport = Reported(outcomes)
        client = pequel.Client("key", transport=transport)
        client.track()
        assert client.shutdown() is True
        assert client.shutdown() is True
        assert transport.reports == [(0, 1, {"invalid": 1})]


def test_flushing_does_not_send_a_report_alone(collector):
    """A batch that was refused is one request, and nothing follows it at once."""
    collector.answers.append((400, {}, {"success": False}))
    client = pequel.Client("key", collector.host)
    client.track("u1", "e")
    assert client.flush() is False
    assert client.flush() is True
    assert len(collector.requests) == 1
    client.shutdown()
    assert "report" not in collector.requests[0].body
    assert collector.requests[1].body["report"]["dropped"] == {"rejected": 1}
    assert collector.requests[1].body["batch"] == []


def test_the_end_of_a_thrown_away_client_is_reported():
    """Its thread does so before it ends."""
    transport = Reported()
    client = pequel.Client("key", transport=transport)
    client.track()
    worker = client._worker()
    del client
    assert worker.flush(10)
    assert transport.reports == [(0, 1, {"invalid": 1})]


def test_a_transport_that_takes_no_reports_is_not_bothered(transport):
    """`send` alone makes a transport."""
    client = pequel.Client("key", transport=transport)
    client.track()
    assert client.shutdown() is True
    assert transport.tried == []
