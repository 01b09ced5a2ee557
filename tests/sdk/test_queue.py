"""The queue is bounded, exact, and nobody waits at it."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pequel.config import checked
from pequel.sending.queue import EventQueue


def outbox(ring=lambda: None, **options):
    return EventQueue(checked(options), ring)


def in_another_thread(work):
    thread = threading.Thread(target=work)
    thread.start()
    thread.join(timeout=10)


def balanced(stats):
    dropped = sum(stats.dropped_by_reason.values())
    return stats.dropped == dropped and stats.accepted == stats.delivered + dropped + stats.queued


def test_events_are_bounded_in_number():
    """The newest are dropped, and what stays keeps its order."""
    box = outbox(max_queue_events=2)
    refused = [box.put(event) for event in (b"a", b"b", b"c")]
    assert refused == [[], [], [(b"c", "queue_full")]]
    assert box.take() == [b"a", b"b"]
    assert box.stats().dropped_by_reason == {"queue_full": 1}


def test_events_are_bounded_in_bytes():
    """A short event still fits where a long one does not."""
    box = outbox(max_queue_bytes=10)
    for event in (b"x" * 6, b"x" * 6, b"x" * 4):
        box.put(event)
    assert (box.stats().queued, box.stats().queued_bytes) == (2, 10)


def test_events_that_are_being_sent_count_as_queued():
    """Room is made by an outcome, not by trying."""
    box = outbox(max_queue_events=1)
    box.put(b"a")
    batch = box.take()
    assert box.put(b"b") == [(b"b", "queue_full")]
    box.delivered(batch)
    assert box.put(b"c") == []


def test_a_batch_is_bounded_in_number_and_bytes():
    """Commas count; one event makes a batch however long it is."""
    box = outbox(batch_events=3, batch_bytes=20)
    for event in (b"1", b"2", b"3", b"4" * 9, b"5" * 9, b"6", b"7" * 50):
        box.put(event)
    batches = [[event[:1] for event in box.take()] for _ in range(4)]
    assert batches == [[b"1", b"2", b"3"], [b"4", b"5"], [b"6"], [b"7"]]


def test_a_closed_outbox_refuses_for_its_reason():
    """What was queued before stays."""
    box = outbox()
    box.put(b"a")
    box.closed = "shutdown"
    assert box.put(b"b") == [(b"b", "shutdown")]
    assert box.take() == [b"a"]


def test_the_sender_is_called_for_the_first_event_and_for_a_full_batch():
    """In between it need not wake up."""
    rings = []
    box = outbox(lambda: rings.append(box.waiting), batch_events=5, batch_bytes=1_000)
    for _ in range(7):
        box.put(b"x")
    assert rings == [1, 5]


def test_the_sender_is_called_when_the_bytes_of_a_batch_are_there():
    """Long events do not wait for a hundred others."""
    rings = []
    box = outbox(lambda: rings.append(box.waiting), batch_bytes=10)
    for _ in range(4):
        box.put(b"x" * 4)
    assert rings == [1, 3]


def test_a_put_that_interrupts_a_put_is_booked():
    """A signal handler may track while the thread it interrupts is inside."""
    box = outbox(lambda: box.put(b"inner") if box.enqueued == 1 else None)
    box.put(b"outer")
    assert box.take() == [b"outer", b"inner"]
    assert box.stats().accepted == 2


def test_a_put_does_not_wait_for_another_thread():
    """While one thread is inside, another leaves its event and goes; the first books it."""
    left = []

    def while_inside():
        if box.enqueued == 1:
            in_another_thread(lambda: left.extend([box.put(b"other"), box.drained_elsewhere]))

    box = outbox(while_inside)
    box.put(b"one")
    assert left == [[], True]
    assert box.take() == [b"one", b"other"]


def test_an_event_that_another_thread_is_booking_is_not_booked_yet(monkeypatch):
    """A flush waits until it is; the thread itself, interrupted there, does not wait for itself."""
    seen = []
    box = outbox()

    def look(_):
        in_another_thread(lambda: seen.append(box.drained_elsewhere))
        seen.append(box.drained_elsewhere)

    monkeypatch.setattr(box, "_full_reason", look)
    box.put(b"x")
    assert seen == [True, False]
    assert not box.drained_elsewhere


def test_an_interruption_that_raises_while_an_event_is_booked_loses_and_repeats_nothing():
    """Before or after it is booked."""
    raising = [False, False]

    class Raising(EventQueue):
        def _full_reason(self, queued_bytes):
            if raising[0]:
                raise KeyboardInterrupt
            return super()._full_reason(queued_bytes)

    def ring():
        if raising[1]:
            raise KeyboardInterrupt

    for place in range(2):
        box = Raising(checked({}), ring)
        raising[place] = True
        with pytest.raises(KeyboardInterrupt):
            box.put(b"one")
        raising[place] = False
        box.put(b"two")
        assert box.take() == [b"one", b"two"]
        assert box.stats().queued == 2


def test_threads_lose_no_count():
    """Many threads at once are counted exactly, within both bounds."""
    box = outbox(max_queue_events=5_000, batch_events=10_000)

    def work():
        for _ in range(2_000):
            box.put(b"xy")

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stats = box.stats()
    assert (stats.accepted, stats.queued, stats.dropped) == (16_000, 5_000, 11_000)
    assert stats.queued_bytes == 10_000 == sum(map(len, box.take()))


actions = st.lists(
    st.one_of(
        st.binary(max_size=30),
        st.sampled_from(["invalid", "too_large", "deliver", "drop", "close"]),
    )
)


@given(actions)
def test_accepted_is_delivered_and_dropped_and_queued(sequence):
    """The books balance after everything that can happen."""
    box = outbox(max_queue_events=5, max_queue_bytes=60, batch_events=2)
    accepted = 0
    for action in sequence:
        accepted += isinstance(action, bytes) or action in ("invalid", "too_large")
        if isinstance(action, bytes):
            box.put(action)
        elif action == "deliver":
            box.delivered(box.take())
        elif action == "drop":
            box.dropped(box.take(), "rejected")
        elif action == "close":
            box.closed = "shutdown"
        else:
            box.refuse(action)
        stats = box.stats()
        assert balanced(stats)
        assert stats.accepted == accepted
        assert 0 <= stats.queued <= 5
        assert 0 <= stats.queued_bytes <= 60
