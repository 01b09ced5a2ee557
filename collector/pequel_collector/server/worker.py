"""What a worker of the server does: it has a collector of its own, and ends it in good order."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from multiprocessing import parent_process
from multiprocessing.process import BaseProcess
from multiprocessing.util import Finalize
from threading import Lock, Thread
from typing import Any

import click

from ..app.bootstrap import Collector, open_collector
from ..app.jobs import Housekeeper
from ..app.progress import watching
from ..config import Settings
from ..errors import PequelError
from ..web.app import create_app
from .concurrency import Turns
from .garbage import collect_seldom
from .introduction import definitions, introduction

GRACE = 10.0
"""Seconds that requests may take to end once the collector is told to stop."""

HEEDED = {signal.SIGHUP, signal.SIGINT, signal.SIGTERM}
"""Signals that a thread waits for: a handler is called late where the main thread sleeps."""

OF_A_WORKER = HEEDED - {signal.SIGINT}
"""Ctrl-C reaches every process of a terminal: the master alone answers it."""

BACKLOG = 1024
"""Connections that may wait to be accepted."""


class Words:
    """What is said once, whichever worker comes to say it; none of them can keep it from others."""

    def __init__(self, context: Any, workers: int) -> None:
        self._introduction, self._announcement = context.Semaphore(1), context.Semaphore(1)
        self._awaited = context.Semaphore(workers - 1)

    def introduces(self) -> bool:
        """Whether whoever asks is the first."""
        taken: bool = self._introduction.acquire(block=False)
        return taken

    def announces(self) -> bool:
        """Whether whoever asks, which is ready, is the last."""
        taken: bool = not self._awaited.acquire(block=False) and self._announcement.acquire(
            block=False
        )
        return taken


class Worker:
    """Makes the application in a process of its own."""

    def __init__(self, settings: Settings, url: str, words: Words) -> None:
        self.settings, self.url, self.words = settings, url, words

    def __call__(self, listener: socket.socket, *, speaks: bool) -> Turns:
        """Open the collector, listen, and give the application.

        The worker that ``speaks`` reads definitions again, and tells of them.
        """
        collector = _opened(self.settings)
        running = Running(collector, speaks=speaks)
        running.heed_signals()
        threads, body = self.settings.threads, self.settings.max_body
        application = Turns(create_app(collector), threads, threads * body)
        if self.words.introduces():
            _introduce(collector)
        collect_seldom()
        listener.listen(BACKLOG)
        listener.detach()  # the server's from now on, and the server closes it
        running.housekeeper.start()
        if self.words.announces():
            click.echo(f"listening on {self.url}")
        return application


class Running:
    """A collector at work, with its housekeeper."""

    def __init__(self, collector: Collector, *, speaks: bool) -> None:
        self.collector, self.speaks = collector, speaks
        told, refused = (_tell, _refuse) if speaks else (_say_nothing, _say_nothing)
        self.housekeeper = Housekeeper(collector, told, refused, watching() if speaks else None)
        self._closing, self._is_closed = Lock(), False

    def heed_signals(self) -> None:
        """From now on: stop when told to, or with the master; close, however this process ends."""
        Finalize(None, self.close, exitpriority=0)
        signal.pthread_sigmask(signal.SIG_BLOCK, HEEDED)
        before = signal.getsignal(signal.SIGTERM)
        Thread(target=self._heed, args=[before], daemon=True).start()
        if master := parent_process():
            Thread(target=_follow, args=[master], daemon=True).start()

    def close(self) -> None:
        """Let go of the store, once."""
        with self._closing:
            if not self._is_closed:
                self._is_closed = True
                self.housekeeper.stop()
                self.collector.close()

    def _heed(self, before: Any) -> None:
        """Pass SIGTERM on to the server, and end this process if it has not ended in time."""
        while signal.sigwait(OF_A_WORKER) == signal.SIGHUP:
            if self.speaks:  # the others follow what this one puts in force
                self.housekeeper.reload()
        _handler_after(before)(signal.SIGTERM, None)
        time.sleep(GRACE)
        self.close()
        os._exit(0)


def _opened(settings: Settings) -> Collector:
    try:
        return open_collector(settings, replay=False)
    except PequelError as error:
        click.echo(error.message, err=True)
        sys.exit(1)


def _handler_after(before: Any) -> Any:
    """What the server does on SIGTERM, which it is about to say where it has not yet.

    It is called once: Granian 2.8 waits for itself where it is told three times to stop.
    """
    while (handler := signal.getsignal(signal.SIGTERM)) is before:
        time.sleep(0.01)
    return handler


def _follow(master: BaseProcess) -> None:
    """Stop when the master is gone."""
    master.join()
    os.kill(os.getpid(), signal.SIGTERM)


def _introduce(collector: Collector) -> None:
    for line in introduction(collector):
        click.echo(line)


def _tell(collector: Collector) -> None:
    click.echo(definitions(collector))


def _refuse(error: PequelError) -> None:
    click.echo(f"{error.message}\nthe definitions stay as they were", err=True)


def _say_nothing(_event: object) -> None:
    """One worker tells, for all."""
