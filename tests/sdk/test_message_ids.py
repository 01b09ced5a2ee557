"""Message ids are ordered and unique."""

import itertools
import threading
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pequel.messages.message_id import IdMaker, new_id

MAX_MS = 2**48 - 1


@given(st.lists(st.integers(0, MAX_MS), min_size=2))
def test_ids_strictly_increase_whatever_the_clock_does(times):
    """An id made later is greater, also when the clock stands still or is set back."""
    maker = IdMaker()
    ids = [maker(ms) for ms in times]
    assert all(one < other for one, other in itertools.pairwise(ids))


@given(st.integers(0, MAX_MS), st.binary(min_size=5, max_size=5), st.binary(min_size=4, max_size=4))
def test_an_id_is_a_uuid_of_version_7_holding_its_time(ms, start, process):
    """Every database and library can read the id, and the time in it."""
    entropy = iter([start, process])
    made = uuid.UUID(IdMaker(lambda _: next(entropy))(ms))
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert made.int >> 80 == ms


def test_the_count_carries_through_every_field():
    """The order survives where the count passes from one group of digits to the next."""
    for start in (0xFFFF, 0x3FFF_FFFF, 0xFF_FFFF_FFFF):
        maker = IdMaker(lambda n, start=start: start.to_bytes(n, "big") if n == 5 else bytes(n))
        one, other = maker(1), maker(1)
        assert one < other
        assert uuid.UUID(other).version == 7


def test_makers_do_not_make_the_same_ids():
    """Two processes that make ids at the same time make different ones."""
    assert IdMaker()(1) != IdMaker()(1)


def test_threads_do_not_make_the_same_ids():
    """Ids made at once by many threads are all different."""
    made = []

    def make():
        made.extend([new_id(1) for _ in range(2_000)])

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 16_000


@pytest.mark.parametrize("ms", [0, MAX_MS])
def test_the_ends_of_time_fit(ms):
    """The first and the last millisecond an id can hold make well-formed ids."""
    assert len(IdMaker()(ms)) == 36
