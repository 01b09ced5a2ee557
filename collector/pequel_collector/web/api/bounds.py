"""How much of the data a call reads that evaluates the definitions in its body."""

from __future__ import annotations

from ...errors import TooLarge
from ...rules.language.definition import Catalogue, leaves_of

MAX_LEAVES = 500
"""Conditions of definitions that are evaluated over HTTP."""


def messages_for(catalogue: Catalogue, most: int, work: int, instead: str) -> int:
    """How many messages to read, each for each condition: ``most``, or fewer for much ``work``.

    Raises TooLarge for too many conditions; ``instead`` says what to do.
    """
    parts = [part for each in catalogue.definitions for part in (each.when, *each.unless)]
    leaves = sum(1 for part in parts for _ in leaves_of(part))
    if leaves > MAX_LEAVES:
        raise TooLarge(
            f"the definitions have {leaves} conditions, {instead}".format(limit=MAX_LEAVES),
            limit=MAX_LEAVES,
        )
    return min(most, work // max(1, leaves))
