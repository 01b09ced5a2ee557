"""The spool under real processes: killed, forked, full disks, interrupted by signals."""

import itertools
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

import pequel

SOURCE = str(pathlib.Path(pequel.__file__).parents[1])
NOBODY = "http://127.0.0.1:9"
TRACKS_FOR_EVER = """
import itertools, os, sys, pequel
client = pequel.Client("key", sys.argv[1], spool=sys.argv[2], flush_interval=0.01)
for n in itertools.count():
    client.track("u1", "e", message_id=f"{sys.argv[3]}-{n}")
    os.write(1, b"%d\\n" % n)
"""


def begin(script, *arguments):
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", script, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": SOURCE},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(script, *arguments):
    """What a script prints; it ends well, and logs at most that it cannot reach the collector."""
    process = begin(script, *arguments)
    out, error = process.communicate(timeout=60)
    assert process.returncode == 0
    assert [line for line in error.splitlines() if "cannot reach " not in line] == []
    return out.strip()


def killed_after(process, lines):
    """How many events a process said that it had tracked, when it was killed."""
    said = list(itertools.islice(process.stdout, lines))
    process.kill()
    said += process.stdout.read().split()
    process.communicate(timeout=60)
    return int(said[-1]) + 1


def ids(collector):
    """The ids that came, in the order in which they came first."""
    return list(dict.fromkeys(event["messageId"] for event in collector.events))


def recover(collector, folder):
    """What another process finds on its start; all of it is delivered when this returns."""
    client = pequel.Client("key", collector.host, spool=folder)
    assert client.flush(30)
    recovered = client.stats().recovered
    assert client.shutdown()
    return recovered


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "spool"


def test_a_process_that_is_killed_loses_no_event(collector, folder):
    """At whatever instant: each call that returned is delivered by the processes after it."""
    tracked = {}
    for life, lines in enumerate([1, 2, 50, 300, 1_100, 2_000]):
        process = begin(TRACKS_FOR_EVER, collector.host, folder, life)
        tracked[life] = killed_after(process, lines)
    recover(collector, folder)
    came = [tuple(map(int, one.split("-"))) for one in ids(collector)]
    for life, count in tracked.items():
        numbers = [n for of, n in came if of == life]
        assert numbers == list(range(len(numbers)))
        assert count <= len(numbers) <= count + 1
    assert list(folder.iterdir()) == []


def test_two_processes_on_one_folder_lose_no_event_when_both_are_killed(collector, folder):
    """While nobody listens; another delivers for both."""
    processes = [begin(TRACKS_FOR_EVER, NOBODY, folder, name) for name in "ab"]
    counts = [killed_after(process, 800) for process in processes]
    recovered = recover(collector, folder)
    came = ids(collector)
    for name, count in zip("ab", counts, strict=True):
        numbers = [int(one[2:]) for one in came if one[0] == name]
        assert numbers == list(range(len(numbers)))
        assert count <= len(numbers) <= count + 1
    assert recovered == len(came) == len(collector.events)


def test_one_that_runs_sends_what_a_killed_one_left(collector, folder, monkeypatch):
    """It need not be started for it."""
    monkeypatch.setattr("pequel.spool.spool._SEARCH_INTERVAL", 0.05)
    with pequel.Client("key", collector.host, spool=folder) as client:
        client.track("u1", "here", message_id="here")
        assert client.flush()
        count = killed_after(begin(TRACKS_FOR_EVER, NOBODY, folder, "other"), 100)
        deadline = time.monotonic() + 20
        while len(ids(collector)) <= count and time.monotonic() < deadline:
            time.sleep(0.01)
        assert ids(collector)[0] == "here"
        assert client.stats().recovered >= count
        assert client.flush()


def test_an_exit_while_nobody_listens_leaves_the_events_to_the_next(collector, folder):
    """Within the time for the exit, and without alarm: nothing is lost."""
    script = """
import sys, pequel
pequel.configure("key", sys.argv[1], spool=sys.argv[2], exit_timeout=0.2)
for n in range(250): pequel.track("u1", "e")
"""
    assert run(script, NOBODY, folder) == ""
    assert recover(collector, folder) == 250
    assert len(ids(collector)) == len(collector.events) == 250


