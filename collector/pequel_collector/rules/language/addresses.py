"""E-mail addresses: the domain of one, however it is written."""

from __future__ import annotations

from email.utils import getaddresses
from typing import Any

EMAIL_DOMAIN = "@email_domain"
"""The derived trait: the domain of the trait ``email``."""

SOURCE = "email"
"""The trait that it is derived from."""

LONGEST = 512
LONGEST_DOMAIN = 253
MOST_COMMENTS = 8
"""Brackets in an address: each may hold others, and the parser goes down into all of them."""


def domain_of(value: Any) -> str | None:
    """The domain of a text that is one address, such as ``Ada <ada@ours.example>``; else None."""
    if not isinstance(value, str) or len(value) > LONGEST or value.count("(") > MOST_COMMENTS:
        return None
    found = getaddresses([value])
    if len(found) != 1:
        return None
    mailbox, _, domain = found[0][1].rpartition("@")
    return normal_domain(domain) if mailbox else None


def normal_domain(text: str) -> str | None:
    """The one form of a domain: lower case, no dot at its end, letters in place of ``xn--``."""
    domain = text.strip().rstrip(".").lower()
    if len(domain) > LONGEST_DOMAIN:
        return domain
    try:
        return domain.encode("idna").decode("idna") or None
    except UnicodeError:  # no name that DNS knows, such as one with two dots in a row
        return domain
