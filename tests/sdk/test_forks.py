"""Forks at dangerous moments: while the sending thread imports a module."""

import os
import subprocess
import sys

import pytest

from support.scripts import SLOW_IMPORT, SOURCE, run

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")

MODULES = ["requests", "urllib3", "gzip", "encodings.idna"]


@pytest.mark.parametrize("name", MODULES)
def test_a_child_forked_while_the_sender_imports_can_send(collector, name):
    script = f"""{SLOW_IMPORT}
import os
slow_import({name!r})
pequel.track("u1", "parent")
assert began.wait(10)
child = os.fork()
if child == 0:
    pequel.track("u1", "child")
    os._exit(0 if pequel.flush(10) else 1)
print(os.waitpid(child, 0)[1], pequel.flush(10))
"""
    environ = {"PEQUEL_FLUSH_INTERVAL": "0", "PEQUEL_HOST": collector.host}
    assert run(script, PEQUEL_WRITE_KEY="key", **environ) == ("0 True", "")
    assert sorted(event["event"] for event in collector.events) == ["child", "parent"]


def test_a_process_pool_that_forks_while_the_sender_imports_can_send(collector):
    script = f"""{SLOW_IMPORT}
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

def work(n):
    pequel.track("u1", "worked", {{"n": n}})
    return pequel.flush(10)

if __name__ == "__main__":
    slow_import("requests")
    pequel.track("u1", "before")
    assert began.wait(10)
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        print(all(pool.map(work, range(20))))
"""
    environ = {"PEQUEL_FLUSH_INTERVAL": "0", "PEQUEL_HOST": collector.host}
    assert run(script, PEQUEL_WRITE_KEY="key", **environ) == ("True", "")
    assert len(collector.events) == 21


def test_a_child_forked_while_an_application_makes_its_session_can_send(collector):
    script = f"""{SLOW_IMPORT}
import os
slow_import("wave")

def session():
    import requests, wave
    return requests.Session()

pequel.configure("key", {collector.host!r}, session=session, flush_interval=0)
pequel.track("u1", "parent")
assert began.wait(10)
child = os.fork()
if child == 0:
    pequel.track("u1", "child")
    os._exit(0 if pequel.flush(10) else 1)
print(os.waitpid(child, 0)[1], pequel.flush(10))
"""
    assert run(script) == ("0 True", "")


def test_a_fork_waits_for_an_import_no_longer_than_its_bound(collector):
    script = f"""{SLOW_IMPORT}
import os
from pequel import fork_guard
fork_guard._LONGEST_WAIT = 0.01
slow_import("requests")
pequel.track("u1", "parent")
assert began.wait(10)
at = time.monotonic()
child = os.fork()
if child == 0:
    os._exit(0)
took = time.monotonic() - at
print(os.waitpid(child, 0)[1], took < 0.15, pequel.flush(10))
"""
    environ = {"PEQUEL_FLUSH_INTERVAL": "0", "PEQUEL_HOST": collector.host}
    assert run(script, PEQUEL_WRITE_KEY="key", **environ) == ("0 True True", "")


def test_sending_imports_nothing_after_its_first_imports(collector):
    """So later forks meet no import."""
    collector.answers += [
        (503, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, {}),
        (301, {"Location": "https://elsewhere.invalid"}, {}),
    ]
    script = """
import os, sys
import pequel
from pequel import fork_guard
fork_guard.import_for_sending()
before = set(sys.modules)
hosts = [os.environ["PEQUEL_HOST"].replace("127.0.0.1", "localhost"), "https://localhost:9"]
hosts.append("http://b\\xfccher.invalid:9")
for host in hosts:
    client = pequel.Client("key", host, max_retry_wait=0.1)
    client.track("u1", "e")
    client.flush(3 if host == hosts[0] else 0.3)
print(sorted(set(sys.modules) - before))
os._exit(0)
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": SOURCE, "PEQUEL_HOST": collector.host},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.strip() in ("[]", "")
    assert len(collector.events) == 1
