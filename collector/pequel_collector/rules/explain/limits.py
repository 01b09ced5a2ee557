"""Shares of a limit: *uses 8.4 GB of its 10 GB storage limit (84%)*."""

from __future__ import annotations

from decimal import Decimal

from ...model import JSON, Kind, is_number
from ..language.definition import EventLeaf, Share
from ..language.values import exact
from . import figures
from .vocabulary import Vocabulary
from .words import is_plural, words_of

_UNUSED = frozenset({"available", "free", "left", "remaining", "unused"})
OWNERS = {"user": "their", "account": "its"}
"""Whose something is, for each kind of subject."""


def limit_of(share: Share, words: Vocabulary, kind: Kind) -> str:
    """A limit and whose it is: *its storage limit*, *their account's seats*."""
    return f"{_owner(share, kind)} {words.noun(share.trait.path) or 'limit'}"


def usage_of(leaf: EventLeaf) -> Share | None:
    """The share, if a leaf asks how much of a limit the latest measurement uses.

    A measurement of what is left says the opposite, and conditions on properties need the event.
    """
    names = (leaf.value or "", *leaf.events.names, *leaf.events.prefixes)
    plain = leaf.measure == "last" and not leaf.where and leaf.per is None and not leaf.or_missing
    if not plain or leaf.comparison.operator not in ("gte", "gt"):
        return None
    if any(_UNUSED & {word.lower() for word in words_of(name)} for name in names):
        return None
    return share_in(leaf)


def share_in(leaf: EventLeaf) -> Share | None:
    """The share of a limit that a leaf compares with."""
    operand = leaf.comparison.operand
    return operand if isinstance(operand, Share) else None


def people_in(leaf: EventLeaf) -> Share | None:
    """The share, if a leaf compares how many people there are with a limit, such as seats."""
    return share_in(leaf) if (leaf.measure, leaf.value) == ("distinct", "@user") else None


def of_limit(limit: JSON, share: Share, words: Vocabulary, kind: Kind) -> str:
    """A limit with its size: *its 10 GB storage limit*, *its 10 seats*."""
    noun = words.noun(share.trait.path) or "limit"
    value = figures.quantity(share.trait.path, limit)
    owner = _owner(share, kind)
    return f"{owner} {value} {noun}" if _goes_after(value, noun) else f"{owner} {noun} of {value}"


def part_of(observed: JSON, limit: JSON) -> str | None:
    """What part of a limit was observed: *84%*; None where there is no limit."""
    if not is_number(observed) or not is_number(limit) or limit == 0:
        return None
    return figures.percent(Decimal(exact(observed)) / Decimal(exact(limit)))


def _goes_after(value: str, noun: str) -> bool:
    """Whether a noun goes on after an amount: *10 seats*, *10 GB storage limit*."""
    return is_plural(noun) or value.count(" ") == 1


def _owner(share: Share, kind: Kind) -> str:
    of_account = share.trait.account and kind == "user"
    return "their account's" if of_account else OWNERS[kind]
