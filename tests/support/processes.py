"""Collector processes: the real command, started, awaited and stopped."""

from __future__ import annotations

import os
import queue
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

LISTENING = re.compile(r"listening on (http://\S+)")
KEYS = {
    "PEQUEL_WRITE_KEY": "test-write-key",
    "PEQUEL_READ_KEY": "test-read-key",
    "PEQUEL_ADMIN_KEY": "test-admin-key",
}
START_WITHIN = 30.0
STOP_WITHIN = 15.0


@dataclass(frozen=True)
class Server:
    """A collector that listens at `url`; `lines` grows with what it prints."""

    url: str
    process: subprocess.Popen[str]
    lines: list[str]


def free_port() -> int:
    """Return a TCP port of the loopback address that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def run_server(
    folder: Path,
    *arguments: str,
    env: Mapping[str, str] | None = None,
    errors: IO[str] | int = subprocess.STDOUT,
) -> Iterator[Server]:
    """Run `pequel serve` in `folder`, with the keys in KEYS, and yield it once it listens.

    A `pequel.toml` in the folder is read, and without `--database` a SQLite file appears there.
    Standard error is among the lines unless `errors` takes it.
    """
    options = ("serve", "--port", str(free_port()), *arguments)
    process = subprocess.Popen(
        [sys.executable, "-m", "pequel_collector.cli", *options],
        cwd=folder,
        env=_environment() | KEYS | dict(env or {}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
        start_new_session=True,
    )
    output = _Output(process)
    try:
        yield Server(output.wait_for(LISTENING), process, output.lines)
    finally:
        _stop(process, output)


@contextmanager
def killed_server(folder: Path, *arguments: str) -> Iterator[Server]:
    """The same, but at the end every process of it is killed, without a chance to do anything."""
    with run_server(folder, *arguments) as server:
        yield server
        os.killpg(server.process.pid, signal.SIGKILL)


class _Output:
    """What a process prints, read by a thread so that its pipe never fills up."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout
        self.lines: list[str] = []
        self._fresh: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, args=[process.stdout], daemon=True)
        self._reader.start()

    def wait_for(self, pattern: re.Pattern[str]) -> str:
        """Return the pattern's group in the first line that has it."""
        deadline = time.monotonic() + START_WITHIN
        while line := self._next(deadline):
            if found := pattern.search(line):
                return found[1]
        raise AssertionError(f"the server never said {pattern.pattern!r}:\n{self}")

    def close(self) -> None:
        self._reader.join(STOP_WITHIN)

    def __str__(self) -> str:
        return "".join(self.lines) or "(it printed nothing)"

    def _next(self, deadline: float) -> str | None:
        try:
            return self._fresh.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            return None

    def _read(self, stream: IO[str]) -> None:
        with stream:
            for line in stream:
                self.lines.append(line)
                self._fresh.put(line)
        self._fresh.put(None)


def _stop(process: subprocess.Popen[str], output: _Output) -> None:
    """End the server as an operator would; one that will not go fails the test."""
    process.terminate()
    try:
        process.wait(STOP_WITHIN)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise AssertionError(f"the server did not stop on SIGTERM:\n{output}") from None
    finally:
        output.close()


def _environment() -> dict[str, str]:
    return {name: text for name, text in os.environ.items() if not name.startswith("PEQUEL_")}
