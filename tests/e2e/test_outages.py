"""A collector whose database stops answering, or whose database file is replaced."""

from __future__ import annotations

import os
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic

import pytest
import requests

from support.postgres import postgres
from support.processes import KEYS, run_server

TIMEOUT = 1
STATED = 3 * TIMEOUT + 3  # docs/reference/cli.md, and some seconds for a busy machine
READ = {"Authorization": f"Bearer {KEYS['PEQUEL_READ_KEY']}"}


def read(url: str) -> tuple[int, bool, float]:
    """The status, whether Retry-After is there, and the seconds that it took."""
    began = monotonic()
    answer = requests.get(f"{url}/v1/pqls", headers=READ, timeout=60)
    return answer.status_code, "Retry-After" in answer.headers, monotonic() - began


def send(url: str) -> requests.Response:
    event = {"userId": "u1", "event": "used"}
    return requests.post(
        f"{url}/v1/track", json=event, auth=(KEYS["PEQUEL_WRITE_KEY"], ""), timeout=60
    )


def test_every_request_is_answered_while_postgresql_does_not_answer(tmp_path: Path) -> None:
    if os.environ.get("PEQUEL_TEST_POSTGRES"):
        pytest.skip("the server at PEQUEL_TEST_POSTGRES is not disturbed")
    with postgres() as server:
        options = ("--database", server.url, "--threads", "8", "--store-timeout", str(TIMEOUT))
        with run_server(tmp_path, *options) as collector, ThreadPoolExecutor(20) as threads:
            assert send(collector.url).status_code == read(collector.url)[0] == 200
            with server.paused():
                reads = [threads.submit(read, collector.url) for _ in range(12)]
                sent = [threads.submit(send, collector.url) for _ in range(3)]
                while not all(future.done() for future in reads + sent):
                    assert requests.get(f"{collector.url}/healthz", timeout=1).status_code == 200
                assert {future.result().status_code for future in sent} == {503}
                assert {future.result()[:2] for future in reads} == {(503, True)}
                assert max(future.result()[2] for future in reads) < STATED
                ready = requests.get(f"{collector.url}/readyz", timeout=STATED)
                assert "does not answer" in ready.json()["reason"]
            assert send(collector.url).status_code == read(collector.url)[0] == 200


def test_nothing_is_acknowledged_after_the_file_was_replaced(tmp_path: Path) -> None:
    with run_server(tmp_path) as collector:
        assert send(collector.url).status_code == 200
        path = tmp_path / "pequel.db"
        shutil.copy(path, tmp_path / "backup.db")
        (tmp_path / "backup.db").replace(path)
        answer = send(collector.url)
        assert answer.status_code == 503
        assert "removed or replaced" in answer.json()["message"]
        assert requests.get(f"{collector.url}/readyz", timeout=60).status_code == 503
        logged = [line for line in collector.lines if re.search("answering 503.*replaced", line)]
        assert len(logged) == 1
