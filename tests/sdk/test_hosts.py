"""Inside the servers and pools that products run in, the real ones, each event once.

Events wait for a minute where they are not flushed, so that what arrives was sent at the end.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
import rq
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from support.processes import free_port
from support.scripts import SLOW_IMPORT, SOURCE

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")

UWSGI = Path(sys.executable).with_name("uwsgi")
APPLICATION = """
import flask
import pequel

app = flask.Flask(__name__)
pequel.configure(flush_interval=60)
pequel.track("u1", "started")

@app.get("/<int:n>")
def view(n):
    pequel.track("u1", "viewed", {"n": n})
    return str(n)
"""


@pytest.fixture
def environ(collector, tmp_path):
    """An environment in which a process finds the SDK, the collector and this folder."""
    return {
        **os.environ,
        "PYTHONPATH": f"{SOURCE}:{tmp_path}",
        "PEQUEL_WRITE_KEY": "key",
        "PEQUEL_HOST": collector.host,
        "PEQUEL_FLUSH_INTERVAL": "60",
    }


@contextmanager
def running(command, environ, folder):
    """A process that is asked to end after the block, and ends by itself."""
    with (folder / "log").open("w+") as log:
        process = subprocess.Popen(command, cwd=folder, env=environ, stdout=log, stderr=log)
        try:
            yield process
            process.send_signal(signal.SIGTERM)
            process.wait(20)
        finally:
            process.kill()
            process.wait()
            log.seek(0)
            print(log.read())


def until(condition, within=20.0):
    """Wait for something to become true."""
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, "it did not become true in time"
        time.sleep(0.02)


def answers(url):
    try:
        return requests.get(url, timeout=5).ok
    except requests.ConnectionError:
        return False


def visit(url, count):
    """Each time over another connection, which goes to whichever worker is free."""
    for n in range(1, count + 1):
        assert requests.get(f"{url}/{n}", timeout=10).text == str(n)


def viewed(collector):
    return sorted(e["properties"]["n"] for e in collector.events if e["event"] == "viewed")


def assert_once(collector):
    ids = [event["messageId"] for event in collector.events]
    assert len(ids) == len(set(ids))


# With two workers of gevent, gunicorn itself now and then does not end when it loads first.
@pytest.mark.parametrize(("kind", "workers"), [("sync", "2"), ("gthread", "2"), ("gevent", "1")])
def test_gunicorn_with_the_application_loaded_before_the_fork(
    collector, environ, tmp_path, kind, workers
):
    """The master's events are the master's, those of each request its worker's."""
    (tmp_path / "shop.py").write_text(APPLICATION)
    url = f"http://127.0.0.1:{free_port()}"
    options = ["--preload", "-w", workers, "-k", kind, "-b", url.removeprefix("http://")]
    command = [sys.executable, "-m", "gunicorn", *options, "--no-control-socket", "shop:app"]
    with running(command, environ, tmp_path) as process:
        until(lambda: answers(f"{url}/0"))
        visit(url, 40)
    assert process.returncode == 0
    assert viewed(collector)[-40:] == list(range(1, 41))
    assert [event["event"] for event in collector.events].count("started") == 1
    assert_once(collector)


def test_gunicorn_that_forks_while_the_sender_imports(collector, environ, tmp_path):
    loaded = "slow_import('requests')\npequel.track('u1', 'started')\nassert began.wait(10)"
    application = APPLICATION.replace('pequel.track("u1", "started")', loaded)
    (tmp_path / "shop.py").write_text(SLOW_IMPORT + application.replace("=60", "=0"))
    url = f"http://127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "gunicorn", "--preload", "-w", "2", "--no-control-socket"]
    command += ["-b", url.removeprefix("http://"), "shop:app"]
    with running(command, environ, tmp_path) as process:
        until(lambda: answers(f"{url}/0"))
        visit(url, 20)
    assert process.returncode == 0
    assert viewed(collector)[-20:] == list(range(1, 21))
    assert_once(collector)


