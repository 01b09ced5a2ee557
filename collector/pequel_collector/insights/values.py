"""Which values a property or a trait has: how many of each type, and how often each one."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from typing import Self

from ..model import JSON, is_number
from ..rules.language.dates import instant_of
from ..rules.language.values import key

DIFFERENT = 1_000
"""Different texts, numbers and booleans of one property or trait that are told apart."""

Numeric = int | float | Decimal


@dataclass(slots=True)
class Values:
    """The values of a property or a trait that are there; ``null`` is not.

    ``types`` has how many there are of each type, ``seen`` how often each text, number and boolean
    was given, by its ``key``. ``is_whole`` is false where there were too many different ones to
    tell apart. ``dates`` is how many are dates, ``highest`` the largest number.
    """

    types: Counter[str] = field(default_factory=Counter)
    seen: Counter[str] = field(default_factory=Counter)
    dates: int = 0
    highest: Numeric | None = None
    is_whole: bool = True
    _spellings: dict[str, list[str]] | None = None

    @property
    def count(self) -> int:
        """How many there are."""
        return self.types.total()

    def add(self, value: JSON) -> str:
        """Count one more value; gives its ``key``."""
        named = key(value)
        kind = _TYPES[named[0]]
        self.types[kind] += 1
        self.dates += kind == "a number" or (kind == "text" and _is_date(named[1:]))
        if is_number(value) and (self.highest is None or value > self.highest):
            self.highest = value
        if kind in _TOLD_APART:
            self._see(named, 1)
        return named

    def others_than(self, wanted: Collection[str]) -> list[tuple[str, int]]:
        """The types that are not wanted, and how many values have each; the most frequent first."""
        return [(kind, n) for kind, n in self.types.most_common() if kind not in wanted]

    def texts(self, most: int) -> list[str]:
        """The most frequent texts."""
        texts = (named[1:] for named, _ in self.seen.most_common() if named[0] == "s")
        return [text for text, _ in zip(texts, range(most), strict=False)]

    def spelt_otherwise(self, text: str) -> list[tuple[str, int]]:
        """The texts that differ from one in nothing but case or blanks, and how often each was."""
        if self._spellings is None:
            self._spellings = _by_plain_text(self.seen)
        same = self._spellings.get(plain(text), ())
        found = [(other, self.seen["s" + other]) for other in same if other != text]
        return sorted(found, key=lambda pair: (-pair[1], pair[0]))

    def _see(self, named: str, times: int) -> None:
        if named in self.seen or len(self.seen) < DIFFERENT:
            self.seen[named] += times
        else:
            self.is_whole = False

    def __iadd__(self, other: Values) -> Self:
        """Count the values of another property or trait as well."""
        self.types.update(other.types)
        self.dates += other.dates
        self.is_whole &= other.is_whole
        highest = [n for n in (self.highest, other.highest) if n is not None]
        self.highest = max(highest, default=None)
        for named, times in other.seen.items():
            self._see(named, times)
        return self


def values_of(found: Iterable[JSON]) -> Values:
    """Several values; None is left out."""
    values = Values()
    for value in found:
        if value is not None:
            values.add(value)
    return values


def plain(text: str) -> str:
    """A text without what people overlook: its case, and blanks around it."""
    return text.strip().casefold()


_TYPES = {"s": "text", "n": "a number", "b": "true or false", "l": "a list", "o": "an object"}
"""The type of a value, by the first letter of its ``key``."""

_TOLD_APART = frozenset({"text", "a number", "true or false"})


def _by_plain_text(seen: Iterable[str]) -> dict[str, list[str]]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for named in seen:
        if named[0] == "s":
            found[plain(named[1:])].append(named[1:])
    return dict(found)


@lru_cache(maxsize=4096)
def _is_date(text: str) -> bool:
    """Whether a window can begin at it."""
    return text[:1].isdigit() and instant_of(text, "UTC") is not None
