"""``pequel serve``: what it says when it starts, what it answers when it must stop."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from time import monotonic

import pytest
import requests

from support.processes import KEYS, Server, run_server

NO_KEYS = dict.fromkeys(KEYS, "")
TOKEN = re.compile(r"^  (write|read|admin) +(pk_[wra]_\w+)$", re.MULTILINE)
DEFINITION = '[[pql]]\nname = "{}"\nwhen = {{ event = "project_created" }}\n'


def serve(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a `pequel serve` that cannot start."""
    return subprocess.run(
        [sys.executable, "-m", "pequel_collector.cli", "serve", "--port", "0", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=30,
    )


def definitions(server: Server) -> list[str]:
    answer = requests.get(
        f"{server.url}/v1/definitions",
        headers={"Authorization": f"Bearer {KEYS['PEQUEL_READ_KEY']}"},
        timeout=10,
    )
    return [each["name"] for each in answer.json()["data"]]


class TestStarting:
    def test_says_where_it_listens_once_it_does(self, tmp_path: Path) -> None:
        with run_server(tmp_path, "--port", "0") as server:
            assert server.lines[-1] == f"listening on {server.url}\n"
            assert requests.get(f"{server.url}/readyz", timeout=10).status_code == 200

    def test_says_which_definitions_count(self, tmp_path: Path) -> None:
        (tmp_path / "pequel.toml").write_text(DEFINITION.format("a") + DEFINITION.format("b"))
        with run_server(tmp_path) as server:
            assert "definitions  a, b (pequel.toml)\n" in server.lines

    def test_needs_no_definitions(self, tmp_path: Path) -> None:
        with run_server(tmp_path) as server:
            assert "definitions  none (no pequel.toml here)\n" in server.lines

    def test_listens_on_ipv6(self, tmp_path: Path) -> None:
        with run_server(tmp_path, "--host", "::1") as server:
            assert server.url.startswith("http://[::1]:")
            assert requests.get(f"{server.url}/healthz", timeout=10).status_code == 200


class TestTheFirstStart:
    def test_prints_keys_that_let_in(self, tmp_path: Path) -> None:
        with run_server(tmp_path, env=NO_KEYS) as server:
            tokens = dict(TOKEN.findall("".join(server.lines)))
            answer = requests.post(
                f"{server.url}/v1/track",
                json={"userId": "u1", "event": "e"},
                auth=(tokens["write"], ""),
                timeout=10,
            )
            assert set(tokens) == {"write", "read", "admin"}
            assert answer.json()["accepted"] == 1

    def test_may_be_on_a_database_in_memory(self, tmp_path: Path) -> None:
        with run_server(tmp_path, "--database", "sqlite://", env=NO_KEYS) as server:
            token = dict(TOKEN.findall("".join(server.lines)))["read"]
            headers = {"Authorization": f"Bearer {token}"}
            answer = requests.get(f"{server.url}/v1/pqls", headers=headers, timeout=10)
            assert answer.json()["data"] == []

    def test_is_the_only_one_that_does(self, tmp_path: Path) -> None:
        with run_server(tmp_path, env=NO_KEYS):
            pass
        with run_server(tmp_path, env=NO_KEYS) as server:
            assert not TOKEN.search("".join(server.lines))

    def test_prints_none_where_the_environment_gives_one(self, tmp_path: Path) -> None:
        with run_server(tmp_path) as server:
            assert not TOKEN.search("".join(server.lines))


class TestMistakes:
    def test_every_wrong_definition_is_said_with_its_place(self, tmp_path: Path) -> None:
        text = '[[pql]]\nname = "a"\nwhen = { evnt = "x" }\n\n[[pql]]\nname = 7\n'
        (tmp_path / "pequel.toml").write_text(text)
        done = serve(tmp_path)
        assert done.returncode == 1
        assert re.match(r"pequel\.toml:3:\d+: ", done.stderr)
        assert re.search(r"^pequel\.toml:6:\d+: ", done.stderr, re.MULTILINE)
        assert "Traceback" not in done.stderr

    @pytest.mark.parametrize(
        "url", ["mysql://x/y", "nonsense", "postgresql://127.0.0.1:1/nothing", "sqlite:////no/x.db"]
    )
    def test_a_database_that_cannot_be_opened_is_said(self, tmp_path: Path, url: str) -> None:
        done = serve(tmp_path, "--database", url)
        assert done.returncode == 1
        assert done.stderr.startswith("pequel: ")
        assert "Traceback" not in done.stderr

    def test_a_port_in_use_is_said(self, tmp_path: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            done = serve(tmp_path, "--port", str(port))
        assert done.returncode == 1
        assert done.stderr == f"pequel: cannot listen on 127.0.0.1:{port}: Address already in use\n"

    def test_a_password_is_not_shown(self, tmp_path: Path) -> None:
        done = serve(tmp_path, "--database", "postgresql://me:secret@127.0.0.1:1/x")
        assert "secret" not in done.stdout + done.stderr


class TestStopping:
    def test_a_request_under_way_is_answered(self, tmp_path: Path) -> None:
        """A body that is half there when SIGTERM comes is read to its end, stored and answered."""
        body = b'{"userId": "u1", "event": "e"}'
        head = (
            "POST /v1/track HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            f"X-Write-Key: {KEYS['PEQUEL_WRITE_KEY']}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        with run_server(tmp_path) as server:
            host, _, port = server.url.removeprefix("http://").partition(":")
            with socket.create_connection((host, int(port)), timeout=10) as connection:
                connection.sendall(head.encode() + body[:10])
                # An answer to a later request shows that the worker has this one in hand.
                requests.get(f"{server.url}/healthz", timeout=10)
                server.process.send_signal(signal.SIGTERM)
                connection.sendall(body[10:])
                answer = connection.makefile("rb").read()
            assert b'"accepted":1' in answer.replace(b" ", b"")
            assert server.process.wait(15) == 0

    def test_idle_connections_do_not_hold_it_up(self, tmp_path: Path) -> None:
        with run_server(tmp_path) as server, requests.Session() as session:
            session.get(f"{server.url}/healthz", timeout=10)
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(8) == 0

    def test_ctrl_c_stops_it_without_a_word(self, tmp_path: Path) -> None:
        with run_server(tmp_path) as server:
            os.killpg(server.process.pid, signal.SIGINT)
            assert server.process.wait(15) == 0
        assert server.lines[-1].startswith("listening on ")


class TestReadingTheDefinitionsAgain:
    def test_a_changed_file_counts_after_a_hangup(self, tmp_path: Path) -> None:
        config = tmp_path / "pequel.toml"
        config.write_text(DEFINITION.format("old"))
        with run_server(tmp_path) as server:
            config.write_text(DEFINITION.format("new"))
            server.process.send_signal(signal.SIGHUP)
            _wait_for(server, "listening on", times=2)
            assert definitions(server) == ["new"]

    def test_a_mistake_changes_nothing(self, tmp_path: Path) -> None:
        config = tmp_path / "pequel.toml"
        config.write_text(DEFINITION.format("old"))
        with run_server(tmp_path) as server:
            config.write_text("nonsense")
            server.process.send_signal(signal.SIGHUP)
            _wait_for(server, "the definitions stay as they were")
            assert definitions(server) == ["old"]


def _wait_for(server: Server, text: str, times: int = 1) -> None:
    """Ask for a sign of life until the server has said something."""
    deadline = monotonic() + 30
    while sum(text in line for line in server.lines) < times:
        assert monotonic() < deadline, server.lines
        requests.get(f"{server.url}/healthz", timeout=10)
