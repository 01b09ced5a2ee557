"""The HTTP client of alerts: one request to an address that it has checked itself.

Whoever may change definitions chooses the URLs, and they may not lead into the network of the
collector. So:

* A name is looked up once. Each address is checked, and the connection goes to a checked address,
  not to the name. A name that changes its address in between gains nothing.
* Redirects are not followed: they are answers like any other.
* Proxies of the environment are not used: they would look up the name again.
* A request has a deadline for everything, an answer a limit of bytes.

It uses ``http.client``, which follows no redirect, reads no variable, and lets us connect the
socket. A library that does more would have to be kept from doing it.
"""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from http.client import HTTPConnection, HTTPException, HTTPResponse
from threading import Timer
from time import monotonic

import certifi

from .addresses import is_public
from .target import Forbidden, Target, parse

CONNECT_TIMEOUT = 5.0
DEADLINE = 15.0
"""Seconds that a request may take once its host is looked up."""

MAX_ANSWER = 65_536
"""Bytes of an answer that are read."""

Resolve = Callable[[str, int], Sequence[str]]
"""The addresses of a host. Raises OSError."""


class Unreachable(Exception):
    """No answer: the host is not there, refuses, is too slow, or does not speak HTTP."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer; header names are in lower case. ``body`` is its first 64 KB."""

    status: int
    reason: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def is_ok(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300

    def __str__(self) -> str:
        return f"{self.status} {self.reason}".rstrip()


def resolve(host: str, port: int) -> list[str]:
    """The addresses of a host, as the system looks them up."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


class Http:
    """Sends requests to public addresses; with ``allow_private`` to any.

    ``resolver`` looks up names. ``context`` is what TLS trusts, by default certifi's certificates.
    """

    def __init__(
        self,
        *,
        allow_private: bool = False,
        resolver: Resolve = resolve,
        context: ssl.SSLContext | None = None,
        connect_timeout: float = CONNECT_TIMEOUT,
        deadline: float = DEADLINE,
    ) -> None:
        self._allow_private, self._resolve, self._context = allow_private, resolver, context
        self._connect_timeout, self._deadline = connect_timeout, deadline

    def request(
        self,
        method: str,
        url: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """The answer to a request, whatever its status. Raises Unreachable and Forbidden."""
        target = parse(url)
        addresses = self.addresses(target.host, target.port)
        connection = HTTPConnection(target.host, target.port)
        sent = {"Host": target.host_header, "User-Agent": "pequel", **(headers or {})}
        with self._limited() as limit:
            try:
                connection.sock = self._connected(addresses, target, limit)
                connection.request(method, target.path, body, {**sent, "Connection": "close"})
                with connection.getresponse() as response:
                    answer = _answer(response)
                if limit.has_ended:
                    raise TimeoutError
                return answer
            except (OSError, HTTPException, ValueError) as error:
                raise Unreachable(self._why(error, target.host, limit)) from error
            finally:
                connection.close()

    def addresses(self, host: str, port: int) -> Sequence[str]:
        """The addresses of a host, once all are checked. Raises Unreachable and Forbidden."""
        try:
            found = self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise Unreachable(f"the host {host} cannot be found: {_text(error)}") from error
        for address in found:
            if not (self._allow_private or is_public(address)):
                raise Forbidden(
                    f"the host {host} has the address {address}, which is not public: "
                    "PEQUEL_ALLOW_PRIVATE_ALERTS=1 would allow it"
                )
        return found

    def _connected(self, addresses: Sequence[str], target: Target, limit: _Limit) -> socket.socket:
        """A socket to the first of several addresses that takes it."""
        failed = OSError("the host has no address")
        for address in addresses:
            try:
                return self._socket(address, target, limit)
            except OSError as error:
                failed = error
        raise failed

    def _socket(self, address: str, target: Target, limit: _Limit) -> socket.socket:
        timeout = min(self._connect_timeout, limit.left())
        sock = limit.watch(socket.create_connection((address, target.port), timeout))
        try:
            sock.settimeout(limit.left())
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if target.scheme == "https":
                sock = self._tls(sock, target.host, limit)
        except BaseException:
            sock.close()
            raise
        return sock

    def _tls(self, sock: socket.socket, host: str, limit: _Limit) -> socket.socket:
        context = self._context or trusting()
        # Wrapping takes the socket over, so the limit has to know the new one first.
        tls = context.wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)
        limit.watch(tls)
        try:
            tls.do_handshake()
        except BaseException:
            tls.close()
            raise
        return tls

    @contextmanager
    def _limited(self) -> Iterator[_Limit]:
        limit = _Limit(monotonic() + self._deadline)
        timer = Timer(self._deadline, limit.end)
        timer.daemon = True
        timer.start()
        try:
            yield limit
        finally:
            timer.cancel()

    def _why(self, error: Exception, host: str, limit: _Limit) -> str:
        if limit.has_ended:
            return f"no whole answer within {self._deadline:g} seconds"
        if isinstance(error, ssl.SSLError):
            return tls_problem(error, host)
        return "no answer in time" if isinstance(error, TimeoutError) else _text(error)


class _Limit:
    """Shuts the socket of a request down at an instant, so that a slow host cannot hold it."""

    def __init__(self, until: float) -> None:
        self._until = until
        self._sock: socket.socket | None = None
        self.has_ended = False

    def left(self) -> float:
        """The seconds that are left."""
        return max(0.001, self._until - monotonic())

    def watch(self, sock: socket.socket) -> socket.socket:
        """Take note of the socket that is in use now; returns it."""
        self._sock = sock
        if self.has_ended:
            self.end()
        return sock

    def end(self) -> None:
        """Shut the socket down."""
        self.has_ended = True
        if self._sock is not None:
            with suppress(OSError):  # it is closed already
                socket.socket.shutdown(self._sock, socket.SHUT_RDWR)


def _answer(response: HTTPResponse) -> Answer:
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, response.reason, headers, response.read(MAX_ANSWER))


@lru_cache(maxsize=1)
def trusting() -> ssl.SSLContext:
    """Trusts the certificates of certifi, or those of ``SSL_CERT_FILE``. Raises Unreachable."""
    file = os.environ.get("SSL_CERT_FILE")
    try:
        return ssl.create_default_context(cafile=file or certifi.where())
    except OSError as error:
        raise Unreachable(f"SSL_CERT_FILE={file} cannot be read: {_text(error)}") from error


def tls_problem(error: ssl.SSLError, host: str) -> str:
    """Why no connection by TLS was made, for people."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate of {host} is refused: {error.verify_message}"
    return f"TLS with {host} failed: {(error.reason or str(error)).replace('_', ' ').lower()}"


def _text(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
