"""The thread that sends, and waiting for it."""

from __future__ import annotations

import _thread
import os
import sys
import threading
from collections import deque
from typing import TYPE_CHECKING

from pequel.clock import Clock, WakeEvent
from pequel.sending import at_exit
from pequel.sending.callbacks import logger
from pequel.sending.interrupts import is_for_the_caller

if TYPE_CHECKING:
    from typing import TypeAlias

    from pequel.sending.queue import EventQueue, Goal
    from pequel.sending.sender import Sender

    _Lock: TypeAlias = "threading.Lock | threading.RLock"

_AFTER_A_BUG = 1.0
_BRIEFLY = 0.001
_A_MOMENT = 1.0


class Worker:
    """Sends one process's events in the background, from the first one on.

    Attributes:
        pid: the process; the thread does not follow into a fork.
        ended: the thread has run and will not again.
        exit_timeout: seconds that sending may delay the end of the process.
    """

    def __init__(
        self, outbox: EventQueue, sender: Sender, bell: WakeEvent, clock: Clock, exit_timeout: float
    ) -> None:
        self.pid = os.getpid()
        self.ended = False
        self.exit_timeout = exit_timeout
        self.outbox = outbox
        self._sender = sender
        self._bell = bell
        self._clock = clock
        self._started = False
        self._starting = threading.Lock()  # taken by the one who starts the thread
        self._sending: _Lock = threading.Lock()  # held while the sender works
        self._flushes: deque[Flush] = deque()
        self._closing = False
        self._thread: int | None = None

    def succeed(self, parent: Worker | None) -> None:
        """Take over what the parent's worker had queued, if this process is the one to."""
        if parent is not None and at_exit.sends_parents_queue() and not parent.outbox.keeps:
            while batch := parent.outbox.take():
                for event in batch:
                    self.outbox.put(event)

    def start(self) -> None:
        """Start the thread, unless it was. Where no thread is to be had, the next call tries."""
        if self.pid in at_exit.exit_time_used:
            self._hurry()
        if self._started or self.outbox.closed == "unauthorized":
            return
        at_exit.watch(self)
        if not at_exit.will_fork():
            self._start_thread()

    def _hurry(self) -> None:
        """Send what comes when the process has ended but for handlers that were there before us."""
        if not sys.is_finalizing():
            if threading.get_ident() == threading.main_thread().ident:
                at_exit.watch(self)
                at_exit.flush_all()
        elif self.outbox.lost_if_we_exit:  # from a finalizer, when threads stand still for good
            logger.warning("an event came too late to be delivered")

    def _start_thread(self) -> None:
        if self._started or not self._starting.acquire(blocking=False):
            return
        try:
            # Not by threading.Thread, whose start takes a lock of the whole process that a
            # signal handler or a finalizer may have interrupted.
            _thread.start_new_thread(self._run, ())
        except RuntimeError:
            self._starting.release()
            return
        self._started = True

    def flush(self, timeout: float | None, others: bool = True) -> bool:
        """Send all that waits now; whether all of it was delivered, and before the deadline.

        So is what other processes have left in a spool, unless it is not asked for.
        An event accepted meanwhile and then lost makes the answer no, too.
        """
        deadline = None if timeout is None else self._clock.monotonic() + timeout
        self._await_booking(deadline)
        lost = self.outbox.lost
        flush = Flush(self.outbox.goal(others))
        if not self._done(flush):
            self._await(flush, deadline)
        reached = flush.answered or self.outbox.reached(flush.until)
        return reached and self.outbox.lost == lost

    def shutdown(self, timeout: float | None) -> bool:
        """Flush, drop what could not be sent, and end the thread; whether all was delivered."""
        deadline = None if timeout is None else self._clock.monotonic() + timeout
        self.outbox.closed = self.outbox.closed or "shutdown"
        self._sender.stop_backing_off()
        self._sender.parting = True
        delivered = self.flush(timeout)
        self._sender.abandoned = True
        try:
            self._work_if_free(self._left(deadline))
        finally:  # also when `on_error` ends the process: the thread drops what is left
            self.retire()
        return delivered

    def wind_up(self) -> None:
        """Take in nothing more, and let the thread end once all is sent; nobody waits for it."""
        self.outbox.closed = self.outbox.closed or "shutdown"
        self._await_booking(self._clock.monotonic() + _A_MOMENT)
        self.retire()

    def retire(self) -> None:
        """Let the thread end once all is sent."""
        self._sender.parting = self._closing = True
        self._bell.ring()

    def flush_at_exit(self, budget: float) -> None:
        """Send what is left as the process ends, within so many seconds."""
        self._sender.stop_backing_off()
        self._sender.parting = True
        if self.flush(budget):
            self._release_if_free()
        elif left := self.outbox.lost_if_we_exit:
            logger.warning("events not delivered at exit: %d", left)

    def _run(self) -> None:
        threading.current_thread().name = "pequel"
        self._thread = threading.get_ident()
        self._sender.settle()
        try:
            while not (self._closing and self._sender.idle and self._sender.told):
                self._clock.wait(self._bell, self.outbox.rest(self._work()))
            with self._sending:
                self.outbox.release()
                self._sender.close()
            self.ended = True
        finally:
            if not self.ended:  # somebody killed it, as gevent can: the next call starts another
                self._thread, self._started = None, False
                self._starting.release()

    def _work(self) -> float | None:
        with self._sending:
            return self._step()

    def _work_if_free(self, patience: float | None) -> None:
        """Do a step here, unless the thread is in the middle of one and will do it itself.

        It may be about to end one, for which there are so many seconds, and no more than a moment.
        """
        longest = _A_MOMENT if patience is None else min(patience, _A_MOMENT)
        if threading.get_ident() != self._thread and self._sending.acquire(timeout=longest):
            try:
                self._step()
            finally:
                self._sending.release()

    def _release_if_free(self) -> None:
        """Leave no file behind of which all is delivered."""
        if self._sending.acquire(blocking=False):
            try:
                if self._sender.idle:
                    self.outbox.release()
            finally:
                self._sending.release()

    def _step(self) -> float | None:
        self._sender.urgent = bool(self._flushes)
        try:
            wait = self._sender.step()
        except BaseException as error:  # one fault must not end all sending
            if threading.get_ident() != self._thread and is_for_the_caller(error):
                raise
            logger.exception("sending failed")
            return _AFTER_A_BUG
        self._answer_flushes()
        return wait

    def _answer_flushes(self) -> None:
        while self._flushes and self._done(self._flushes[0]):
            self._flushes.popleft().answer()

    def _done(self, flush: Flush) -> bool:
        """Whether there is nothing to wait for any longer."""
        told = self.ended or not self._sender.parting or self._sender.told
        return told and self.outbox.reached(flush.until)

    def _await_booking(self, deadline: float | None) -> None:
        """Let another thread finish what it is booking, which takes it microseconds."""
        self.outbox.book()
        while self.outbox.drained_elsewhere and self._left(deadline) != 0:
            self._clock.wait(WakeEvent(), _BRIEFLY)
            self.outbox.book()

    def _await(self, flush: Flush, deadline: float | None) -> None:
        if threading.get_ident() == self._thread:
            return  # called by what the sender calls, who cannot wait for itself
        self._flushes.append(flush)
        self._start_thread()
        self._bell.ring()
        while not flush.answered and self._left(deadline) != 0:
            self._clock.wait(flush.bell, self._left(deadline))
        if not flush.answered and flush in self._flushes:
            self._flushes.remove(flush)

    def _left(self, deadline: float | None) -> float | None:
        return None if deadline is None else max(0.0, deadline - self._clock.monotonic())


class Flush:
    """Somebody waiting until all that was there is finished."""

    def __init__(self, until: Goal) -> None:
        self.until = until
        self.answered = False
        self.bell = WakeEvent()

    def answer(self) -> None:
        """Let them go on."""
        self.answered = True
        self.bell.ring()
