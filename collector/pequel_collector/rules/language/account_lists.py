"""Account mapping: which of our accounts are on the list that a partner has given.

A line of a list names an account by its id, or a company by its domain. The domain of an account is
its trait ``domain``, or its id where that is one.
"""

from __future__ import annotations

import re

from ...model import JSON
from .addresses import normal_domain

DOMAIN = "domain"
"""The trait of an account with its domain."""

MAX_ENTRIES = 10_000
"""Entries of a list."""

MAX_ENTRY = 512
"""Characters of an entry, as of an id."""

_URL = re.compile(r"^https?://", re.IGNORECASE)
_HOST = re.compile(r"[^\s./@:]+(\.[^\s./@:]+)+")


def domain_in(text: JSON) -> str | None:
    """The domain that a text is, also as a URL or with ``www.``; None if it is none."""
    if not isinstance(text, str) or len(text) > MAX_ENTRY:
        return None
    host = _URL.sub("", text.strip()).partition("/")[0].rstrip(".")
    host = host[4:] if host.lower().startswith("www.") else host
    return normal_domain(host) if _HOST.fullmatch(host) else None


def domain_of_account(account: str, domain: JSON) -> str | None:
    """The domain of an account, given its id and its trait ``domain``."""
    return domain_in(domain) or domain_in(account)
