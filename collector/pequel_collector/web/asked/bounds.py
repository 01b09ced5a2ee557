"""How much of the data a call reads that evaluates the definitions in its body."""

from __future__ import annotations

from ...errors import TooLarge
from ...lint.case import names_in, patterns
from ...rules.language.definition import Catalogue, all_leaves

MAX_LEAVES = 500
"""Conditions of definitions that are evaluated over HTTP."""

NAMES_OF_A_LEAF = 10
"""Names of events that count as one condition: each is looked for in the data."""


def messages_for(catalogue: Catalogue, most: int, work: int, instead: str) -> int:
    """How many messages to read, each for each condition: ``most``, or fewer for much ``work``.

    Raises TooLarge for too many conditions; ``instead`` says what to do.
    """
    parts = [part for each in catalogue.definitions for part in (each.when, *each.unless)]
    leaves = list(all_leaves(*parts))
    names = sum(len(names_in(patterns(leaf))) for leaf in leaves)
    if len(leaves) > MAX_LEAVES:
        found, limit = f"{len(leaves)} conditions", MAX_LEAVES
    elif names > MAX_LEAVES * NAMES_OF_A_LEAF:
        found, limit = f"{names} names of events", MAX_LEAVES * NAMES_OF_A_LEAF
    else:
        return min(most, work // max(1, len(leaves), names // NAMES_OF_A_LEAF))
    raise TooLarge(f"the definitions have {found}, {instead}".format(limit=limit), limit=limit)
