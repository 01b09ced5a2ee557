"""What product code can rely on."""

import gc
import json
import logging
import signal
import sys
import threading
import time
import weakref

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pequel
from pequel import Outcome, Verdict
from pequel.clock import Clock
from pequel.messages.library import LIBRARY_BYTES

RETRY = Outcome(Verdict.RETRY, "status 503")


class Holding(pequel.RecordingTransport):
    """Holds every batch until it is let go."""

    def __init__(self):
        super().__init__()
        self.entered = threading.Event()
        self.go = threading.Event()

    def send(self, events, /):
        self.entered.set()
        self.go.wait(10)
        return super().send(events)


def without_time(event):
    return {k: v for k, v in event.items() if k not in ("timestamp", "messageId")}


def test_every_call_makes_its_message(client, sent):
    """The fields are those of the Segment libraries."""
    client.track("u1", "project_created", {"id": "p9"}, {"groupId": "acme"})
    client.identify("u1", {"plan": "free"}, anonymous_id="a1")
    client.group("u1", "acme", {"employees": 120})
    client.page("u1", "docs", "Start", {"url": "/"})
    client.screen(anonymous_id="a1", name="Home")
    client.alias("a1", "u1")
    assert [without_time(event) for event in sent()] == [
        {
            "type": "track",
            "event": "project_created",
            "properties": {"id": "p9"},
            "userId": "u1",
            "context": {"groupId": "acme"},
        },
        {"type": "identify", "traits": {"plan": "free"}, "userId": "u1", "anonymousId": "a1"},
        {"type": "group", "groupId": "acme", "traits": {"employees": 120}, "userId": "u1"},
        {
            "type": "page",
            "category": "docs",
            "name": "Start",
            "properties": {"url": "/"},
            "userId": "u1",
        },
        {"type": "screen", "name": "Home", "anonymousId": "a1"},
        {"type": "alias", "previousId": "a1", "userId": "u1"},
    ]


def test_time_id_and_integrations_can_be_given(client, sent):
    """For history brought over from elsewhere, which may be sent twice."""
    client.track("u1", "e", timestamp="2020-01-01", message_id="m1", integrations={"All": False})
    [message] = sent()
    assert message.pop("originalTimestamp") > "2020-01-01"
    assert message == {
        "type": "track",
        "event": "e",
        "userId": "u1",
        "integrations": {"All": False},
        "timestamp": "2020-01-01",
        "messageId": "m1",
    }


def test_an_event_is_a_snapshot(client, sent):
    """What happens to the dict after the call does not show."""
    properties = {"tags": ["a"]}
    client.track("u1", "e", properties)
    properties["tags"].append("b")
    assert sent()[0]["properties"] == {"tags": ["a"]}


def test_events_arrive_in_order_with_increasing_ids(client, sent):
    """Over many batches."""
    for n in range(1_000):
        client.track("u1", "e", {"n": n})
    events = sent()
    assert [event["properties"]["n"] for event in events] == list(range(1_000))
    ids = [event["messageId"] for event in events]
    assert ids == sorted(set(ids))


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda c: c.track(), "invalid"),
        (lambda c: c.track("u1"), "invalid"),
        (lambda c: c.track("u1", "e", ["no", "mapping"]), "invalid"),
        (lambda c: c.track("u1", "e", timestamp=5), "invalid"),
        (lambda c: c.group("u1"), "invalid"),
        (lambda c: c.alias(user_id="u1"), "invalid"),
        (lambda c: c.track(object(), "e"), "invalid"),
        (lambda c: c.track("u1", "e", {"x": object(), "y": "y" * 40_000}), "too_large"),
    ],
)
def test_bad_data_is_counted_and_handed_over(client, call, reason):
    """It does not raise."""
    call(client)
    assert client.stats().dropped_by_reason == {reason: 1}
    [(error, message)] = client.errors
    assert isinstance(error, pequel.DroppedError)
    assert error.reason == reason
    assert message["type"] in ("track", "group", "alias")


