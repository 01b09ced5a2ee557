"""What a collector says of itself when it starts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..access.keys import KeyKind
from ..app.bootstrap import Collector
from ..config import Settings
from ..marking.active import ActiveDefinitions
from ..model import iso

_PASSWORD = re.compile(r"(?<=:)[^:/@]+(?=@)|(?<=password=)[^&]+")


def introduction(collector: Collector) -> Iterator[str]:
    """Its database, its definitions, the keys made on its first start, and those it lacks."""
    yield f"database     {_shown(collector.settings.database)}"
    yield definitions(collector)
    new = collector.keys.create_first()
    if new:
        yield "keys         made on this first start and shown only now:"
    for key, token in new:
        yield f"  {key.kind:<10} {token}"
    if missing := collector.keys.missing():
        yield f"keys         {_how_to_make(missing, collector.settings)}"


def definitions(collector: Collector) -> str:
    """Which definitions are in force, where they come from, and why not from elsewhere."""
    names = ", ".join(definition.name for definition in collector.catalogue.definitions) or "none"
    return (
        f"definitions  {names} ({_why(collector.active_definitions(), collector.settings.config)})"
    )


def _how_to_make(missing: Sequence[KeyKind], settings: Settings) -> str:
    """The kinds of key that there are none of, and how to have the one that may most."""
    create = f"pequel keys create --kind {missing[-1]}"
    if settings.database != Settings().database:
        create += f" --database {_shown(settings.database)}"
    variable = f"PEQUEL_{missing[-1].upper()}_KEY"
    return f"no {' or '.join(missing)} key: make one with `{create}`, or set {variable}"


def _shown(database: str) -> str:
    return _PASSWORD.sub("…", database)


def _why(found: ActiveDefinitions | None, config: str) -> str:
    is_there = Path(config).exists()
    if found is not None and found.origin == "put":
        file = f"{config} has not changed since" if is_there else f"no {config} here"
        return f"put over HTTP at {iso(found.at)}; {file}"
    if found is not None and found.replaced_put_at is not None:
        return f"{config}, which has changed since others were put at {iso(found.replaced_put_at)}"
    return config if is_there else f"no {config} here"
