"""Where a URL leads: its host, port and path, if alerts may go there."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, urlsplit

PORTS = {"http": 80, "https": 443}
MAX_URL = 2_048
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
    if not host or port == 0:
        raise Forbidden("the URL has no host, or the port 0")
    path = quote(parts.path or "/", _SAFE) + (
        "?" + quote(parts.query, _SAFE) if parts.query else ""
    )
    return Target(parts.scheme, host, port or PORTS[parts.scheme], path)
