"""TOML with a memory: the data of a document, and where each part of it was written.

``tomllib`` decides what is valid and what it means. The scanner below walks the same text once
more, knowing it to be valid, and notes only positions.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from itertools import groupby
from typing import Any, NamedTuple

import tomllib

Path = tuple[str | int, ...]

DEPTH = 64
"""Levels of nesting, and parts of one dotted key."""

MAX_LENGTH = 500_000
"""Characters of a document."""

MAX_TOKENS = 50_000
"""Brackets, commas, equals signs and dots of a document, outside of texts and comments.

Each takes up to a kilobyte when the document is parsed."""

_ONE_LINE = (
    "An inline table { … } that goes on in the next line: TOML keeps it on one line; write several "
    "in a list, as in when.all = [ … ], or the keys one by one below a header such as [pql.when]"
)
_INFINITE = Decimal("Infinity")
_BLANKS = re.compile(r"[ \t]*")
_SPACE = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_NAME = re.compile(r"""[A-Za-z0-9_-]+|"(?:\\.|[^"\\])*"|'[^']*'""")
_SCALAR = re.compile(
    r'''"""(?:\\.|[^\\])*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:\\.|[^"\\])*"|'[^']*\''''
    r"|\d{4}-\d\d-\d\d \d\d:[^\s,\]}#]*|[^\s,\]}#]+",
    re.DOTALL,
)
# Each alternative for a text ends at the end of the document at the latest, so that it never fails
# and the whole is read in one pass.
_TOKEN = re.compile(
    r'''"""(?:\\.|[^\\])*?(?:"{3,5}|\\?\Z)|\'\'\'.*?(?:\'{3,5}|\Z)'''
    r"""|"(?:\\.|[^"\\\n])*"?|\'[^\'\n]*\'?|\#[^\n]*|[\[\]{}.,=\n]""",
    re.DOTALL,
)
_WHERE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


class Location(NamedTuple):
    """A line and a column, both counted from 1, in characters."""

    line: int
    column: int


class SourceSpan(NamedTuple):
    """Where a key and its value stand; ``text`` is the value as written.

    A table made by a header or by dotted keys has no text of its own.
    """

    key: Location
    value: Location
    text: str


class TomlError(ValueError):
    """The text is not TOML; ``position`` is where that shows."""

    def __init__(self, message: str, position: Location) -> None:
        super().__init__(message)
        self.position = position


class Extent(NamedTuple):
    """The lines that a header and the statements below it take, both ends included."""

    path: Path
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Document:
    """The parsed data, floats as exact decimals, and the place of every path in it.

    ``tables`` are the parts that headers begin, in the order of the text; ``below`` has the numbers
    of those at or below a path; ``lines`` is the text.
    """

    data: dict[str, Any]
    spans: dict[Path, SourceSpan]
    tables: tuple[Extent, ...] = ()
    lines: tuple[str, ...] = field(default=(), compare=False)
    below: dict[Path, list[int]] = field(default_factory=dict, compare=False)

    def written(self, path: Path) -> str:
        """What was written for a table: from its header to its last line, with its comments.

        Comments right above the next header are that one's. Without a header of its own, it is
        the value alone.
        """
        runs = [self._run(own) for own in self._runs(path)]
        return "\n\n".join(runs) or self.spans[path].text

    def _runs(self, path: Path) -> Iterator[list[Extent]]:
        """The parts at or below a path, those that follow each other together."""
        numbered = enumerate(self.below.get(path, ()))
        for _, run in groupby(numbered, lambda pair: pair[1] - pair[0]):
            yield [self.tables[number] for _, number in run]

    def _run(self, tables: list[Extent]) -> str:
        last = self._last_comment(tables[-1].last)
        return "\n".join(self.lines[tables[0].first - 1 : last]).rstrip("\r")

    def _last_comment(self, line: int) -> int:
        """The last line of the comments right below a line, if nothing else follows them."""
        below = line
        while below < len(self.lines) and self.lines[below].lstrip().startswith("#"):
            below += 1
        ends = below == len(self.lines) or not self.lines[below].strip()
        return below if ends else line


