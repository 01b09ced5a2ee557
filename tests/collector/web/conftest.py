"""A collector in memory, and a client that talks to the application over it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from flask.testing import FlaskClient

from pequel_collector.config import Settings
from pequel_collector.errors import NotFound
from pequel_collector.ingest.receipts import Receipt
from pequel_collector.model import Key, Lead, Message, RejectedEvent, Report
from pequel_collector.ports import LeadFilter, RejectedFilter, Version
from pequel_collector.web.app import create_app

NOW = 1_772_366_400_000  # 2026-03-01T12:00:00.000Z


class Keys:
    """Tokens are the kinds of their keys."""

    def find(self, token: str) -> Key | None:
        if token not in ("write", "read", "admin"):
            return None
        return Key(f"id-{token}", token, "", "", 0)


class Ingest:
    """Keeps what it is given; whoever activates is marked."""

    def __init__(self) -> None:
        self.stored: dict[str, Message] = {}
        self.rejected: list[RejectedEvent] = []
        self.key: str | None = None
        self.error: Exception | None = None

    def accept(
        self,
        messages: Sequence[Message],
        rejected: Sequence[RejectedEvent],
        key: str | None,
        _report: Report | None = None,
    ) -> Receipt:
        if self.error:
            raise self.error
        fresh = {m.mid: m for m in messages if m.mid not in self.stored}
        self.stored |= fresh
        self.rejected += rejected
        self.key = key
        marks = [
            Lead("l1", "activated", 1, message.subject, 1, message.time, NOW)
            for message in fresh.values()
            if message.name == "activated"
        ]
        return Receipt(len(fresh), len(messages) - len(fresh), tuple(rejected), tuple(marks))


class Queries:
    """Notes what it is asked, and answers with what it was told to."""

    def __init__(self) -> None:
        self.asked: tuple[Any, ...] = ()
        self.answer: dict[str, Any] = {"data": [], "next_cursor": None}
        self.error: Exception | None = None

    def pqls(self, wanted: LeadFilter, limit: int, cursor: str | None) -> dict[str, Any]:
        return self._note("pqls", wanted, limit, cursor)

    def pql(self, lead_id: str) -> dict[str, Any]:
        return self._note("pql", lead_id)

    def user(self, user_id: str) -> dict[str, Any]:
        return self._note("user", user_id)

    def account(self, account_id: str) -> dict[str, Any]:
        return self._note("account", account_id)

    def status(self, kind: str, identifier: str) -> dict[str, Any]:
        return self._note("status", kind, identifier)

    def timeline(
        self, kind: str, identifier: str, limit: int, cursor: str | None
    ) -> dict[str, Any]:
        return self._note("timeline", kind, identifier, limit, cursor)

    def definitions(self) -> dict[str, Any]:
        return self._note("definitions")

    def events(self, limit: int) -> dict[str, Any]:
        return self._note("events", limit)

    def rejected(self, wanted: RejectedFilter, limit: int, cursor: str | None) -> dict[str, Any]:
        return self._note("rejected", wanted, limit, cursor)

    def _note(self, *asked: Any) -> dict[str, Any]:
        if self.error:
            raise self.error
        if "nobody" in asked:
            raise NotFound("there is no user nobody", kind="user", id="nobody")
        self.asked = asked
        return self.answer


class Limits:
    """Lets everybody in, unless it is told not to."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.admitted: list[int] = []

    def admit(self, key: Key, events: int) -> None:
        if self.error:
            raise self.error
        self.admitted.append(events)


@dataclass
class Collector:
    """All that the application needs."""

    settings: Settings = field(
        default_factory=lambda: Settings(max_body=10_000, max_batch=10, max_event=1_000)
    )
    intake: Ingest = field(default_factory=Ingest)
    limits: Limits = field(default_factory=Limits)
    queries: Queries = field(default_factory=Queries)
    keys: Keys = field(default_factory=Keys)
    is_ready: bool = True
    ticks: int = 0
    put: list[str] = field(default_factory=list)

    def clock(self) -> int:
        return NOW

    def trouble(self) -> str | None:
        return None if self.is_ready else "the disk is full"

    def run_clock(self) -> None:
        self.ticks += 1

    def put_definitions(self, text: str) -> list[Version]:
        if self.queries.error:
            raise self.queries.error
        self.put.append(text)
        return [Version("keen", 2, "h2", NOW, {})]


@pytest.fixture
def collector() -> Collector:
    return Collector()


@pytest.fixture
def client(collector: Collector) -> FlaskClient:
    return create_app(collector).test_client()