def test_an_event_may_be_as_long_as_the_limit(transport):
    """And not a byte longer, with the library that the transport adds."""
    client = pequel.Client("key", transport=transport, max_event_bytes=300)
    client.track("u1", "e", {"x": ""}, message_id="m")
    assert client.flush()
    room = 300 - LIBRARY_BYTES - len(json.dumps(transport.events[0], separators=(",", ":")))
    client.track("u1", "e", {"x": "x" * room}, message_id="m")
    client.track("u1", "e", {"x": "x" * (room + 1)}, message_id="m")
    client.shutdown()
    assert client.stats().delivered == 2
    assert client.stats().dropped_by_reason == {"too_large": 1}


anything = st.one_of(
    st.none(),
    st.text(),
    st.integers(),
    st.floats(),
    st.binary(),
    st.lists(st.integers()),
    st.dictionaries(st.text() | st.integers(), st.floats() | st.dates() | st.text()),
    st.datetimes(),
    st.builds(object),
)


@given(st.sampled_from(["track", "identify", "group", "page", "screen", "alias"]), st.data())
def test_no_argument_whatever_makes_a_call_raise(kind, data):
    """And every call is counted."""
    client = pequel.Client("key", transport=pequel.RecordingTransport())
    given = data.draw(st.lists(anything, max_size=6))
    getattr(client, kind)(*given)
    assert client.shutdown()
    stats = client.stats()
    assert stats.accepted == 1 == stats.delivered + stats.dropped


def test_an_id_maker_that_fails_does_not_make_a_call_raise(transport):
    """Faults of the client itself are counted, too."""
    client = pequel.Client("key", transport=transport, new_id=lambda _: 1 / 0)
    client.track("u1", "e")
    assert client.stats().dropped_by_reason == {"invalid": 1}


def test_on_error_may_fail_and_may_track(transport, caplog):
    """Its errors go to the log, and its own bad calls do not call it again."""
    calls = []

    def on_error(error, _message):
        calls.append(error.reason)
        client.track()
        raise ValueError("a fault of the application")

    client = pequel.Client("key", transport=transport, on_error=on_error)
    client.track()
    assert calls == ["invalid"]
    assert client.stats().dropped_by_reason == {"invalid": 2}
    assert "on_error failed" in caplog.text


