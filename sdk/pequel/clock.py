"""Time, waiting and waking, gathered where tests can replace them."""

import threading
import time


class WakeEvent:
    """Wakes the one who waits for it.

    Ringing never blocks and may be interrupted by another ring on the same thread, as happens
    in signal handlers and finalizers; `threading.Event` would deadlock there. A bell rung
    while nobody waits is heard by the next who does.
    """

    def __init__(self) -> None:
        self._silence = threading.Lock()
        self._silence.acquire()

    def ring(self) -> None:
        """Wake the waiting one, or the next to wait."""
        try:
            self._silence.release()
        except RuntimeError:
            return  # it was ringing already

    def wait(self, seconds: float | None) -> None:
        """Return when the bell has been rung, or after so many seconds if any are given."""
        limit = -1 if seconds is None else min(max(seconds, 0.0), threading.TIMEOUT_MAX)
        self._silence.acquire(timeout=limit)


class Clock:
    """The time, and waiting for it to pass."""

    def now_ms(self) -> int:
        """The time of day, in milliseconds since 1970."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """Seconds on a clock that is never set."""
        return time.monotonic()

    def wait(self, bell: WakeEvent, seconds: float | None) -> None:
        """Wait for the bell, but no longer than so many seconds if any are given."""
        bell.wait(seconds)
