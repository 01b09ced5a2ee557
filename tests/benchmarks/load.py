"""Load over HTTP: requests that are made beforehand, sent over so many connections."""

from __future__ import annotations

import base64
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from threading import Barrier, Thread
from time import perf_counter, sleep


@dataclass
class Run:
    """What came of sending requests: seconds in all, and how long each was waited for."""

    seconds: float
    waits: list[float]

    @property
    def rate(self) -> float:
        """Requests answered in a second."""
        return len(self.waits) / self.seconds

    def wait(self, share: float) -> float:
        """The seconds within which this share of the requests was answered."""
        return sorted(self.waits)[min(len(self.waits) - 1, int(share * len(self.waits)))]


def request(path: str, body: bytes, key: str, method: str = "POST") -> bytes:
    """A request as it goes over the wire."""
    user = base64.b64encode(f"{key}:".encode()).decode()
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: pequel\r\nAuthorization: Basic {user}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def send(port: int, requests: Sequence[bytes], connections: int, rate: float | None = None) -> Run:
    """Send requests, each connection one after the other, at a rate or as fast as it goes.

    At a rate, the wait for an answer begins when a request was due, whether or not a connection
    was free then.
    """
    numbers = count()
    waits: list[float] = []
    start = Barrier(connections + 1)
    began = [0.0]

    def work() -> None:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            start.wait()
            start.wait()
            while (number := next(numbers)) < len(requests):
                due = perf_counter() if rate is None else began[0] + number / rate
                if (early := due - perf_counter()) > 0:
                    sleep(early)
                connection.sendall(requests[number])
                _answer(connection)
                waits.append(perf_counter() - due)

    threads = [Thread(target=work) for _ in range(connections)]
    for thread in threads:
        thread.start()
    start.wait()
    began[0] = perf_counter()
    start.wait()
    for thread in threads:
        thread.join()
    if len(waits) < len(requests):
        raise ConnectionError("not every request was answered")
    return Run(perf_counter() - began[0], waits)


def _answer(connection: socket.socket) -> None:
    """Read one answer to its end. Raises ConnectionError for any but 200."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += _some(connection)
    head, _, body = data.partition(b"\r\n\r\n")
    if b" 200 " not in head.split(b"\r\n", 1)[0]:
        raise ConnectionError(data.decode(errors="replace")[:300])
    length = next(
        int(line.split(b":")[1])
        for line in head.lower().split(b"\r\n")
        if line.startswith(b"content-length:")
    )
    while len(body) < length:
        body += _some(connection)


def _some(connection: socket.socket) -> bytes:
    data = connection.recv(65_536)
    if not data:
        raise ConnectionError("the connection was closed")
    return data
