"""Kills the collector again and again under load, and then looks for anything lost or wrong.

    python tests/benchmarks/kills.py --kills 100 --database sqlite
    python tests/benchmarks/kills.py --kills 100 --database postgresql

Several senders post batches and repeat each one until it is acknowledged. Meanwhile ``kill -9``
ends every process of the collector at a random moment, also while it starts. At the end:

* each event that was sent is stored once, because each was acknowledged;
* the leads are those that a plain count over the sent events gives, with the same times;
* ``pequel verify`` finds no difference.

Prints what it counted. Exits 1 if anything differs.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

import requests

sys.path.insert(0, str(Path(__file__).parents[1]))

from pequel_collector.model import iso
from pequel_collector.ports import ReadTransaction
from pequel_collector.store import open_store
from support.postgres import new_cluster
from support.processes import KEYS, free_port

START = 1_772_323_200_000
SENDERS, BATCH, USERS, NEEDED = 6, 25, 400, 3
DEFINITIONS = f"""
[[pql]]
name = "builder"
when = {{ event = "project_created", distinct = "project_id", gte = {NEEDED} }}
"""

Event = dict[str, object]


class Senders:
    """Threads that post batches to a port, each batch until it is acknowledged."""

    def __init__(self, port: int, seed: int) -> None:
        self.sent: list[Event] = []
        self.tries = self.batches = 0
        self._url = f"http://127.0.0.1:{port}/v1/batch"
        self._ending = threading.Event()
        self._lock = threading.Lock()
        chances = [random.Random(seed * 100 + number) for number in range(SENDERS)]
        self._threads = [threading.Thread(target=self._send, args=[one]) for one in chances]
        for thread in self._threads:
            thread.start()

    def finish(self) -> None:
        """Begin no new batch; returns when the last one is acknowledged."""
        self._ending.set()
        for thread in self._threads:
            thread.join()

    def _send(self, chance: random.Random) -> None:
        with requests.Session() as session:
            while not self._ending.is_set():
                events = [_event(chance) for _ in range(BATCH)]
                body = json.dumps({"batch": events})
                while not self._is_acknowledged(session, body):
                    time.sleep(chance.uniform(0.01, 0.1))
                with self._lock:
                    self.sent += events
                    self.batches += 1

    def _is_acknowledged(self, session: requests.Session, body: str) -> bool:
        self.tries += 1
        try:
            answer = session.post(
                self._url, data=body, auth=(KEYS["PEQUEL_WRITE_KEY"], ""), timeout=20
            )
        except requests.RequestException:
            return False
        if answer.status_code == 200:
            assert not answer.json()["rejected"], answer.text
        return answer.status_code == 200


def _event(chance: random.Random) -> Event:
    """An event of a random user; its time is random too, so that many are late."""
    return {
        "type": "track",
        "messageId": f"{chance.getrandbits(96):024x}",
        "userId": f"user-{chance.randrange(USERS)}",
        "event": chance.choice(["project_created", "page_opened", "task_moved"]),
        "properties": {"project_id": chance.randrange(4)},
        "timestamp": iso(START + chance.randrange(86_400_000)),
    }


def expected(events: list[Event]) -> dict[str, str]:
    """When each user qualified, by counting."""
    by_user: defaultdict[str, list[tuple[str, object]]] = defaultdict(list)
    for event in events:
        if event["event"] == "project_created":
            project = event["properties"]["project_id"]  # type: ignore[index]
            by_user[str(event["userId"])].append((str(event["timestamp"]), project))
    found = {}
    for user, created in by_user.items():
        projects: set[object] = set()
        for moment, project in sorted(created, key=lambda one: one[0]):
            projects.add(project)
            if len(projects) == NEEDED:
                found[user] = moment
                break
    return found


def kill_again_and_again(folder: Path, url: str, port: int, kills: int, seed: int) -> None:
    """Start the collector, and end it by ``kill -9`` a little later."""
    chance = random.Random(seed)
    for number in range(kills):
        process = serve(folder, url, port)
        if chance.random() < 0.8:
            wait_for(port)
        time.sleep(chance.uniform(0, 1.5))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if number % 20 == 19:
            print(f"{number + 1} kills", file=sys.stderr)


def serve(folder: Path, url: str, port: int) -> subprocess.Popen[bytes]:
    """A collector in a process group of its own."""
    command = [sys.executable, "-m", "pequel_collector.cli", "serve", "--port", str(port)]
    with (folder / "serve.log").open("ab") as log:
        return subprocess.Popen(
            [*command, "--database", url],
            cwd=folder,
            env=os.environ | KEYS,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def wait_for(port: int) -> None:
    """Wait until a collector listens."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.05)
    raise TimeoutError(f"nothing listens on port {port}")


def differences(folder: Path, url: str, sent: list[Event]) -> list[str]:
    """What is not as it should be, for people."""
    with closing(open_store(url)) as store, store.reading() as tx:
        stored = tx.totals()["messages"]
        found = leads_of(tx)
    wanted = expected(sent)
    lines = [
        f"{user}: {found.get(user)} in place of {wanted.get(user)}"
        for user in sorted(found.keys() | wanted.keys())
        if found.get(user) != wanted.get(user)
    ]
    if stored != len(sent):
        lines.append(f"{stored} events are stored, and {len(sent)} were acknowledged")
    verify = [sys.executable, "-m", "pequel_collector.cli", "verify", "--database", url]
    answer = subprocess.run(verify, cwd=folder, capture_output=True, text=True)
    print(answer.stdout, answer.stderr, sep="", end="")
    return [*lines, *(["pequel verify found differences"] if answer.returncode else [])]


def leads_of(tx: ReadTransaction) -> dict[str, str]:
    """When each user with a lead qualified."""
    subjects = [f"u:user-{number}" for number in range(USERS)]
    leads = [lead for each in tx.leads_of(subjects).values() for lead in each]
    return {
        lead.subject.removeprefix("u:"): iso(lead.qualified_at)
        for lead in leads
        if lead.state != "voided"
    }


@contextmanager
def database(kind: str) -> Iterator[tuple[Path, str]]:
    """A folder and an empty database that keeps what it has acknowledged."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        (folder / "pequel.toml").write_text(DEFINITIONS)
        if kind == "sqlite":
            yield folder, f"sqlite:///{folder / 'pequel.db'}"
        else:
            cluster = stack.enter_context(new_cluster())
            yield folder, stack.enter_context(cluster.running())[0]


def main() -> None:
    """Kill, compare and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with database(arguments.database) as (folder, url):
        port = free_port()
        senders = Senders(port, arguments.seed)
        kill_again_and_again(folder, url, port, arguments.kills, arguments.seed)
        last = serve(folder, url, port)
        senders.finish()
        last.terminate()
        last.wait()
        found = differences(folder, url, senders.sent)
    print(f"kills                      {arguments.kills:>9,}")
    print(f"acknowledged batches       {senders.batches:>9,} in {senders.tries:,} tries")
    print("\n".join(found[:20]) or "nothing lost, nothing twice, no lead wrong")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
