"""What a process does with an SDK while something goes wrong.

`python -m peers.cases CASE SDK HOST` runs one, and prints facts as JSON objects, one a line.
Every event carries a number `n`, so that the server can tell which arrived, and how often.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from itertools import count
from typing import Any

from .sdks import Sdk, make
from .sink import Sink

MANY = 1_000
OVERFLOW = 20_000
FITTING = 5_000
"""How many events may wait: half of what most queues hold."""
PATIENCE = 10.0
SOON = 3.0


class Caller:
    """Calls an SDK as an application does, and keeps what comes of it."""

    def __init__(self, sdk: Sdk) -> None:
        self.sdk = sdk
        self.calls = 0
        self.slowest = 0.0
        self.raised: Counter[str] = Counter()
        self.returned: Counter[str] = Counter()

    def track(self, number: int, **values: object) -> None:
        """Track one event; what the SDK raises is kept."""
        began = time.perf_counter()
        try:
            answer = self.sdk.track(f"user-{number:06}", {"n": number, **values})
        except Exception as error:  # noqa: BLE001 - what an SDK raises is what is looked for
            self.raised[type(error).__name__] += 1
        else:
            self.returned[_shape(answer)] += 1
        self.calls += 1
        self.slowest = max(self.slowest, time.perf_counter() - began)

    def all(self, numbers: Iterable[int]) -> None:
        """Track one event for each number."""
        for number in numbers:
            self.track(number)

    def end(self, how: Callable[[], object]) -> None:
        """Flush or close; what that raises is kept."""
        try:
            how()
        except Exception as error:  # noqa: BLE001 - as above
            self.raised[f"{type(error).__name__} at the end"] += 1

    def say(self, **more: object) -> None:
        """Print what came of it so far."""
        facts = {
            "calls": self.calls,
            "slowest": self.slowest,
            "raised": self.raised,
            "returned": self.returned,
            "counted": self.sdk.counted(),
            "at": time.time(),
            **more,
        }
        print(json.dumps(facts), flush=True)


def leave(caller: Caller, _: Sink) -> None:
    """Track a thousand and end, as a script does that says nothing more."""
    caller.all(range(MANY))
    caller.say()


def crash(caller: Caller, _: Sink) -> None:
    """Be killed after a thousand."""
    caller.all(range(MANY))
    caller.say()
    os.kill(os.getpid(), signal.SIGKILL)


def terminate(caller: Caller, _: Sink) -> None:
    """Be told to end after a thousand, with no handler for that."""
    caller.all(range(MANY))
    caller.say()
    os.kill(os.getpid(), signal.SIGTERM)


def recover(caller: Caller, _: Sink) -> None:
    """Start once more, send what was left behind, and end."""
    caller.end(caller.sdk.flush)
    caller.end(caller.sdk.close)
    caller.say()


def fork(caller: Caller, _: Sink) -> None:
    """Track three, fork, track five in the child, which then ends as a script does."""
    caller.all(range(3))
    child = os.fork()
    if not child:
        return caller.all(range(100, 105))
    return _await_child(caller, child)


def fork_and_flush(caller: Caller, _: Sink) -> None:
    """The same with a child that flushes and ends without Python's farewell."""
    caller.all(range(3))
    child = os.fork()
    if not child:
        caller.all(range(100, 105))
        caller.end(caller.sdk.flush)
        os._exit(0)
    return _await_child(caller, child)


def steady(caller: Caller, _: Sink) -> None:
    """Track fifty a second for thirty seconds, then close."""
    caller.say()
    due = time.monotonic()
    for number in range(1_500):
        due += 0.02
        time.sleep(max(0.0, due - time.monotonic()))
        caller.track(number)
    caller.end(caller.sdk.close)
    caller.say()


def overflow(caller: Caller, sink: Sink) -> None:
    """Track more than a queue holds while the server hangs, then let it go and close."""
    until = time.monotonic() + PATIENCE
    for number in range(OVERFLOW):
        caller.track(number)
        if time.monotonic() > until:
            break
    caller.say()
    sink.clear()
    caller.end(caller.sdk.close)
    caller.say(slowest=caller.slowest)