@pytest.mark.skipif(not UWSGI.exists(), reason="uWSGI is not built for this machine")
@pytest.mark.parametrize("threads", [["--enable-threads"], []])
def test_uwsgi_which_forks_without_telling_python(collector, environ, tmp_path, threads):
    """It embeds Python, and lets threads run between requests only where it is asked to."""
    (tmp_path / "shop.py").write_text(APPLICATION)
    url = f"http://127.0.0.1:{free_port()}"
    options = ["--http-socket", url.removeprefix("http://"), "--master", "--processes", "2"]
    options += [*threads, "--die-on-term", "--module", "shop:app"]
    command = [UWSGI, *options]
    with running(command, environ, tmp_path):
        until(lambda: answers(f"{url}/0"))
        visit(url, 20)
    assert viewed(collector)[-20:] == list(range(1, 21))
    assert [event["event"] for event in collector.events].count("started") == 1
    assert_once(collector)


CHILDREN = """
import multiprocessing, sys
from concurrent.futures import ProcessPoolExecutor
import pequel

def work(n):
    pequel.track("u1", "worked", {"n": n})

if __name__ == "__main__":
    pequel.track("u1", "before")
    context = multiprocessing.get_context(sys.argv[1])
    children = [context.Process(target=work, args=(n,)) for n in range(3)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    with context.Pool(2) as pool:
        pool.map(work, range(3, 13))
        pool.close()
        pool.join()
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        list(pool.map(work, range(13, 20)))
    pequel.track("u1", "after")
"""


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_children_of_multiprocessing(collector, environ, tmp_path, method):
    """They end without the handlers of atexit, and say nothing of flushing."""
    script = tmp_path / "children.py"
    script.write_text(CHILDREN)
    subprocess.run([sys.executable, script, method], env=environ, check=True, timeout=60)
    worked = [event["properties"]["n"] for event in collector.events if event["event"] == "worked"]
    assert sorted(worked) == list(range(20))
    others = [event["event"] for event in collector.events if event["event"] != "worked"]
    assert others == ["before", "after"]
    assert_once(collector)


TASKS = """
import pathlib
import celery
import pequel

app = celery.Celery("tasks", broker="filesystem://")
app.conf.broker_transport_options = {
    "data_folder_in": "queue", "data_folder_out": "queue", "control_folder": "control"
}
app.conf.worker_hijack_root_logger = False
pequel.track("u1", "loaded")

@app.task
def work(n):
    pequel.track("u1", "worked", {"n": n})
    pathlib.Path("done", str(n)).touch()
"""


def test_a_pool_of_celery_that_is_asked_to_end(collector, environ, tmp_path):
    """The events of its tasks are sent by its workers, as they end."""
    (tmp_path / "tasks.py").write_text(TASKS)
    for folder in ("queue", "control", "done"):
        (tmp_path / folder).mkdir()
    send = "import tasks\nfor n in range(20): tasks.work.delay(n)"
    subprocess.run([sys.executable, "-c", send], cwd=tmp_path, env=environ, check=True, timeout=60)
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    command = [sys.executable, "-m", "celery", "-A", "tasks", "worker", "-c", "2", *quiet]
    with running(command, environ, tmp_path) as process:
        until(lambda: len(list((tmp_path / "done").iterdir())) == 20)
    assert process.returncode == 0
    worked = [event["properties"]["n"] for event in collector.events if event["event"] == "worked"]
    assert sorted(worked) == list(range(20))
    assert_once(collector)


SERVED = """
import contextlib
import fastapi
import pequel
from pequel.integrations.asgi import PequelMiddleware

app = fastapi.FastAPI()
app.add_middleware(PequelMiddleware)

@app.get("/{n}")
async def view(n: int):
    pequel.track("u1", "viewed", {"n": n})
    return n
"""
SERVED_WITHOUT_LIFESPAN = """
import pequel
from pequel.integrations.asgi import PequelMiddleware

async def view(scope, receive, send):
    if scope["type"] != "http":
        raise ValueError("only HTTP is supported")
    n = int(scope["path"][1:])
    pequel.track("u1", "viewed", {"n": n})
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"%d" % n})

app = PequelMiddleware(view)
"""


