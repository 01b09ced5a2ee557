"""Figures as tables: one of the values with a row for each segment, and one for each list."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ...model import JSON
from ..output import columns, printable

_ABOUT = frozenset({
    "metric", "title", "from", "to", "horizon", "definition", "version", "as_of", "missing",
    "groups", "more_groups", "by",
})  # fmt: skip
_DASH = "-"
_SHARES = frozenset({"rate", "share", "growth", "difference"})
_INTERVALS = frozenset({"interval", "difference_interval"})


class Table(NamedTuple):
    """Rows of text below a header."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


def tables_of(figure: Mapping[str, JSON]) -> list[Table]:
    """The tables of a figure, given as its JSON."""
    rows: list[tuple[str, Mapping[str, JSON]]] = [("all", figure)]
    rows += [(_segment(group["by"]), group) for group in figure["groups"]]
    names = [n for n in dict.fromkeys(n for _, row in rows for n in row) if n not in _ABOUT]
    lists = [n for n in names if isinstance(figure.get(n), list) and n not in _INTERVALS]
    flat = [name for name in names if name not in lists]
    found = []
    if flat:
        body = [[segment, *(_cell(n, row.get(n)) for n in flat)] for segment, row in rows]
        found.append(Table(_title(figure), ["segment", *flat], body))
    return found + [_listed(f"{figure['metric']}: {name}", figure[name]) for name in lists]


def member_table(members: Sequence[Mapping[str, JSON]]) -> Table:
    """The members of a metric."""
    rows = [
        [m["standing"], m["subject"]["kind"], m["subject"]["id"], m["lead_id"] or _DASH, m["start"],
         m["end"] or _DASH]
        for m in members
    ]  # fmt: skip
    return Table("Members", ["standing", "kind", "id", "lead", "start", "end"], rows)


def as_text(tables: Iterable[Table]) -> str:
    """Tables for a terminal."""
    return "\n\n".join("\n".join([printable(table.title), *_lines(table)]) for table in tables)


def as_markdown(tables: Iterable[Table]) -> str:
    """Tables for a page or a pull request."""
    return "\n\n".join(
        "\n".join([f"### {printable(table.title)}", "", *_piped(table)]) for table in tables
    )


def _lines(table: Table) -> list[str]:
    if not table.rows:
        return ["  nothing"]
    return ["  " + line for line in columns([tuple(table.header), *map(tuple, table.rows)])]


def _piped(table: Table) -> list[str]:
    rows = [table.header, ["---"] * len(table.header), *table.rows]
    return [f"| {' | '.join(map(_markdown_cell, row))} |" for row in rows]


def _markdown_cell(text: str) -> str:
    return printable(text).replace("|", "\\|")


def _title(figure: Mapping[str, JSON]) -> str:
    parts = [f"{str(figure['from'])[:10]} to {str(figure['to'])[:10]}"]
    if figure["horizon"]:
        parts.append(f"within {figure['horizon']}")
    if figure["definition"]:
        parts.append(f"{figure['definition']}, version {figure['version']}")
    parts += figure["missing"]
    if figure["more_groups"]:
        parts.append(f"{figure['more_groups']} more segments are not shown")
    return f"{figure['title']} ({figure['metric']}; {'; '.join(parts)})"


def _listed(title: str, items: Sequence[Mapping[str, JSON]]) -> Table:
    names = list(dict.fromkeys(name for item in items for name in item))
    return Table(title, names, [[_cell(name, item.get(name)) for name in names] for item in items])


def _segment(by: Mapping[str, JSON]) -> str:
    return ", ".join(_DASH if value is None else _plain(value) for value in by.values())


def _cell(name: str, value: Any) -> str:
    if value is None or value in ({}, []):
        return _DASH
    if name in _INTERVALS:
        return f"{_share(value[0])} to {_share(value[1])}"
    if name in _SHARES:
        return _share(value)
    if name.endswith("_seconds"):
        return _length(value)
    if isinstance(value, Mapping):
        inner = (f"{key} {_cell(_inner(name), each)}" for key, each in value.items())
        return ", ".join(inner)
    if isinstance(value, list):
        return "; ".join(_cell("", each) for each in value)
    return f"{value:.2f}" if isinstance(value, float) else _plain(value)


def _inner(name: str) -> str:
    return "rate" if name == "rates" else ""


def _share(value: float) -> str:
    return f"{100 * value:.1f} %"


def _length(seconds: float) -> str:
    """A length of time in its largest unit."""
    for name, unit in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= unit:
            return f"{seconds / unit:.1f} {name}"
    return f"{seconds:.1f} s"


def _plain(value: JSON) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
