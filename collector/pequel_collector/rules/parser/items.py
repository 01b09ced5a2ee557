"""Items of a definitions file: values that know where they stand, and parsers of the plain ones.

A parser takes an item and gives back what it means. On a mistake it notes a problem and raises
``UnreadableError``, so that whoever reads a table or a list can go on with the rest of it. One
noted problem refuses the file, so what is made after it only has to let the reading go on.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from difflib import get_close_matches
from typing import Any, TypeVar

from ...errors import Problem
from ..language import quantities
from ..language.quantities import Number, QuantityError
from ..language.values import is_number
from .toml import Document, Path, SourceSpan

S = TypeVar("S")
T = TypeVar("T")
ItemParser = Callable[["Item"], Any]

LATER: dict[str, frozenset[str]] = {"file": frozenset({"route", "alert"})}
"""The keys that only a later release knows, by the table that they may stand in."""

NOT_YET = "which is not in this release"
LONGEST_NAME = 128
MAX_DIGITS = 308
"""Digits of a number, as in an event."""
_LARGEST_EXPONENT = 308  # of a double, which is what most JSON numbers end up as
_MEANT = {
    "count": "gte", "times": "gte", "min": "gte", "minimum": "gte", "at_least": "gte",
    "max": "lte", "maximum": "lte", "at_most": "lte", "more_than": "gt", "less_than": "lt",
    "equals": "eq", "is": "eq", "not": "ne",
}  # fmt: skip
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SHOWN = 60


class UnreadableError(Exception):
    """Its problem has been noted; nothing can be made of this item."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """The file being read: its name, what it holds, and the problems found so far."""

    file: str
    document: Document
    problems: list[Problem] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Item:
    """A value of the file, and its path there."""

    value: Any
    path: Path
    source: SourceFile

    @property
    def key(self) -> str | int:
        """The last step of the path: a key of a table, or an index of a list."""
        return self.path[-1]

    @property
    def span(self) -> SourceSpan:
        """Where the key and the value stand."""
        return self.source.document.spans[self.path]

    @property
    def is_dotted(self) -> bool:
        """Whether this is a table made by dotted keys or a header, rather than by braces."""
        return isinstance(self.value, dict) and not self.span.text

    def child(self, key: str | int) -> Item:
        """The item under a key or an index."""
        return Item(self.value[key], (*self.path, key), self.source)

    def children(self) -> Iterator[Item]:
        """The items of a table or a list, in the order of the text."""
        keys = self.value if isinstance(self.value, dict) else range(len(self.value))
        return (self.child(key) for key in keys)

    def wrong(self, expected: str, found: str | None = None) -> UnreadableError:
        """Note that something else was expected than this value; the answer is for ``raise``."""
        return self._note(expected, found or self.shown(), self.span.value)

    def wrong_key(self, expected: str, found: str) -> UnreadableError:
        """The same of the key."""
        return self._note(expected, found, self.span.key)

    def _note(self, expected: str, found: str, at: tuple[int, int]) -> UnreadableError:
        problem = Problem(expected, found, human(self.path), self.source.file, *at)
        self.source.problems.append(problem)
        return UnreadableError(str(problem))

    def shown(self) -> str:
        """The value as it was written, cut to a reasonable length."""
        return _cut(" ".join(self.span.text.split()) or "a table")


def human(path: Path) -> str:
    """A path as people write it: ``pql[0].when.all[1].gte``."""
    return "".join(_step(step) for step in path).removeprefix(".")


def _step(step: str | int) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    return "." + (step if _BARE.fullmatch(step) else quoted(step))


def quoted(text: str) -> str:
    """A text between quotes, on one line, cut to a reasonable length."""
    return json.dumps(_cut(text), ensure_ascii=False)


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def one_of(words: Iterable[str]) -> str:
    """What to write instead: ``one of "a", "b"``."""
    listed = [quoted(word) for word in words]
    return f"one of {', '.join(listed)}" if len(listed) > 1 else "".join(listed)


def near(word: str, known: Collection[str]) -> str:
    """The known word that was probably meant, by its sense or its letters, or else all of them."""
    if _MEANT.get(word) in known:
        return quoted(_MEANT[word])
    return one_of(get_close_matches(word, known, n=1) or known)


# -- tables and lists ----------------------------------------------------------------------


@dataclass(slots=True)
class Fields:
    """What could be read of a table, by key, and the keys of what could not."""

    values: dict[str, Any] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)

    def get(self, key: str, default: Any = None) -> Any:
        """What was read under a key, or the default."""
        return self.values.get(key, default)

    def refine(self, key: str, parser: ItemParser) -> None:
        """Read a kept item further, now that what it depends on is known."""
        if key not in self.values:
            return
        try:
            self.values[key] = parser(self.values[key])
        except UnreadableError:
            del self.values[key]
            self.failed.add(key)


def read_table(
    item: Item, parsers: Mapping[str, ItemParser], later: str = "", of: str = "key"
) -> Fields:
    """Each key of a table by its own parser; ``later`` names the words not in this release."""
    fields = Fields()
    for child in table(item).children():
        key = str(child.key)
        try:
            fields.values[key] = _parser_of(child, parsers, LATER.get(later, ()), of)(child)
        except UnreadableError:
            fields.failed.add(key)
    return fields


def _parser_of(
    child: Item, parsers: Mapping[str, ItemParser], later: Collection[str], of: str
) -> ItemParser:
    key = str(child.key)
    if key in parsers:
        return parsers[key]
    if key in later:
        raise not_yet(child, parsers)
    raise child.wrong_key(near(key, parsers), f"the unknown {of} {quoted(key)}")


def not_yet(child: Item, known: Iterable[str]) -> UnreadableError:
    """Note a key that only a later release of the language has."""
    return child.wrong_key(one_of(known), f"{quoted(str(child.key))}, {NOT_YET}")


def required_all(item: Item, fields: Fields, *keys: str) -> list[Any]:
    """What was read under several keys that must be there; every one that is not is noted."""
    found = read_all(keys, lambda key: required(item, fields, key))
    if len(found) < len(keys):
        raise UnreadableError
    return found


def required(item: Item, fields: Fields, key: str) -> Any:
    """What was read under a key that must be there."""
    if key in fields.failed:
        raise UnreadableError
    if key not in fields.values:
        raise item.wrong(f"the key {quoted(key)}", f"no {quoted(key)}")
    return fields.values[key]


def read_all(things: Iterable[S], parser: Callable[[S], T]) -> list[T]:
    """Each of several things by one parser; what cannot be read was noted and is left out."""
    read = []
    for thing in things:
        try:
            read.append(parser(thing))
        except UnreadableError:
            continue
    return read


def list_of(parser: Callable[[Item], T], expected: str) -> Callable[[Item], tuple[T, ...]]:
    """A parser of lists of what another parser reads, never empty."""

    def read(item: Item) -> tuple[T, ...]:
        if not isinstance(item.value, list) or not item.value:
            raise item.wrong(expected, "an empty list" if item.value == [] else None)
        found = tuple(read_all(item.children(), parser))
        if len(found) < len(item.value):
            raise UnreadableError
        return found

    return read


def table(item: Item) -> Item:
    """The item itself, which must be a table."""
    if not isinstance(item.value, dict):
        raise item.wrong("a table")
    return item


# -- plain values --------------------------------------------------------------------------


def keep(item: Item) -> Item:
    """The item itself, to be read once more is known."""
    return item


def text(item: Item) -> str:
    """A text with something in it."""
    if not isinstance(item.value, str) or not item.value.strip():
        raise item.wrong("a text that is not empty")
    return item.value


def boolean(item: Item) -> bool:
    """``true`` or ``false``."""
    if not isinstance(item.value, bool):
        raise item.wrong("true or false")
    return item.value


def choice(*words: str) -> Callable[[Item], str]:
    """A parser of one of a few words."""

    def read(item: Item) -> str:
        if not isinstance(item.value, str):
            raise item.wrong(one_of(words))
        if item.value not in words:
            raise item.wrong(near(item.value, words))
        return item.value

    return read


def name_of(item: Item) -> str:
    """What something is called: printable, and not too long to be shown."""
    name = text(item)
    if len(name) > LONGEST_NAME or not name.isprintable():
        raise item.wrong(f"a name of at most {LONGEST_NAME} printable characters")
    return name


def property_path(item: Item) -> str:
    """A property, by its dotted path."""
    meant = _MEANT.get(str(item.key))
    if meant is not None and is_number(item.value):
        raise item.wrong(f"a property (did you mean {quoted(meant)}?)")
    path = text(item)
    if path.startswith("@"):
        raise item.wrong("a property")
    return path


def duration(item: Item) -> int:
    """A duration such as ``7d``, in milliseconds."""
    return _time(item, quantities.milliseconds)


def offset(item: Item) -> int:
    """A distance in time such as ``7d`` or ``-7d``, in milliseconds."""
    return _time(item, quantities.offset)


def _time(item: Item, meaning: Callable[[str], int]) -> int:
    if not isinstance(item.value, str):
        raise item.wrong('a duration such as "7d"')
    try:
        return meaning(item.value)
    except QuantityError as error:
        raise item.wrong(str(error)) from None


def quantity(item: Item) -> Number:
    """A number, or a text such as ``10GB`` that stands for one."""
    if not isinstance(item.value, str):
        return number(item)
    try:
        return quantities.amount(item.value)
    except QuantityError as error:
        raise item.wrong(str(error)) from None


def above_zero(item: Item) -> Number:
    """A number or a quantity above zero."""
    found = quantity(item)
    if found <= 0:
        raise item.wrong("a number above 0")
    return found


def number(item: Item) -> Number:
    """A finite number, exactly."""
    if not is_number(item.value):
        raise item.wrong("a number")
    as_decimal = Decimal(item.value)
    if not as_decimal.is_finite() or abs(as_decimal.adjusted()) > _LARGEST_EXPONENT:
        raise item.wrong("a finite number")
    if len(as_decimal.as_tuple().digits) > MAX_DIGITS:
        raise item.wrong(f"a number of at most {MAX_DIGITS} digits")
    return quantities.exact(as_decimal)


def value(item: Item) -> Any:
    """Any value that a property or a trait may have: what JSON has, without null."""
    if isinstance(item.value, dict):
        return {str(child.key): value(child) for child in item.children()}
    if isinstance(item.value, list):
        return read_all(item.children(), value)
    if is_number(item.value):
        return number(item)
    if not isinstance(item.value, str | bool):
        raise item.wrong("a text, a number, true or false", f"the date {item.shown()}")
    return item.value
