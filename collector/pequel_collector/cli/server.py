"""The HTTP server: Gunicorn, with one worker of several threads around one collector."""

from __future__ import annotations

import signal
import socket
import sys
from types import FrameType
from typing import Any

import click
from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]
from gunicorn.arbiter import Arbiter  # type: ignore[import-untyped]
from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]

from ..bootstrap import Collector, open_collector
from ..config import Settings
from ..errors import BadRequest, PequelError
from ..jobs import Housekeeper
from ..web.app import create_app
from .introduction import definitions, introduction
from .progress import watching

KEEP_ALIVE = 75  # seconds: longer than the idle time of a load balancer or of an SDK's pool
GRACE = 10  # seconds that requests may take to end once the collector is told to stop
LONGEST_LINE = 8190  # the most that Gunicorn reads: a tracking pixel carries its event in the URL


def bind(host: str, port: int) -> socket.socket:
    """A socket at this address, not listening yet. Raises BadRequest where there can be none."""
    try:
        family, kind, *_, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BadRequest(f"cannot listen on {host}:{port}: {reason}") from None
    return listener


def run(settings: Settings, listener: socket.socket) -> None:
    """Serve until told to stop; does not return."""
    _Supervisor(_Application(settings, listener)).run()


class _Application(BaseApplication):  # type: ignore[misc]
    """What a worker runs: a collector of its own, opened after the fork."""

    def __init__(self, settings: Settings, listener: socket.socket) -> None:
        self.settings = settings
        self.url = _url(settings.host, listener)
        self.descriptor = listener.detach()
        self.collector: Collector | None = None
        self.housekeeper: Housekeeper | None = None
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options().items():
            if name in self.cfg.settings:  # some are younger than the oldest Gunicorn allowed
                self.cfg.set(name, value)

    def load(self) -> Any:
        try:
            self.collector = open_collector(self.settings, replay=False)
        except PequelError as error:
            click.echo(error.message, err=True)
            sys.exit(Arbiter.APP_LOAD_ERROR)
        for line in introduction(self.collector):
            click.echo(line)
        self.housekeeper = Housekeeper(self.collector, _tell, _refuse, watching())
        return create_app(self.collector)

    def announce(self, _worker: Any) -> None:
        """Say where the collector is, now that it is ready."""
        if self.housekeeper:
            self.housekeeper.start()
        click.echo(f"listening on {self.url}")

    def reload(self) -> None:
        """Read the definitions file again; one that is not open yet is about to read it."""
        if self.housekeeper:
            self.housekeeper.reload()

    def close(self, _server: Any, _worker: Any) -> None:
        """Let go of the store."""
        if self.housekeeper:
            self.housekeeper.stop()
        if self.collector:
            self.collector.close()

    def _options(self) -> dict[str, Any]:
        return {
            "bind": f"fd://{self.descriptor}",
            "worker_class": _Worker,
            "workers": 1,
            "threads": self.settings.threads,
            "timeout": 0,  # a request may wait for a long transaction
            "graceful_timeout": GRACE,
            "keepalive": KEEP_ALIVE,
            "limit_request_line": LONGEST_LINE,
            "loglevel": "warning",
            "control_socket_disable": True,
            "post_worker_init": self.announce,
            "worker_exit": self.close,
        }


class _Worker(ThreadWorker):  # type: ignore[misc]
    """Gunicorn's worker, except that SIGHUP does not end it."""

    def init_signals(self) -> None:
        """Take signals as every worker does, and SIGHUP as well."""
        super().init_signals()
        signal.signal(signal.SIGHUP, self._hang_up)

    def _hang_up(self, _signal: int, _frame: FrameType | None) -> None:
        self.app.reload()


class _Supervisor(Arbiter):  # type: ignore[misc]
    """Gunicorn's master, except that SIGHUP replaces no worker."""

    def reload(self) -> None:
        """Pass the signal on: the worker reads the definitions again, and goes on serving."""
        self.kill_workers(signal.SIGHUP)


def _tell(collector: Collector) -> None:
    click.echo(definitions(collector))


def _refuse(error: PequelError) -> None:
    click.echo(f"{error.message}\nthe definitions stay as they were", err=True)


def _url(host: str, listener: socket.socket) -> str:
    port = listener.getsockname()[1]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
