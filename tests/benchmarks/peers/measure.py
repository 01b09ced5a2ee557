"""One measurement of one SDK, in an interpreter that has done nothing else.

`python -m peers.measure WHAT SDK HOST` prints a JSON object of figures.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
import tracemalloc
from collections.abc import Callable

from .sdks import Sdk, make
from .sink import Sink

CALLS = {"mixpanel-sync": 1_000}
"""How many calls make a measurement where it is not 20,000: this one sends in each of them."""
PACED = {"mixpanel-sync": 500}
QUEUED = {"mixpanel": 49}
"""How many events can wait, where it is not 5,000: the 50th call sends."""
BLOCK = 5_000
"""How many calls between two flushes: what every queue has room for."""
PATIENCE = 60.0


def caller(sdk: Sdk, sink: Sink, calls: int) -> dict[str, float]:
    """CPU of the calling thread, in blocks that fit into every queue."""
    spent, arguments = 0.0, _arguments(calls)
    for start in range(0, calls, BLOCK):
        began = time.thread_time()
        for user, values in arguments[start : start + BLOCK]:
            sdk.track(user, values)
        spent += time.thread_time() - began
        _deliver(sdk, sink, min(start + BLOCK, calls))
    return {"caller_us": spent / calls * 1e6}


def delivered(sdk: Sdk, sink: Sink, calls: int) -> dict[str, float]:
    """CPU of the process and time until all is delivered, and what that took on the wire."""
    arguments = _arguments(calls)
    cpu, began = time.process_time(), time.perf_counter()
    for start in range(0, calls, BLOCK):
        for user, values in arguments[start : start + BLOCK]:
            sdk.track(user, values)
        _deliver(sdk, sink, min(start + BLOCK, calls))
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    counts = sink.counts()
    return {
        "cpu_s": cpu / calls * 100_000,
        "rate": calls / seconds,
        "bytes": counts["bytes"] / calls,
        "requests": counts["requests"] * 20_000 / calls,
        "connections": counts["connections"],
    }


def memory(sdk: Sdk, sink: Sink, calls: int) -> dict[str, float]:
    """Bytes that the process holds for each event that waits, while the server hangs."""
    for user, values in _arguments(BLOCK):
        sdk.track(user, values)
    _deliver(sdk, sink, BLOCK)
    sink.clear(hang=True)
    gc.collect()
    tracemalloc.start()
    for number in range(calls):
        sdk.track(*_call(number))
    sink.wait(2.0, hanging=1)
    gc.collect()
    return {"memory": tracemalloc.get_traced_memory()[0] / calls}


def paced(sdk: Sdk, sink: Sink, calls: int) -> dict[str, float]:
    """How long a call takes when there is one a millisecond."""
    pauses, due = [], time.perf_counter()
    for user, values in _arguments(calls):
        due += 0.001
        time.sleep(max(0.0, due - time.perf_counter()))
        pauses.append(_timed(sdk, user, values))
    return _shares("paced", pauses)


def burst(sdk: Sdk, sink: Sink, calls: int) -> dict[str, float]:
    """How long a call takes when they come one after the other."""
    return _shares("burst", [_timed(sdk, *one) for one in _arguments(calls)])


MEASUREMENTS: dict[str, Callable[[Sdk, Sink, int], dict[str, float]]] = {
    "caller": caller,
    "delivered": delivered,
    "memory": memory,
    "paced": paced,
    "burst": burst,
}


def calls_for(what: str, name: str) -> int:
    """How many calls make the measurement."""
    calls = CALLS.get(name, 20_000)
    if what == "memory":
        return QUEUED.get(name, 5_000)
    if what == "paced":
        return PACED.get(name, 3_000)
    return min(calls, 5_000) if what == "burst" else calls


def _call(number: int) -> tuple[str, dict[str, object]]:
    """A user and five properties, as an application makes them anew for each call."""
    return f"user-{number:06}", {
        "project_id": f"p{number}",
        "template": "kanban",
        "members": 7,
        "ratio": 0.25,
        "paid": True,
    }


def _arguments(calls: int) -> list[tuple[str, dict[str, object]]]:
    return [_call(number) for number in range(calls)]


def _deliver(sdk: Sdk, sink: Sink, events: int) -> None:
    """Flush, and wait until all have arrived, whatever the flush waits for."""
    sdk.flush()
    arrived = sink.wait(PATIENCE, events=events)["events"]
    if arrived != events:
        raise RuntimeError(f"{arrived} of {events} events arrived")


def _timed(sdk: Sdk, user: str, values: dict[str, object]) -> float:
    began = time.perf_counter_ns()
    sdk.track(user, values)
    return (time.perf_counter_ns() - began) / 1_000


def _shares(name: str, pauses: list[float]) -> dict[str, float]:
    ordered = sorted(pauses)
    return {
        f"{name}_p50": ordered[len(ordered) // 2],
        f"{name}_p99": ordered[len(ordered) * 99 // 100],
    }


def main(what: str, name: str, host: str) -> None:
    """Measure, print, and go without the SDK's farewell."""
    sink = Sink(host)
    sink.clear()
    figures = MEASUREMENTS[what](make(name, host), sink, calls_for(what, name))
    print(json.dumps(figures), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
