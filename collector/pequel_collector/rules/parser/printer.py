"""Definitions as text: the ``source`` of one, and the ``[[pql]]`` table that it is printed as.

A source is plain JSON. A decimal that no float is equal to stands in it as ``{"$decimal": "…"}``,
so that nothing is lost on the way through a store; a key that looks so has one more ``$``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any

from .comparisons import CONDITION
from .toml import parse

WIDTH = 100
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_DECIMAL = "$decimal"
_MARK = re.compile(r"\$+decimal")


def plain(written: Any) -> Any:
    """A value of a definitions file as plain JSON; dates as their text."""
    match written:
        case Mapping():
            return {_escaped(key): plain(part) for key, part in written.items()}
        case list():
            return [plain(part) for part in written]
        case Decimal():
            near = float(written)
            return near if Decimal(repr(near)) == written else {_DECIMAL: str(written)}
        case str() | int():
            return written
        case _:
            return str(written)


def to_toml(source: Mapping[str, Any]) -> str:
    """The ``[[pql]]`` table of a definition's ``source``; reading it gives that definition."""
    lines = ["[[pql]]"]
    for key, value in source.items():
        lines += _statement((key,), value)
    return "\n".join(lines) + "\n"


def to_file(shared: Mapping[str, Any], sources: Iterable[Mapping[str, Any]]) -> str:
    """The text of a file: tables that definitions share, as parsed, and those of the sources."""
    lines = [line for key, value in shared.items() for line in _statement((key,), plain(value))]
    return "\n".join([*lines, *map(to_toml, sources)])


@lru_cache(maxsize=1)
def shared_tables(text: str) -> dict[str, Any]:
    """The tables of a file that its definitions share, as plain JSON. Raises TomlError."""
    return {key: plain(table) for key, table in parse(text).data.items() if key != "pql"}


def _escaped(key: str) -> str:
    return f"${key}" if _MARK.fullmatch(key) else key


# -- statements ----------------------------------------------------------------------------


def _statement(path: tuple[str, ...], value: Any) -> Iterator[str]:
    """``key = value`` on one line, or what is too long for that on several."""
    line = f"{_dotted(path)} = {_inline(value, path[-1])}"
    if len(line) <= WIDTH or not value or not isinstance(value, list | Mapping) or _exact(value):
        yield line
    elif isinstance(value, Mapping):
        for below, part in _pairs(value, path[-1]):
            yield from _statement((*path, *below), part)
    else:
        yield f"{_dotted(path)} = ["
        yield from (f"  {_inline(part)}," for part in value)
        yield "]"


def _pairs(table: Mapping[str, Any], key: str) -> Iterable[tuple[tuple[str, ...], Any]]:
    """The keys of a table and their values; in ``where``, the paths and what they must be."""
    return _paths(table) if key == "where" else (((name,), part) for name, part in table.items())


def _paths(table: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Each path of a table with its value; a table without a comparison continues the path."""
    for name, value in table.items():
        if _goes_down(value):
            yield from (((name, *below), part) for below, part in _paths(value))
        else:
            yield (name,), value


def _goes_down(value: Any) -> bool:
    """Whether a value in ``where`` is there because of a dotted key."""
    table = isinstance(value, Mapping) and bool(value) and not _exact(value)
    return table and not CONDITION.keys() & value.keys()


# -- values --------------------------------------------------------------------------------


def _inline(value: Any, key: str = "") -> str:
    """A value on one line; ``key`` is what it stands under."""
    match value:
        case Mapping():
            return _exact(value) or _table(_pairs(value, key))
        case list():
            return f"[{', '.join(map(_inline, value))}]"
        case bool() | str():
            return _text(value)
        case _:
            return repr(value)


def _exact(value: Any) -> str:
    """The number that a tag stands for, or nothing."""
    tagged = isinstance(value, Mapping) and list(value) == [_DECIMAL]
    return str(value[_DECIMAL]) if tagged else ""


def _table(pairs: Iterable[tuple[tuple[str, ...], Any]]) -> str:
    listed = [f"{_dotted(path)} = {_inline(value, path[-1])}" for path, value in pairs]
    return f"{{ {', '.join(listed)} }}" if listed else "{}"


def _dotted(path: tuple[str, ...]) -> str:
    return ".".join(_key(name) for name in path)


def _key(name: str) -> str:
    name = name.removeprefix("$") if _MARK.fullmatch(name) else name
    return name if _BARE.fullmatch(name) else _text(name)


def _text(value: str | bool) -> str:
    """A text or a truth value as JSON writes it, which TOML reads but for one character."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")
