"""The HTTP server: Granian, with workers that share one address and have a collector each."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import socket
import sys
from functools import partial
from threading import Thread
from typing import Any

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.net import SocketHolder  # type: ignore[attr-defined]  # not in its stubs
from granian.server.mp import MPServer, WorkerProcess

from ..config import Settings
from ..errors import BadRequest
from .worker import BACKLOG, GRACE, SIGNALS, PrintOnce, Worker

KEEP_ALIVE = 75_000
"""Milliseconds between two requests: longer than load balancers and client pools keep one idle."""

MAX_HEADER_BYTES = 65_536
"""A tracking pixel has its event in the URL."""

MAX_CONNECTIONS = 2_000
"""Open connections of one worker; more wait to be accepted."""

OTHER_FILES = 500
"""Files that a worker may open besides its connections."""

CLOSE_TIMEOUT = 20
"""Seconds after the grace period for a worker to close its collector, before it is killed."""

LOG = {
    "handlers": {
        name: {
            "class": "logging.StreamHandler",
            "formatter": "generic",
            "stream": "ext://sys.stderr",
        }
        for name in ("console", "access")
    }
}
"""Granian logs to standard error; standard output is for the collector."""


def bind(host: str, port: int, workers: int) -> list[socket.socket]:
    """Sockets that are bound to this address and do not listen yet.

    On Linux there is one for each worker, and the system distributes connections; elsewhere the
    workers share one. Raises BadRequest if the address cannot be bound.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listeners = [_bound(family, address)]
        if sys.platform == "linux" and workers > 1:
            listeners[0].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            bound_to = listeners[0].getsockname()
            listeners += [_bound(family, bound_to, socket.SO_REUSEPORT) for _ in range(1, workers)]
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BadRequest(f"cannot listen on {host}:{port}: {reason}") from None
    return listeners


def run(settings: Settings, listeners: list[socket.socket]) -> None:
    """Serve until a signal to stop. Raises SystemExit if workers fail one after another."""
    print_once = PrintOnce(_context(), settings.workers)
    worker = Worker(settings, _url(settings.host, listeners[0]), print_once)
    server = _Server(settings, listeners)
    server.handle_signals()
    server.serve(target_loader=worker, wrap_loader=False)


def is_in_memory(database: str) -> bool:
    """Whether a database lives in the memory of one process."""
    scheme, _, path = database.partition("://")
    return scheme == "sqlite" and path in {"", "/", "/:memory:"}


class _Server(MPServer):
    """Granian's master process, for sockets that are already bound; passes SIGHUP to its workers.

    Uses attributes of Granian 2.8.
    """

    def __init__(self, settings: Settings, listeners: list[socket.socket]) -> None:
        connections = _max_connections()
        super().__init__(
            target="",
            interface=Interfaces.WSGI,
            workers=settings.workers,
            # A slow client keeps a thread, so each connection has one; see ConcurrencySlots.
            blocking_threads=connections,
            backpressure=connections,
            http=HTTPModes.http1,
            http1_settings=HTTP1Settings(
                header_read_timeout=KEEP_ALIVE, max_buffer_size=MAX_HEADER_BYTES
            ),
            log_level=LogLevels.error,
            log_dictconfig=LOG,
            respawn_failed_workers=not is_in_memory(settings.database),
            workers_kill_timeout=int(GRACE) + CLOSE_TIMEOUT,
        )
        self.listeners = listeners

    def handle_signals(self) -> None:
        """Stop, or pass SIGHUP to the workers, on a signal.

        In a thread: a handler would deadlock if it ran while the main thread starts to wait.
        """
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        Thread(target=self._wait_for_signals, daemon=True).start()

    def shutdown(self, exit_code: int = 0) -> None:
        """Stop the workers. A worker that got the signal to stop as well has not failed."""
        if self.interrupt_signal:
            self.interrupt_children.clear()
        super().shutdown(exit_code)  # type: ignore[no-untyped-call]  # untyped there

    def _wait_for_signals(self) -> None:
        while signal.sigwait(SIGNALS) == signal.SIGHUP:
            for process in (worker.inner for worker in self.wrks):
                if process.is_alive():
                    os.kill(process.pid, signal.SIGHUP)
        self.signal_handler_interrupt()  # type: ignore[no-untyped-call]  # untyped there

    def _init_shared_socket(self) -> None:
        self._sso = None  # workers inherit their socket with their target

    def _spawn_worker(  # type: ignore[override]  # as Granian calls it
        self, idx: int, target: Any, callback_loader: Any
    ) -> WorkerProcess:
        listener = self.listeners[idx % len(self.listeners)]
        self._shd = _socket_holder(listener)
        loader = partial(callback_loader, listener, is_primary=idx == 0)
        return super()._spawn_worker(idx, target, loader)

    def _drop_shared_socket(self) -> None:
        for listener in self.listeners:
            listener.close()


def _bound(family: int, address: Any, *options: int) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    for option in (socket.SO_REUSEADDR, *options):
        listener.setsockopt(socket.SOL_SOCKET, option, 1)
    # Accepted connections inherit it. Without it, responses wait 40 ms for an acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.bind(address)
    return listener


def _socket_holder(listener: socket.socket) -> Any:
    """A socket in the form that Granian takes; it has a backlog on some systems only."""
    holder: Any = SocketHolder  # its type stub is out of date
    backlog = [BACKLOG] if sys.platform.startswith(("linux", "freebsd")) else []
    return holder(listener.fileno(), False, *backlog)


def _context() -> Any:
    """The multiprocessing context that Granian uses."""
    method = multiprocessing.get_start_method()
    return multiprocessing.get_context(method if method in {"fork", "spawn"} else "spawn")


def _max_connections() -> int:
    """How many connections a worker may have. Raises the limit of open files for them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_CONNECTIONS + OTHER_FILES
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return MAX_CONNECTIONS
    soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return max(soft - OTHER_FILES, soft // 2)


def _url(host: str, listener: socket.socket) -> str:
    port = listener.getsockname()[1]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
