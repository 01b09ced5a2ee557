"""The real command, the real SDK, and a few definitions between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

import pequel
from support.processes import KEYS, Server, run_server

WRITE, READ = KEYS["PEQUEL_WRITE_KEY"], KEYS["PEQUEL_READ_KEY"]

DEFINITIONS = """
[project]
signup = "signed_up"

[[pql]]
name = "set_up"
within = "14d"
of = "signup"
when.all = [
  { event = "project_created",       distinct = "project_id", gte = 3 },
  { event = "integration_connected", distinct = "kind",       gte = 2 },
]

[[pql]]
name = "team_spread"
subject = "account"
when = { event = "teammate_invited", distinct = "invitee", gte = 2 }
"""


@dataclass(frozen=True)
class Api:
    """A collector as one asks it."""

    server: Server

    def get(self, path: str, **query: str) -> Any:
        """What it answers to a reader."""
        answer = self.ask(path, **query)
        answer.raise_for_status()
        return answer.json()

    def ask(self, path: str, **query: str) -> requests.Response:
        """The whole answer."""
        headers = {"Authorization": f"Bearer {READ}"}
        return requests.get(self.server.url + path, params=query, headers=headers, timeout=30)

    def post(self, body: bytes, key: str = WRITE, **headers: str) -> requests.Response:
        """What it answers to a batch."""
        url = f"{self.server.url}/v1/batch"
        return requests.post(url, data=body, auth=(key, ""), headers=headers, timeout=30)

    @contextmanager
    def client(self, **options: Any) -> Iterator[pequel.Client]:
        """A client of the SDK; all that it was told has been delivered at the end."""
        client = pequel.Client(WRITE, self.server.url, **options)
        try:
            yield client
            assert client.flush(30)
        finally:
            client.shutdown(30)


Start = Callable[[], AbstractContextManager[Api]]


@pytest.fixture
def start(tmp_path: Path, store_url: str) -> Start:
    """Starts a collector, any number of times, on one database."""
    (tmp_path / "pequel.toml").write_text(DEFINITIONS)

    @contextmanager
    def started() -> Iterator[Api]:
        with run_server(tmp_path, "--database", store_url) as server:
            yield Api(server)

    return started


@pytest.fixture
def api(start: Start) -> Iterator[Api]:
    """A collector that runs."""
    with start() as api:
        yield api
