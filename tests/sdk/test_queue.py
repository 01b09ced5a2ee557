"""The queue is bounded, exact, and nobody waits at it."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pequel.config import checked
from pequel.sending.queue import EventQueue


def make_queue(wake_sender=lambda: None, **options):
    return EventQueue(checked(options), wake_sender)


def in_another_thread(work):
    thread = threading.Thread(target=work)
    thread.start()
    thread.join(timeout=10)


def balanced(stats):
    dropped = sum(stats.dropped_by_reason.values())
    return stats.dropped == dropped and stats.accepted == stats.delivered + dropped + stats.queued


def test_events_are_bounded_in_number():
    """The newest are dropped, and what stays keeps its order."""
    queue = make_queue(max_queue_events=2)
    refused = [queue.put(event) for event in (b"a", b"b", b"c")]
    assert refused == [[], [], [(b"c", "queue_full")]]
    assert queue.take() == [b"a", b"b"]
    assert queue.stats().dropped_by_reason == {"queue_full": 1}


def test_events_are_bounded_in_bytes():
    """A short event still fits where a long one does not."""
    queue = make_queue(max_queue_bytes=10)
    for event in (b"x" * 6, b"x" * 6, b"x" * 4):
        queue.put(event)
    assert (queue.stats().queued, queue.stats().queued_bytes) == (2, 10)


def test_events_that_are_being_sent_count_as_queued():
    """Room is made by an outcome, not by trying."""
    queue = make_queue(max_queue_events=1)
    queue.put(b"a")
    batch = queue.take()
    assert queue.put(b"b") == [(b"b", "queue_full")]
    queue.delivered(batch)
    assert queue.put(b"c") == []


def test_a_batch_is_bounded_in_number_and_bytes():
    """Commas count; one event makes a batch however long it is."""
    queue = make_queue(batch_events=3, batch_bytes=20)
    for event in (b"1", b"2", b"3", b"4" * 9, b"5" * 9, b"6", b"7" * 50):
        queue.put(event)
    batches = [[event[:1] for event in queue.take()] for _ in range(4)]
    assert batches == [[b"1", b"2", b"3"], [b"4", b"5"], [b"6"], [b"7"]]


def test_a_closed_outbox_refuses_for_its_reason():
    """What was queued before stays."""
    queue = make_queue()
    queue.put(b"a")
    queue.closed = "shutdown"
    assert queue.put(b"b") == [(b"b", "shutdown")]
    assert queue.take() == [b"a"]


def test_the_sender_is_called_for_the_first_event_and_for_a_full_batch():
    """In between it need not wake up."""
    wakes = []
    queue = make_queue(lambda: wakes.append(queue.waiting), batch_events=5, batch_bytes=1_000)
    for _ in range(7):
        queue.put(b"x")
    assert wakes == [1, 5]


def test_the_sender_is_called_when_the_bytes_of_a_batch_are_there():
    """Long events do not wait for a hundred others."""
    wakes = []
    queue = make_queue(lambda: wakes.append(queue.waiting), batch_bytes=10)
    for _ in range(4):
        queue.put(b"x" * 4)
    assert wakes == [1, 3]


def test_a_put_that_interrupts_a_put_is_booked():
    """A signal handler may track while the thread it interrupts is inside."""
    queue = make_queue(lambda: queue.put(b"inner") if queue.enqueued == 1 else None)
    queue.put(b"outer")
    assert queue.take() == [b"outer", b"inner"]
    assert queue.stats().accepted == 2


def test_a_put_does_not_wait_for_another_thread():
    """While one thread is inside, another leaves its event and goes; the first books it."""
    left = []

    def while_inside():
        if queue.enqueued == 1:
            in_another_thread(lambda: left.extend([queue.put(b"other"), queue.draining_elsewhere]))

    queue = make_queue(while_inside)
    queue.put(b"one")
    assert left == [[], True]
    assert queue.take() == [b"one", b"other"]


def test_an_event_that_another_thread_is_booking_is_not_booked_yet(monkeypatch):
    """A flush waits until it is; the thread itself, interrupted there, does not wait for itself."""
    seen = []
    queue = make_queue()

    def look(_):
        in_another_thread(lambda: seen.append(queue.draining_elsewhere))
        seen.append(queue.draining_elsewhere)

    monkeypatch.setattr(queue, "_full_reason", look)
    queue.put(b"x")
    assert seen == [True, False]
    assert not queue.draining_elsewhere


def test_an_interruption_that_raises_while_an_event_is_booked_loses_and_repeats_nothing():
    """Before or after it is booked."""
    raising = [False, False]

    class Raising(EventQueue):
        def _full_reason(self, queued_bytes):
            if raising[0]:
                raise KeyboardInterrupt
            return super()._full_reason(queued_bytes)

    def wake_sender():
        if raising[1]:
            raise KeyboardInterrupt

    for place in range(2):
        queue = Raising(checked({}), wake_sender)
        raising[place] = True
        with pytest.raises(KeyboardInterrupt):
            queue.put(b"one")
        raising[place] = False
        queue.put(b"two")
        assert queue.take() == [b"one", b"two"]
        assert queue.stats().queued == 2


def test_threads_lose_no_count():
    """Many threads at once are counted exactly, within both bounds."""
    queue = make_queue(max_queue_events=5_000, batch_events=10_000)

    def work():
        for _ in range(2_000):
            queue.put(b"xy")

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stats = queue.stats()
    assert (stats.accepted, stats.queued, stats.dropped) == (16_000, 5_000, 11_000)
    assert stats.queued_bytes == 10_000 == sum(map(len, queue.take()))


actions = st.lists(
    st.one_of(
        st.binary(max_size=30),
        st.sampled_from(["invalid", "too_large", "deliver", "drop", "close"]),
    )
)


@given(actions)
def test_accepted_is_delivered_and_dropped_and_queued(sequence):
    """The books balance after everything that can happen."""
    queue = make_queue(max_queue_events=5, max_queue_bytes=60, batch_events=2)
    accepted = 0
    for action in sequence:
        accepted += isinstance(action, bytes) or action in ("invalid", "too_large")
        if isinstance(action, bytes):
            queue.put(action)
        elif action == "deliver":
            queue.delivered(queue.take())
        elif action == "drop":
            queue.dropped(queue.take(), "rejected")
        elif action == "close":
            queue.closed = "shutdown"
        else:
            queue.count_drop(action)
        stats = queue.stats()
        assert balanced(stats)
        assert stats.accepted == accepted
        assert 0 <= stats.queued <= 5
        assert 0 <= stats.queued_bytes <= 60
