"""What a collector says of itself when it starts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ..bootstrap import Collector
from ..inforce import InForce
from ..model import iso

_PASSWORD = re.compile(r"(?<=:)[^:/@]+(?=@)|(?<=password=)[^&]+")


def introduction(collector: Collector) -> Iterator[str]:
    """Its database, its definitions and, on its first start, the keys that it then makes."""
    yield f"database     {_PASSWORD.sub('…', collector.settings.database)}"
    yield definitions(collector)
    new = collector.keys.create_first()
    if new:
        yield "keys         made on this first start and shown only now:"
    for key, token in new:
        yield f"  {key.kind:<10} {token}"


def definitions(collector: Collector) -> str:
    """Which definitions are in force, where they come from, and why not from elsewhere."""
    names = ", ".join(definition.name for definition in collector.catalogue.definitions) or "none"
    return f"definitions  {names} ({_why(collector.in_force(), collector.settings.config)})"


def _why(found: InForce | None, config: str) -> str:
    is_there = Path(config).exists()
    if found is not None and found.origin == "put":
        file = f"{config} has not changed since" if is_there else f"no {config} here"
        return f"put over HTTP at {iso(found.at)}; {file}"
    if found is not None and found.instead_of is not None:
        return f"{config}, which has changed since others were put at {iso(found.instead_of)}"
    return config if is_there else f"no {config} here"
