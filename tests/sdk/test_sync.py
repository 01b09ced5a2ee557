"""`sync=True`: a call sends by itself, for where no thread lives on between calls."""

import signal
import threading
import time

import pytest

import pequel
from pequel import Outcome, Rejection, Verdict
from support.scripts import run

OK = Outcome(Verdict.DELIVERED)
RETRY = Outcome(Verdict.RETRY, "status 503")


@pytest.fixture
def make(clock):
    """Makes clients that send at once, on a clock moved by hand: `make(outcomes, **options)`."""

    def client(outcomes=(), transport=None, **options):
        transport = transport or pequel.RecordingTransport(outcomes)
        given = {"clock": clock, "jitter": lambda: 1.0, **options}
        made = pequel.Client("key", transport=transport, sync=True, **given)
        made.transport = transport
        return made

    return client


def names(batches):
    return [[event["event"] for event in batch] for batch in batches]


def test_a_call_returns_when_its_event_is_delivered(make):
    """There is no thread, and nothing waits for company."""
    before = threading.active_count()
    client = make()
    client.track("u1", "one")
    client.track("u1", "two")
    assert names(client.transport.batches) == [["one"], ["two"]]
    assert threading.active_count() == before
    assert client.stats().queued == 0


def test_a_call_tries_again_while_there_is_time(make, clock):
    """With the waits there always are."""
    client = make([RETRY, RETRY])
    client.track("u1", "e")
    assert names(client.transport.tried) == [["e"]] * 3
    assert clock.monotonic() == pytest.approx(0.5 + 1.0)


def test_a_call_returns_when_its_time_is_over(make, clock):
    """What could not be sent stays queued, and goes first with the next call."""
    client = make([RETRY] * 3, timeout=3)
    client.track("u1", "one")
    assert clock.monotonic() == pytest.approx(3)
    assert client.stats().queued == 1
    clock.advance(60)
    client.track("u1", "two")
    assert names(client.transport.batches) == [["one"], ["two"]]
    assert client.stats().delivered == 2


def test_a_call_does_not_wait_for_what_was_dropped(make, clock):
    """Refused, or given up."""
    client = make([Outcome(Verdict.REFUSED), RETRY], max_retries=0)
    client.track("u1", "refused")
    client.track("u1", "given up")
    assert client.stats().dropped_by_reason == {"rejected": 1, "retries_exhausted": 1}
    assert clock.monotonic() == 0


def test_a_request_has_no_longer_than_the_call(make, clock):
    """So that a collector that hangs does not keep the caller longer."""
    left = []

    class Slow(pequel.RecordingTransport):
        def deliver(self, delivery):
            left.append(delivery.timeout)
            clock.advance(4)
            return RETRY

    client = make(transport=Slow(), timeout=10)
    client.track("u1", "e")
    assert left == pytest.approx([10, 5.5, 0.5])


def test_flush_sends_what_was_left(make, clock):
    """And says whether that was all."""
    client = make([RETRY] * 2, timeout=0.4)
    client.track("u1", "e")
    assert client.flush(0.1) is False
    assert client.flush(10) is True
    assert names(client.transport.batches) == [["e"]]


def test_shutdown_drops_what_it_cannot_send(make):
    """As ever."""
    client = make([RETRY] * 99, timeout=1)
    client.track("u1", "e")
    assert client.shutdown(1) is False
    client.track("u1", "late")
    assert client.stats().queued == 0
    assert client.stats().dropped_by_reason == {"shutdown": 2}
    assert client.shutdown(1) is True


@pytest.mark.parametrize("end", ["retire", "throw away"])
@pytest.mark.parametrize("answers", [1, 99])
def test_a_client_that_ends_sends_what_is_left_or_drops_it_and_tells(make, end, answers):
    """Within the time of a call."""
    told = []
    transport = pequel.RecordingTransport([RETRY] * answers)
    client = make(transport=transport, timeout=0.4, on_error=lambda error, _: told.append(error))
    client.track("u1", "e")
    queue = client._worker().queue
    assert queue.stats().queued == 1
    if end == "retire":
        client.retire()
    del client
    delivered = answers == 1
    assert queue.stats()[:4] == (1, delivered, not delivered, 0)
    assert [error.reason for error in told] == ([] if delivered else ["shutdown"])


