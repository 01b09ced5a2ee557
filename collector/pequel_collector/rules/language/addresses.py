"""E-mail addresses: the domain of one, however it is written."""

from __future__ import annotations

import re
from email.utils import getaddresses
from functools import lru_cache
from typing import Any

EMAIL_DOMAIN = "@email_domain"
"""The derived trait: the domain of the trait ``email``."""

SOURCE = "email"
"""The trait that it is derived from."""

_PLAIN = re.compile(r"[A-Za-z0-9._%+-]+@([A-Za-z0-9.-]+)")

LONGEST = 512
LONGEST_DOMAIN = 253
MOST_COMMENTS = 8
"""Brackets in an address: each may hold others, and the parser goes down into all of them."""


def domain_of(value: Any) -> str | None:
    """The domain of a text that is one address, such as ``Ada <ada@ours.example>``; else None."""
    if not isinstance(value, str) or len(value) > LONGEST or value.count("(") > MOST_COMMENTS:
        return None
    if plain := _PLAIN.fullmatch(value):  # as nearly all are: the parser takes much longer
        return normal_domain(plain[1])
    found = getaddresses([value])
    if len(found) != 1:
        return None
    mailbox, _, domain = found[0][1].rpartition("@")
    return normal_domain(domain) if mailbox else None


def normal_domain(text: str) -> str | None:
    """The one form of a domain: lower case, no dot at its end, letters in place of ``xn--``."""
    domain = _trimmed(text)
    if len(domain) > LONGEST_DOMAIN or (domain.isascii() and "xn--" not in domain):
        return domain or None
    return _in_letters(domain)


def _trimmed(text: str) -> str:
    return text.strip().rstrip(".").lower()


@lru_cache(maxsize=1024)
def _in_letters(domain: str) -> str | None:
    """A domain in letters; as it is where that is not its one form, so no name that DNS knows.

    An accent that stands alone, for example, becomes a blank with an accent.
    """
    found = _decoded(domain)
    is_final = found == _trimmed(found) == _decoded(found)
    return (found if is_final else domain) or None


def _decoded(domain: str) -> str:
    try:
        return domain.encode("idna").decode("idna")
    except UnicodeError:  # no name that DNS knows, such as one with two dots in a row
        return domain