def parse(text: str) -> Document:
    """Read a document; raises ``TomlError`` where it is not TOML, or over a limit."""
    lines = tuple(text.removeprefix("\ufeff").split("\n"))
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    _check_limits(text)
    try:
        data = tomllib.loads(text, parse_float=_decimal)
        scanner = _Scanner(text)
        spans = scanner.document()
        return Document(data, spans, tuple(scanner.tables), lines, _below(scanner.tables))
    except TomlError:
        raise
    except RecursionError:
        raise TomlError(_too_deep(), Location(1, 1)) from None
    except ValueError as error:
        raise _located(error, text) from None


def _below(tables: list[Extent]) -> dict[Path, list[int]]:
    found: dict[Path, list[int]] = {}
    for number, (path, _, _) in enumerate(tables):
        for end in range(len(path) + 1):
            found.setdefault(path[:end], []).append(number)
    return found


def _check_limits(text: str) -> None:
    """Raises TomlError for a document that would take too much time or memory to parse."""
    if len(text) > MAX_LENGTH:
        message = f"Longer than {MAX_LENGTH:,} characters"
        raise TomlError(message, _Scanner(text).position(MAX_LENGTH))
    tokens = depth = parts = 0
    for found in _TOKEN.finditer(text):
        mark = found[0]
        if mark == ".":
            parts += 1
        elif mark in "[{":
            depth += 1
        elif mark in "]}":
            depth -= 1
        elif mark not in ",=\n":  # a text or a comment
            continue
        if mark != ".":
            parts = 0
        tokens += mark != "\n"
        if tokens > MAX_TOKENS:
            message = f"More than {MAX_TOKENS:,} keys and values"
            raise TomlError(message, _Scanner(text).position(found.start()))
        if depth > DEPTH or parts == DEPTH:
            at = found.start() if depth > DEPTH else found.end()
            raise TomlError(_too_deep(), _Scanner(text).position(at))


def _decimal(text: str) -> Decimal:
    """A float, exactly as written; one beyond all exponents is infinite."""
    try:
        return Decimal(text)
    except InvalidOperation:
        return _INFINITE


def _too_deep() -> str:
    return f"Nested deeper than {DEPTH} levels"


def _located(error: ValueError, text: str) -> TomlError:
    """The parser's complaint, its position taken out of the message."""
    message = str(error)
    found = _WHERE.search(message)
    if found is None:  # such as a number of thousands of digits
        return TomlError(message.partition(";")[0], Location(1, 1))
    if found[1] is None:
        position = _Scanner(text).position(len(text))
    else:
        position = Location(int(found[1]), int(found[2]))
    return TomlError(_in_braces(text, position) or message[: found.start()], position)


def _in_braces(text: str, position: Location) -> str | None:
    """What is wrong where an inline table has a line end, or a comma before its brace; or None."""
    at = sum(len(line) + 1 for line in text.split("\n")[: position.line - 1]) + position.column - 1
    rest = text[at : at + 100].lstrip(" \t")
    if _innermost(text, at) != "{":
        return None
    if not rest or rest[0] in "\n#":
        return _ONE_LINE
    return "A comma before the closing brace of an inline table" if rest[0] == "}" else None


def _innermost(text: str, at: int) -> str:
    """The bracket that is open at an offset; nothing where none is."""
    brackets = [""]
    for found in _TOKEN.finditer(text, 0, at):
        if found[0] in "[{":
            brackets.append(found[0])
        elif found[0] in "]}" and len(brackets) > 1:
            brackets.pop()
    return brackets[-1]


