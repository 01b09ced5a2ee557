"""Sending in the threads that call, for where none lives on between calls."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

from pequel.sending import at_exit
from pequel.sending.worker import Worker

if TYPE_CHECKING:
    from pequel.sending.worker import Flush

_A_MOMENT = 0.001


class SyncWorker(Worker):
    """Sends when something was put, while its caller waits; what is left goes with the next.

    One thread sends at a time, also for those that wait meanwhile. A call that interrupts the
    sending on its own thread, as one from a signal handler does, leaves its event to it.
    """

    def __init__(self, *args: Any, timeout: float) -> None:
        """As a worker; a call waits for so many seconds."""
        super().__init__(*args)
        self._timeout = timeout
        self._sending = threading.RLock()
        self._stepping = False  # while the one whose turn it is works
        self._interrupted = False  # by a call that left its event to that one

    def start(self) -> None:
        """Send what was put."""
        at_exit.watch(self)
        deadline = self._clock.monotonic() + self._timeout
        self.flush(self._timeout, others=False)
        while self._interrupted and not self._stepping and self._left(deadline) != 0:
            self._interrupted = False
            self.flush(self._left(deadline), others=False)

    def shutdown(self, timeout: float | None) -> bool:
        """Flush, and drop what could not be sent; whether all was delivered."""
        self._closing = True
        delivered = super().shutdown(timeout)
        self.ended = True
        self._sender.close()
        return delivered

    def retire(self) -> None:
        """Send what is left, in no more time than a call has, and drop it where that fails."""
        if self._closing:
            super().retire()
        elif self.pid == os.getpid():
            self.shutdown(self._timeout)

    def _await(self, flush: Flush, deadline: float | None) -> None:
        self._flushes.append(flush)
        try:
            self._await_turns(flush, deadline)
        finally:
            if flush in self._flushes:
                self._flushes.remove(flush)
        if self._sender.abandoned:  # by a shutdown that could not wait for this
            self._work_if_free(None)

    def _await_turns(self, flush: Flush, deadline: float | None) -> None:
        while not self._done(flush) and self._left(deadline) != 0:
            if not self._sending.acquire(timeout=_limit(self._left(deadline))):
                break
            try:
                if self._stepping:
                    self._interrupted = True
                    break
                wait = self._step_until(deadline)
            finally:
                self._sending.release()
            self._pause(wait, deadline)

    def _step_until(self, deadline: float | None) -> float | None:
        self._stepping = True
        try:
            self._sender.deadline = deadline
            return self._step()
        finally:
            self._stepping = False

    def _pause(self, wait: float | None, deadline: float | None) -> None:
        seconds = _A_MOMENT if wait is None else wait
        left = self._left(deadline)
        if seconds:
            self._clock.wait(self._bell, seconds if left is None else min(seconds, left))

    def _work_if_free(self, patience: float | None) -> None:
        if not self._sending.acquire(timeout=_limit(patience)):
            return
        try:
            if not self._stepping:
                self._step_until(self._clock.monotonic())
        finally:
            self._sending.release()


def _limit(seconds: float | None) -> float:
    return -1 if seconds is None else min(seconds, threading.TIMEOUT_MAX)
