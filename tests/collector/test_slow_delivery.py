"""A request that is held up on its way does not change the order of what happened."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from pequel_collector.app.bootstrap import Collector, open_collector
from pequel_collector.config import Settings
from pequel_collector.model import iso
from pequel_collector.rules.parser.catalogue import read_catalogue
from pequel_collector.wire import decode
from pequel_collector.wire.normalise import normalise
from support.api import Api

SECOND = 1_000
START = 1_772_359_200_000
DEFINITIONS = """
[project]
signup   = "signed_up"
internal = { email_domain = ["ours.example"] }

[[pql]]
name    = "account_uses_it"
subject = "account"
when    = { event = "project_created" }

[[pql]]
name   = "soon_after_signup"
within = "14d"
of     = "signup"
unless = ["internal"]
when   = { event = "project_created" }

[[pql]]
name = "in_sequence"
when = { sequence = ["signed_up", "project_created"], within = "1h" }
"""

Plain = dict[str, Any]


class Wire:
    """Sends requests that are received some time after they were sent."""

    def __init__(self, collector: Collector, settings: Settings) -> None:
        self.collector, self._settings, self._number = collector, settings, 0

    def __call__(self, sent: int, received: int, *events: Plain) -> None:
        """Times are ms after the start, by right clocks."""
        body = {"batch": events, "sentAt": iso(START + sent)}
        messages, rejected = normalise(
            decode.batch(json.dumps(body).encode()), self._settings, START + received, self._id
        )
        assert rejected == []
        self.collector.ingest.accept(messages)

    def leads(self) -> set[str]:
        """The definitions that u1 or its account qualified for."""
        return {lead["definition"] for lead in Api(self.collector).status("user", "u1")["leads"]}

    def _id(self) -> str:
        self._number += 1
        return f"m{self._number:02}"


def wired(settings: Settings) -> Wire:
    catalogue = read_catalogue(DEFINITIONS)
    return Wire(open_collector(settings, catalogue, clock=lambda: START + 60 * SECOND), settings)


@pytest.fixture
def wire(store_url: str) -> Iterator[Wire]:
    """A collector on either database."""
    opened = wired(Settings(database=store_url))
    yield opened
    opened.collector.close()


def call(type_: str, at: int, **parts: Any) -> Plain:
    return {"type": type_, "userId": "u1", "timestamp": iso(START + at), **parts}


def created(at: int) -> Plain:
    return call("track", at, event="project_created")


ALL = {"account_uses_it", "soon_after_signup", "in_sequence"}


def test_a_stalled_first_batch_of_a_process(wire: Wire) -> None:
    wire(SECOND, SECOND, created(SECOND))
    first = call("group", 0, groupId="acme"), call("track", 1, event="signed_up")
    wire(100, 3 * SECOND, *first)
    assert wire.leads() == ALL
    assert Api(wire.collector).user("u1")["account"] == "acme"


def test_one_slow_request_of_a_browser(wire: Wire) -> None:
    wire(20, 21, created(20))
    wire(0, SECOND, call("group", 0, groupId="acme"))
    wire(1, 2 * SECOND, call("track", 1, event="signed_up"))
    assert wire.leads() == ALL


def test_an_employee_on_the_slower_request_is_no_lead(wire: Wire) -> None:
    wire(0, 1, call("track", 0, event="signed_up"))
    wire(20, 21, created(20))
    wire(10, 2 * SECOND, call("identify", 10, traits={"email": "ada@ours.example"}))
    assert "soon_after_signup" not in wire.leads()


def test_the_tolerance_is_a_setting() -> None:
    """With 0 every difference moves the events, so the slow request comes last."""
    wire = wired(Settings(database="sqlite://", clock_tolerance=0))
    wire(SECOND, SECOND, created(SECOND))
    wire(100, 3 * SECOND, call("track", 1, event="signed_up"))
    assert wire.leads() == set()
    wire.collector.close()
