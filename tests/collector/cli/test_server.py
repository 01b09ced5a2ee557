"""The server under ``pequel serve``: slow clients, large bodies, several workers, sudden deaths."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import monotonic

import pytest
import requests

from support.processes import KEYS, Server, killed_server, run_server

WITHIN = 30.0
BODY = b'{"userId": "u1", "event": "e"}'
DEFINITION = '[[pql]]\nname = "{}"\nwhen = {{ event = "project_created" }}\n'
NO_KEYS = dict.fromkeys(KEYS, "")
READ = {"Authorization": f"Bearer {KEYS['PEQUEL_READ_KEY']}"}

linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


def connect(server: Server) -> socket.socket:
    host, _, port = server.url.removeprefix("http://").partition(":")
    return socket.create_connection((host, int(port)), timeout=WITHIN)


def head(*headers: str, path: str = "/v1/track") -> bytes:
    lines = (f"POST {path} HTTP/1.1", "Host: x", f"X-Write-Key: {KEYS['PEQUEL_WRITE_KEY']}")
    return "\r\n".join((*lines, *headers, "", "")).encode()


def send(server: Server) -> int:
    headers = {"X-Write-Key": KEYS["PEQUEL_WRITE_KEY"]}
    url = f"{server.url}/v1/track"
    return requests.post(url, data=BODY, headers=headers, timeout=WITHIN).status_code


@contextmanager
def half_sent(server: Server, number: int) -> Iterator[list[socket.socket]]:
    """So many connections with a request of which half the body is there."""
    with ExitStack() as stack:
        connections = [stack.enter_context(connect(server)) for _ in range(number)]
        for connection in connections:
            connection.sendall(head(f"Content-Length: {len(BODY)}") + BODY[:10])
        yield connections


def workers(server: Server) -> list[int]:
    """The processes that the master has started."""
    master = server.process.pid
    return [int(n) for n in Path(f"/proc/{master}/task/{master}/children").read_text().split()]


def most_memory(process: int) -> int:
    """The most bytes that a process ever had."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    assert found
    return int(found[1]) * 1024


def until(there: Callable[[], bool]) -> None:
    """Look again and again until something is there."""
    deadline = monotonic() + WITHIN
    while not there():
        assert monotonic() < deadline


def kill(process: int) -> None:
    """Kill a process, and see it gone with all its connections."""
    os.kill(process, signal.SIGKILL)
    until(lambda: not Path(f"/proc/{process}").exists())


def stop(server: Server) -> int:
    server.process.send_signal(signal.SIGTERM)
    return server.process.wait(WITHIN)


class TestSlowClients:
    @pytest.mark.parametrize("number", [8, 50])
    def test_do_not_block_other_requests(self, tmp_path: Path, number: int) -> None:
        """Many more than requests are answered at a time; each is answered in the end."""
        with run_server(tmp_path, "--threads", "2") as server, half_sent(server, number) as slow:
            assert [send(server) for _ in range(5)] == [200] * 5
            for connection in slow:
                connection.sendall(BODY[10:])
            for connection in slow:
                assert connection.recv(12) == b"HTTP/1.1 200"

    def test_silent_connections_do_not_block_other_requests(self, tmp_path: Path) -> None:
        with run_server(tmp_path, "--threads", "2") as server, ExitStack() as stack:
            silent = [stack.enter_context(connect(server)) for _ in range(50)]
            for connection in silent[::2]:
                connection.sendall(b"POST /v1/track HT")
            assert send(server) == 200

    @pytest.mark.slow
    def test_hold_a_stop_up_for_its_grace_only(self, tmp_path: Path) -> None:
        """And the store is closed in good order all the same."""
        with run_server(tmp_path) as server, half_sent(server, 3):
            assert send(server) == 200
            assert stop(server) == 0
        assert not (tmp_path / "pequel.db-wal").exists()


class TestStopping:
    def test_idle_connections_do_not_hold_it_up(self, tmp_path: Path) -> None:
        """Neither those that were used nor those that never were."""
        with run_server(tmp_path) as server, ExitStack() as stack:
            for _ in range(10):
                stack.enter_context(connect(server))
                stack.enter_context(requests.Session()).get(f"{server.url}/healthz", timeout=10)
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(5) == 0

    def test_the_collector_is_closed(self, tmp_path: Path) -> None:
        """What closes a database last takes its log away; what is killed leaves it."""
        log = tmp_path / "pequel.db-wal"
        with killed_server(tmp_path) as server:
            assert send(server) == 200
        assert log.exists()
        with run_server(tmp_path) as server:
            assert send(server) == 200
            assert stop(server) == 0
        assert not log.exists()

    def test_repeated_signals_have_no_effect(self, tmp_path: Path) -> None:
        """As where every process is told, and somebody is impatient."""
        with run_server(tmp_path) as server, half_sent(server, 1) as (connection,):
            assert send(server) == 200
            for _ in range(5):
                os.killpg(server.process.pid, signal.SIGTERM)
                os.killpg(server.process.pid, signal.SIGINT)
            until(lambda: _is_refused(server))
            os.killpg(server.process.pid, signal.SIGTERM)
            connection.sendall(BODY[10:])
            assert connection.recv(12) == b"HTTP/1.1 200"
            assert server.process.wait(WITHIN) == 0

    def test_new_connections_are_refused(self, tmp_path: Path) -> None:
        """The address is free again before the requests under way are answered."""
        with run_server(tmp_path) as server, half_sent(server, 1) as (connection,):
            assert send(server) == 200
            server.process.send_signal(signal.SIGTERM)
            until(lambda: _is_refused(server))
            connection.sendall(BODY[10:])
            assert connection.recv(12) == b"HTTP/1.1 200"
            assert server.process.wait(WITHIN) == 0


