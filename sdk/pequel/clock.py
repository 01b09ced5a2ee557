"""The time, waiting, and waking a thread that waits. Tests replace the `Clock`."""

import threading
import time


def monotonic() -> float:
    """Seconds on a clock that nobody can set, and that freezegun does not freeze."""
    if hasattr(time, "clock_gettime"):  # not on Windows
        return time.clock_gettime(time.CLOCK_MONOTONIC)
    return time.monotonic()


class WakeEvent:
    """Wakes the thread that waits for it, or the next one that will wait.

    Unlike `threading.Event`, `set` never blocks, so a signal handler or a finalizer may call it
    while the same thread is inside `set`.
    """

    def __init__(self) -> None:
        self._unset = threading.Lock()  # held while the event is not set
        self._unset.acquire()

    def set(self) -> None:
        """Wake the waiting thread, or the next one to wait."""
        try:
            self._unset.release()
        except RuntimeError:
            return  # it was set already

    def wait(self, seconds: float | None) -> None:
        """Return once the event is set, and clear it; give up after `seconds`, unless None."""
        limit = -1 if seconds is None else min(max(seconds, 0.0), threading.TIMEOUT_MAX)
        self._unset.acquire(timeout=limit)


class Clock:
    """The system's time, and waiting for it to pass."""

    def now_ms(self) -> int:
        """The time of day, in milliseconds since 1970."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """Seconds on a clock that nobody can set, and that freezegun does not freeze."""
        return monotonic()

    def wait(self, event: WakeEvent, seconds: float | None) -> None:
        """Wait for an event, for at most `seconds`; without a limit if that is None."""
        event.wait(seconds)

    def sleep(self, seconds: float) -> None:
        """Wait for time to pass."""
        self.wait(WakeEvent(), seconds)
