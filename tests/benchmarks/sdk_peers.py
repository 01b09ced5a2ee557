"""The SDK beside six peers: what a call costs, what an event costs, what waiting costs.

`python tests/benchmarks/sdk_peers.py` makes an environment of its own in `.venv-peers`, installs
the peers by name, and measures all in one run against one server on this machine, alternating.
Each measurement has a fresh interpreter; the figures are medians of the rounds. No time is
asserted. `--rows caller memory --sdks pequel segment --rounds 1` is a quick look.

Every SDK gets the same events and is as it comes, but for host and key. Mixpanel has no thread:
its default consumer sends in every call (`mixpanel-sync`), the buffered one in every 50th. The
last column is Pequel's figure over that of the best peer, and what was wanted.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import defaultdict
from statistics import median
from typing import NamedTuple

from peers import environment, sink
from peers.sdks import IMPORTS, SDKS, version_of


class Row(NamedTuple):
    """One figure: which measurement gives it, and how Pequel should compare with the best peer."""

    figure: str
    title: str
    measurement: str
    wanted: float | None = None
    more_is_better: bool = False


ROWS = [
    Row("caller_us", "caller's CPU per track, µs", "caller", 0.6),
    Row("cpu_s", "CPU per 100,000 delivered, s", "delivered", 0.5),
    Row("memory", "memory per queued event, B", "memory", 1.1),
    Row("import_ms", "import, ms", "import", 0.7),
    Row("paced_p50", "pause of the caller, 1 a ms, p50, µs", "paced"),
    Row("paced_p99", "pause of the caller, 1 a ms, p99, µs", "paced", 1.0),
    Row("burst_p50", "pause of the caller, burst, p50, µs", "burst"),
    Row("burst_p99", "pause of the caller, burst, p99, µs", "burst", 1.0),
    Row("rate", "events/s end to end", "delivered", more_is_better=True),
    Row("bytes", "bytes on the wire per event", "delivered"),
    Row("requests", "requests per 20,000 events", "delivered"),
    Row("connections", "connections", "delivered"),
]
COLUMNS = [*SDKS, "mixpanel-sync"]
Figures = dict[str, dict[str, list[float]]]


def main() -> None:
    """Measure and print."""
    arguments = read_arguments()
    rows = [row for row in ROWS if not arguments.rows or row.measurement in arguments.rows]
    environment.prepare()
    figures: Figures = defaultdict(lambda: defaultdict(list))
    with sink.running() as server:
        for number in range(arguments.rounds):
            for measurement in dict.fromkeys(row.measurement for row in rows):
                print(f"round {number + 1}: {measurement}", file=sys.stderr)
                for name in arguments.sdks:
                    for figure, value in measure(measurement, name, server.url).items():
                        figures[figure][name].append(value)
    print(table(rows, arguments.sdks, figures))


def read_arguments() -> argparse.Namespace:
    """What to measure; everything if nothing is said."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sdks", nargs="+", choices=COLUMNS, default=COLUMNS)
    measurements = list(dict.fromkeys(row.measurement for row in ROWS))
    parser.add_argument("--rows", nargs="+", choices=measurements, default=[])
    return parser.parse_args()


def measure(measurement: str, name: str, host: str) -> dict[str, float]:
    """The figures of one SDK, from a fresh interpreter."""
    if measurement == "import":
        return imported(name)
    if (measurement, name) == ("memory", "mixpanel-sync"):
        return {}  # nothing ever waits
    done = subprocess.run(
        environment.command("measure", measurement, name, host),
        env=environment.variables(),
        capture_output=True,
        text=True,
        timeout=300,
    )
    if done.returncode:
        raise SystemExit(f"{measurement} of {name} failed:\n{done.stderr}")
    return dict(json.loads(done.stdout))


def imported(name: str) -> dict[str, float]:
    """How long the import takes once the files are in the cache of the system."""
    if name not in IMPORTS:
        return {}
    code = (
        "import time; began = time.perf_counter()\n"
        f"import {IMPORTS[name]}\n"
        "print((time.perf_counter() - began) * 1000)"
    )
    command = [environment.PYTHON, "-c", code]
    seconds = subprocess.run(command, env=environment.variables(), capture_output=True, check=True)
    return {"import_ms": float(seconds.stdout)}


def table(rows: list[Row], names: list[str], figures: Figures) -> str:
    """A table in Markdown."""
    versions = environment.versions()
    titles = [f"{name} {version_of(name, versions)}".strip() for name in names]
    lines = [["", *titles, "to the best"], ["---", *["--:"] * len(names), "--:"]]
    for row in rows:
        medians = {name: median(found) for name, found in figures[row.figure].items()}
        cells = [number(medians[name]) if name in medians else "–" for name in names]
        lines.append([row.title, *cells, compared(row, medians)])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def compared(row: Row, medians: dict[str, float]) -> str:
    """Pequel's figure over the best peer's, and what was wanted."""
    peers = {name: value for name, value in medians.items() if not name.startswith("pequel")}
    if not peers or "pequel" not in medians:
        return ""
    best = (max if row.more_is_better else min)(peers, key=peers.__getitem__)
    ratio = f"{medians['pequel'] / peers[best]:.2f} of {best}"
    return f"{ratio} (≤ {row.wanted})" if row.wanted else ratio


def number(value: float) -> str:
    """Three digits, or all of a long one."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


if __name__ == "__main__":
    main()
