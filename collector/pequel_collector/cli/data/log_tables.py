"""What a log has, as text for people."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from ...ingest.log_contents import NameCount
from ...lint.unknown_events import uses
from ...model import iso
from ...rules.language.definition import Catalogue, pattern_of
from ..output import printable

MAX_NAMES = 30
"""Events that are shown."""


def names_table(names: Mapping[str, NameCount]) -> Iterator[str]:
    """The events by name, the most frequent first."""
    ordered = sorted(names.items(), key=lambda pair: (-pair[1].number, pair[0]))
    shown = ordered[:MAX_NAMES]
    width = max((len(name) for name, _ in shown), default=0)
    width = max(18, min(width, 60))
    yield f"{'event':<{width}} {'number':>9}  {'first':<24}  last"
    for name, found in shown:
        times = f"{iso(found.first)}  {iso(found.last)}"
        yield f"{printable(name[:60]):<{width}} {found.number:>9,}  {times}"
    if len(ordered) > len(shown):
        yield f"and {len(ordered) - len(shown):,} more names"


def missing_events(catalogue: Catalogue, names: Collection[str]) -> list[str]:
    """The events that definitions need and a log does not have, each with its definition."""
    tracked = [name for name in names if not name.startswith("(")]
    found: dict[str, str] = {}
    for definition, _, name in uses(catalogue):
        if not any(map(pattern_of([name]).matches, tracked)):
            found.setdefault(name, definition)
    return [f"{name} ({definition})" for name, definition in found.items()]
