"""Batches are made, sent, sent again, split and dropped as they should be."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pequel import Outcome, RecordingTransport, Rejection, Verdict

OK = Outcome(Verdict.DELIVERED)
RETRY = Outcome(Verdict.RETRY, "status 503")
SPLIT = Outcome(Verdict.SPLIT, "status 413")
REFUSED = Outcome(Verdict.REFUSED, "status 400")
UNAUTHORIZED = Outcome(Verdict.UNAUTHORIZED, "status 401")


def test_an_event_waits_for_others_before_it_is_sent(desk):
    """A batch is sent when its oldest event has waited for the interval."""
    d = desk(flush_interval=0.5)
    d.put(1)
    assert d.sender.step() == 0.5
    d.clock.advance(0.3)
    d.put(2)
    assert d.sender.step() == pytest.approx(0.2)
    d.clock.advance(0.2)
    assert d.sender.step() == 0.0
    assert d.sent == [[1, 2]]


def test_a_full_batch_does_not_wait(desk):
    """The number of events makes it full."""
    d = desk(batch_events=2)
    d.put(1, 2, 3)
    d.sender.step()
    assert d.sent == [[1, 2]]
    assert d.sender.step() == 0.5


def test_a_long_batch_does_not_wait(desk):
    """Bytes make it full, too."""
    d = desk(batch_bytes=15)
    d.put(1, 2, 3)
    d.sender.step()
    assert d.sent == [[1]]


def test_nothing_waits_when_somebody_asked_for_a_flush(desk):
    """An urgent sender does not wait for company."""
    d = desk()
    d.put(1)
    d.sender.urgent = True
    d.sender.step()
    assert d.sent == [[1]]


def test_nothing_to_send_is_nothing_to_do(desk):
    """An empty queue makes no request."""
    d = desk()
    d.sender.urgent = True
    assert d.sender.step() is None
    assert d.sent == []


def test_a_batch_is_sent_again_as_it_was(desk):
    """Events that came meanwhile wait behind it."""
    d = desk([RETRY, RETRY, OK], flush_interval=0)
    d.put(1, 2)
    d.sender.step()
    d.put(3)
    d.run()
    assert d.sent == [[1, 2], [1, 2], [1, 2], [3]]
    assert d.delivered == [1, 2, 3]


def test_the_waits_between_tries_grow_to_a_limit(desk):
    """Exponential backoff, capped."""
    d = desk([RETRY] * 8, flush_interval=0, max_retry_wait=10)
    d.put(1)
    assert d.run() == [0.5, 1, 2, 4, 8, 10, 10, 10]


def test_the_waits_are_spread(desk):
    """Full jitter: anything from the least wait up."""
    d = desk([RETRY] * 3, jitter=0.0, flush_interval=0)
    d.put(1)
    assert d.run() == pytest.approx([0.1, 0.1, 0.1])


def test_the_collector_may_ask_for_more_time(desk):
    """`Retry-After` is the least wait, and capped."""
    outcomes = [RETRY._replace(retry_after=after) for after in (3, 0.01, 1000)]
    d = desk(outcomes, flush_interval=0, max_retry_after=60)
    d.put(1)
    assert d.run() == [3, 1, 60]


def test_waiting_holds_back_everything(desk):
    """Nothing is sent past a batch that waits, however urgent."""
    d = desk([RETRY], flush_interval=0)
    d.put(1)
    d.sender.step()
    d.put(2)
    d.sender.urgent = True
    assert d.sender.step() == 0.5
    assert d.sent == [[1]]


def test_backing_off_can_be_stopped_but_not_what_the_collector_asked(desk):
    """The last chance is taken at once, unless the collector said when to come back."""
    d = desk([RETRY, RETRY._replace(retry_after=5)], flush_interval=0)
    d.put(1)
    d.sender.step()
    d.sender.stop_backing_off()
    d.sender.step()
    assert d.sent == [[1], [1]]
    d.sender.stop_backing_off()
    assert d.sender.step() == 5


def test_a_batch_is_dropped_when_the_retries_are_used_up(desk):
    """max_retries counts the tries after the first; the next batch starts anew."""
    d = desk([RETRY] * 4, flush_interval=0, max_retries=3, batch_events=1)
    d.put(1, 2)
    d.run()
    assert d.sent == [[1]] * 4 + [[2]]
    assert d.queue.stats().dropped_by_reason == {"retries_exhausted": 1}
    assert [(error.reason, message) for error, message in d.errors] == [
        ("retries_exhausted", {"n": 1})
    ]


def test_giving_up_a_batch_does_not_cut_the_wait_short(desk):
    """What the collector asked for holds for the next batch, too."""
    d = desk([RETRY._replace(retry_after=7), OK], flush_interval=0, max_retries=0, batch_events=1)
    d.put(1, 2)
    assert d.run() == [7]
    assert d.delivered == [2]


def test_a_batch_too_large_is_halved(desk):
    """Down to the event that is too large by itself, which is dropped alone."""
    d = desk([SPLIT, SPLIT, SPLIT, OK, OK], flush_interval=0)
    d.put(1, 2, 3, 4)
    d.run()
    assert d.sent == [[1, 2, 3, 4], [1, 2], [1], [2], [3, 4]]
    assert d.delivered == [2, 3, 4]
    assert d.queue.stats().dropped_by_reason == {"too_large": 1}


def test_a_rejected_event_is_dropped_alone(desk):
    """The rest of its batch counts as delivered."""
    rejected = Rejection(1, "bad_event", "no such event", "event")
    d = desk([OK._replace(rejected=(rejected,))], flush_interval=0)
    d.put(1, 2, 3)
    d.run()
    stats = d.queue.stats()
    assert (stats.delivered, stats.dropped_by_reason) == (2, {"rejected": 1})
    error, message = d.errors[0]
    assert (error.reason, error.code, error.field, message) == (
        "rejected",
        "bad_event",
        "event",
        {"n": 2},
    )


def test_a_refused_batch_is_dropped_whole(desk):
    """Every event is told of."""
    d = desk([REFUSED], flush_interval=0, batch_events=2)
    d.put(1, 2, 3)
    d.run()
    assert d.sent == [[1, 2], [3]]
    assert [(error.detail, message["n"]) for error, message in d.errors] == [
        ("status 400", 1),
        ("status 400", 2),
    ]


def test_an_unknown_key_stops_everything_and_says_so_once(desk, caplog):
    """One request, one line in the log, one call of on_error; nothing is sent after that."""
    d = desk([UNAUTHORIZED], flush_interval=0, batch_events=1)
    d.put(1, 2)
    d.run()
    d.put(3)
    d.run()
    assert d.sent == [[1]]
    assert d.queue.stats().dropped_by_reason == {"unauthorized": 3}
    assert [(error.reason, message) for error, message in d.errors] == [("unauthorized", None)]
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_an_abandoned_sender_drops_what_is_left(desk):
    """Nothing is sent after the deadline of a shutdown."""
    d = desk([RETRY], flush_interval=0, batch_events=1)
    d.put(1, 2)
    d.sender.step()
    d.sender.abandoned = True
    assert d.sender.step() is None
    assert d.sender.idle
    assert d.sent == [[1]]
    assert d.queue.stats().dropped_by_reason == {"shutdown": 2}


def test_a_transport_that_raises_is_tried_again(desk):
    """A fault of a transport costs no event."""

    class Faulty(RecordingTransport):
        def send(self, events, /):
            if not self.tried:
                self.tried.append([])
                raise OSError("broken")
            return super().send(events)

    d = desk(transport=Faulty(), flush_interval=0)
    d.put(1)
    assert d.run() == [0.5]
    assert d.delivered == [1]


@pytest.mark.parametrize("answer", [None, True, (Verdict.DELIVERED,), Outcome("delivered")])
def test_a_transport_that_gives_no_outcome_is_tried_again_until_the_retries_are_used_up(
    desk, answer
):
    """It is a fault like any other."""
    d = desk(flush_interval=0, max_retries=2)
    d.transport.send = lambda _: answer
    d.put(1)
    assert len(d.run()) == 2
    assert d.queue.stats().dropped_by_reason == {"retries_exhausted": 1}
    assert "must return an Outcome" in d.errors[0][0].detail


def test_a_rejection_that_names_no_event_of_the_batch_is_passed_over(desk):
    """Nor does one count twice; the books balance."""
    rejected = tuple(Rejection(place) for place in (5, 0, 0, -1))
    d = desk([OK._replace(rejected=rejected)], flush_interval=0)
    d.put(1, 2)
    d.run()
    stats = d.queue.stats()
    assert (stats.delivered, stats.queued, stats.dropped_by_reason) == (1, 0, {"rejected": 1})
    assert [message for _, message in d.errors] == [{"n": 1}]


class Narrow(RecordingTransport):
    """Refuses bodies over so many bytes, as a collector with a limit does."""

    def __init__(self, limit):
        super().__init__()
        self.limit = limit

    def send(self, events, /):
        return SPLIT if sum(map(len, events)) > self.limit else super().send(events)


@given(st.lists(st.integers(0, 10**12)), st.integers(1, 60), st.integers(1, 9))
def test_splitting_neither_loses_nor_repeats(desk_class, numbers, limit, batch_events):
    """Every event is delivered once and in order, or dropped for being too large by itself."""
    d = desk_class(transport=Narrow(limit), batch_events=batch_events)
    d.put(*numbers)
    d.run()
    fits = [n for n in numbers if len(json.dumps({"n": n})) <= limit]
    assert d.delivered == fits
    assert d.queue.stats().dropped == len(numbers) - len(fits)


outcomes = st.sampled_from([OK, OK, RETRY, SPLIT, REFUSED, OK._replace(rejected=(Rejection(0),))])
moves = st.lists(st.sampled_from(["put", "put", "step", "wait", "flush", "abandon"]), max_size=60)


@given(moves, st.lists(outcomes | st.just(UNAUTHORIZED), max_size=30))
def test_every_event_has_one_fate_at_every_moment(desk_class, sequence, answers):
    """Accepted is delivered and dropped and queued, and nothing is delivered twice."""
    d = desk_class(answers, batch_events=3, max_queue_events=7, max_retries=2)
    for number, move in enumerate(sequence):
        if move == "put":
            d.put(number)
        elif move == "step":
            d.sender.step()
        elif move == "wait":
            d.clock.advance(1.0)
        elif move == "flush":
            d.sender.urgent = True
        else:
            d.sender.abandoned = True
        stats = d.queue.stats()
        assert stats.accepted == stats.delivered + stats.dropped + stats.queued
        assert stats.accepted == sequence[: number + 1].count("put")
        assert stats.delivered == len(d.delivered)
    assert d.delivered == sorted(set(d.delivered))
    d.run()
    assert d.queue.stats().queued == 0