@pytest.mark.parametrize("end", [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_nothing_that_the_application_raises_ends_the_thread_that_sends(transport, caplog, end):
    """`sys.exit()` in `on_error`, a transport that is cancelled: later events are sent."""

    def fail(*_):
        raise end

    rejected = (pequel.Rejection(0), pequel.Rejection(1))
    mark = pequel.Mark("l1", "d", "user", "u1", "", {})
    outcomes = [pequel.Outcome(Verdict.DELIVERED, rejected=rejected, qualified=(mark,))]
    transport = pequel.RecordingTransport(outcomes)
    send = transport.send
    tries = iter([fail])

    def fail_once(events):
        return next(tries, send)(events)

    transport.send = fail_once
    client = pequel.Client(
        "key", transport=transport, on_error=fail, on_qualified=fail, jitter=lambda: 0.01
    )
    for n in range(3):
        client.track("u1", "one", {"n": n})
    assert client.flush() is False
    client.track("u1", "two")
    assert client.flush() is True
    assert client.stats()[:4] == (4, 2, 2, 0)
    assert caplog.text.count("on_error failed") == 2
    assert "on_qualified failed" in caplog.text
    assert client.shutdown() is True


def test_a_thread_that_was_killed_is_replaced(transport):
    """As gevent can kill what it made of the thread."""

    class Killing(Clock):
        def wait(self, event, seconds):
            if threading.current_thread().name == "pequel":
                killed.append(1)
                raise SystemExit
            super().wait(event, seconds)

    killed = []
    client = pequel.Client("key", transport=transport, clock=Killing(), flush_interval=0)
    client.track("u1", "one")
    deadline = time.monotonic() + 10
    while client._worker()._started and time.monotonic() < deadline:
        time.sleep(0.001)
    assert killed
    Killing.wait = Clock.wait
    client.track("u1", "two")
    assert client.flush() is True
    assert [event["event"] for event in transport.events] == ["one", "two"]


def test_an_on_error_that_exits_in_the_thread_of_the_caller_ends_it(transport):
    """What is no `Exception` is meant for the caller; the books are right all the same."""
    client = pequel.Client("key", transport=transport, on_error=lambda *_: sys.exit(3))
    with pytest.raises(SystemExit):
        client.track()
    client.track("u1", "e")
    assert client.shutdown() is True
    assert client.stats()[:4] == (2, 1, 1, 0)


def test_drops_are_logged_once_for_each_reason(transport, caplog):
    """The log is not flooded."""
    client = pequel.Client("key", transport=transport)
    for _ in range(3):
        client.track()
        client.track("u1", "e", {"x": "y" * 40_000}, message_id="m")
    invalid, too_large = [record.getMessage() for record in caplog.records]
    assert invalid.startswith("dropped an event, invalid: track needs event")
    assert too_large.startswith("dropped an event, too_large: the event has 40")


def test_the_hosts_logging_is_left_alone():
    """No handler, no level, on the root or on the package's own logger."""
    own = logging.getLogger("pequel")
    assert (own.handlers, own.level, own.propagate) == ([], logging.NOTSET, True)


def test_a_call_does_not_wait_for_the_network():
    """While a request hangs, calls return and the queue fills up to its bound."""
    transport = Holding()
    client = pequel.Client("key", transport=transport, max_queue_events=150)
    for _ in range(100):
        client.track("u1", "e")
    assert transport.entered.wait(10)
    for _ in range(100):
        client.track("u1", "e")
    assert client.stats()._replace(queued_bytes=0) == (200, 0, 50, 150, 0, {"queue_full": 50}, 0)
    transport.go.set()
    assert client.shutdown()
    assert client.stats().delivered == 150


def test_flush_keeps_its_deadline(clock):
    """It says no, and what waits stays queued."""
    transport = Holding()
    client = pequel.Client("key", transport=transport, clock=clock)
    client.track("u1", "e")
    assert transport.entered.wait(10)
    before = clock.monotonic()
    assert client.flush(5) is False
    assert clock.monotonic() == pytest.approx(before + 5)
    assert client.stats().queued == 1
    transport.go.set()


def test_flush_says_no_when_an_event_was_dropped(client, transport):
    """All that waited has to be delivered."""
    transport._outcomes.append(Outcome(Verdict.REFUSED, "status 400"))
    client.track("u1", "e")
    assert client.flush() is False
    assert client.stats().dropped_by_reason == {"rejected": 1}
    assert client.flush() is True


def test_flushing_nothing_starts_nothing(client):
    """A client that was never used has no thread."""
    before = threading.active_count()
    assert client.flush() is True
    assert client.stats() == (0, 0, 0, 0, 0, {}, 0)
    assert threading.active_count() == before


def test_shutdown_delivers_and_then_refuses(client, transport):
    """What comes later is dropped, and counted."""
    client.track("u1", "e")
    assert client.shutdown() is True
    client.track("u1", "late")
    assert len(transport.events) == 1
    assert client.stats().dropped_by_reason == {"shutdown": 1}
    assert client.shutdown() is True


def test_shutdown_drops_what_it_cannot_deliver():
    """After its deadline nothing is left queued."""
    transport = pequel.RecordingTransport([RETRY._replace(retry_after=300)] * 3)
    client = pequel.Client("key", transport=transport, max_retries=0, max_retry_after=0)
    client.track("u1", "e")
    assert client.shutdown(10) is False
    assert client.stats().queued == 0
    assert client.stats().dropped == 1


def test_shutdown_does_not_wait_for_a_request_that_hangs(clock):
    """Its outcome is booked when it comes; what waited behind it is dropped."""
    transport = Holding()
    client = pequel.Client("key", transport=transport, clock=clock, batch_events=1)
    client.track("u1", "hangs")
    assert transport.entered.wait(10)
    client.track("u1", "waits")
    assert client.shutdown(5) is False
    assert client.stats().queued == 2
    worker = client._worker()
    transport.go.set()
    assert worker.flush(None) is False
    stats = client.stats()
    assert (stats.delivered, stats.dropped_by_reason) == (1, {"shutdown": 1})


def test_leaving_the_context_shuts_down(transport):
    """Everything is delivered at the end of the block."""
    with pequel.Client("key", transport=transport) as client:
        client.track("u1", "e")
    assert len(transport.events) == 1
    assert client.stats().queued == 0


def test_without_a_write_key_everything_is_dropped_and_that_is_said_once(caplog):
    """A machine without a key runs the product as well as any other."""
    errors = []
    client = pequel.Client("", on_error=lambda error, message: errors.append((error, message)))
    client.track("u1", "e")
    client.track("u1", "e")
    assert client.flush() is False
    assert client.stats().dropped_by_reason == {"unauthorized": 2}
    assert [(error.reason, message) for error, message in errors] == [("unauthorized", None)]
    assert len(caplog.records) == 1


def test_a_client_thrown_away_delivers_and_ends_its_thread(transport):
    """A client for each request leaves no threads behind."""
    client = pequel.Client("key", transport=transport)
    client.track("u1", "e")
    worker, gone = client._worker(), weakref.ref(client)
    del client
    gc.collect()
    assert gone() is None
    assert worker.flush(10)
    assert len(transport.events) == 1


def test_many_threads_lose_and_repeat_nothing(client, sent):
    """Eight threads, each its own events."""

    def work(thread):
        for n in range(1_000):
            client.track("u1", "e", {"n": [thread, n]})

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seen = [tuple(event["properties"]["n"]) for event in sent()]
    assert len(seen) == 8_000 == len(set(seen))
    assert client.stats().accepted == 8_000


def test_a_signal_handler_may_track_while_the_thread_tracks(client, sent):
    """Wherever it interrupts, it does not get stuck and nothing is lost."""
    interruptions = []

    def handler(*_):
        interruptions.append(1)
        client.track("u1", "interrupting")

    previous = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
    try:
        for _ in range(5_000):
            client.track("u1", "interrupted")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    assert len(sent()) == 5_000 + len(interruptions)


class TimeIsUpError(Exception):
    """What a time limit raises, as Celery's does."""


@pytest.fixture
def time_limit():
    """A signal whose handler raises."""

    def handler(*_):
        raise TimeIsUpError

    previous = signal.signal(signal.SIGALRM, handler)
    yield lambda: signal.raise_signal(signal.SIGALRM)
    signal.signal(signal.SIGALRM, previous)


class Interrupted(pequel.RecordingTransport):
    """Is interrupted once while it sends."""

    def __init__(self, interrupt):
        super().__init__()
        self.interruptions = iter([interrupt])

    def send(self, events, /):
        next(self.interruptions, int)()
        return super().send(events)


def test_a_time_limit_that_ends_a_call_reaches_the_caller(time_limit, transport, caplog):
    """In the making of a message, in the queue, and in `on_error`."""
    client = pequel.Client("key", transport=transport, new_id=lambda _: time_limit())
    with pytest.raises(TimeIsUpError):
        client.track("u1", "e")
    client = pequel.Client("key", transport=transport, on_error=lambda *_: time_limit())
    with pytest.raises(TimeIsUpError):
        client.track()
    client.track("u1", "e")
    client._worker().start = time_limit
    with pytest.raises(TimeIsUpError):
        client.track("u1", "e")
    del client._worker().start
    assert client.flush() is True
    assert client.stats()[:4] == (3, 2, 1, 0)
    assert not caplog.text.count("failed")


def test_a_time_limit_that_ends_a_call_which_sends_reaches_the_caller(time_limit):
    """Its event goes with the next."""
    transport = Interrupted(time_limit)
    client = pequel.Client("key", transport=transport, sync=True)
    with pytest.raises(TimeIsUpError):
        client.track("u1", "one")
    client.track("u1", "two")
    assert [event["event"] for event in transport.events] == ["one", "two"]
    assert client.stats().queued == 0


def test_a_finalizer_may_track_while_the_thread_tracks(client, sent):
    """The collector of garbage runs finalizers in the middle of anything."""
    finalized = []

    class Noisy:
        def __init__(self):
            self.cycle = self

        def __del__(self):
            client.track("u1", "finalized")
            finalized.append(1)

    for _ in range(2_000):
        Noisy()
        client.track("u1", "e", {"some": ["garbage"]})
    while len(finalized) < 2_000:
        gc.collect()  # does nothing while another thread collects
    assert len(sent()) == 4_000