def test_an_exit_after_which_all_is_delivered_leaves_no_file(collector, folder):
    script = """
import sys, pequel
pequel.configure("key", sys.argv[1], spool=sys.argv[2])
for n in range(250): pequel.track("u1", "e")
"""
    assert run(script, collector.host, folder) == ""
    assert len(ids(collector)) == len(collector.events) == 250
    assert list(folder.iterdir()) == []


def test_a_disk_that_takes_only_so_much_loses_and_doubles_nothing(collector, folder):
    """The limit of the system for a file cuts a line in the middle, again and again."""
    script = """
import resource, sys, pequel
resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, 2_000))
client = pequel.Client("key", sys.argv[1], spool=sys.argv[2])
for n in range(1_000): client.track("u1", "e", {"n": n})
print(client.shutdown(), *client.stats()[:4])
"""
    process = begin(script, collector.host, folder)
    out, error = process.communicate(timeout=60)
    assert out.strip() == "True 1000 1000 0 0"
    assert error.strip().endswith("File too large") or error.strip().endswith("left on device")
    numbers = [event["properties"]["n"] for event in collector.events]
    assert numbers == list(range(1_000))
    assert list(folder.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_writes_a_file_of_its_own(collector, folder):
    """What it had not delivered when it was killed, another delivers; nothing goes twice."""
    script = """
import os, signal, sys, pequel
client = pequel.Client("key", sys.argv[1], spool=sys.argv[2], flush_interval=60)
for n in range(5): client.track("u1", "parent")
child = os.fork()
if child == 0:
    for n in range(5): client.track("u1", "child")
    assert client.stats().accepted == 5
    os.kill(os.getpid(), signal.SIGKILL)
os.waitpid(child, 0)
for n in range(5): client.track("u1", "parent")
print(client.shutdown(), *client.stats())
"""
    out = run("import warnings; warnings.simplefilter('ignore')\n" + script, collector.host, folder)
    assert out.startswith("True 15 15 0 0 0 {} 5")
    names = sorted(event["event"] for event in collector.events)
    assert names == ["child"] * 5 + ["parent"] * 10
    assert len(ids(collector)) == 15


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_child_that_lives_on_does_not_keep_its_parents_events_from_others(collector, folder):
    """The lock ends with the parent, though the child was forked while it was held."""
    script = """
import os, sys, warnings, pequel
warnings.simplefilter("ignore")
client = pequel.Client("key", sys.argv[1], spool=sys.argv[2])
for n in range(5): client.track("u1", "parent")
ready, say = os.pipe()
if os.fork() == 0:
    os.write(say, b".")
    os.read(0, 1)  # until the test closes the other end
    os._exit(0)
os.read(ready, 1)
os._exit(0)
"""
    read, write = os.pipe()
    command = [sys.executable, "-c", script, NOBODY, str(folder)]
    environ = {**os.environ, "PYTHONPATH": SOURCE}
    subprocess.run(command, env=environ, stdin=read, stdout=subprocess.DEVNULL, check=True)
    try:
        assert recover(collector, folder) == 5
    finally:
        os.close(write)
        os.close(read)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there is no such timer here")
def test_a_signal_handler_that_tracks_while_an_event_is_written_does_no_harm(collector, folder):
    """A thousand times in the middle of it: no deadlock, no half line, no lost event."""
    script = """
import itertools, signal, sys, pequel
client = pequel.Client("key", sys.argv[1], spool=sys.argv[2])
numbers, inside = itertools.count(), itertools.count()
def handle(*_):
    client.track("u1", "inner", message_id=f"inner-{next(inside)}")
signal.signal(signal.SIGALRM, handle)
signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
while next(inside) < 500:
    for _ in range(20): client.track("u1", "outer", message_id=f"outer-{next(numbers)}")
signal.setitimer(signal.ITIMER_REAL, 0)
print(client.shutdown(), client.stats().accepted, client.stats().delivered)
"""
    done, accepted, delivered = run(script, collector.host, folder).split()
    assert (done, accepted) == ("True", delivered)
    assert len(ids(collector)) == len(collector.events) == int(accepted)
