"""What test suites of the field ask of an SDK, over real HTTP: retries, ids, times, batches.

Time is a clock that is moved by hand, which the collector reads too.
"""

from datetime import datetime, timedelta, timezone
from itertools import pairwise

import pytest

import pequel

ERROR = {"success": False, "error": "Error", "code": "error", "message": "as the test wants it"}
RECEIPT = {"success": True, "accepted": 1}
INDIA = timezone(timedelta(hours=5, minutes=30))


def failing(*statuses, **headers):
    return [(status, headers, ERROR) for status in statuses]


@pytest.fixture
def make(collector, clock):
    """Makes clients of the collector: `make(**options)`."""
    collector.now = clock.monotonic
    clients = []

    def client(**options):
        given = {"clock": clock, "flush_interval": 0, "jitter": lambda: 0.5, **options}
        clients.append(pequel.Client("the key", collector.host, **given))
        return clients[-1]

    yield client
    for made in clients:
        made.shutdown(None)


def waits(collector):
    return [later.at - earlier.at for earlier, later in pairwise(collector.requests)]


def sent(collector):
    """The events of each request that has any; reports of drops go alone after a minute."""
    return [request.body["batch"] for request in collector.requests if request.body["batch"]]


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_what_may_pass_is_tried_again(make, collector, status):
    """Until there is a receipt, with the same event."""
    collector.answers.extend(failing(status, status))
    client = make()
    client.track("u1", "e", {"x": 1})
    assert client.flush(None) is True
    first, second, third = sent(collector)
    assert first == second == third


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413])
def test_what_will_not_pass_is_not_tried_again(make, collector, status):
    """One request, and the event is dropped with a reason."""
    collector.answers.extend(failing(status))
    client = make()
    client.track("u1", "e")
    assert client.flush(None) is False
    assert len(sent(collector)) == 1
    assert client.stats().dropped == 1


@pytest.mark.parametrize("retries", [0, 3])
def test_as_many_retries_as_are_allowed(make, collector, retries):
    """Three retries are four requests; more flushing sends nothing more."""
    collector.answers.extend(failing(*[503] * 9))
    client = make(max_retries=retries)
    client.track("u1", "e")
    assert client.flush(None) is False
    client.flush(None)
    assert len(sent(collector)) == 1 + retries
    assert client.stats().dropped_by_reason == {"retries_exhausted": 1}


def test_the_waits_begin_with_a_tenth_of_a_second_and_grow(make, collector):
    """At the shortest that chance allows, and at the longest."""
    for jitter, expected in ((0, [0.1] * 3), (1, [0.5, 1, 2])):
        collector.requests.clear()
        collector.answers.extend(failing(503, 503, 503))
        client = make(jitter=lambda jitter=jitter: jitter)
        client.track("u1", "e")
        assert client.flush(None)
        assert waits(collector) == pytest.approx(expected)


def test_retry_after_is_the_least_to_wait(make, collector):
    """By a number or a date, and for the events behind that batch too; but capped."""
    asked = [{"Retry-After": "3"}, {"Retry-After": "Sun, 01 Mar 2026 10:00:08 GMT"}]
    collector.answers.extend((429, headers, ERROR) for headers in asked)
    collector.answers.extend(failing(503, **{"Retry-After": "86400"}))
    client = make(batch_events=1, max_retry_after=60)
    client.track("u1", "e")
    client.track("u2", "e")
    assert client.flush(None)
    assert waits(collector) == pytest.approx([3, 5, 60, 0])


def test_a_batch_is_the_same_at_each_try(make, collector):
    """Ids, times, order; what was tracked meanwhile is not mixed in."""

    def drawing():
        client.track("u1", "meanwhile")
        return 0.5

    client = make(flush_interval=60, batch_events=3, jitter=drawing)
    collector.answers.extend(failing(503, 500))
    for n in range(3):
        client.track("u1", "e", {"n": n})
    assert client.flush(None)
    assert client.flush(None)
    first, second, third, rest = sent(collector)
    assert first == second == third
    assert [event["properties"]["n"] for event in first] == [0, 1, 2]
    assert [event["event"] for event in rest] == ["meanwhile"] * 2
    assert len({event["messageId"] for event in first + rest}) == 5


