"""A worker of the server: a process with a collector of its own, which it closes at its end."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Sequence
from multiprocessing import parent_process
from multiprocessing.process import BaseProcess
from multiprocessing.util import Finalize
from threading import Lock, Thread
from typing import Any

import click

from ..app.alerting import AlertSender
from ..app.bootstrap import Collector, open_collector
from ..app.jobs import Housekeeper
from ..app.progress import watching
from ..config import Settings
from ..errors import PequelError, Unavailable
from ..web.api.alerts import show_lead
from ..web.app import create_app
from ..web.errors import always
from .concurrency import BUSY, ConcurrencySlots
from .garbage import collect_rarely
from .startup_message import console_lines, definitions_line, startup_message

GRACE = 10.0
"""Seconds that requests may take to end after a signal to stop."""

SIGNALS = {signal.SIGHUP, signal.SIGINT, signal.SIGTERM}
"""Signals that a thread waits for: a handler would run late while the main thread sleeps."""

WORKER_SIGNALS = SIGNALS - {signal.SIGINT}
"""Ctrl-C reaches every process of a terminal; only the master acts on it."""

BACKLOG = 1024
"""Connections that may wait to be accepted."""


class PrintOnce:
    """Decides which worker prints what is printed once.

    Semaphores never block here, so a worker that dies cannot keep the others from printing.
    """

    def __init__(self, context: Any, workers: int) -> None:
        self._startup_message, self._listening = context.Semaphore(1), context.Semaphore(1)
        self._not_ready = context.Semaphore(workers - 1)

    def is_first_worker(self) -> bool:
        """True for the first call: that worker prints the startup message."""
        acquired: bool = self._startup_message.acquire(block=False)
        return acquired

    def is_last_ready(self) -> bool:
        """True for the last worker that becomes ready: it prints that the server listens."""
        if self._not_ready.acquire(block=False):
            return False
        acquired: bool = self._listening.acquire(block=False)
        return acquired


class Worker:
    """Makes the application in a process of its own."""

    def __init__(self, settings: Settings, url: str, print_once: PrintOnce) -> None:
        self.settings, self.url, self.print_once = settings, url, print_once

    def __call__(self, listener: socket.socket, *, is_primary: bool) -> ConcurrencySlots:
        """Open the collector, listen, and return the application.

        The primary worker reads changed definitions, and reports them.
        """
        collector = _open(self.settings)
        running = RunningCollector(collector, is_primary=is_primary)
        running.handle_signals()
        slots, max_body = self.settings.threads, self.settings.max_body
        app = create_app(collector)
        application = ConcurrencySlots(
            app,
            slots,
            slots * max_body,
            busy=always(app, Unavailable(BUSY)),
            timeout=self.settings.store_timeout,
        )
        if self.print_once.is_first_worker():
            for line in startup_message(collector):
                click.echo(line)
        collect_rarely()
        listener.listen(BACKLOG)
        listener.detach()  # Granian has the file descriptor now, and closes it
        running.housekeeper.start()
        running.alert_sender.start()
        if self.print_once.is_last_ready():
            for line in console_lines(collector, self.url):
                click.echo(line)
            click.echo(f"listening on {self.url}")
        return application


class RunningCollector:
    """A collector at work, with its housekeeper."""

    def __init__(self, collector: Collector, *, is_primary: bool) -> None:
        self.collector, self.is_primary = collector, is_primary
        if is_primary:
            callbacks: tuple[Any, ...] = (_report, _report_error, watching(), _report_changes)
        else:
            callbacks = (_ignore, _ignore)
        self.housekeeper = Housekeeper(collector, *callbacks)
        self.alert_sender = AlertSender(collector, show_lead(collector))
        self._closing, self._is_closed = Lock(), False

    def handle_signals(self) -> None:
        """Stop on a signal or with the master, and close the collector when the process ends."""
        Finalize(None, self.close, exitpriority=0)
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        before = signal.getsignal(signal.SIGTERM)
        Thread(target=self._wait_for_signals, args=[before], daemon=True).start()
        if master := parent_process():
            Thread(target=_stop_with, args=[master], daemon=True).start()

    def close(self) -> None:
        """Close the collector, once."""
        with self._closing:
            if not self._is_closed:
                self._is_closed = True
                self.housekeeper.stop()
                self.alert_sender.stop()
                self.collector.close()

    def _wait_for_signals(self, before: Any) -> None:
        """Pass SIGTERM on to the server, and exit if the server has not stopped in time."""
        while signal.sigwait(WORKER_SIGNALS) == signal.SIGHUP:
            if self.is_primary:  # the others follow what the primary activates
                self.housekeeper.reload()
        self.collector.arrivals.close()  # those who wait would delay the end
        _handler_after(before)(signal.SIGTERM, None)
        time.sleep(GRACE)
        self.close()
        os._exit(0)


def _open(settings: Settings) -> Collector:
    try:
        return open_collector(settings, replay=False)
    except PequelError as error:
        click.echo(error.message, err=True)
        sys.exit(1)


def _handler_after(before: Any) -> Any:
    """The SIGTERM handler of the server, which may still be about to install it.

    It is called once: Granian 2.8 deadlocks if it is asked to stop three times.
    """
    while (handler := signal.getsignal(signal.SIGTERM)) is before:
        time.sleep(0.01)
    return handler


def _stop_with(master: BaseProcess) -> None:
    master.join()
    os.kill(os.getpid(), signal.SIGTERM)


def _report(collector: Collector) -> None:
    click.echo(definitions_line(collector))


def _report_changes(lines: Sequence[str]) -> None:
    for line in lines:
        click.echo(f"changed      {line}")


def _report_error(error: PequelError) -> None:
    click.echo(f"{error.message}\nthe definitions have not changed", err=True)


def _ignore(_event: object) -> None:
    """The primary worker reports for all."""
