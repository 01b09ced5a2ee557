"""Events that outlive their process, and an outage, are each stored once."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pequel
from support.processes import KEYS, free_port, run_server

KEY = KEYS["PEQUEL_WRITE_KEY"]
TRACKS_FOR_EVER = """
import itertools, sys, pequel
client = pequel.Client(sys.argv[1], sys.argv[2], spool=sys.argv[3], flush_interval=0.01)
for n in itertools.count():
    client.track("u1", "project_created", {"project_id": n})
    print(n, flush=True)
"""


def killed(url: str, folder: Path, events: int) -> int:
    """Run a process that tracks and is killed then; how many events it had tracked."""
    command = [sys.executable, "-c", TRACKS_FOR_EVER, KEY, url, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = [next(process.stdout) for _ in range(events)]
        process.kill()
        said += process.stdout.read().split()
    return int(said[-1]) + 1


def test_what_killed_processes_left_is_sent_by_the_next_and_stored_once(tmp_path: Path) -> None:
    """One is killed in an outage, one in the middle of delivering; a third ends the matter."""
    port, folder = str(free_port()), tmp_path / "spool"
    url = f"http://127.0.0.1:{port}"
    tracked = killed(url, folder, 700)
    client = pequel.Client(KEY, url, spool=folder)
    client.track("u2", "signed_up")
    assert not client.flush(0.2)
    with run_server(tmp_path, "--port", port) as server:
        assert server.url == url
        tracked += killed(url, folder, 700)
        client.track("u2", "signed_up")
        deadline = time.monotonic() + 30
        while not client.flush(5) and time.monotonic() < deadline:
            pass  # the client may have been told by the outage to wait a little
        assert client.stats().queued == 0
        assert client.shutdown()
        counts = [stored(url, user) for user in ("u1", "u2")]
    assert counts[1] == {"signed_up": 2}
    assert tracked <= counts[0]["project_created"] <= tracked + 2
    assert list(folder.iterdir()) == []


def stored(url: str, user: str) -> dict[str, int]:
    """How many events of each name the collector counts for a user."""
    import requests

    headers = {"Authorization": f"Bearer {KEYS['PEQUEL_READ_KEY']}"}
    answer = requests.get(f"{url}/v1/users/{user}", headers=headers, timeout=30)
    counts: dict[str, int] = answer.json()["event_counts"]
    return counts
