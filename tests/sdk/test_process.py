"""Importing, exiting and forking, each in a process of its own."""

import os
import socket
import time

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


def test_events_tracked_by_exit_handlers_that_were_there_first_are_delivered(collector):
    """They run after the flush; each of their events is sent at once, also without another."""
    script = """
import atexit
atexit.register(lambda: pequel.track("u1", "last"))
atexit.register(lambda: pequel.track("u1", "late"))
import pequel
"""
    for early in ("", "pequel.track('u1', 'early')"):
        run(script + early, PEQUEL_WRITE_KEY="key", PEQUEL_HOST=collector.host)
    events = [event["event"] for event in collector.events]
    assert events == ["late", "last", "early", "late", "last"]


def test_late_events_delay_an_exit_no_longer_in_all_than_allowed():
    """However many there are."""
    script = """
import atexit, time
atexit.register(lambda: print(time.monotonic() - began < 2))
atexit.register(lambda: [pequel.track("u1", "late") for _ in range(30)])
import pequel
pequel.track("u1", "e")
began = time.monotonic()
"""
    environ = {"PEQUEL_HOST": "http://127.0.0.1:9", "PEQUEL_EXIT_TIMEOUT": "0.2"}
    said, _ = run(script, PEQUEL_WRITE_KEY="key", **environ)
    assert said == "True"


def test_an_event_of_a_finalizer_at_the_very_end_is_told_of(collector):
    """Threads stand still then, and nobody waits for them."""
    script = """
import pequel
class Last:
    track = pequel.track
    def __del__(self):
        type(self).track("u1", "too late")
import builtins
builtins.last = Last()
pequel.track("u1", "early")
"""
    _, told = run(script, PEQUEL_WRITE_KEY="key", PEQUEL_HOST=collector.host)
    assert told == "pequel: an event was tracked too late in the exit to be delivered"
    assert [event["event"] for event in collector.events] == ["early"]


def test_an_exit_is_delayed_no_longer_than_allowed():
    """Nobody listens at that port; the process says what it left behind, and ends."""
    script = """
import atexit, time, pequel
from pequel.sending.at_exit import flush_all
atexit.unregister(flush_all)
pequel.track("u1", "e")
began = time.monotonic()
flush_all()
print(time.monotonic() - began < 4)
"""
    environ = {"PEQUEL_HOST": "http://127.0.0.1:9", "PEQUEL_EXIT_TIMEOUT": "0.1"}
    printed, logged = run(script, PEQUEL_WRITE_KEY="key", **environ)
    assert printed == "True"
    # The line before may say that nobody listens, if there was time to try.
    assert logged.splitlines()[-1] == "pequel: events not delivered at exit: 1"


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


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_fork_that_python_is_not_told_of_is_noticed(collector):
    """By the number of the process: servers that embed Python fork so. Ids differ, too."""
    script = """
import ctypes, os, sys, pequel
clock = pequel.clock.Clock()
clock.now_ms = lambda: 1
client = pequel.Client("key", os.environ["PEQUEL_HOST"], clock=clock)
client.track("u1", "before")
assert client.flush(10)
child = ctypes.PyDLL(None).fork()
client.track("u1", "child" if child == 0 else "parent")
ok = client.flush(10)
if child == 0:
    os._exit(0 if ok else 1)
print(os.waitpid(child, 0)[1], ok, client.shutdown())
"""
    assert run(script, PEQUEL_HOST=collector.host) == ("0 True True", "")
    assert sorted(event["event"] for event in collector.events) == ["before", "child", "parent"]
    assert len({event["messageId"] for event in collector.events}) == 3


NO_THREADS = """
import _thread, atexit, pequel
start = _thread.start_new_thread
def refuse(*_):
    raise RuntimeError("can't start new thread")
_thread.start_new_thread = refuse
"""


def test_where_no_thread_can_be_started_the_next_call_tries(collector):
    """As in servers that allow threads only later."""
    script = f"""{NO_THREADS}
pequel.track("u1", "one")
_thread.start_new_thread = start
pequel.track("u1", "two")
print(pequel.flush(10))
"""
    assert run(script, PEQUEL_WRITE_KEY="key", PEQUEL_HOST=collector.host) == ("True", "")
    assert [event["event"] for event in collector.events] == ["one", "two"]


