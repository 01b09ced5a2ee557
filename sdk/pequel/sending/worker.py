"""The thread that sends, and waiting for it.

What a fork does to it, in a server that loads the application and then forks:

    parent 100   track(a)   worker for pid 100, queue [a], thread started
    fork         101        a copy of that queue comes along, but not the thread
    child 101    track(b)   pid 101 has no worker yet: a new one, queue [b], thread of its own
    parent 100              still sends a; each event has one sender, and none is sent twice

uWSGI is the exception: its master has no thread, so its first worker takes over [a].
"""

from __future__ import annotations

import _thread
import os
import sys
import threading
from collections import deque
from typing import TYPE_CHECKING

from pequel.clock import WakeEvent
from pequel.log import logger
from pequel.sending import at_exit
from pequel.sending.interrupts import is_for_caller

if TYPE_CHECKING:
    from typing import TypeAlias

    from pequel.clock import Clock
    from pequel.config import Options
    from pequel.errors import Reason
    from pequel.sending.queue import EventQueue, FlushTarget
    from pequel.sending.sender import Sender

    _Lock: TypeAlias = "threading.Lock | threading.RLock"

_WAIT_AFTER_ERROR = 1.0
_POLL = 0.001
_LONGEST_LOCK_WAIT = 1.0


class Worker:
    """Sends the events of one process in the background, from the first event on.

    Attributes:
        pid: the process; a fork does not copy the thread.
        ended: the thread has run and will not start again.
        exit_timeout: seconds that sending may delay the end of the process.
        put: queues an event; returns what had to be dropped instead, and why.
    """

    def __init__(
        self, queue: EventQueue, sender: Sender, wake: WakeEvent, clock: Clock, options: Options
    ) -> None:
        self.pid = os.getpid()
        self.ended = False
        self.exit_timeout = options.exit_timeout
        self.queue = queue
        self.put = queue.put if options.full == "drop" else self._put_once_there_is_room
        self._timeout = options.timeout
        self._sender = sender
        self._wake = wake
        self._clock = clock
        self._started = False
        self._starting = threading.Lock()  # held by the call that starts the thread
        self._sending: _Lock = threading.Lock()  # held during a step of the sender
        self._flushes: deque[Flush] = deque()
        self._putting = threading.RLock()  # held by the call that waits for room
        self._waits_for_room = False
        self._closing = False
        self._thread: int | None = None

    def take_over(self, parent: Worker | None) -> None:
        """Queue what the parent's worker had queued, if this process has to send it."""
        if parent is None or parent.queue.survives_exit:
            return
        if at_exit.sends_parents_queue():
            while batch := parent.queue.take():
                for event in batch:
                    self.queue.put(event)

    def start(self) -> None:
        """Start the thread unless it runs. If the system has no thread left, the next call tries.

        After the exit handlers have run, send at once instead.
        """
        if self.pid in at_exit.exit_time_used:
            self._send_during_exit()
        if self._started or self.queue.closed == "unauthorized":
            return
        at_exit.register(self)
        if not at_exit.will_fork():
            self._start_thread()

    def _put_once_there_is_room(self, event: bytes) -> list[tuple[bytes, Reason]]:
        """Queue an event, once there is room for it or `timeout` seconds have passed.

        One call waits at a time. The sending thread never waits, as only it makes room.
        """
        waits = self._started and threading.get_ident() != self._thread
        if not (waits and self._putting.acquire(timeout=self._timeout)):
            return self.queue.put(event)
        try:
            deadline = self._clock.monotonic() + self._timeout
            while not self.queue.has_room(len(event)) and self._left(deadline) != 0:
                self._waits_for_room = True
                self._wake.set()
                self._clock.sleep(_POLL)
            return self.queue.put(event)
        finally:
            self._waits_for_room = False
            self._putting.release()

    def _send_during_exit(self) -> None:
        """Send what an exit handler tracks that was registered before ours, so runs after it."""
        if not sys.is_finalizing():
            if threading.get_ident() == threading.main_thread().ident:
                at_exit.register(self)
                at_exit.flush_all()
        elif self.queue.lost_if_we_exit:  # from a finalizer; threads no longer run
            logger.warning("an event was tracked too late in the exit to be delivered")

    def _start_thread(self) -> None:
        if self._started or not self._starting.acquire(blocking=False):
            return
        try:
            # Not threading.Thread: its start takes a lock of the whole process, which the code
            # that a signal handler or a finalizer interrupts may hold.
            _thread.start_new_thread(self._run, ())
        except RuntimeError:
            self._starting.release()
            return
        self._started = True

    def flush(self, timeout: float | None) -> bool:
        """Send everything that waits now, at once; whether all of it was delivered in time.

        Also False if an event that came meanwhile was dropped, or if the key is unknown and any
        event was dropped.
        """
        self._sender.stop_backing_off()
        delivered = self._flush(timeout)
        return delivered and not (
            self.queue.closed == "unauthorized" and self.queue.stats().dropped
        )

    def _flush(self, timeout: float | None, recovered: bool = True) -> bool:
        """Send what waits; with `recovered`, also what other processes left in the spool."""
        deadline = None if timeout is None else self._clock.monotonic() + timeout
        self._await_draining(deadline)
        dropped = self.queue.dropped_from_queue
        flush = Flush(self.queue.flush_target(recovered))
        if not self._target_reached(flush):
            self._await(flush, deadline)
        reached = flush.done or self.queue.reached(flush.target)
        return reached and self.queue.dropped_from_queue == dropped

    def shutdown(self, timeout: float | None) -> bool:
        """Flush, drop what could not be sent, and end the thread; whether all was delivered."""
        deadline = None if timeout is None else self._clock.monotonic() + timeout
        self.queue.closed = self.queue.closed or "shutdown"
        self._sender.closing = True
        delivered = self.flush(timeout)
        self._sender.abandoned = True
        try:
            self._step_if_free(self._left(deadline))
        finally:  # also if `on_error` ends the process: the thread drops what is left
            self.stop()
        return delivered

    def retire(self) -> None:
        """Drop new events, and let the thread end once the queue is empty. Does not wait."""
        self.queue.closed = self.queue.closed or "shutdown"
        self._await_draining(self._clock.monotonic() + _LONGEST_LOCK_WAIT)
        self.stop()

    def stop(self) -> None:
        """Let the thread end once the queue is empty."""
        self._sender.closing = self._closing = True
        self._wake.set()

    def flush_at_exit(self, seconds: float) -> None:
        """Send what is left as the process ends, within so many seconds."""
        self._sender.closing = True
        if self.flush_before("at exit", seconds):
            self._release_if_free()

    def flush_before(self, end: str, seconds: float) -> bool:
        """Flush before an end that may be the process's, and log how many events are left."""
        delivered = self.flush(seconds)
        if not delivered and (left := self.queue.lost_if_we_exit):
            logger.warning("events not delivered %s: %d", end, left)
        return delivered

    def _run(self) -> None:
        threading.current_thread().name = "pequel"
        self._thread = threading.get_ident()
        self._sender.mark_sender_thread()
        try:
            while not (self._closing and self._sender.idle and self._sender.reports_done):
                with self._sending:
                    wait = self._step()
                self._clock.wait(self._wake, self.queue.limit_wait(wait))
            with self._sending:
                self.queue.release()
                self._sender.close()
            self.ended = True
        finally:
            if not self.ended:  # it was killed, as gevent can: the next call starts another
                self._thread, self._started = None, False
                self._starting.release()

    def _step_if_free(self, timeout: float | None) -> float | None:
        """Do a step in this thread, unless the sending thread is in the middle of one."""
        longest = _LONGEST_LOCK_WAIT if timeout is None else min(timeout, _LONGEST_LOCK_WAIT)
        if threading.get_ident() != self._thread and self._sending.acquire(timeout=longest):
            try:
                return self._step()
            finally:
                self._sending.release()
        return None

    def _release_if_free(self) -> None:
        """Delete the files whose events are all delivered."""
        if self._sending.acquire(blocking=False):
            try:
                if self._sender.idle:
                    self.queue.release()
            finally:
                self._sending.release()

    def _step(self) -> float | None:
        self._sender.urgent = bool(self._flushes) or self._waits_for_room
        try:
            wait = self._sender.step()
        except BaseException as error:  # one error must not end all sending
            if threading.get_ident() != self._thread and is_for_caller(error):
                raise
            logger.exception("sending failed")
            return _WAIT_AFTER_ERROR
        self._finish_flushes()
        return wait

    def _finish_flushes(self) -> None:
        while self._flushes and self._target_reached(self._flushes[0]):
            self._flushes.popleft().finish()

    def _target_reached(self, flush: Flush) -> bool:
        reports_done = self.ended or not self._sender.closing or self._sender.reports_done
        return reports_done and self.queue.reached(flush.target)

    def _await_draining(self, deadline: float | None) -> None:
        """Wait until another thread has queued what is in the inbox, which takes microseconds."""
        self.queue.drain()
        while self.queue.draining_elsewhere and self._left(deadline) != 0:
            self._clock.sleep(_POLL)
            self.queue.drain()

    def _await(self, flush: Flush, deadline: float | None) -> None:
        if threading.get_ident() == self._thread:
            return  # a callback or a transport called: the sender cannot wait for itself
        self._flushes.append(flush)
        self._start_thread()
        self._wake.set()
        try:
            while not flush.done and self._left(deadline) != 0:
                wait = None if self._started else self._send_here(deadline)
                self._clock.wait(flush.wake, self._left(deadline, wait))
        finally:
            if flush in self._flushes:
                self._flushes.remove(flush)

    def _send_here(self, deadline: float | None) -> float:
        """Do a step in this thread, as no other can be started, such as late in an exit.

        Returns the seconds until the next step.
        """
        self._sender.deadline = deadline
        try:
            return self._step_if_free(self._left(deadline)) or _POLL
        finally:
            self._sender.deadline = None

    def _left(self, deadline: float | None, most: float | None = None) -> float | None:
        """Seconds until the deadline, at most `most`; None for both means no limit."""
        left = None if deadline is None else max(0.0, deadline - self._clock.monotonic())
        return min((limit for limit in (left, most) if limit is not None), default=None)


class Flush:
    """A caller that waits for a flush."""

    def __init__(self, target: FlushTarget) -> None:
        self.target = target
        self.done = False
        self.wake = WakeEvent()

    def finish(self) -> None:
        """Let the caller go on."""
        self.done = True
        self.wake.set()