class TestLargeRequests:
    @linux
    @pytest.mark.parametrize("is_chunked", [False, True])
    def test_a_gigabyte_is_refused_and_not_held(self, tmp_path: Path, is_chunked: bool) -> None:
        length = "Transfer-Encoding: chunked" if is_chunked else f"Content-Length: {1 << 30}"
        block = b"x" * 65_536
        piece = b"10000\r\n" + block + b"\r\n" if is_chunked else block
        with run_server(tmp_path) as server:
            (worker,) = workers(server)
            before = most_memory(worker)
            with connect(server) as connection:
                connection.sendall(head(length))
                with pytest.raises((BrokenPipeError, ConnectionResetError)):
                    _pour(connection, piece, (1 << 30) // len(block))
                assert connection.recv(12) == b"HTTP/1.1 413"
            assert most_memory(worker) - before < 40_000_000

    def test_a_long_line_carries_a_tracking_pixel(self, tmp_path: Path) -> None:
        with run_server(tmp_path) as server:
            answer = requests.get(f"{server.url}/healthz?data={'x' * 8190}", timeout=10)
            assert answer.status_code == 200


class TestSeveralWorkers:
    def test_share_one_file(self, tmp_path: Path) -> None:
        with run_server(tmp_path, "--workers", "2", env=NO_KEYS) as server:
            said = "".join(server.lines)
            keys = (tmp_path / "pequel.db.keys").read_text()
            tokens = dict(line.split() for line in keys.splitlines())
            with ThreadPoolExecutor(16) as pool:
                answers = list(pool.map(lambda _: _sent(server, tokens["write"]), range(200)))
            assert answers == [1] * 200
            for what in ("database ", "definitions ", "listening on", "keys "):
                assert said.count(what) == 1
            assert stop(server) == 0

    def test_follow_definitions_that_are_read_again(self, tmp_path: Path) -> None:
        config = tmp_path / "pequel.toml"
        config.write_text(DEFINITION.format("old"))
        with run_server(tmp_path, "--workers", "2") as server:
            config.write_text(DEFINITION.format("new"))
            server.process.send_signal(signal.SIGHUP)
            until(lambda: [_definitions(server) for _ in range(10)] == [["new"]] * 10)
            assert stop(server) == 0
        assert "".join(server.lines).count("definitions  new") == 1

    def test_cannot_share_a_database_in_memory(self, tmp_path: Path) -> None:
        done = subprocess.run(
            [*COMMAND, "--workers", "2", "--database", "sqlite://"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=WITHIN,
        )
        assert done.returncode == 1
        assert done.stderr == "pequel: 2 workers cannot share an in-memory database\n"

    def test_have_an_address_of_their_own(self, tmp_path: Path) -> None:
        with run_server(tmp_path, "--workers", "2") as server:
            port = server.url.rpartition(":")[2]
            done = subprocess.run(
                [*COMMAND, "--workers", "2", "--port", port],
                cwd=tmp_path,
                capture_output=True,
                text=True,
                timeout=WITHIN,
            )
        assert done.returncode == 1
        assert "Address already in use" in done.stderr


@linux
class TestSuddenDeaths:
    def test_a_worker_that_dies_is_replaced(self, tmp_path: Path) -> None:
        with run_server(tmp_path) as server:
            (worker,) = workers(server)
            kill(worker)
            assert send(server) == 200
            assert workers(server) != [worker]
            assert stop(server) == 0
        assert "".join(server.lines).count("listening on") == 1

    def test_a_worker_does_not_outlive_its_master(self, tmp_path: Path) -> None:
        with run_server(tmp_path) as server:
            (worker,) = workers(server)
            server.process.kill()
            until(lambda: not Path(f"/proc/{worker}").exists())
        assert not (tmp_path / "pequel.db-wal").exists()

    def test_a_database_in_memory_dies_with_its_worker(self, tmp_path: Path) -> None:
        with run_server(tmp_path, "--database", "sqlite://") as server:
            kill(workers(server)[0])
            assert server.process.wait(WITHIN) == 1

    def test_errors_are_not_written_to_standard_output(self, tmp_path: Path) -> None:
        said = tmp_path / "errors"
        with said.open("w") as errors, run_server(tmp_path, errors=errors) as server:
            kill(workers(server)[0])
            assert send(server) == 200
            assert stop(server) == 0
        assert "Unexpected exit" not in "".join(server.lines)
        assert "Unexpected exit from worker-1" in said.read_text()


COMMAND = [sys.executable, "-m", "pequel_collector.cli", "serve", "--port", "0"]


def _pour(connection: socket.socket, piece: bytes, times: int) -> None:
    for _ in range(times):
        connection.sendall(piece)


def _sent(server: Server, token: str) -> int:
    """How many events of one a worker accepted."""
    url = f"{server.url}/v1/track"
    answer = requests.post(url, data=BODY, headers={"X-Write-Key": token}, timeout=WITHIN)
    accepted: int = answer.json()["accepted"]
    return accepted


def _definitions(server: Server) -> list[str]:
    answer = requests.get(f"{server.url}/v1/definitions", headers=READ, timeout=10)
    return [each["name"] for each in answer.json()["data"]]


def _is_refused(server: Server) -> bool:
    try:
        connect(server).close()
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:  # in the queue at the moment in which it was closed
        return False
    return False
