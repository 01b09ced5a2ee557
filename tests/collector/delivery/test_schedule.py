"""When deliveries are tried again, and when alerts pause."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pequel_collector.delivery.records import Gone, Refused, Retry, Sent
from pequel_collector.delivery.schedule import (
    FIRST_DELAY,
    LIFETIME,
    LONGEST_DELAY,
    LONGEST_PAUSE,
    Pause,
    next_attempt,
)

BEGAN = 1_000_000
BUSY = Retry("503", is_endpoint=True)
chances = st.floats(0, 1, exclude_max=True)


def attempts(chance: float, retry: Retry = BUSY) -> list[int]:
    """The times of all attempts of a delivery that always fails."""
    times = [BEGAN]
    while (following := next_attempt(retry, BEGAN, times[-1], chance)) is not None:
        times.append(following)
    return times


@given(chances)
def test_a_delivery_that_always_fails_is_tried_ten_to_thirty_times_in_a_day(chance: float) -> None:
    times = attempts(chance)
    assert 10 <= len(times) <= 30
    assert times[-1] == BEGAN + LIFETIME
    assert all(a < b for a, b in pairwise(times))


@given(chances, st.integers(0, LIFETIME - 1))
def test_a_delay_is_between_half_and_the_whole_of_twice_the_time_that_has_passed(
    chance: float, passed: int
) -> None:
    now = BEGAN + passed
    following = next_attempt(BUSY, BEGAN, now, chance)
    longest = min(max(2 * passed, FIRST_DELAY), LONGEST_DELAY)
    assert following is not None
    assert min(now + longest // 2, BEGAN + LIFETIME) <= following <= now + longest


@given(chances, st.floats(0, 100_000))
def test_a_delivery_waits_as_long_as_the_receiver_asks_but_not_beyond_a_day(
    chance: float, after: float
) -> None:
    following = next_attempt(Retry("429", after), BEGAN, BEGAN, chance)
    assert following is not None
    assert following >= min(BEGAN + int(after * 1_000), BEGAN + LIFETIME)
    assert following <= BEGAN + LIFETIME


class TestPause:
    def test_an_alert_pauses_after_three_failures_of_its_endpoint_and_longer_each_time(
        self,
    ) -> None:
        pause, pauses = Pause(), []
        for now in range(12):
            pause.note(BUSY, now)
            pauses.append(max(0, pause.until - now))
        assert pauses[:6] == [0, 0, 1_000, 2_000, 4_000, 8_000]
        assert pauses[-1] == LONGEST_PAUSE

    def test_any_answer_that_is_not_the_endpoints_failure_ends_the_pause(self) -> None:
        for answer in (Sent("200 OK"), Refused("410 Gone"), Retry("404 Not Found")):
            pause = Pause()
            for now in range(5):
                pause.note(BUSY, now)
            assert pause.is_failing
            pause.note(answer, 5)
            assert (pause.is_failing, pause.until) == (False, 0)

    def test_a_lead_that_is_gone_says_nothing_of_the_endpoint(self) -> None:
        pause = Pause()
        for now in range(5):
            pause.note(BUSY, now)
        until = pause.until
        pause.note(Gone(), 5)
        assert (pause.is_failing, pause.until) == (True, until)

    def test_a_busy_endpoint_is_left_alone_as_long_as_it_asks_up_to_a_minute(self) -> None:
        pause = Pause()
        pause.note(Retry("429", 30.0, is_endpoint=True), 0)
        assert pause.until == 30_000
        pause.note(Retry("429", 3_600.0, is_endpoint=True), 0)
        assert pause.until == LONGEST_PAUSE

    def test_what_waits_is_given_up_after_a_day_of_failures(self) -> None:
        pause = Pause()
        pause.note(BUSY, 0)
        assert not pause.is_lost(LIFETIME - 1)
        assert pause.is_lost(LIFETIME)
