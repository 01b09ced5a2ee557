"""Sending in the threads that call, for the setting `sync`."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

from pequel.sending import at_exit
from pequel.sending.worker import Worker

if TYPE_CHECKING:
    from pequel.sending.worker import Flush

_IDLE_POLL = 0.001


class SyncWorker(Worker):
    """A worker without a thread: each call queues its event, then flushes in its own thread.

    One thread sends at a time; others wait for their turn. A call that interrupts the sending
    thread, such as one in a signal handler, leaves its event for that thread to send.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._sending = threading.RLock()
        self._stepping = False  # during a step of the sender
        self._interrupted = False  # a call interrupted that step, and left its event

    def start(self) -> None:
        """Send what is queued."""
        at_exit.register(self)
        deadline = self._clock.monotonic() + self._timeout
        self._flush(self._timeout, recovered=False)
        while self._interrupted and not self._stepping and self._left(deadline) != 0:
            self._interrupted = False
            self._flush(self._left(deadline), recovered=False)

    def shutdown(self, timeout: float | None) -> bool:
        """Flush, and drop what could not be sent; whether all was delivered."""
        self._closing = True
        delivered = super().shutdown(timeout)
        self.ended = True
        self._sender.close()
        return delivered

    def stop(self) -> None:
        """Send what is left in the time of one call, and drop the rest."""
        if self._closing:
            super().stop()
        elif self.pid == os.getpid():
            self.shutdown(self._timeout)

    def _await(self, flush: Flush, deadline: float | None) -> None:
        self._flushes.append(flush)
        try:
            self._send_until(flush, deadline)
        finally:
            if flush in self._flushes:
                self._flushes.remove(flush)
        if self._sender.abandoned:  # a shutdown ran out of time while this call waited
            self._step_if_free(None)

    def _send_until(self, flush: Flush, deadline: float | None) -> None:
        while not self._target_reached(flush) and self._left(deadline) != 0:
            if not self._sending.acquire(timeout=_lock_timeout(self._left(deadline))):
                break
            try:
                if self._stepping:
                    self._interrupted = True
                    break
                wait = self._step_before(deadline)
            finally:
                self._sending.release()
            self._pause(wait, deadline)

    def _step_before(self, deadline: float | None) -> float | None:
        self._stepping = True
        try:
            self._sender.deadline = deadline
            return self._step()
        finally:
            self._stepping = False

    def _pause(self, wait: float | None, deadline: float | None) -> None:
        seconds = _IDLE_POLL if wait is None else wait
        if seconds:
            self._clock.wait(self._wake, self._left(deadline, seconds))

    def _step_if_free(self, timeout: float | None) -> float | None:
        if not self._sending.acquire(timeout=_lock_timeout(timeout)):
            return None
        try:
            return None if self._stepping else self._step_before(self._clock.monotonic())
        finally:
            self._sending.release()


def _lock_timeout(seconds: float | None) -> float:
    return -1 if seconds is None else min(seconds, threading.TIMEOUT_MAX)
