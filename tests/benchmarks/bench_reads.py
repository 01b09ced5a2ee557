"""The waits for reads, beside those for a bare Flask ``hello`` under the same server, in one run.

Builds a store with many users and leads, and with four subjects that have very many events:

* ``none``: a user without an account;
* ``first``: a user whose first event names an account, and no other event does;
* ``member``: a user who joined an account at the beginning;
* ``team``: an account with the events of twenty users.

The store is kept in a temporary folder, by its parameters, for the next run. Prints within what
time 99 of 100 answers came, that time divided by ``hello``'s, the bound (5 times ``hello``'s and
2 ms), and the peak of the memory while 24 of each are answered at once. No time is asserted.

    python tests/benchmarks/bench_reads.py --users 1000000 --leads 100000 --database postgresql
"""

from __future__ import annotations

import argparse
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from urllib.request import urlopen

import psycopg
from flask.testing import FlaskClient

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.load import Run, send
from pequel_collector.app.bootstrap import Collector, open_collector
from pequel_collector.config import Settings
from pequel_collector.model import Message
from pequel_collector.rules.parser.catalogue import read_catalogue
from pequel_collector.store import open_store
from pequel_collector.web.app import create_app
from support.postgres import QUICK, _Cluster, find_binaries
from support.processes import KEYS, free_port, run_server

START, SECOND = 1_772_323_200_000, 1_000
AT_ONCE, CONNECTIONS, BATCH, TEAM, REPEATS = 24, 4, 2_000, 20, 40
COUNTRIES = [f"C{number}" for number in range(30)]
PLANS = ("free", "pro", "team", "enterprise")
RARE = ("IS", "free")
"""A country and a plan that occur together only."""
KINDS = ("new", "upgrade", "cross_sell", "expansion")
OTHER = ("page_opened", "task_moved", "menu_used", "searched")

DEFINITIONS = (
    "".join(
        f"""
[[pql]]
name = "step_{number}"
kind = "{KINDS[number % 4]}"
priority = "{("high", "normal", "low")[number % 3]}"
owner = "team-{number % 5}@example.com"
when = {{ event = "step_{number}" }}
"""
        for number in range(10)
    )
    + """
[[pql]]
name = "exporter"
when = { event = "report_exported", gte = 5, within = "7d" }
[[pql]]
name = "habit"
when = { event = "report_exported", distinct = "@day", gte = 50, within = "70d" }
[[pql]]
name = "heavy"
subject = "account"
when = { event = "report_exported", sum = "bytes", gte = "5GB" }
[[pql]]
name = "scored"
[pql.when]
score = { gte = 1000000 }
points = [{ event = "report_exported", add = 1 }]
"""
)

LISTS = (
    "limit=50",
    "limit=50&definition=step_3",
    "limit=50&state=new&kind=upgrade",
    "limit=50&country=C3",
    "limit=50&country=C3&plan=pro&definition=step_3",
    "limit=50&owner=team-1@example.com&plan=team",
    "limit=50&subject_kind=account",
    "limit=50&country=nowhere",
    "limit=50&plan=none&state=new",
    "limit=50&country=IS&plan=pro",
    "limit=50&country=IS&plan=pro&kind=new&state=new",
    "limit=50&definition=step_3&kind=new",
    "limit=50&definition=step_3&owner=nobody",
    "limit=50&state=won",
    "limit=50&state=expired",
    "limit=50&account=nothing",
    "limit=50&qualified_from=2030-01-01",
    "limit=50&country=C1&qualified_to=2020-01-01",
    "limit=50&marked_after=2040-01-01",
    "limit=50&plan=free&marked_after=2040-01-01&kind=new",
)
SUBJECTS = ("users/none", "users/first", "users/member", "users/user-7", "accounts/team")


