"""Ingestion over HTTP into a store that has grown, beside an empty one, in one run.

Two collectors with the twelve definitions are filled with events by batches, one with message ids
that go up, as the SDK makes them, one with random ones, as other clients do. Then rounds with the
same requests alternate between them and two that are empty. Prints rates and ratios, and the
memory of the workers on the way. No time is asserted.

``PEQUEL_BENCH_EVENTS=5000000`` says how many events they are filled with.
"""

from __future__ import annotations

import os
import random
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from uuid import UUID

from . import bench_marking as marking
from .bench_ingestion import BATCHES, SINGLES, Stream, collector
from .load import send

FILL = int(os.environ.get("PEQUEL_BENCH_EVENTS", "200000"))
STEP = 100_000
ROUNDS = 3
LINES = max(1, FILL // STEP // 10)
"""After how many steps of filling a line is printed."""

_ID = re.compile(rb'"messageId": "[^"]*"')


class RandomIds(Stream):
    """The same events with random message ids: UUIDs of version 4."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._chance = random.Random(seed)

    def _bodies(self, count: int) -> list[bytes]:
        return [_ID.sub(self._id, body) for body in super()._bodies(count)]

    def _id(self, _found: re.Match[bytes]) -> bytes:
        made = UUID(int=self._chance.getrandbits(128), version=4)
        return f'"messageId": "{made}"'.encode()


def _memory() -> Iterator[int]:
    """The resident memory of each worker, in MB: the children of the collectors started here."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
            status = (process / "status").read_text()
        except OSError:
            continue
        if b"multiprocessing" in command or b"pequel_collector" in command:
            found = re.search(r"VmRSS:\s+(\d+)", status)
            yield int(found[1]) // 1024 if found else 0


def _fill(name: str, port: int, stream: Stream) -> None:
    for step in range(FILL // STEP):
        rate = send(port, stream.batches(STEP // marking.BATCH), 4).rate * marking.BATCH
        if step % LINES == 0:
            largest = max(_memory(), default=0)
            print(f"{name}: {step * STEP:>10,} events, {rate:>8,.0f}/s, {largest} MB", flush=True)


def test_a_grown_store_beside_an_empty_one(tmp_path: Path) -> None:
    """Batches of 100 over four connections, and single events over sixteen."""
    streams = {"ids that go up": Stream(), "random ids": RandomIds(1)}
    for name, stream in streams.items():
        folders = {
            size: tmp_path / f"{name} {size}".replace(" ", "-") for size in ("full", "empty")
        }
        with ExitStack() as stack:
            ports = {}
            for size, folder in folders.items():
                folder.mkdir()
                ports[size] = stack.enter_context(collector(folder))
            _fill(name, ports["full"], stream)
            _compare(name, ports, stream)


def _compare(name: str, ports: dict[str, int], stream: Stream) -> None:
    rates: dict[tuple[str, str], list[float]] = {}
    for _ in range(ROUNDS):
        work = {"batches": (stream.batches(BATCHES), 4), "singles": (stream.singles(SINGLES), 16)}
        for kind, (requests, connections) in work.items():
            for size, port in ports.items():
                rate = send(port, requests, connections).rate
                rates.setdefault((kind, size), []).append(rate)
    middle = {key: sorted(found)[ROUNDS // 2] for key, found in rates.items()}
    for kind in ("batches", "singles"):
        full, empty = middle[kind, "full"], middle[kind, "empty"]
        print(f"{name}, {kind}: {FILL:,} events {full / empty:.2f} of an empty store", flush=True)