def test_each_try_says_when_it_was_sent(make, collector):
    """By which the collector corrects a clock that is wrong."""
    collector.answers.extend(failing(503, **{"Retry-After": "7"}))
    client = make()
    client.track("u1", "e")
    assert client.flush(None)
    times = [datetime.fromisoformat(r.body["sentAt"][:-1]) for r in collector.requests]
    assert times[1] - times[0] == timedelta(seconds=7)


@pytest.mark.parametrize(
    "given", [datetime(2025, 1, 2, 8, 34, 5, tzinfo=INDIA), "2025-01-02T08:34:05+05:30"]
)
def test_a_time_with_an_offset_arrives_as_the_same_moment_in_utc(make, collector, given):
    """A property that looks like one stays as it is."""
    client = make()
    client.track("u1", "e", {"like": "2025-01-02T08:34:05+05:30"}, timestamp=given)
    assert client.flush(None)
    [event] = collector.events
    assert event["timestamp"] == "2025-01-02T03:04:05.000Z"
    assert event["properties"] == {"like": "2025-01-02T08:34:05+05:30"}


def test_properties_arrive_unchanged(make, collector):
    """Whatever JSON can hold."""
    properties = {"text": "hello ü", "number": 42, "half": 0.5, "yes": True, "none": None}
    client = make()
    client.track("u1", "e", {**properties, "nested": [properties]})
    assert client.flush(None)
    assert collector.events[0]["properties"] == {**properties, "nested": [properties]}


def test_flushing_nothing_sends_nothing(make, collector):
    """Before the first event, and after the last."""
    client = make()
    assert client.flush(None)
    client.track("u1", "e")
    assert client.flush(None)
    assert client.flush(None)
    assert len(collector.requests) == 1


def test_a_few_events_are_one_request(make, collector):
    """With as many ids."""
    client = make(flush_interval=60)
    for n in range(5):
        client.track("u1", f"e{n}")
    assert client.flush(None)
    [batch] = sent(collector)
    assert [event["event"] for event in batch] == ["e0", "e1", "e2", "e3", "e4"]
    assert len({event["messageId"] for event in batch}) == 5
    assert collector.requests[0].path == "/v1/batch"


@pytest.mark.parametrize("on", [True, False])
def test_bodies_are_compressed_if_wanted(make, collector, on):
    """And say so."""
    client = make(gzip=on)
    client.track("u1", "e")
    assert client.flush(None)
    assert collector.requests[0].headers.get("Content-Encoding") == ("gzip" if on else None)


@pytest.mark.parametrize(
    "answer",
    [
        (200, {"Content-Type": "text/html"}, b"<html>Please log in</html>"),
        (200, {}, b""),
        (200, {}, {"success": True}),
        (202, {}, RECEIPT),
        (302, {"Location": "/elsewhere"}, b""),
        (307, {"Location": "/elsewhere"}, RECEIPT),
    ],
)
def test_only_a_receipt_is_delivery(make, collector, answer):
    """A login page, a proxy's courtesy or a redirect is not, and nothing is sent elsewhere."""
    collector.answers.append(answer)
    client = make()
    client.track("u1", "e")
    assert client.flush(None)
    assert [request.path for request in collector.requests] == ["/v1/batch"] * 2
    assert len(collector.events) == 1


def test_a_batch_too_large_goes_in_parts(make, collector):
    """Each event once; the one that is too large alone is dropped."""
    client = make(flush_interval=60)
    for n in range(4):
        client.track("u1", "e", {"n": n})
    collector.answers.extend(failing(413, 413, 413))
    assert client.flush(None) is False
    sizes = [len(batch) for batch in sent(collector)]
    assert sizes == [4, 2, 1, 1, 2]
    assert [event["properties"]["n"] for event in collector.events] == [1, 2, 3]
    assert client.stats().dropped_by_reason == {"too_large": 1}
