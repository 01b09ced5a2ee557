"""The ids that events get which came without one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from uuid import RFC_4122, UUID

from hypothesis import given
from hypothesis import strategies as st

from pequel_collector.wire.ids import Ids

NOW = 1_772_359_200_000


def test_an_id_is_a_uuid_of_version_7_that_holds_the_time() -> None:
    made = UUID(Ids(lambda: NOW)())
    assert (made.version, made.variant) == (7, RFC_4122)
    assert made.int >> 80 == NOW


def test_ids_of_one_millisecond_sort_as_they_were_given() -> None:
    ids = Ids(lambda: NOW)
    given = [ids() for _ in range(10_000)]
    assert given == sorted(given)
    assert len(set(given)) == 10_000


@given(st.lists(st.integers(NOW, NOW + 10), min_size=1))
def test_ids_only_grow_even_if_the_clock_goes_back(times: list[int]) -> None:
    clock = iter(times)
    ids = Ids(lambda: next(clock), bits=lambda _: 0)
    given = [ids() for _ in times]
    assert given == sorted(set(given))


def test_threads_never_get_the_same_id() -> None:
    ids = Ids(lambda: NOW, bits=lambda _: 0)
    with ThreadPoolExecutor(8) as pool:
        given = list(pool.map(lambda _: ids(), range(2_000)))
    assert len(set(given)) == 2_000


def test_two_givers_differ_by_chance() -> None:
    assert Ids(lambda: NOW)() != Ids(lambda: NOW)()