@pytest.mark.parametrize("application", [SERVED, SERVED_WITHOUT_LIFESPAN], ids=["fastapi", "plain"])
@pytest.mark.parametrize("workers", ["1", "2"])
def test_uvicorn_which_ends_by_its_signal(collector, environ, tmp_path, application, workers):
    """The middleware flushes as the server shuts down, since exit handlers do not run."""
    (tmp_path / "shop.py").write_text(application)
    port = str(free_port())
    command = [sys.executable, "-m", "uvicorn", "--port", port, "--workers", workers, "shop:app"]
    with running(command, environ, tmp_path):
        until(lambda: answers(f"http://127.0.0.1:{port}/0"))
        visit(f"http://127.0.0.1:{port}", 20)
    assert viewed(collector)[-20:] == list(range(1, 21))
    assert_once(collector)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_uvicorn_whose_collector_is_gone_logs_what_it_leaves(environ, tmp_path, workers):
    """Its log is not set up for other loggers, so the line names the SDK itself."""
    (tmp_path / "shop.py").write_text(SERVED)
    gone = {"PEQUEL_HOST": f"http://127.0.0.1:{free_port()}", "PEQUEL_EXIT_TIMEOUT": "0.2"}
    port = str(free_port())
    command = [sys.executable, "-m", "uvicorn", "--port", port, "--workers", workers, "shop:app"]
    with running(command, {**environ, **gone}, tmp_path):
        until(lambda: answers(f"http://127.0.0.1:{port}/0"))
    assert "pequel: events not delivered at exit: 1" in (tmp_path / "log").read_text()


JOBS = """
import pequel

def work(n):
    pequel.track("u1", "worked", {"n": n})
    if n == 3:
        raise ZeroDivisionError
"""


@contextmanager
def redis(folder):
    """A Redis server; gives its port."""
    port = str(free_port())
    command = ["redis-server", "--port", port, "--save", "", "--dir", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        try:
            yield port
        finally:
            server.terminate()


@pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is not installed")
@pytest.mark.parametrize("worker", ["rq.worker.Worker", "rq.worker.SpawnWorker"])
def test_rq_whose_jobs_end_without_exit_handlers(collector, environ, tmp_path, worker):
    """Each job flushes at its end, also one that fails."""
    (tmp_path / "jobs.py").write_text(JOBS)
    with redis(tmp_path) as port:
        connection = Redis(port=int(port))
        until(lambda: pings(connection))
        queue = rq.Queue(connection=connection)
        for n in range(5):
            queue.enqueue("jobs.work", n)
        command = [sys.executable, "-m", "rq.cli", "worker", "--burst", "--worker-class", worker]
        command += ["--url", f"redis://127.0.0.1:{port}"]
        subprocess.run(command, cwd=tmp_path, env=environ, check=True, timeout=120)
        connection.close()
    worked = [event["properties"]["n"] for event in collector.events]
    assert sorted(worked) == list(range(5))
    assert_once(collector)


@pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is not installed")
def test_rq_whose_collector_is_gone_logs_what_its_job_leaves(environ, tmp_path):
    (tmp_path / "jobs.py").write_text(JOBS)
    gone = {"PEQUEL_HOST": f"http://127.0.0.1:{free_port()}", "PEQUEL_EXIT_TIMEOUT": "0.2"}
    with redis(tmp_path) as port:
        connection = Redis(port=int(port))
        until(lambda: pings(connection))
        rq.Queue(connection=connection).enqueue("jobs.work", 1)
        command = [sys.executable, "-m", "rq.cli", "worker", "--burst"]
        command += ["--url", f"redis://127.0.0.1:{port}"]
        done = subprocess.run(
            command, cwd=tmp_path, env={**environ, **gone}, check=True, timeout=60,
            capture_output=True, text=True,
        )  # fmt: skip
        connection.close()
    assert "events not delivered at the end of a job: 1" in done.stderr


def pings(connection):
    try:
        return connection.ping()
    except RedisConnectionError:
        return False
