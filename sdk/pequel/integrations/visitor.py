"""A cookie with the anonymous id of a visitor, so that the first page view has one too."""

from __future__ import annotations

import os
import re

MAX_AGE = 400 * 86_400  # the longest that browsers keep a cookie
_ID = re.compile(r"[\w-]{8,128}", re.ASCII)
_NAME = re.compile(r"[\w!#$%&'*+.^`|~-]+", re.ASCII)


class Visitor:
    """The visitor of one request.

    Attributes:
        new_id: the id that was made for a new visitor; None if the request had one, or if nothing
            was tracked, so that the response needs no cookie.
    """

    def __init__(self, sent: str | None) -> None:
        """Take the value of the cookie, if the request has one."""
        self._sent = sent if sent and _ID.fullmatch(sent) else None
        self.new_id: str | None = None

    def id(self) -> str:
        """The id; a new visitor gets one at the first call."""
        if self._sent is None and self.new_id is None:
            self.new_id = os.urandom(16).hex()
        return self._sent or self.new_id or ""


def checked_name(name: object) -> str | None:
    """The name of a cookie, or None. Raises TypeError if it cannot be one."""
    if name is None or (isinstance(name, str) and _NAME.fullmatch(name)):
        return name
    raise TypeError(f"cookie must be the name of a cookie, not {name!r}")


def in_header(name: str, header: str) -> Visitor:
    """The visitor whom the header `Cookie` of a request names."""
    pairs = (pair.strip().partition("=") for pair in header.split(";"))
    return Visitor(next((value for found, _, value in pairs if found == name), None))


def set_cookie(name: str, visitor: Visitor | None, *, secure: bool) -> list[tuple[str, str]]:
    """The header of the response that keeps a new visitor's id; empty if none is needed."""
    if visitor is None or visitor.new_id is None:
        return []
    value = f"{name}={visitor.new_id}; Path=/; Max-Age={MAX_AGE}; HttpOnly; SameSite=Lax"
    return [("Set-Cookie", f"{value}; Secure" if secure else value)]
