"""The HTTP server: Granian, whose workers share one address and have a collector each."""

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
from .worker import BACKLOG, GRACE, HEEDED, Words, Worker

KEEP_ALIVE = 75_000
"""Milliseconds between two requests: longer than the idle time of a load balancer or of a pool."""

LONGEST_HEAD = 65_536
"""Bytes of a request line with its headers: a tracking pixel carries its event in the URL."""

CONNECTIONS = 2_000
"""Connections of one worker at a time; others wait to be accepted."""

FILES = 500
"""Files that a worker opens beside its connections."""

PATIENCE = 20
"""Seconds after the grace in which a worker closes its collector, before it is killed."""

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
"""Standard output is for what the collector says; what the server says is an error."""


def bind(host: str, port: int, workers: int) -> list[socket.socket]:
    """Sockets at this address, which nobody else has, and which do not listen yet.

    There is one for each worker where the system deals connections out to them, otherwise they
    share one. Raises BadRequest where there can be none.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listeners = [_bound(family, address)]
        if sys.platform == "linux" and workers > 1:
            listeners[0].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            there = listeners[0].getsockname()
            listeners += [_bound(family, there, socket.SO_REUSEPORT) for _ in range(1, workers)]
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BadRequest(f"cannot listen on {host}:{port}: {reason}") from None
    return listeners


def run(settings: Settings, listeners: list[socket.socket]) -> None:
    """Serve until told to stop. Raises SystemExit where workers die one after another."""
    words = Words(_context(), settings.workers)
    worker = Worker(settings, _url(settings.host, listeners[0]), words)
    server = _Server(settings, listeners)
    server.heed_signals()
    server.serve(target_loader=worker, wrap_loader=False)


def is_in_memory(database: str) -> bool:
    """Whether a database is one process's, and gone with it."""
    scheme, _, path = database.partition("://")
    return scheme == "sqlite" and path in {"", "/", "/:memory:"}


class _Server(MPServer):
    """Granian's master over sockets that are bound already; it passes SIGHUP on to its workers.

    Made for Granian 2.8, whose attributes it uses.
    """

    def __init__(self, settings: Settings, listeners: list[socket.socket]) -> None:
        connections = _room_for_connections()
        super().__init__(
            target="",
            interface=Interfaces.WSGI,
            workers=settings.workers,
            # A client that is slow keeps a thread, so each may have one; turns are given behind it.
            blocking_threads=connections,
            backpressure=connections,
            http=HTTPModes.http1,
            http1_settings=HTTP1Settings(
                header_read_timeout=KEEP_ALIVE, max_buffer_size=LONGEST_HEAD
            ),
            log_level=LogLevels.error,
            log_dictconfig=LOG,
            respawn_failed_workers=not is_in_memory(settings.database),
            workers_kill_timeout=int(GRACE) + PATIENCE,
        )
        self.listeners = listeners

    def heed_signals(self) -> None:
        """Stop, or tell the workers to read definitions again, when told to.

        In a thread: a handler would wait for itself where the main thread is about to wait.
        """
        signal.pthread_sigmask(signal.SIG_BLOCK, HEEDED)
        Thread(target=self._heed, daemon=True).start()

    def shutdown(self, exit_code: int = 0) -> None:
        """End the workers; one that was told to stop as well has not failed."""
        if self.interrupt_signal:
            self.interrupt_children.clear()
        super().shutdown(exit_code)  # type: ignore[no-untyped-call]  # untyped there

    def _heed(self) -> None:
        while signal.sigwait(HEEDED) == signal.SIGHUP:
            for process in (worker.inner for worker in self.wrks):
                if process.is_alive():
                    os.kill(process.pid, signal.SIGHUP)
        self.signal_handler_interrupt()  # type: ignore[no-untyped-call]  # untyped there

    def _init_shared_socket(self) -> None:
        self._sso = None  # workers inherit their socket with what they are to run

    def _spawn_worker(  # type: ignore[override]  # as Granian calls it
        self, idx: int, target: Any, callback_loader: Any
    ) -> WorkerProcess:
        listener = self.listeners[idx % len(self.listeners)]
        self._shd = _held(listener)
        loader = partial(callback_loader, listener, speaks=idx == 0)
        return super()._spawn_worker(idx, target, loader)

    def _drop_shared_socket(self) -> None:
        for listener in self.listeners:
            listener.close()


def _bound(family: int, address: Any, *options: int) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    for option in (socket.SO_REUSEADDR, *options):
        listener.setsockopt(socket.SOL_SOCKET, option, 1)
    # What it accepts has this from it: without, answers wait 40 ms for an acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.bind(address)
    return listener


def _held(listener: socket.socket) -> Any:
    """A socket as Granian takes it; only some systems' have a backlog."""
    holder: Any = SocketHolder  # its own description of it is out of date
    backlog = [BACKLOG] if sys.platform.startswith(("linux", "freebsd")) else []
    return holder(listener.fileno(), False, *backlog)


def _context() -> Any:
    """The way of starting processes that Granian takes."""
    method = multiprocessing.get_start_method()
    return multiprocessing.get_context(method if method in {"fork", "spawn"} else "spawn")


def _room_for_connections() -> int:
    """How many connections a worker may have; the limit of open files is raised for them."""
    files, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS + FILES
    if files == resource.RLIM_INFINITY or files >= wanted:
        return CONNECTIONS
    files = wanted if most == resource.RLIM_INFINITY else min(wanted, most)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, most))
    return max(files - FILES, files // 2)


def _url(host: str, listener: socket.socket) -> str:
    port = listener.getsockname()[1]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