def test_where_no_thread_can_be_started_flush_sends_in_its_own_thread(collector):
    script = f"{NO_THREADS}\npequel.track('u1', 'e')\nprint(pequel.flush(10), pequel.flush(10))"
    assert run(script, PEQUEL_WRITE_KEY="key", PEQUEL_HOST=collector.host) == ("True True", "")
    assert [event["event"] for event in collector.events] == ["e"]


def test_where_no_thread_can_be_started_flush_keeps_its_deadline():
    script = f"""{NO_THREADS}
import time
pequel.track("u1", "e")
began = time.monotonic()
print(pequel.flush(0.3), time.monotonic() - began < 10)
"""
    environ = {"PEQUEL_HOST": "http://127.0.0.1:9", "PEQUEL_EXIT_TIMEOUT": "0.1"}
    assert run(script, PEQUEL_WRITE_KEY="key", **environ)[0] == "False True"


def test_the_first_call_in_an_exit_handler_is_sent_where_threads_cannot_start_any_more(collector):
    """As in Python 3.12, which starts no thread during the exit."""
    script = f"""{NO_THREADS}
_thread.start_new_thread = start
def late():
    _thread.start_new_thread = refuse
    pequel.track("u1", "late")
atexit.register(late)
"""
    assert run(script, PEQUEL_WRITE_KEY="key", PEQUEL_HOST=collector.host) == ("", "")
    assert [event["event"] for event in collector.events] == ["late"]


def test_a_slow_collector_gets_everything_before_the_exit(collector):
    """Within the time there is for it."""
    collector.delay = 0.2
    script = "import pequel\nfor n in range(1000): pequel.track('u1', 'e', {'n': n})"
    run(script, PEQUEL_WRITE_KEY="key", PEQUEL_HOST=collector.host)
    assert [event["properties"]["n"] for event in collector.events] == list(range(1_000))


@pytest.mark.parametrize("hangs", [True, False])
def test_a_collector_that_is_gone_or_hangs_does_not_hold_up_the_exit(hangs):
    """Longer than it may; how many events are lost is said."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen() if hangs else None
        host = f"http://127.0.0.1:{silent.getsockname()[1]}"
        began = time.monotonic()
        environ = {"PEQUEL_HOST": host, "PEQUEL_EXIT_TIMEOUT": "0.3"}
        said = run("import pequel; pequel.track('u1', 'e')", PEQUEL_WRITE_KEY="key", **environ)
    out, errors = said
    assert out == ""
    # The warning of the first failed delivery comes before it, if the collector is gone.
    assert errors.splitlines()[-1] == "pequel: events not delivered at exit: 1"
    assert time.monotonic() - began < 5


def test_a_signal_that_the_application_handles_ends_it_as_any_exit_does(collector):
    """Here by `sys.exit`."""
    script = """
import os, signal, sys, time, pequel
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
pequel.configure(flush_interval=60)
pequel.track("u1", "e")
os.kill(os.getpid(), signal.SIGTERM)
time.sleep(10)
"""
    assert run(script, PEQUEL_WRITE_KEY="key", PEQUEL_HOST=collector.host) == ("", "")
    assert len(collector.events) == 1


def test_a_signal_that_nobody_handles_ends_the_process_as_without_us(collector):
    """No handler is put in its way."""
    script = """
import os, signal, pequel
pequel.track("u1", "e")
assert pequel.flush(10)
assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
if os.fork() == 0:
    pequel.track("u1", "lost")
    os.kill(os.getpid(), signal.SIGTERM)
status = os.wait()[1]
print(os.WTERMSIG(status) == signal.SIGTERM)
"""
    environ = {"PEQUEL_FLUSH_INTERVAL": "60", "PEQUEL_HOST": collector.host}
    assert run(script, PEQUEL_WRITE_KEY="key", **environ) == ("True", "")
    assert [event["event"] for event in collector.events] == ["e"]


def test_threads_that_track_until_the_very_end_do_no_harm(collector):
    """Daemons are stopped wherever they are; what was tracked before the exit is delivered."""
    script = """
import threading, time, pequel
def work():
    while True:
        pequel.track("u1", "daemon")
        time.sleep(0.0001)
