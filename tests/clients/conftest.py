"""Programs that use the libraries of others as their documentation says, and a real collector."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from clients.story import DEFINITIONS, Call
from support.processes import KEYS, run_server

HERE = Path(__file__).resolve().parent
PROGRAMS = HERE / "programs"
WRITE, READ = KEYS["PEQUEL_WRITE_KEY"], KEYS["PEQUEL_READ_KEY"]
PATIENCE = 45.0
"""Seconds in which a program has to be done."""


@dataclass(frozen=True)
class Api:
    """A collector as a reader asks it."""

    url: str

    def get(self, path: str, **query: str) -> Any:
        """What it answers."""
        headers = {"Authorization": f"Bearer {READ}"}
        answer = requests.get(self.url + path, params=query, headers=headers, timeout=30)
        answer.raise_for_status()
        return answer.json()

    def calls(self) -> list[Call]:
        """Every call that is stored."""
        return list(self.get("/v1/events", limit="1000")["data"])

    def balance(self) -> dict[str, Any]:
        """What became of all that came in."""
        return dict(self.get("/v1/usage")["total"])

    def took_just(self, number: int) -> bool:
        """Whether so many calls came in, each of them good and new."""
        nothing = {"duplicates": 0, "rejected": {}, "suppressed": 0, "dropped_by_clients": {}}
        return self.balance() == {"received": number, "stored": number} | nothing

    def wait_for(self, number: int, again: int = 0) -> None:
        """Return once so many calls are stored, and so many came again."""
        deadline = time.monotonic() + PATIENCE
        while (found := self.balance())["stored"] < number or found["duplicates"] < again:
            assert time.monotonic() < deadline, found
            time.sleep(0.05)


Start = Callable[..., AbstractContextManager[Api]]
Run = Callable[[str, str, list[Call]], None]
Browse = Callable[..., AbstractContextManager[None]]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Starts a collector with a SQLite file of the test's own; settings are variables."""
    (tmp_path / "pequel.toml").write_text(DEFINITIONS)

    @contextmanager
    def started(**settings: str) -> Iterator[Api]:
        with run_server(tmp_path, env=settings) as server:
            yield Api(server.url)

    return started


@pytest.fixture
def collector(start: Start) -> Iterator[Api]:
    """A collector that runs."""
    with start() as api:
        yield api


@pytest.fixture
def run() -> Run:
    """Makes calls with the library of a program, and returns when it has delivered them."""

    def ran(program: str, host: str, calls: list[Call]) -> None:
        done = subprocess.run(
            [*_command(program), host, WRITE, json.dumps(calls)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
        )
        assert done.returncode == 0, done.stdout
        assert "gave up" not in done.stdout, done.stdout

    return ran


@pytest.fixture
def browse() -> Browse:
    """Makes calls with a library in a page, which stays open until what is inside is done."""

    @contextmanager
    def browsed(library: str, host: str, calls: list[Call], key: str = WRITE) -> Iterator[None]:
        process = subprocess.Popen(
            [*_command("browser.mjs"), library, host, key, json.dumps(calls), _chromium()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            yield
        finally:
            said = _ended(process)
            print(said)  # seen where the test fails
        assert process.returncode == 0, said
        assert "the page failed" not in said, said

    return browsed


def _ended(process: subprocess.Popen[str]) -> str:
    """What a process said, which ends with its input; one that will not go is killed."""
    try:
        said, _ = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    return said


def _command(program: str) -> list[str]:
    """What starts a program, where the libraries are that it uses."""
    path = str(PROGRAMS / program)
    if program.endswith(".py"):
        return [sys.executable, path]
    if not (HERE / "node_modules").is_dir():
        _do_without("tests/clients/node_modules is not there: `make test` installs it")
    return [_found("node"), path]


def _chromium() -> str:
    return _found("chromium")


def _found(command: str) -> str:
    return shutil.which(command) or _do_without(f"{command} is not installed")


def _do_without(reason: str) -> Any:
    """Skip the test; but continuous integration has everything."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
