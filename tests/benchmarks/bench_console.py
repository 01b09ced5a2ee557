"""The waits for pages of the console, beside those for a bare Flask ``hello``, in one run.

Reads the store of ``bench_reads``, which is built if it is not there. Prints the size of each page,
within what time 99 of 100 answers came, the median, and whether that is over the bound (5 times
``hello``'s and 10 ms). No time is asserted.

    python tests/benchmarks/bench_console.py --users 1000000 --leads 100000
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import requests

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.bench_reads import DEFINITIONS, hello, store
from benchmarks.load import send
from support.processes import KEYS, run_server

ROUNDS, AT_ONCE = 3, 2
LARGEST = 100_000
"""Bytes of a page."""

PAGES = (
    "/",
    "/?q=user-7",
    "/?definition=step_3",
    "/?state=any",
    "/?snoozed=true",
    "/?sort=due_at",
    "/?sort=-marked_at",
    "/live",
    "/definitions",
    "/definition?name=step_3",
    "/near?name=exporter",
    "/editor",
    "/figures",
    "/figures?role=product",
    "/figure?name=volume",
    "/users",
    "/users?q=user-7",
    "/user?id=user-7",
    "/accounts",
    "/account?id=team",
    "/feature?name=report_exported",
    "/catalogue",
    "/event?name=report_exported",
    "/alerts",
    "/routes",
    "/settings",
)


def log_in(url: str) -> requests.Session:
    """A session of the console."""
    session = requests.Session()
    session.headers["Accept"] = "text/html"
    answer = session.post(f"{url}/login", data={"key": KEYS["PEQUEL_ADMIN_KEY"]}, timeout=30)
    answer.raise_for_status()
    return session


def of_lead(session: requests.Session, url: str) -> str:
    """The page of a lead."""
    headers = {"Authorization": f"Bearer {KEYS['PEQUEL_READ_KEY']}"}
    [lead] = session.get(f"{url}/v1/pqls?limit=1", headers=headers, timeout=30).json()["data"]
    return f"/leads/{lead['id']}"


def get(path: str, cookie: str) -> bytes:
    """A request as it goes over the wire."""
    head = f"GET {path} HTTP/1.1\r\nHost: pequel\r\nAccept: text/html\r\nCookie: {cookie}\r\n\r\n"
    return head.encode()


def waits_of(port: int, path: str, cookie: str, seconds: float) -> list[float]:
    """As many answers as come in so many seconds; at least six."""
    first = send(port, [get(path, cookie)], 1)
    number = min(200, max(6, int(AT_ONCE * first.rate * seconds)))
    return send(port, [get(path, cookie)] * number, AT_ONCE).waits


def measure(url: str, bare: int, seconds: float, pages: Sequence[str]) -> None:
    """Rounds over all pages, each beside ``hello``; the table."""
    with log_in(url) as session:
        cookie = "; ".join(f"{c.name}={c.value}" for c in session.cookies)
        lead = of_lead(session, url)
        paths = pages or [*PAGES, lead, f"{lead}/proof"]
        sizes = {}
        for path in paths:
            answer = session.get(url + path, timeout=120)
            answer.raise_for_status()
            sizes[path] = len(answer.content)
    waits: dict[str, list[float]] = {path: [] for path in paths}
    plain: list[float] = []
    port = int(url.rpartition(":")[2])
    for _ in range(ROUNDS):
        for path in paths:
            plain += waits_of(bare, "/hello", cookie, seconds / 4)
            waits[path] += waits_of(port, path, cookie, seconds)
    bound = 5 * at(plain, 0.99) + 0.010
    print(f"hello: p99 {at(plain, 0.99) * 1000:.1f} ms; the bound: {bound * 1000:.1f} ms")
    print(f"{'p99 ms':>8} {'median':>8} {'bytes':>8}  page")
    for path, each in waits.items():
        p99, middle = at(each, 0.99), at(each, 0.5)
        marks = ["slow"] * (p99 > bound) + ["large"] * (sizes[path] > LARGEST)
        line = f"{p99 * 1000:>8.1f} {middle * 1000:>8.1f} {sizes[path]:>8,}  {path}"
        print(line, *marks, flush=True)


def at(waits: Sequence[float], share: float) -> float:
    """The time within which this share of the answers came."""
    return sorted(waits)[min(len(waits) - 1, int(share * len(waits)))]


def main(argv: Sequence[str] | None = None) -> None:
    """Build the store if it is not there, serve it, and measure."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--leads", type=int, default=10_000)
    parser.add_argument("--events", type=int, default=20_000, help="of each large subject")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--seconds", type=float, default=0.5, help="for a page, in each round")
    parser.add_argument("--folder", default=tempfile.gettempdir(), help="where stores are kept")
    parser.add_argument("--label", default="store", help="a name for the stores of one version")
    parser.add_argument("--pages", nargs="*", default=(), help="measure these only")
    arguments = parser.parse_args(argv)
    with store(arguments) as url, hello(8) as bare, tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "pequel.toml").write_text(DEFINITIONS)
        with run_server(Path(folder), "--database", url) as server:
            measure(server.url, bare, arguments.seconds, arguments.pages)


if __name__ == "__main__":
    main()
