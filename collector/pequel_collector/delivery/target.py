"""Where a URL leads: its host, port and path, if alerts may go there."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, urlsplit

PORTS = {"http": 80, "https": 443}
MAX_URL = 2_048
BLOCKED_PORTS = frozenset({
    0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101,
    102, 103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427,
    465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990,
    993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667,
    6668, 6669, 6679, 6697, 10080,
})  # fmt: skip
"""Ports of mail and other protocols of lines, which might take the lines of a body for commands.

Browsers block the same ones: https://fetch.spec.whatwg.org/#port-blocking.
"""

_SAFE = "%/:=&?~+!$,;'@()*[]"


class Forbidden(Exception):
    """The client does not go there: another scheme, a password in the URL, or a private address."""


@dataclass(frozen=True, slots=True)
class Target:
    """A URL in parts. ``host`` is ASCII and has no brackets; ``path`` has the query."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def host_header(self) -> str:
        """The value of ``Host``: without the port that the scheme has anyway."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"


def parse(url: str) -> Target:
    """The parts of a URL. Raises Forbidden if alerts may not go there, whatever its address is."""
    url = url.strip()
    if len(url) > MAX_URL or any(c.isspace() or not c.isprintable() or c == "\\" for c in url):
        raise Forbidden(f"the URL is over {MAX_URL} characters, or has a blank or a backslash")
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname or ""
        host = host if ":" in host else host.encode("idna").decode()
    except (ValueError, UnicodeError) as error:
        raise Forbidden(f"the URL cannot be read: {error}") from None
    if parts.scheme not in PORTS:
        raise Forbidden(f"the scheme is {parts.scheme or 'missing'}, expected https or http")
    if parts.username is not None or parts.password is not None:
        raise Forbidden("the URL has a user name or a password: use headers_env instead")
    if not host:
        raise Forbidden("the URL has no host")
    if port in BLOCKED_PORTS:
        raise Forbidden(f"the port {port} is not for HTTP")
    path = quote(parts.path or "/", _SAFE) + (
        "?" + quote(parts.query, _SAFE) if parts.query else ""
    )
    return Target(parts.scheme, host, port or PORTS[parts.scheme], path)
