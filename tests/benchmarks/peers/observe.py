"""One case with one SDK, in processes with a hard time limit: what was seen of it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.request import urlopen

from . import environment
from .sink import Sink, running

REQUESTS = 40


@dataclass(frozen=True)
class Seen:
    """What was seen of a process, and of what it sent.

    Attributes:
        name: the SDK.
        facts: what the process said last, nothing if it said nothing.
        lingered: seconds from then to its end; None if it was still there at the limit.
        numbers: how often each number arrived.
        properties: of every event that arrived.
        counts: the server's.
    """

    name: str
    facts: dict[str, Any]
    lingered: float | None
    numbers: Counter[int | None]
    properties: list[dict[str, Any]]
    counts: dict[str, Any]

    def arrived(self, numbers: range) -> int:
        """How many of these numbers arrived, each counted once."""
        return sum(number in self.numbers for number in numbers)

    @property
    def twice(self) -> int:
        """How many copies arrived beyond the first."""
        return self.numbers.total() - len(self.numbers)


@dataclass(frozen=True)
class Case:
    """What to run, and how the server behaves meanwhile.

    Attributes:
        script: the function of `peers.cases`, and its arguments.
        behaviour: of the server, see `peers.server.Behaviour`; well if None.
        dead: nothing listens where the SDK sends to.
        limit: seconds after which the processes are killed.
        meanwhile: done while it runs.
        restart: run `recover` after it, for an SDK with a spool.
    """

    script: tuple[str, ...]
    behaviour: dict[str, Any] | None = None
    dead: bool = False
    limit: float = 30.0
    meanwhile: Callable[[Sink], None] = lambda _: None
    restart: bool = False


def observe(case: Case, name: str) -> Seen:
    """Run a case with an SDK."""
    with running() as sink, spool() as variables:
        sink.clear(**(case.behaviour or {}))
        host = f"http://127.0.0.1:{free_port()}" if case.dead else sink.url
        with script(*case.script[:1], name, host, *case.script[1:], **variables) as process:
            case.meanwhile(sink)
            facts, lingered = ended(process, case.limit)
        if case.restart and "spool" in name:
            sink.behave()
            with script("recover", name, sink.url, **variables) as process:
                ended(process, case.limit)
        return seen(name, sink, facts, lingered)


def preloaded(name: str) -> Seen:
    """Forty requests to a gunicorn that loads the application, forks two workers, and is ended."""
    with running() as sink, spool() as variables:
        port = free_port()
        application = {"PEERS_SDK": name, "PEERS_HOST": sink.url, **variables}
        command = ("-w", "2", "--preload", "-b", f"127.0.0.1:{port}", "peers.shop:application")
        with started([str(environment.PYTHON), "-m", "gunicorn", *command], application) as server:
            for number in range(REQUESTS):
                _request(port, number)
            at = time.time()
            server.terminate()
            _, lingered = ended(server, 30.0, at)
        return seen(name, sink, {}, lingered)


def seen(name: str, sink: Sink, facts: dict[str, Any], lingered: float | None) -> Seen:
    """With what the server has to say."""
    properties = sink.properties()
    numbers = Counter(one.get("n") for one in properties)
    return Seen(name, facts, lingered, numbers, properties, sink.counts())


def ended(
    process: subprocess.Popen[str], limit: float, at: float | None = None
) -> tuple[dict[str, Any], float | None]:
    """What a process said last, and how long it lingered after that, or after a moment given.

    Raises:
        RuntimeError: it ended without saying anything, so nothing was seen of the SDK.
    """
    try:
        output, errors = process.communicate(timeout=limit)
        gone: float | None = time.time()
    except subprocess.TimeoutExpired:
        kill(process)
        (output, errors), gone = process.communicate(), None
    facts = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    since = at or (facts[-1]["at"] if facts else None)
    if gone and not since:
        raise RuntimeError(f"{process.args} ended:\n{errors}")
    return facts[-1] if facts else {}, gone - since if gone and since else None


def script(case: str, name: str, host: str, *arguments: str, **variables: str) -> Any:
    """A process that runs a case."""
    return started(environment.command("cases", case, name, host, *arguments), variables)


@contextmanager
def started(command: list[str], variables: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A process in a group of its own, of which nothing is left at the end."""
    process = subprocess.Popen(
        command,
        env=environment.variables() | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        kill(process)
        process.communicate()


def kill(process: subprocess.Popen[str]) -> None:
    """End a process and those that it forked."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


@contextmanager
def spool() -> Iterator[dict[str, str]]:
    """The variables that name an empty folder for a spool."""
    with tempfile.TemporaryDirectory() as folder:
        yield {"PEERS_SPOOL": folder}


def free_port() -> int:
    """A port at which nothing listens."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _request(port: int, number: int) -> None:
    """One request to the shop, which may still have to start."""
    until = time.monotonic() + 15
    while True:
        try:
            with urlopen(f"http://127.0.0.1:{port}/{number}", timeout=15) as answer:
                answer.read()
            return
        except ConnectionError:
            pass
        except OSError:
            if time.monotonic() > until:
                raise
        time.sleep(0.05)