pequel.track("u1", "first")
for _ in range(3):
    threading.Thread(target=work, daemon=True).start()
"""
    run(script, PEQUEL_WRITE_KEY="key", PEQUEL_HOST=collector.host)
    assert collector.events[0]["event"] == "first"
    ids = [event["messageId"] for event in collector.events]
    assert len(ids) == len(set(ids))


def test_a_loop_of_asyncio_goes_on_while_events_are_tracked_and_flushed():
    """A call returns though the collector hangs; a flush waits in another thread."""
    script = """
import asyncio, threading, pequel
go = threading.Event()
class Hanging(pequel.RecordingTransport):
    def send(self, events, /):
        go.wait(10)
        return super().send(events)
async def main():
    transport = Hanging()
    client = pequel.Client("key", transport=transport)
    for n in range(500):
        client.track("u1", "e", {"n": n})
    flush = asyncio.create_task(asyncio.to_thread(client.flush, 10))
    for _ in range(20):
        await asyncio.sleep(0.001)
    assert not flush.done()
    go.set()
    assert await flush
    return len(transport.events)
print(asyncio.run(main()))
"""
    assert run(script) == ("500", "")


@pytest.mark.parametrize("patch", ["", "from gevent import monkey; monkey.patch_all()"])
def test_greenlets_track_and_flush(collector, patch):
    """With gevent in the place of threads, and beside them."""
    script = f"""
{patch}
import gevent, pequel
def work(n):
    for i in range(50):
        pequel.track("u1", "e", {{"n": [n, i]}})
        gevent.sleep(0)
gevent.joinall([gevent.spawn(work, n) for n in range(8)])
print(pequel.flush(10), pequel.stats().delivered)
"""
    said, _ = run(
        script, PEQUEL_WRITE_KEY="key", PEQUEL_HOST=collector.host, PYTHONWARNINGS="ignore"
    )
    assert said == "True 400"
    assert len({tuple(event["properties"]["n"]) for event in collector.events}) == 400


def test_one_greenlet_that_flushes_does_not_hold_up_the_others(collector):
    """Where gevent has taken the place of threads."""
    collector.delay = 0.2
    script = """
from gevent import monkey; monkey.patch_all()
import gevent, pequel
pequel.track("u1", "e")
flush = gevent.spawn(pequel.flush, 10)
turns = 0
while not flush.ready():
    gevent.sleep(0.001)
    turns += 1
print(flush.value, turns > 10)
"""
    said, _ = run(
        script, PEQUEL_WRITE_KEY="key", PEQUEL_HOST=collector.host, PYTHONWARNINGS="ignore"
    )
    assert said == "True True"


FROZEN = """
import time
from freezegun import freeze_time
real = time.monotonic
with freeze_time("2026-01-01"):
    import pequel
    pequel.configure(exit_timeout=0.2, timeout=0.3)
    began = real()
    pequel.track("u1", "e")
"""


@pytest.mark.parametrize("call", ["pequel.flush(0.3)", "pequel.shutdown(0.3)"])
def test_a_frozen_clock_does_not_freeze_a_deadline(call):
    script = f"{FROZEN}\n    print({call}, real() - began < 5)"
    environ = {"PEQUEL_WRITE_KEY": "key", "PEQUEL_HOST": "http://127.0.0.1:9"}
    assert run(script, **environ)[0] == "False True"


def test_a_frozen_clock_does_not_freeze_an_exit_or_a_call_without_a_thread():
    """The process ends while the clock is frozen."""
    script = FROZEN.replace(
        'with freeze_time("2026-01-01"):', 'if freeze_time("2026-01-01").start():'
    )
    environ = {"PEQUEL_WRITE_KEY": "key", "PEQUEL_HOST": "http://127.0.0.1:9"}
    for sync in ("", "1"):
        run(f"{script}\n    print(real() - began < 5)", PEQUEL_SYNC=sync, **environ)


def test_an_event_has_the_time_of_a_frozen_clock(collector):
    environ = {"PEQUEL_WRITE_KEY": "key", "PEQUEL_HOST": collector.host}
    assert run(f"{FROZEN}\n    print(pequel.flush(10))", **environ)[0] == "True"
    assert collector.events[0]["timestamp"] == "2026-01-01T00:00:00.000Z"
