"""A collector in memory, and a client that talks to the application over it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from flask.testing import FlaskClient

from pequel_collector.app.bootstrap import Collector, open_collector
from pequel_collector.config import Settings
from pequel_collector.model import Kind, Message, RejectedEvent
from pequel_collector.ports import LeadFilter, RejectedFilter
from pequel_collector.queries.lead_tests import NO_TESTS, LeadTests
from pequel_collector.queries.queries import Queries
from pequel_collector.rules.parser.catalogue import read_catalogue
from pequel_collector.web.app import create_app
from support.described import client_of

NOW = 1_772_366_400_000  # 2026-03-01T12:00:00.000Z
SETTINGS = Settings(
    database="sqlite://",
    write_key="write",
    read_key="read",
    admin_key="admin",
    max_body=10_000,
    max_batch=10,
    max_event=1_000,
)
ACTIVATED = """
[[pql]]
name = "activated"
when = { event = "activated" }
sla = "4h"
"""


class SpyQueries(Queries):
    """Notes what it is asked."""

    def __init__(self, collector: Collector) -> None:
        super().__init__(collector.store, collector.ingest.current_evaluators, collector.clock)
        self.asked: list[tuple[Any, ...]] = []

    def pqls(
        self,
        wanted: LeadFilter,
        limit: int,
        cursor: str | None = None,
        tests: LeadTests = NO_TESTS,
        partner: str | None = None,
    ) -> Any:
        self.asked.append(("pqls", wanted, limit, cursor))
        return super().pqls(wanted, limit, cursor, tests, partner)

    def pql(self, lead_id: str, partner: str | None = None) -> Any:
        self.asked.append(("pql", lead_id))
        return super().pql(lead_id, partner)

    def profile(self, kind: Kind, identifier: str) -> Any:
        self.asked.append(("profile", kind, identifier))
        return super().profile(kind, identifier)

    def status(self, kind: Kind, identifier: str) -> Any:
        self.asked.append(("status", kind, identifier))
        return super().status(kind, identifier)

    def timeline(self, kind: Kind, identifier: str, limit: int, cursor: str | None = None) -> Any:
        self.asked.append(("timeline", kind, identifier, limit, cursor))
        return super().timeline(kind, identifier, limit, cursor)

    def events(self, limit: int) -> Any:
        self.asked.append(("events", limit))
        return super().events(limit)

    def rejected(self, wanted: RejectedFilter, limit: int, cursor: str | None = None) -> Any:
        self.asked.append(("rejected", wanted, limit, cursor))
        return super().rejected(wanted, limit, cursor)


def new_collector() -> Collector:
    collector = open_collector(SETTINGS, read_catalogue(ACTIVATED), clock=lambda: NOW)
    collector.queries = SpyQueries(collector)
    return collector


def stored(collector: Collector) -> list[Message]:
    with collector.store.reading() as view:
        return [each.message for each in view.latest(1_000)]


def rejected(collector: Collector) -> list[RejectedEvent]:
    with collector.store.reading() as view:
        return [each.event for each in view.rejected(1_000)]


def raising(error: Exception) -> Any:
    """A function that fails, to be put in the place of another one."""

    def fail(*_: Any, **_options: Any) -> Any:
        raise error

    return fail


@pytest.fixture
def collector() -> Iterator[Collector]:
    with closing(new_collector()) as collector:
        yield collector


@pytest.fixture
def client(collector: Collector) -> FlaskClient:
    """Every answer is compared with the description of the API."""
    return client_of(create_app(collector))
