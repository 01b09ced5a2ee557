"""The server of `peers.server`, for the one who measures: started, told what to do, asked."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.request import ProxyHandler, build_opener

from . import environment

_opener = build_opener(ProxyHandler({}))


class Sink:
    """A server that runs at `url`."""

    def __init__(self, url: str) -> None:
        self.url = url

    def clear(self, **behaviour: Any) -> None:
        """Forget what arrived, and behave as `peers.server.Behaviour` says."""
        self._ask("/_clear", json.dumps(behaviour).encode())

    def behave(self, **behaviour: Any) -> None:
        """Behave otherwise, and keep what arrived."""
        self._ask("/_behave", json.dumps(behaviour).encode())

    def counts(self) -> dict[str, Any]:
        """What has arrived, in numbers."""
        return self._ask("/_counts")

    def wait(self, seconds: float, *, events: int = 0, hanging: int = 0) -> dict[str, Any]:
        """The counts once so many events have arrived and so many requests hang, or time is up."""
        return self._ask(f"/_wait?seconds={seconds}&events={events}&hanging={hanging}")

    def properties(self) -> list[dict[str, Any]]:
        """Of every event that arrived."""
        return list(self._ask("/_properties")["properties"])

    def _ask(self, path: str, data: bytes | None = None) -> dict[str, Any]:
        with _opener.open(self.url + path, data, timeout=120) as answer:
            return dict(json.load(answer))


@contextmanager
def running() -> Iterator[Sink]:
    """A server in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "peers.server"],
        env=environment.variables(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdin
        assert process.stdout
        yield Sink(process.stdout.readline().strip())
        process.stdin.close()
