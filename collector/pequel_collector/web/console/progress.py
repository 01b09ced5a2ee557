"""How far somebody is, as a page shows it: how many of the conditions are met."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from ...model import JSON
from ...rules.language.definition import Combinator, Guard


class PartsMet(NamedTuple):
    """How many parts of a definition hold, and how many must."""

    met: int
    needed: int


def parts_met(when: Guard, leaves: Iterable[Mapping[str, JSON]]) -> PartsMet | None:
    """How many parts of a condition are met, given its leaves in their order.

    None for a condition of one part, whose own progress says more.
    """
    if not isinstance(when, Combinator) or when.needed < 2:
        return None
    holds = iter([bool(leaf["holds"]) for leaf in leaves])
    met = sum([_holds(part, holds) for part in when.parts])
    return PartsMet(min(met, when.needed), when.needed)


def _holds(node: Guard, holds: Iterator[bool]) -> bool:
    if isinstance(node, Combinator):
        return sum([_holds(part, holds) for part in node.parts]) >= node.needed
    return next(holds)
