"""``pequel serve``: what it says when it starts, what it answers when it must stop."""

from __future__ import annotations

import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
import requests

from pequel_collector.app.bootstrap import open_collector
from pequel_collector.config import Settings
from pequel_collector.rules.language.definition import Catalogue
from pequel_collector.rules.parser.catalogue import read_catalogue
from support.processes import KEYS, Server, killed_server, run_server
from support.streams import NOW, collector_of, marks, messages_of, plain_event

NO_KEYS = dict.fromkeys(KEYS, "")
TOKEN = re.compile(r"^  (write|read|admin) +(pk_[wra]_\w+)$", re.MULTILINE)
DEFINITION = '[[pql]]\nname = "{}"\nwhen = {{ event = "project_created" }}\n'


def serve(
    folder: Path,
    *arguments: str,
    port: Sequence[str] = ("--port", "0"),
    env: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a `pequel serve` that cannot start."""
    return subprocess.run(
        [sys.executable, "-m", "pequel_collector.cli", "serve", *port, *arguments],
        cwd=folder,
        env=os.environ | dict(env or {}),
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

    def test_says_how_to_open_the_console_once(self, tmp_path: Path) -> None:
        with run_server(tmp_path, "--port", "0") as server:
            [line] = [line for line in server.lines if line.startswith("console ")]
            link = line.split()[1]
            assert link.startswith(f"{server.url}/open/")
            assert "<h1>Leads</h1>" in requests.get(link, timeout=10).text
            assert requests.get(link, timeout=10).status_code == 401

    def test_lets_people_log_in_to_the_console(self, tmp_path: Path) -> None:
        key = {"key": KEYS["PEQUEL_ADMIN_KEY"]}
        with run_server(tmp_path, "--port", "0") as server, requests.Session() as session:
            assert "<h1>Leads</h1>" in session.post(f"{server.url}/login", key, timeout=10).text
            page = session.get(f"{server.url}/live", timeout=10).text
            after = page.partition('data-after="')[2].partition('"')[0]
            token = page.partition('data-csrf="')[2].partition('"')[0]
            form = {"form_token": token}
            sent = session.post(f"{server.url}/live/test", form, timeout=10)
            assert "pequel_test" in sent.text
            lines = session.get(f"{server.url}/live/lines", params={"after": after}, timeout=30)
            assert lines.json()["number"] == 1
            many = {"key": "x" * 70_000}
            assert session.post(f"{server.url}/login", many, timeout=10).status_code == 403
            assert requests.post(f"{server.url}/login", many, timeout=10).status_code == 413

    def test_says_which_definitions_count(self, tmp_path: Path) -> None:
        (tmp_path / "pequel.toml").write_text(DEFINITION.format("a") + DEFINITION.format("b"))
        with run_server(tmp_path) as server:
            assert "definitions  a, b (pequel.toml)\n" in server.lines

    def test_says_that_it_ignores_the_link_of_a_kubernetes_service(self, tmp_path: Path) -> None:
        """Every container beside a service named pequel has this variable."""
        link = "tcp://10.0.0.1:8321"
        folder = tmp_path / "with-option"
        folder.mkdir()
        with run_server(folder, env={"PEQUEL_PORT": link}) as server:
            assert not any(link in line for line in server.lines)
        done = serve(tmp_path, "--database", "nonsense", env={"PEQUEL_PORT": link}, port=())
        assert f"PEQUEL_PORT={link} is of a Kubernetes service, and is ignored\n" in done.stderr

    def test_needs_no_definitions(self, tmp_path: Path) -> None:
        with run_server(tmp_path) as server:
            assert "definitions  none (no pequel.toml here)\n" in server.lines

    def test_listens_on_ipv6(self, tmp_path: Path) -> None:
        with run_server(tmp_path, "--host", "::1") as server:
            assert server.url.startswith("http://[::1]:")
            assert requests.get(f"{server.url}/healthz", timeout=10).status_code == 200


class TestTheFirstStart:
    def test_writes_keys_that_let_in_beside_the_database(self, tmp_path: Path) -> None:
        """Standard output is no terminal here, so it may be kept for ever."""
        with run_server(tmp_path, env=NO_KEYS) as server:
            file = tmp_path / "pequel.db.keys"
            assert (
                f"keys         created on this first start, and written to {file}\n" in server.lines
            )
            tokens = dict(line.split() for line in file.read_text().splitlines())
            answer = requests.post(
                f"{server.url}/v1/track",
                json={"userId": "u1", "event": "e"},
                auth=(tokens["write"], ""),
                timeout=10,
            )
            assert set(tokens) == {"write", "read", "admin"}
            assert answer.json()["accepted"] == 1
            assert not any(token in line for token in tokens.values() for line in server.lines)

    def test_may_be_on_a_database_in_memory(self, tmp_path: Path) -> None:
        with run_server(tmp_path, "--database", "sqlite://", env=NO_KEYS) as server:
            token = dict(TOKEN.findall("".join(server.lines)))["read"]
            headers = {"Authorization": f"Bearer {token}"}
            answer = requests.get(f"{server.url}/v1/pqls", headers=headers, timeout=10)
            assert answer.json()["data"] == []

    def test_is_the_only_one_that_does(self, tmp_path: Path) -> None:
        with run_server(tmp_path, env=NO_KEYS):
            keys = (tmp_path / "pequel.db.keys").read_text()
        with run_server(tmp_path, env=NO_KEYS) as server:
            assert not any(line.startswith("keys ") for line in server.lines)
        assert (tmp_path / "pequel.db.keys").read_text() == keys

    def test_prints_none_where_the_environment_gives_one(self, tmp_path: Path) -> None:
        with run_server(tmp_path) as server:
            assert not any(line.startswith("keys ") for line in server.lines)
        assert not (tmp_path / "pequel.db.keys").exists()

    def test_names_the_kinds_of_key_that_are_missing(self, tmp_path: Path) -> None:
        with run_server(tmp_path, env=NO_KEYS | {"PEQUEL_WRITE_KEY": "pk_w_test"}) as server:
            said = "".join(line for line in server.lines if line.startswith("keys "))
        how = "create one with `pequel keys create --kind admin`, or set PEQUEL_ADMIN_KEY"
        assert said == f"keys         no read or admin key: {how}\n"


class TestMistakes:
    def test_every_mistake_in_definitions_is_printed_with_its_place(self, tmp_path: Path) -> None:
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
    def test_a_database_that_cannot_be_opened_is_an_error(self, tmp_path: Path, url: str) -> None:
        done = serve(tmp_path, "--database", url)
        assert done.returncode == 1
        assert done.stderr.startswith("pequel: ")
        assert "Traceback" not in done.stderr

    @pytest.mark.parametrize(
        ("option", "value", "expected"),
        [
            ("--port", "99999", "0<=x<=65535"),
            ("--port", "-1", "0<=x<=65535"),
            ("--max-batch", "0", "x>=1"),
            ("--rate-limit", "-1", "x>=0"),
        ],
    )
    def test_a_number_out_of_range_is_an_error(
        self, tmp_path: Path, option: str, value: str, expected: str
    ) -> None:
        done = serve(tmp_path, option, value)
        assert done.returncode == 2
        assert f"{value} is not in the range {expected}" in done.stderr

    def test_limits_may_be_none(self, tmp_path: Path) -> None:
        none = {"PEQUEL_RATE_LIMIT": "0", "PEQUEL_MONTHLY_QUOTA": "0", "PEQUEL_MIN_FREE": "0"}
        with run_server(tmp_path, env=none) as server:
            assert server.process.poll() is None

    def test_a_port_in_use_is_an_error(self, tmp_path: Path) -> None:
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
        """The process that serves goes on, connections and all."""
        config = tmp_path / "pequel.toml"
        config.write_text(DEFINITION.format("old"))
        with run_server(tmp_path) as server:
            config.write_text(DEFINITION.format("new"))
            server.process.send_signal(signal.SIGHUP)
            _wait_for(server, "definitions  new (pequel.toml)")
            _wait_for(server, "changed      new → version 1")
            _wait_for(server, "changed      old → no longer in force")
            assert definitions(server) == ["new"]
            assert sum("listening on" in line for line in server.lines) == 1

    def test_a_mistake_changes_nothing(self, tmp_path: Path) -> None:
        config = tmp_path / "pequel.toml"
        config.write_text(DEFINITION.format("old"))
        with run_server(tmp_path) as server:
            config.write_text('[[pql]]\nname = 7\nwhen = { evnt = "x" }\n')
            server.process.send_signal(signal.SIGHUP)
            _wait_for(server, "the definitions have not changed")
            assert {2, 3} <= {int(n) for n in re.findall(r"pequel\.toml:(\d+):", _said(server))}
            assert definitions(server) == ["old"]

    def test_what_was_put_stays_until_the_file_changes(self, tmp_path: Path) -> None:
        """And it is said which of the two it is, and why."""
        config = tmp_path / "pequel.toml"
        config.write_text(DEFINITION.format("old"))
        with run_server(tmp_path) as server:
            _put(server, DEFINITION.format("put"))
            _wait_for(server, "definitions  put (put over HTTP at ")
        with run_server(tmp_path) as server:
            assert re.search(
                r"^definitions  put \(put over HTTP at \S+Z; pequel\.toml has not changed since\)$",
                _said(server),
                re.MULTILINE,
            )
            assert definitions(server) == ["put"]
        config.write_text(DEFINITION.format("newer"))
        with run_server(tmp_path) as server:
            assert "definitions  newer (pequel.toml, which has changed since" in _said(server)
            assert definitions(server) == ["newer"]


SILENT = (
    '[[pql]]\nname = "silent"\nclock = true\nwhen = { event = "used", eq = 0, within = "2s" }\n'
)


class TestBesideTheRequests:
    def test_the_clock_marks_without_any_traffic(self, tmp_path: Path) -> None:
        """Nobody asks and nothing comes: the lead is there when its time has come."""
        (tmp_path / "pequel.toml").write_text(SILENT)
        with run_server(tmp_path) as server:
            write = (KEYS["PEQUEL_WRITE_KEY"], "")
            event = {"userId": "u1", "event": "signed_up"}
            requests.post(f"{server.url}/v1/track", json=event, auth=write, timeout=10)
            with closing(sqlite3.connect(tmp_path / "pequel.db")) as database:
                _until(lambda: database.execute("SELECT count(*) FROM lead").fetchone() == (1,))

    def test_history_is_replayed_while_it_serves_whatever_ends_it(self, tmp_path: Path) -> None:
        """Killed twice in the middle, it ends in the leads of a replay from nothing."""
        database = f"sqlite:///{tmp_path / 'pequel.db'}"
        told = [
            plain_event(f"u{user:04}", "project_created", f"m{user}-{n}", NOW + n)
            for user in range(1200)
            for n in range(1 + user % 3)
        ]
        with closing(open_collector(Settings(database=database), Catalogue(), lambda: NOW)) as made:
            made.ingest.accept(messages_of(told))
        wanted = DEFINITION.format("active").replace('" }', '", gte = 2 }')
        (tmp_path / "pequel.toml").write_text(wanted)
        places = []
        for _ in range(2):
            with killed_server(tmp_path) as server:
                _until(lambda: _backfill(server)["done"] > (places or [0])[-1])
                places.append(_backfill(server)["done"])
        with run_server(tmp_path) as server:
            _until(lambda: _backfill(server)["state"] == "done")
            replay = _backfill(server)
        assert 0 < places[0] < places[1] < replay["done"] == replay["total"] == 1200
        assert replay["leads"] == 800
        fresh = collector_of(wanted)
        fresh.ingest.accept(messages_of(told))
        with closing(open_collector(Settings(database=database), read_catalogue(wanted))) as made:
            assert marks(made) == marks(fresh)


def _backfill(server: Server) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {KEYS['PEQUEL_READ_KEY']}"}
    answer = requests.get(f"{server.url}/v1/definitions", headers=headers, timeout=10)
    found: dict[str, Any] = answer.json()["backfill"]
    return found


def _put(server: Server, text: str) -> None:
    headers = {"Authorization": f"Bearer {KEYS['PEQUEL_ADMIN_KEY']}"}
    url = f"{server.url}/v1/definitions"
    assert requests.put(url, data=text, headers=headers, timeout=10).status_code == 200


def _said(server: Server) -> str:
    return "".join(server.lines)


def _until(there: Callable[[], bool]) -> None:
    """Look again and again until something is there."""
    deadline = monotonic() + 30
    while not there():
        assert monotonic() < deadline


def _wait_for(server: Server, text: str, times: int = 1) -> None:
    """Ask for a sign of life until the server has said something."""
    deadline = monotonic() + 30
    while sum(text in line for line in server.lines) < times:
        assert monotonic() < deadline, server.lines
        requests.get(f"{server.url}/healthz", timeout=10)
