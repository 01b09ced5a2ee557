"""What a collector says of itself when it starts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ..bootstrap import Collector

_PASSWORD = re.compile(r"(?<=:)[^:/@]+(?=@)|(?<=password=)[^&]+")


def introduction(collector: Collector) -> Iterator[str]:
    """Its database, its definitions and, on its first start, the keys that it then makes."""
    config = collector.settings.config
    names = ", ".join(definition.name for definition in collector.catalogue.definitions) or "none"
    yield f"database     {_PASSWORD.sub('…', collector.settings.database)}"
    yield f"definitions  {names} ({config if Path(config).exists() else f'no {config} here'})"
    new = collector.keys.create_first()
    if new:
        yield "keys         made on this first start and shown only now:"
    for key, token in new:
        yield f"  {key.kind:<10} {token}"
