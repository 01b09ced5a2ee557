"""Importing, exiting and forking, each in a process of its own."""

import os

import pytest

from support.scripts import run


def test_importing_does_not_import_requests():
    """Nor what is needed later, or never; nor start a thread, nor configure logging."""
    script = """
import sys, threading, logging
import pequel
assert threading.active_count() == 1
assert not logging.root.handlers
late = ("requests", "urllib3", "urllib.parse", "random", "email")
print([name for name in late if name in sys.modules])
"""
    assert run(script) == ("[]", "")


def test_calling_does_not_import_requests_in_the_thread_that_calls():
    """The sending thread pays for it."""
    script = """
import sys, pequel
client = pequel.Client("key", transport=pequel.RecordingTransport())
client.track("u1", "e")
print("requests" in sys.modules, client.shutdown())
"""
    assert run(script) == ("False True", "")


def test_a_script_that_tracks_and_exits_delivers_everything(collector):
    """A thousand events and not a word about flushing."""
    script = "import pequel\nfor n in range(1000): pequel.track('u1', 'e', {'n': n})"
    run(script, PEQUEL_WRITE_KEY="key", PEQUEL_HOST=collector.host)
    numbers = [event["properties"]["n"] for event in collector.events]
    assert numbers == list(range(1_000))
    assert len(collector.batches) <= 12
    assert len(collector.connections) == 1


def test_events_tracked_while_exiting_are_delivered(collector):
    """Handlers registered after the import run before the last flush."""
    script = """
import atexit, pequel
atexit.register(lambda: pequel.track("u1", "goodbye"))
pequel.track("u1", "hello")
"""
    run(script, PEQUEL_WRITE_KEY="key", PEQUEL_HOST=collector.host)
    assert [event["event"] for event in collector.events] == ["hello", "goodbye"]


def test_an_exit_is_delayed_no_longer_than_allowed():
    """Nobody listens at that port; the process says what it left behind, and ends."""
    script = """
import atexit, time, pequel
from pequel.exits import flush_all
atexit.unregister(flush_all)
pequel.track("u1", "e")
began = time.monotonic()
flush_all()
print(time.monotonic() - began < 4)
"""
    environ = {"PEQUEL_HOST": "http://127.0.0.1:9", "PEQUEL_EXIT_TIMEOUT": "0.1"}
    said = run(script, PEQUEL_WRITE_KEY="key", **environ)
    assert said == ("True", "events not delivered at exit: 1")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_starts_afresh(collector):
    """It sends its own events, and leaves its parent's to the parent."""
    script = """
import os, warnings, pequel
warnings.simplefilter("ignore", DeprecationWarning)
pequel.configure(flush_interval=60)
pequel.track("u1", "before")
child = os.fork()
if child == 0:
    for n in range(5):
        pequel.track("u1", "child")
    ok = pequel.stats().accepted == 5 and pequel.flush(10) and pequel.stats().delivered == 5
    os._exit(0 if ok else 1)
status = os.waitpid(child, 0)[1]
pequel.track("u1", "after")
print(status, pequel.shutdown(), pequel.stats().delivered)
"""
    assert run(script, PEQUEL_WRITE_KEY="key", PEQUEL_HOST=collector.host) == ("0 True 2", "")
    names = sorted(event["event"] for event in collector.events)
    assert names == ["after", "before"] + ["child"] * 5
    assert len({event["messageId"] for event in collector.events}) == 7
