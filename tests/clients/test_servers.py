"""Libraries for servers, as their registries have them: only host and key are changed."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from clients.story import CALLS, Call, as_shown, in_order, of_the_past, told_by

if TYPE_CHECKING:
    from conftest import Api, Run

pytestmark = pytest.mark.e2e

LIBRARIES = [
    "segment_python.py",
    "rudder_python.py",
    "customerio_python.py",
    "segment_node.mjs",
    "legacy_node.mjs",
    "rudder_node.mjs",
    "customerio_node.mjs",
]
ON_THE_WAY = 10.0
"""Seconds that a request may take, by which the clock of its client then seems to be slow."""


@pytest.mark.parametrize("library", LIBRARIES)
def test_every_call_arrives_once_with_all_that_it_says(
    library: str, collector: Api, run: Run
) -> None:
    calls = of_the_past(CALLS)
    run(library, collector.url, calls)

    found, wanted = in_order(collector.calls()), in_order([as_shown(call) for call in calls])
    assert [told_by(call, same) for call, same in zip(found, wanted, strict=True)] == wanted
    assert times(found) == pytest.approx(times(calls), abs=ON_THE_WAY)
    assert collector.get("/v1/rejected")["data"] == []
    assert collector.took_just(len(calls))

    user = collector.get("/v1/users/u1")
    assert user["traits"] == {"email": "ada@example.com", "plan": "free"}
    assert user["account"] == "acme"
    assert user["event_counts"] == {"demo_watched": 1, "page": 1, "project_created": 1, "screen": 1}
    assert {"kind": "anonymous", "id": "guest-1"} in user["ids"]
    assert [lead["definition"] for lead in user["leads"]] == ["activated"]
    assert collector.get("/v1/accounts/acme")["traits"] == {"employees": 120}


def times(calls: list[Call]) -> list[float]:
    """When each happened, in seconds, the first one first."""
    return sorted(datetime.fromisoformat(call["timestamp"]).timestamp() for call in calls)
