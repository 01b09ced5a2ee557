"""The thread that sends alerts, beside the background jobs."""

from __future__ import annotations

import logging
from random import random
from threading import Event, Thread
from time import monotonic, sleep

from ..delivery.attempt import Show
from ..delivery.dispatcher import POLL, Dispatcher
from ..errors import Unavailable
from .bootstrap import Collector

STOP_TIMEOUT = 3.0
"""Seconds to wait, at the end, for attempts that have begun."""

_log = logging.getLogger(__name__)


class AlertSender:
    """Sends the alerts of one collector. ``show`` gives a lead as the API shows it."""

    def __init__(self, collector: Collector, show: Show) -> None:
        self._store, desk = collector.store, collector.alerts
        self._woken, self._stopped = Event(), Event()
        self.dispatcher = Dispatcher(
            collector.store,
            desk.alerts,
            desk.attempts(show).make,
            collector.clock,
            random,
            wake=self._woken.set,
        )
        self._thread = Thread(target=self._run, name="pequel-alerts", daemon=True)

    def start(self) -> None:
        """Start the thread. It wakes when something is put into the outbox."""
        self._store.on_queued = self._woken.set
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread, and record what comes of attempts that end soon."""
        self._stopped.set()
        self._woken.set()
        if self._thread.ident is not None:
            self._thread.join(STOP_TIMEOUT)
        self.dispatcher.close()

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._woken.clear()
            wait = self._round()
            if wait > 0:
                self._woken.wait(wait)
        until = monotonic() + STOP_TIMEOUT / 2
        while self.dispatcher.running and monotonic() < until:
            self._round(claims=False)
            sleep(0.01)

    def _round(self, *, claims: bool = True) -> float:
        """One round; the seconds to wait after it."""
        try:
            return self.dispatcher.run_once(claims=claims)
        except Unavailable as error:
            _log.warning("alerts: %s; trying again in a second", error.message)
        except Exception:  # noqa: BLE001 - one failed round must not end the thread
            _log.exception("sending alerts failed; trying again in a second")
        return POLL