class Stream:
    """Messages in order of time."""

    def __init__(self, users: int, leads: int, events: int) -> None:
        self.users, self.leads, self.events = users, leads, events
        self._chance = random.Random(1)
        self._made = 0

    def messages(self) -> Iterator[Message]:
        """All messages: what people say of themselves, then what everyone does, mixed."""
        yield self._message("first", "report_exported", account="first")
        yield self._message("member", None, "group", account="member")
        for number in range(TEAM):
            yield self._message(f"team-{number}", None, "group", account="team")
        for number in range(self.users):
            yield self._message(f"user-{number}", None, "identify", traits=self._traits())
        acts = [*range(self.users), *(-(each % 4) - 1 for each in range(4 * self.events))]
        self._chance.shuffle(acts)
        for act in acts:
            yield self._of_user(act) if act >= 0 else self._of_large(-act - 1)

    def _of_user(self, number: int) -> Message:
        is_lead = number % (self.users // self.leads) == 0
        step = number // (self.users // self.leads) % 10
        return self._message(f"user-{number}", f"step_{step}" if is_lead else "page_opened")

    def _of_large(self, which: int) -> Message:
        names = ("none", "first", "member", f"team-{self._chance.randrange(TEAM)}")
        return self._message(names[which], self._chance.choice(("report_exported", *OTHER)))

    def _traits(self) -> dict[str, str]:
        chance = self._chance.random()
        if chance < 0.01:
            return dict(zip(("country", "plan"), RARE, strict=True))
        return {
            "country": self._chance.choice(COUNTRIES),
            "plan": PLANS[int(4 * chance**2)],
            "email": f"{self._made}@example.com",
        }

    def _message(
        self,
        user: str,
        name: str | None,
        type_: str = "track",
        account: str | None = None,
        traits: dict[str, str] | None = None,
    ) -> Message:
        self._made += 1
        time_ = START + self._made * SECOND
        return Message(
            mid=f"0195{self._made:08x}-7000-7000-8000-{self._chance.getrandbits(48):012x}",
            type=type_,
            subject=f"u:{user}",
            time=time_,
            received=time_,
            name=name,
            account=account,
            properties={"bytes": self._made % 10_000, "page": "/reports"} if name else {},
            traits=traits or {},
        )


def build(url: str, stream: Stream) -> None:
    """Fill an empty store the way that requests do."""
    began, done = time.monotonic(), 0
    collector = open_collector(Settings(database=url), read_catalogue(DEFINITIONS))
    batch: list[Message] = []
    for message in stream.messages():
        batch.append(message)
        if len(batch) == BATCH:
            collector.ingest.accept(batch)
            done, batch = done + len(batch), []
            if done % 200_000 == 0:
                rate = done / (time.monotonic() - began)
                print(f"building: {done:,} messages, {rate:,.0f}/s", file=sys.stderr, flush=True)
    _finish(collector, batch)


def analyse(url: str) -> None:
    """What the server does by itself within a minute, if it runs so long."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")


def _finish(collector: Collector, batch: list[Message]) -> None:
    if batch:
        collector.ingest.accept(batch)
    collector.close()


def settle(url: str) -> None:
    """What the background jobs do within a minute: update an older store, index its messages."""
    with closing(open_store(url)) as opened:
        is_more = True
        while is_more:
            with opened.writing() as tx:
                is_more = tx.index_messages()


@contextmanager
def store(arguments: argparse.Namespace) -> Iterator[str]:
    """The URL of the store of these parameters, which is built if it is not there yet."""
    stream = Stream(arguments.users, arguments.leads, arguments.events)
    name = f"{arguments.label}-{arguments.users}-{arguments.leads}-{arguments.events}"
    folder = Path(arguments.folder) / f"pequel-reads-{arguments.database}-{name}"
    is_new = not (folder / "built").exists()
    folder.mkdir(exist_ok=True)
    with ExitStack() as stack:
        url = f"sqlite:///{folder / 'pequel.db'}"
        if arguments.database == "postgresql":
            cluster = _Cluster(folder, find_binaries())
            if is_new:
                cluster.create()
            url, _ = stack.enter_context(cluster.running(*QUICK, "shared_buffers=512MB"))
        if is_new:
            build(url, stream)
        settle(url)
        if is_new and arguments.database == "postgresql":
            analyse(url)
        (folder / "built").touch()
        yield url


@contextmanager
def hello(threads: int) -> Iterator[int]:
    """The bare app at a port, under the server of the collector."""
    port = free_port()
    command = [
        sys.executable, "-m", "granian", "--interface", "wsgi", "--workers", "1",
        "--blocking-threads", str(threads), "--backpressure", str(threads),
        "--host", "127.0.0.1", "--port", str(port), "--http", "1", "--log-level", "error",
        "benchmarks.hello_app:app",
    ]  # fmt: skip
    env = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    process = subprocess.Popen(command, env=env)
    try:
        _wait_for(f"http://127.0.0.1:{port}/hello")
        yield port
    finally:
        process.terminate()
        process.wait()


def _wait_for(url: str) -> None:
    until = time.monotonic() + 20
    while True:
        try:
            urlopen(url, timeout=1)  # noqa: S310 - our own server
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
        else:
            return


def get(path: str) -> bytes:
    """A request as it goes over the wire."""
    key = KEYS["PEQUEL_READ_KEY"]
    return f"GET {path} HTTP/1.1\r\nHost: pequel\r\nAuthorization: Bearer {key}\r\n\r\n".encode()


def paths() -> list[str]:
    """The reads that are measured."""
    views = [f"/v1/{each}/{view}" for view in ("pql", "timeline?limit=10") for each in SUBJECTS]
    profiles = [f"/v1/{each}" for each in SUBJECTS]
    lists = ["/v1/events?limit=10", "/v1/rejected?limit=10", *(f"/v1/pqls?{q}" for q in LISTS)]
    return [*views, *profiles, *lists]


class Memory:
    """The memory of the processes of a server."""

    def __init__(self, process: int) -> None:
        self._processes = [process, *_children(process)]

    def reset(self) -> None:
        """Forget the peaks until now."""
        for process in self._processes:
            Path(f"/proc/{process}/clear_refs").write_text("5")

    def now(self) -> int:
        """The resident memory, in MB."""
        return self._read("VmRSS")

    def peak(self) -> int:
        """The highest since the last reset, in MB."""
        return self._read("VmHWM")

    def _read(self, name: str) -> int:
        texts = [Path(f"/proc/{process}/status").read_text() for process in self._processes]
        found = [re.search(rf"{name}:\s+(\d+)", text) for text in texts]
        return sum(int(each[1]) for each in found if each) // 1024


def _children(process: int) -> Iterator[int]:
    for task in Path(f"/proc/{process}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield int(child)
            yield from _children(int(child))


def measure(port: int, bare: int, rounds: int, seconds: float) -> None:
    """Rounds over all reads, each beside ``hello``; the table."""
    waits: dict[str, list[float]] = {path: [] for path in ["/hello", *paths()]}
    for _ in range(rounds):
        for path in waits:
            if path != "/hello":
                waits["/hello"] += _send(bare, "/hello", seconds / 4).waits
                waits[path] += _send(port, path, seconds).waits
    yardstick = _p99(waits["/hello"])
    bound = 5 * yardstick + 0.002
    print(f"hello: {yardstick * 1000:.1f} ms, bound: {bound * 1000:.1f} ms")
    print(f"{'p99 ms':>8} {'ratio':>6}  median ms")
    for path, each in waits.items():
        wait, middle = _p99(each), sorted(each)[len(each) // 2]
        mark = "over" if wait > bound else ""
        print(
            f"{wait * 1000:>8.1f} {wait / yardstick:>6.1f} {middle * 1000:>8.1f}  {path} {mark}",
            flush=True,
        )


def _send(port: int, path: str, seconds: float) -> Run:
    """As many requests as are answered in so many seconds; at least twelve."""
    first = send(port, [get(path)] * CONNECTIONS, CONNECTIONS)
    count = min(400, max(12, int(first.rate * seconds)))
    return send(port, [get(path)] * count, CONNECTIONS)


def _p99(waits: Sequence[float]) -> float:
    return sorted(waits)[min(len(waits) - 1, int(0.99 * len(waits)))]


def cpu(url: str) -> None:
    """The CPU of one answer in this process, the test client included: the median and the least."""
    keys = {name.removeprefix("PEQUEL_").lower(): key for name, key in KEYS.items()}
    collector = open_collector(Settings(database=url, **keys), read_catalogue(DEFINITIONS))
    client = create_app(collector).test_client()
    headers = {"Authorization": f"Bearer {KEYS['PEQUEL_READ_KEY']}"}
    print(f"{'cpu ms':>8} {'least':>8}")
    for path in paths():
        took = sorted(_cpu_of(client, path, headers) for _ in range(REPEATS))
        print(f"{took[REPEATS // 2]:>8.1f} {took[0]:>8.1f}  {path}", flush=True)
    collector.close()


def _cpu_of(client: FlaskClient, path: str, headers: dict[str, str]) -> float:
    began = time.process_time()
    answer = client.get(path, headers=headers)
    took = time.process_time() - began
    assert answer.status_code == 200, answer.text
    return 1_000 * took


def memory(port: int, process: int) -> None:
    """The peak of the memory while 24 of each read are answered at once."""
    found = Memory(process)
    largest = ["/v1/pqls?limit=1000", "/v1/users/none/timeline?limit=1000"]
    chosen = [path for path in paths() if "user-7" not in path and "pqls" not in path]
    for path in [*chosen, "/v1/pqls?limit=50", "/v1/pqls?limit=50&country=IS&plan=pro", *largest]:
        found.reset()
        before = found.now()
        run = send(port, [get(path)] * AT_ONCE, AT_ONCE)
        print(f"{before:>5} -> {found.peak():>5} MB, {run.seconds:>6.2f} s  {AT_ONCE} x {path}")
    path = "/v1/pqls?limit=1000"
    found.reset()
    run = send(port, [get(path)] * 128, 64)
    print(f"{found.now():>5} now, {found.peak():>5} MB, {run.seconds:>6.2f} s  64 x {path}, twice")


def main(argv: Sequence[str] | None = None) -> None:
    """Build the store if it is not there, serve it, and measure."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--leads", type=int, default=10_000)
    parser.add_argument("--events", type=int, default=200_000, help="of each large subject")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.0, help="for a read, in each round")
    parser.add_argument("--folder", default=tempfile.gettempdir(), help="where stores are kept")
    parser.add_argument("--label", default="store", help="a name for the stores of one version")
    parts = ["waits", "memory"]
    parser.add_argument("--parts", nargs="+", choices=[*parts, "cpu"], default=parts)
    arguments = parser.parse_args(argv)
    with store(arguments) as url, hello(64) as bare, tempfile.TemporaryDirectory() as folder:
        if "cpu" in arguments.parts:
            cpu(url)
        if arguments.parts == ["cpu"]:
            return
        (Path(folder) / "pequel.toml").write_text(DEFINITIONS)
        with run_server(Path(folder), "--database", url) as server:
            port = int(server.url.rpartition(":")[2])
            if "waits" in arguments.parts:
                measure(port, bare, arguments.rounds, arguments.seconds)
            if "memory" in arguments.parts:
                memory(port, server.process.pid)


if __name__ == "__main__":
    main()
