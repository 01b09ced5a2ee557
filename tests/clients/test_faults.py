"""Libraries that are refused, cut off and left without an answer: each event is stored once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from clients.faults import DROPPED, TOO_MANY, UNAVAILABLE, UNHEARD, EventError, proxy
from clients.story import many

if TYPE_CHECKING:
    from conftest import Api, Browse, Run

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

FAULTS = [TOO_MANY, UNAVAILABLE, DROPPED, UNHEARD]
NUMBER = 40


@pytest.mark.parametrize(
    ("library", "faults"),
    [
        ("segment_python.py", FAULTS),
        ("rudder_python.py", FAULTS[2:]),  # each time it waits twice as long
        ("segment_node.mjs", FAULTS),
        ("legacy_node.mjs", FAULTS),
        ("rudder_node.mjs", FAULTS[1:]),  # it gives up at the fourth
        ("customerio_node.mjs", FAULTS),
    ],
)
def test_what_a_server_sends_again_is_stored_once(
    library: str, faults: list[EventError], collector: Api, run: Run
) -> None:
    with proxy(collector.url, faults) as way:
        run(library, way.url, many(NUMBER))
        assert not way.faults
    assert_stored_once(collector, NUMBER)


@pytest.mark.parametrize("library", ["segment", "rudder"])
def test_what_a_browser_sends_again_is_stored_once(
    library: str, collector: Api, browse: Browse
) -> None:
    number = len(FAULTS) + 2
    with proxy(collector.url, FAULTS) as way:
        with browse(library, way.url, many(number)):
            collector.wait_for(number, again=1)
        assert not way.faults
    assert_stored_once(collector, number)


def assert_stored_once(collector: Api, number: int) -> None:
    """Every event is there, and what came a second time has been counted as that."""
    steps = [call["properties"]["step"] for call in collector.calls()]
    assert sorted(steps) == list(range(number))
    balance = collector.balance()
    assert balance["stored"] == number
    assert balance["duplicates"] >= 1
    assert balance["received"] == balance["stored"] + balance["duplicates"]
