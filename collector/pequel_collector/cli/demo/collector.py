"""The demo's collector: ``pequel serve`` in its own process, on a temporary database."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import NamedTuple

from ...errors import Unavailable

PORT = 8321
WRITE_KEY = "pk_w_demo"
READ_KEY = "pk_r_demo"
ADMIN_KEY = "pk_a_demo"
KEYS = {
    "PEQUEL_WRITE_KEY": WRITE_KEY,
    "PEQUEL_READ_KEY": READ_KEY,
    "PEQUEL_ADMIN_KEY": ADMIN_KEY,
}
CONSOLE = "console "
READY = "listening on "
STOP_TIMEOUT = 15

DEFINITIONS = Path(__file__).with_name("pequel.toml")


class Running(NamedTuple):
    """A collector that answers at ``url``. ``console`` is a link that opens its console once."""

    url: str
    console: str
    process: subprocess.Popen[str]


@contextmanager
def running_collector() -> Iterator[Running]:
    """Yield a collector that listens. It is stopped and its files are removed afterwards."""
    signal.signal(signal.SIGTERM, _exit)
    with TemporaryDirectory(prefix="pequel-demo-") as folder:
        process = _start(Path(folder))
        try:
            yield Running(*_addresses(process), process)
        finally:
            process.terminate()
            process.wait(STOP_TIMEOUT)


def _start(folder: Path) -> subprocess.Popen[str]:
    (folder / "pequel.toml").write_text(DEFINITIONS.read_text("utf-8"), "utf-8")
    environment = {
        name: text for name, text in os.environ.items() if not name.startswith("PEQUEL_")
    }
    options = ("--host", "127.0.0.1", "--port", str(PORT if _is_free(PORT) else 0))
    return subprocess.Popen(  # noqa: S603 - a fixed command
        [sys.executable, "-m", "pequel_collector.cli", "serve", *options],
        cwd=folder,
        env=environment | KEYS,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C goes to the demo, which then stops the collector
    )


def _addresses(process: subprocess.Popen[str]) -> tuple[str, str]:
    """The address of the collector, and the link to its console."""
    console = ""
    for line in process.stdout or ():
        if line.startswith(CONSOLE):
            console = line.split()[1]
        if line.startswith(READY):
            return line.removeprefix(READY).strip(), console
    raise Unavailable("the demo's collector did not start")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _exit(_signal: int, _frame: FrameType | None) -> None:
    sys.exit(0)