class _Scanner:
    """Recursive descent over valid TOML: each method moves ``at`` past what it is named for."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.spans: dict[Path, SourceSpan] = {}
        self.tables: list[Extent] = []
        self.lengths: dict[Path, int] = {}  # of the arrays that ``[[headers]]`` make
        self.lines = [0, *(newline.end() for newline in re.finditer("\n", text))]

    def document(self) -> dict[Path, SourceSpan]:
        table: Path = ()
        self.mark((), 0, 0)
        self.take(_SPACE)
        while self.at < len(self.text):
            if self.text[self.at] == "[":
                table = self.header()
            else:
                self.pair(table)
                self.extend()
            self.take(_SPACE)
        return self.spans

    def extend(self) -> None:
        """Let the newest header's part reach to here."""
        if self.tables:
            last = self.position(self.at).line
            self.tables[-1] = self.tables[-1]._replace(last=last)

    def header(self) -> Path:
        """``[table]`` or ``[[array of tables]]``; answers the path that the lines below fill."""
        start = self.at
        brackets = 2 if self.text.startswith("[[", start) else 1
        self.at += brackets
        path: Path = ()
        at = start
        for name, at in self.key():
            path = (*self.newest(path), name)
            self.mention(path, at)
        if brackets == 2:
            self.lengths[path] = self.lengths.get(path, 0) + 1
            path = self.newest(path)
        self.mark(path, at, start)
        line = self.position(start).line
        self.tables.append(Extent(path, line, line))
        self.at += brackets
        return path

    def newest(self, path: Path) -> Path:
        """What a header means by a path: of an array of tables, its last one."""
        return (*path, self.lengths[path] - 1) if path in self.lengths else path

    def pair(self, table: Path) -> None:
        """``key = value``, where a dotted key mentions every table on its way."""
        path = table
        at = self.at
        for name, at in self.key():
            path = (*path, name)
            self.mention(path, at)
        self.at += 1  # the equals sign
        self.take(_BLANKS)
        self.value(path, at)

    def key(self) -> Iterator[tuple[str, int]]:
        """The names of a dotted key, each with its offset."""
        more = True
        while more:
            self.take(_BLANKS)
            at = self.at
            yield _unquoted(self.take(_NAME)), at
            self.take(_BLANKS)
            more = self.text[self.at] == "."
            self.at += more

    def value(self, path: Path, key: int) -> None:
        start = self.at
        self.mark(path, key, start)
        match self.text[start]:
            case "[":
                self.array(path)
            case "{":
                self.inline_table(path)
            case _:
                self.take(_SCALAR)
        self.mark(path, key, start, self.text[start : self.at])

    def array(self, path: Path) -> None:
        for index in self.elements("]"):
            self.value((*path, index), self.at)

    def inline_table(self, path: Path) -> None:
        for _ in self.elements("}"):
            self.pair(path)

    def elements(self, closing: str) -> Iterator[int]:
        """Stop at each element between brackets, for the caller to read it."""
        self.at += 1
        self.take(_SPACE)
        index = 0
        while self.text[self.at] != closing:
            yield index
            index += 1
            self.take(_SPACE)
            self.at += self.text[self.at] == ","
            self.take(_SPACE)
        self.at += 1

    def mention(self, path: Path, at: int) -> None:
        """Note a table where it is first named, unless it stands somewhere already."""
        if path not in self.spans:
            self.mark(path, at, at)

    def mark(self, path: Path, key: int, value: int, text: str = "") -> None:
        if len(path) > DEPTH:
            raise TomlError(_too_deep(), self.position(value))
        self.spans[path] = SourceSpan(self.position(key), self.position(value), text)

    def position(self, offset: int) -> Location:
        line = bisect_right(self.lines, offset)
        return Location(line, offset - self.lines[line - 1] + 1)

    def take(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self.text, self.at)
        if found is None:
            raise TomlError("Invalid statement", self.position(self.at))
        self.at = found.end()
        return found[0]


def _unquoted(name: str) -> str:
    return str(tomllib.loads(f"name = {name}")["name"]) if name[0] in "\"'" else name
