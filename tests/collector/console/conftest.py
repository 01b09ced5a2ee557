"""A collector with something of everything, and somebody who is logged in to its console."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from pequel_collector.app.bootstrap import Collector, open_collector
from pequel_collector.config import Settings
from pequel_collector.model import lead_id, user_key
from pequel_collector.rules.parser.catalogue import read_catalogue
from pequel_collector.web.app import create_app

NOW = 1_772_366_400_000  # 2026-03-01T12:00:00.000Z
KEYS = {"write": "write-key", "read": "read-key", "admin": "admin-key"}
DEFINITIONS = """
[project]
conversion = "subscription_started"
key_events = ["project_created"]

[features]
basics = ["project_created"]
reports = ["report_exported"]

[[pql]]
name = "set_up"
title = "Set up"
play = "offer the team plan"
sla = "4h"
when = { event = "project_created", distinct = "project_id", gte = 3 }
unless = ["customer"]

[[pql]]
name = "team"
subject = "account"
when = { event = "teammate_invited", gte = 1 }
"""


def text_of(page: str) -> str:
    """What somebody reads on a page."""
    without = re.sub(r"<(script|style|svg)\b.*?</\1>", " ", page, flags=re.DOTALL)
    apart = re.sub(r"</?(?:td|th|tr|dt|dd|li|p|div|h\d|option|label|br|a)\b[^>]*>", " ", without)
    return " ".join(re.sub(r"<[^>]+>", "", apart).split())


class Clock:
    """The time, which tests move."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        return self.now


class Browser:
    """A client that fills in forms as a browser does."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client
        self.page = ""

    def get(self, path: str, **headers: str) -> Any:
        answer = self.client.get(path, headers={"Accept": "text/html", **headers})
        self.page = answer.get_data(as_text=True)
        return answer

    def log_in(self, kind: str, name: str = "") -> Any:
        token = KEYS.get(kind, kind)
        return self.client.post("/login", data={"key": token, "name": name})

    def post(self, path: str, follow: bool = True, **fields: Any) -> Any:
        """Send a form with the token of the session."""
        token = re.search(r'data-csrf="(\w*)"', self.get("/settings").get_data(as_text=True))
        data = {"form_token": token[1] if token else "", **fields}
        answer = self.client.post(path, data=data, follow_redirects=follow)
        self.page = answer.get_data(as_text=True)
        return answer


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def collector(clock: Clock) -> Iterator[Collector]:
    settings = Settings(
        database="sqlite://", write_key="write-key", read_key="read-key", admin_key="admin-key"
    )
    with closing(open_collector(settings, read_catalogue(DEFINITIONS), clock)) as collector:
        yield collector


@pytest.fixture
def app(collector: Collector) -> Flask:
    return create_app(collector)


@pytest.fixture
def stranger(app: Flask) -> Browser:
    """Somebody who is not logged in."""
    return Browser(app.test_client())


@pytest.fixture
def admin(stranger: Browser) -> Browser:
    """Mia, with an admin key."""
    stranger.log_in("admin", "Mia")
    return stranger


Send = Callable[..., Any]


@pytest.fixture
def send(app: Flask) -> Send:
    """Sends events, each as its fields."""
    client = app.test_client()

    def post(*events: dict[str, Any]) -> Any:
        batch = [{"type": "track", **event} for event in events]
        return client.post("/v1/batch", json={"batch": batch}, headers={"X-Write-Key": "write-key"})

    return post


@pytest.fixture
def ada(send: Send) -> str:
    """Ada at Acme, who is a lead; gives the lead's id."""
    send(
        {
            "type": "identify",
            "userId": "ada",
            "traits": {"name": "Ada Byron", "email": "ada@acme.example"},
        },
        {"type": "group", "userId": "ada", "groupId": "acme", "traits": {"name": "Acme Inc"}},
        *(
            {
                "userId": "ada",
                "event": "project_created",
                "properties": {"project_id": f"p{number}"},
                "context": {"groupId": "acme"},
            }
            for number in range(3)
        ),
    )
    return lead_id("set_up", user_key("ada"), 1)