def test_a_client_that_ends_leaves_its_spool_to_others(make, tmp_path):
    """Its files are closed, and its lock is open."""
    for name in ("one", "two"):
        client = make([RETRY] * 99, timeout=0.4, spool=tmp_path)
        client.track("u1", name)
        client.retire()
    client = make(spool=tmp_path)
    assert client.flush() is True
    # In either order: files that are begun in one millisecond have none.
    assert sorted(names(client.transport.batches)) == [["one"], ["two"]]
    client.shutdown()
    assert list(tmp_path.iterdir()) == []


def test_a_shutdown_does_not_wait_longer_than_it_may_for_another_thread(make):
    """The one that sends drops what it cannot send."""
    entered, go = threading.Event(), threading.Event()

    class Slow(pequel.RecordingTransport):
        def send(self, events):
            entered.set()
            go.wait(10)
            return RETRY

    client = make(transport=Slow(), clock=None, timeout=20)
    thread = threading.Thread(target=client.track, args=("u1", "e"))
    thread.start()
    entered.wait(10)
    began = time.monotonic()
    assert client.shutdown(0.05) is False
    assert time.monotonic() - began < 5
    go.set()
    thread.join(10)
    assert client.stats().dropped_by_reason == {"shutdown": 1}


def test_what_is_tracked_while_a_batch_is_sent_goes_with_it(make):
    """From `on_error`, say; the call inside returns, the one outside sends."""
    refused = OK._replace(rejected=(Rejection(0, "no"),))
    client = make([refused], on_error=lambda *_: client.track("u1", "inner"))
    client.track("u1", "outer")
    assert names(client.transport.batches) == [[], ["inner"]]
    assert client.stats().queued == 0


def test_a_signal_handler_may_track_while_a_batch_is_sent(make):
    """Wherever it interrupts."""
    interruptions = []

    def handler(*_):
        interruptions.append(1)
        client.track("u1", "interrupting")

    client = make()
    previous = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    try:
        for _ in range(1_000):
            client.track("u1", "interrupted")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    client.flush()
    assert len(client.transport.events) == 1_000 + len(interruptions)


def test_threads_send_one_at_a_time(collector):
    """Each event once, whoever sends it."""
    client = pequel.Client("key", collector.host, sync=True)

    def work(thread):
        for n in range(25):
            client.track("u1", "e", {"n": [thread, n]})

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seen = [tuple(event["properties"]["n"]) for event in collector.events]
    assert sorted(seen) == [(thread, n) for thread in range(4) for n in range(25)]
    assert len(collector.connections) == 1


def test_nobody_listening_costs_no_more_than_the_timeout():
    """In real seconds."""
    client = pequel.Client("key", "http://127.0.0.1:9", sync=True, timeout=0.2)
    began = time.monotonic()
    client.track("u1", "e")
    assert time.monotonic() - began < 2
    assert client.stats().queued == 1


def test_what_is_left_at_the_end_of_the_process_is_sent_then(collector):
    """If the collector answers by then."""
    error = {"success": False, "code": "busy"}
    collector.answers.append((503, {"Retry-After": "1"}, error))
    script = "import pequel\npequel.track('u1', 'e')\nprint(pequel.stats().queued)"
    environ = {"PEQUEL_SYNC": "yes", "PEQUEL_TIMEOUT": "0.3"}
    queued, _ = run(script, PEQUEL_WRITE_KEY="key", PEQUEL_HOST=collector.host, **environ)
    assert queued == "1"
    assert [event["event"] for event in collector.events] == ["e"]