def few(caller: Caller, _: Sink) -> None:
    """Track five and close."""
    caller.all(range(5))
    caller.end(caller.sdk.close)
    caller.say()


def patient(caller: Caller, sink: Sink, number: str, seconds: str) -> None:
    """Track a number of events, flush, and see for so many seconds what the SDK does then."""
    caller.all(range(int(number)))
    caller.end(caller.sdk.flush)
    sink.wait(float(seconds), events=int(number))
    caller.say()
    os._exit(0)


def odd_value(caller: Caller, _: Sink, name: str) -> None:
    """Track one event with a value that is not JSON, and close."""
    caller.track(1, value=VALUES[name]())
    caller.end(caller.sdk.close)
    caller.say()


def in_a_signal(caller: Caller, sink: Sink) -> None:
    """Track without pause, and from a signal handler a millisecond after it was last done."""
    numbers = count()

    def handle(*_: object) -> None:
        caller.track(next(numbers))
        signal.setitimer(signal.ITIMER_REAL, 0.001)

    signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, 0.001)
    _for_a_while(caller, sink, numbers)
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    caller.say()
    os._exit(0)


def in_a_finalizer(caller: Caller, sink: Sink) -> None:
    """Track without pause, and from finalizers that the garbage collector runs."""
    numbers = count()

    class Cycle:
        def __init__(self) -> None:
            self.me = self

        def __del__(self) -> None:
            caller.track(next(numbers))

    gc.set_threshold(20, 2, 2)
    _for_a_while(caller, sink, numbers, meanwhile=Cycle)
    caller.say()
    os._exit(0)


def after_the_end(caller: Caller, _: Sink) -> None:
    """Close, then track five."""
    caller.track(0)
    caller.end(caller.sdk.close)
    caller.returned.clear()
    caller.all(range(100, 105))
    caller.say()


def _for_a_while(
    caller: Caller,
    sink: Sink,
    numbers: Iterator[int],
    meanwhile: Callable[[], object] = object,
) -> None:
    """Track without pause, but for letting the sender catch up before its queue is full."""
    until = time.monotonic() + SOON
    while time.monotonic() < until:
        for _ in range(100):
            meanwhile()
            caller.track(next(numbers))
        sink.wait(SOON, events=caller.calls - FITTING)


def _await_child(caller: Caller, child: int) -> None:
    """Wait for a child as long as one would, and then end as the parent."""
    until = time.monotonic() + PATIENCE
    gone = 0
    while not gone and time.monotonic() < until:
        gone, _ = os.waitpid(child, os.WNOHANG)
        time.sleep(0.02)
    if not gone:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    caller.end(caller.sdk.close)
    caller.say(child_hangs=not gone)


def _shape(answer: object) -> str:
    """What a call returned, as far as it says whether the event was taken."""
    answer = answer[0] if isinstance(answer, tuple) else answer
    return str(answer) if answer is None or isinstance(answer, bool) else "an id"


def _cycle() -> dict[str, Any]:
    found: dict[str, Any] = {}
    found["self"] = found
    return found


def _number_of_numpy() -> object:
    import numpy as np

    return np.int64(7)


VALUES: dict[str, Callable[[], object]] = {
    "datetime": lambda: datetime(2026, 3, 1, 12, tzinfo=timezone(timedelta(hours=2))),
    "Decimal": lambda: Decimal("19.99"),
    "UUID": lambda: uuid.UUID(int=7),
    "NaN": lambda: float("nan"),
    "numpy.int64": _number_of_numpy,
    "bytes": lambda: b"caf\xc3\xa9",
    "cycle": _cycle,
    "1 MB of text": lambda: "x" * 1_000_000,
}
CASES: dict[str, Callable[..., None]] = {
    case.__name__: case
    for case in (
        leave, crash, terminate, recover, fork, fork_and_flush, steady, overflow, few, patient,
        odd_value, in_a_signal, in_a_finalizer, after_the_end,
    )
}  # fmt: skip

if __name__ == "__main__":
    case, name, host, *arguments = sys.argv[1:]
    CASES[case](Caller(make(name, host)), Sink(host), *arguments)
