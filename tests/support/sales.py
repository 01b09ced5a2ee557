"""A collector with a clock that tests move, and the people who work its leads over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from pequel_collector.app.bootstrap import Collector, open_collector
from pequel_collector.audit.verify import verify
from pequel_collector.config import Settings
from pequel_collector.model import iso
from pequel_collector.rules.parser.catalogue import read_catalogue
from pequel_collector.web.app import create_app

from .described import client_of
from .streams import messages_of, plain_event

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
START = 1_772_323_200_000  # 2026-03-01T00:00Z

PROJECT = """
[project]
signup = "signed_up"
conversion = "subscribed"
expansion = "upgraded"
"""


class Sales:
    """Events and the work of people, at times after the start that the clock follows."""

    def __init__(self, toml: str, url: str = "sqlite://") -> None:
        self.now = START
        settings = Settings(
            database=url, write_key="write", read_key="read", admin_key="admin", config=""
        )
        catalogue = read_catalogue(PROJECT + toml)
        self.collector: Collector = open_collector(settings, catalogue, clock=lambda: self.now)
        self.work_key = self.collector.keys.create("work", "the CRM").token
        self.client: FlaskClient = client_of(create_app(self.collector))
        self.told = 0

    def at(self, time: int) -> None:
        """Let the clock show a time after the start."""
        self.now = START + time

    def tell(self, user: str | None, event: str, at: int, **parts: Any) -> None:
        """An event at a time after the start; it arrives now."""
        self.told += 1
        told = {"userId": user, **parts}
        plain = plain_event("", event, f"m{self.told:05}", START + at, **told)
        self.collector.ingest.accept(messages_of([plain]))

    def call(self, method: str, path: str, key: str | None = None, **options: Any) -> TestResponse:
        headers = {"Authorization": f"Bearer {key or self.work_key}", **options.pop("headers", {})}
        return self.client.open(f"/v1{path}", method=method, headers=headers, **options)

    def get(self, path: str, **query: Any) -> Any:
        """What a call of the API answers."""
        answer = self.call("GET", path, query_string=query)
        assert answer.status_code == 200, answer.json
        return answer.json

    def leads(self, **wanted: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get("/pqls", **wanted)["data"]
        return found

    def lead(self, subject: str, cycle: int = 1, definition: str = "set_up") -> dict[str, Any]:
        """The lead of a subject, with its history."""
        kind = "accounts" if subject.startswith("@") else "users"
        found = self.get(f"/{kind}/{subject.removeprefix('@')}/pql")["leads"]
        own = [each for each in found if (each["definition"], each["cycle"]) == (definition, cycle)]
        lead: dict[str, Any] = self.get(f"/pqls/{own[0]['id']}")
        return lead

    def patch(self, lead: dict[str, Any], **body: Any) -> TestResponse:
        """Change a lead; ``headers`` are those of the request."""
        headers = body.pop("headers", {})
        return self.call("PATCH", f"/pqls/{lead['id']}", json=body, headers=headers)

    def work(self, lead: dict[str, Any], **body: Any) -> dict[str, Any]:
        """Change a lead, which must be allowed; the lead after it."""
        answer = self.patch(lead, **body)
        assert answer.status_code == 200, answer.json
        found: dict[str, Any] = answer.json
        return found

    def verified(self) -> list[str]:
        """What ``pequel verify`` finds wrong."""
        found: list[str] = []
        verify(self.collector.store, lambda: self.now, lambda each: found.append(str(each)))
        return found


@contextmanager
def sales(toml: str, url: str = "sqlite://") -> Iterator[Sales]:
    """People at work, over a collector of their own."""
    made = Sales(toml, url)
    with closing(made.collector):
        yield made


def time(at: int) -> str:
    """A time after the start as the API writes it."""
    return iso(START + at)
