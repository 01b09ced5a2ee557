"""Items of a definitions file: values that know where they are, and that parse themselves.

A parser takes an item and returns what it means. On a mistake it notes a problem and raises
``UnreadableError``. The reader of a table or a list catches that and goes on with the rest, so
that one reading finds every problem. A file with a problem is refused, so what is read after the
first problem is not used.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, TypeVar

from ...errors import Problem
from ...model import is_number
from ..language import quantities
from ..language.dates import instant_of_text, zone_named
from ..language.definition import Date
from ..language.quantities import Number, QuantityError
from .hints import FEW, meant, nearest, phrase
from .toml import Document, Path, SourceSpan

S = TypeVar("S")
T = TypeVar("T")
ItemParser = Callable[["Item"], Any]

LONGEST_NAME = 128
MAX_DIGITS = 308
"""Digits of a number, as in an event."""
_LARGEST_EXPONENT = 308  # of a double, which is what most JSON numbers end up as
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SHOWN = 60
_DATE = re.compile(r"[0-9]{1,4}[-./][0-9]{1,2}[-./]")
MOST_HINTS = 50
"""Problems of a file after which no more words are compared: each takes a moment."""


_ONE_STAR = 'a name with one star at most, at its end, such as "project_*"'


class UnreadableError(Exception):
    """An item cannot be read. Its problem is noted already."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """The file being read: its name, what it holds, and the problems found so far.

    ``may_send`` says which environment variables an alert may send.
    """

    file: str
    document: Document
    problems: list[Problem] = field(default_factory=list)
    may_send: Callable[[str], bool] = lambda _variable: True

    @property
    def gives_hints(self) -> bool:
        """Whether words are still compared by spelling, to find the one that was meant."""
        return len(self.problems) < MOST_HINTS

    @property
    def timezone(self) -> str:
        """The time zone that [project] states; UTC where it states none that can be read."""
        project = self.document.data.get("project")
        stated = project.get("timezone", "UTC") if isinstance(project, dict) else "UTC"
        return zone_named(stated) or "UTC"


@dataclass(frozen=True, slots=True)
class Item:
    """A value of the file, and its path in the file."""

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
        """Note that something else was expected than this value. Returns the error to raise."""
        return self._note(expected, found or self.shown(), self.span.value)

    def wrong_key(self, expected: str, found: str) -> UnreadableError:
        """Note that the key is wrong. Returns the error to raise."""
        return self._note(expected, found, self.span.key)

    def unknown_key(self, table: Item, known: Collection[str], of: str = "key") -> UnreadableError:
        """Note that a key of a table is none of those known. Returns the error to raise."""
        key = str(self.key)
        expected = phrase(key, table.value, known) or self.near(key, known)
        return self.wrong_key(expected, f"the unknown {of} {quoted(key)}")

    def near(self, word: str, known: Collection[str]) -> str:
        """What to write in place of a word: the one that was meant, or one of those known."""
        return one_of(nearest(word, known) if self.source.gives_hints else list(known)[:FEW])

    def _note(self, expected: str, found: str, at: tuple[int, int]) -> UnreadableError:
        problem = Problem(expected, found, human(self.path), self.source.file, *at)
        self.source.problems.append(problem)
        return UnreadableError(str(problem))

    def shown(self) -> str:
        """The value as it was written, cut to a reasonable length."""
        return _cut(" ".join(self.span.text.split()) or "a table")

    # -- what it means ---------------------------------------------------------------------

    def read(self, parsers: Mapping[str, ItemParser], of: str = "key") -> Fields:
        """Read each key of a table with its own parser. ``of`` is what messages call a key."""
        fields = Fields(self)
        for child in self.table().children():
            key = str(child.key)
            try:
                if key not in parsers:
                    raise child.unknown_key(self, parsers, of)
                fields.values[key] = parsers[key](child)
            except UnreadableError:
                fields.failed.add(key)
        return fields

    def table(self) -> Item:
        """The item itself, which must be a table."""
        if not isinstance(self.value, dict):
            raise self.wrong("a table")
        return self

    def keep(self) -> Item:
        """The item itself. It is read later, once what it depends on is known."""
        return self

    def text(self) -> str:
        """A text that is not blank."""
        if not isinstance(self.value, str) or not self.value.strip():
            raise self.wrong("a text that is not empty")
        return self.value

    def pattern(self) -> str:
        """The name of an event, ``prefix*``, or ``*`` for every event."""
        name = self.text()
        self.check_stars(name)
        return name

    def event_name(self) -> str:
        """The name of one event."""
        name = self.text()
        if "*" in name:
            raise self.wrong("the name of one event, without a star")
        return name

    def check_stars(self, name: str) -> None:
        """Note a star that does not stand for the rest of a name."""
        if "*" in name[:-1]:
            raise self.wrong(_ONE_STAR)

    def affix(self) -> str:
        """A text that is not empty; one of blanks is a text."""
        if not isinstance(self.value, str) or not self.value:
            raise self.wrong("a text that is not empty")
        return self.value

    def boolean(self) -> bool:
        """``true`` or ``false``."""
        if not isinstance(self.value, bool):
            raise self.wrong("true or false")
        return self.value

    def name(self) -> str:
        """A name: printable, and short enough to show."""
        name = self.text()
        if len(name) > LONGEST_NAME or not name.isprintable():
            raise self.wrong(f"a name of at most {LONGEST_NAME} printable characters")
        return name

    def property_path(self) -> str:
        """A property, by its dotted path."""
        if is_number(self.value) and (other := meant(str(self.key), ("gte", "lte"))):
            raise self.wrong(f"a property (did you mean {quoted(other)}?)")
        path = self.text()
        if path.startswith("@"):
            raise self.wrong("a property")
        return path

    def duration(self) -> int:
        """A duration such as ``7d``, in milliseconds."""
        return self._time(quantities.milliseconds)

    def offset(self) -> int:
        """A distance in time such as ``7d`` or ``-7d``, in milliseconds."""
        return self._time(quantities.offset)

    def _time(self, meaning: Callable[[str], int]) -> int:
        if not isinstance(self.value, str):
            raise self.wrong('a duration such as "7d"')
        try:
            return meaning(self.value)
        except QuantityError as error:
            raise self.wrong(str(error)) from None

    def quantity(self) -> Number:
        """A number, or a text such as ``10GB`` that stands for one."""
        if not isinstance(self.value, str):
            return self.number()
        try:
            return quantities.amount(self.value)
        except QuantityError as error:
            raise self.wrong(str(error)) from None

    def measurable(self) -> Number | Date:
        """A number, a quantity, or a date: in TOML, or a text in ISO 8601."""
        if isinstance(self.value, date):
            return self._date(self.value.isoformat())
        if isinstance(self.value, str) and _DATE.match(self.value):
            return self._date(self.value)
        return self.quantity()

    def _date(self, text: str) -> Date:
        zone = self.source.timezone
        time = instant_of_text(text, zone)
        if time is None:
            raise self.wrong("a date in ISO 8601, such as 2026-03-01 or 2026-03-01T10:00:00Z")
        return Date(time, zone)

    def above_zero(self) -> Number:
        """A number or a quantity above zero."""
        found = self.quantity()
        if found <= 0:
            raise self.wrong("a number above 0")
        return found

    def number(self) -> Number:
        """A finite number, exactly."""
        if not is_number(self.value):
            raise self.wrong("a number")
        as_decimal = Decimal(self.value)
        if not as_decimal.is_finite() or abs(as_decimal.adjusted()) > _LARGEST_EXPONENT:
            raise self.wrong("a finite number")
        if len(as_decimal.as_tuple().digits) > MAX_DIGITS:
            raise self.wrong(f"a number of at most {MAX_DIGITS} digits")
        return quantities.exact(as_decimal)


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


# -- tables and lists ----------------------------------------------------------------------


@dataclass(slots=True)
class Fields:
    """The values of a table that could be read, by key, and the keys that could not."""

    item: Item
    values: dict[str, Any] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)

    def get(self, key: str, default: Any = None) -> Any:
        """The value that was read under a key, or the default."""
        return self.values.get(key, default)

    def required(self, key: str) -> Any:
        """The value under a required key."""
        if key in self.failed:
            raise UnreadableError
        if key not in self.values:
            raise self.item.wrong(f"the key {quoted(key)}", f"no {quoted(key)}")
        return self.values[key]

    def required_all(self, *keys: str) -> list[Any]:
        """The values under several required keys. Notes each key that is missing."""
        found = read_all(keys, self.required)
        if len(found) < len(keys):
            raise UnreadableError
        return found

    def refine(self, key: str, parser: ItemParser) -> None:
        """Read an item that was kept for later, once what it depends on is known."""
        if key not in self.values:
            return
        try:
            self.values[key] = parser(self.values[key])
        except UnreadableError:
            del self.values[key]
            self.failed.add(key)


def read_all(things: Iterable[S], parser: Callable[[S], T]) -> list[T]:
    """Read several things with one parser. Things that cannot be read are noted and left out."""
    read = []
    for thing in things:
        try:
            read.append(parser(thing))
        except UnreadableError:
            continue
    return read


def list_of(parser: Callable[[Item], T], expected: str) -> Callable[[Item], tuple[T, ...]]:
    """A parser of lists that are not empty, whose parts another parser reads."""

    def read(item: Item) -> tuple[T, ...]:
        if not isinstance(item.value, list) or not item.value:
            raise item.wrong(expected, "an empty list" if item.value == [] else None)
        found = tuple(read_all(item.children(), parser))
        if len(found) < len(item.value):
            raise UnreadableError
        return found

    return read


# -- plain values --------------------------------------------------------------------------


def choice(*words: str) -> Callable[[Item], str]:
    """A parser of one of a few words."""

    def read(item: Item) -> str:
        if not isinstance(item.value, str):
            raise item.wrong(one_of(words))
        if item.value not in words:
            raise item.wrong(item.near(item.value, words))
        return item.value

    return read


def value(item: Item) -> Any:
    """Any value that a property or a trait may have: what JSON has, without null."""
    if isinstance(item.value, dict):
        return {str(child.key): value(child) for child in item.children()}
    if isinstance(item.value, list):
        return read_all(item.children(), value)
    if is_number(item.value):
        return item.number()
    if not isinstance(item.value, str | bool):
        raise item.wrong("a text, a number, true or false", f"the date {item.shown()}")
    return item.value
