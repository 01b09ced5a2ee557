"""How long to wait before the next try."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pequel.backoff import LEAST_WAIT, backoff, retry_after

NOW = 1_772_359_200_000  # Sun, 01 Mar 2026 10:00:00 GMT


@given(st.integers(1, 10_000), st.floats(0, 1), st.floats(0.1, 300))
def test_a_wait_lies_between_the_least_and_the_longest(failures, fraction, longest):
    """However often it failed."""
    assert LEAST_WAIT <= backoff(failures, fraction, longest) <= longest + 1e-9


@given(st.integers(1, 100), st.floats(0, 1))
def test_more_failures_do_not_shorten_the_wait(failures, fraction):
    """At the same place in the range."""
    assert backoff(failures, fraction, 30) <= backoff(failures + 1, fraction, 30)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("3", 3.0),
        (" 120 ", 120.0),
        ("0", 0.0),
        ("Sun, 01 Mar 2026 10:00:05 GMT", 5.0),
        ("Sun, 01 Mar 2026 09:00:00 GMT", 0.0),
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("²", None),
        ("Sun, 99 Mar 2026 10:00:05 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header, seconds):
    """What is neither is passed over."""
    assert retry_after(header, NOW) == seconds
