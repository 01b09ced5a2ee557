"""What a collector prints when it starts."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import TextIO

from ..access.keys import KeyKind, NewKey
from ..access.sessions import LINK_LASTS, MINUTE, Sessions
from ..app.bootstrap import Collector
from ..config import Settings
from ..errors import PequelError
from ..marking.active import ActiveDefinitions
from ..model import iso

_PASSWORD = re.compile(r"(?<=:)[^:/@]+(?=@)|(?<=password=)[^&]+")


def startup_message(collector: Collector) -> Iterator[str]:
    """The database, the definitions, the keys of a first start, and the keys that are missing."""
    yield f"database     {_without_password(collector.settings.database)}"
    yield from _readable_by_others(collector.settings.database)
    yield definitions_line(collector)
    yield from _first_keys(collector)
    if missing := collector.keys.missing():
        yield f"keys         {_how_to_create(missing, collector.settings)}"


def console_lines(collector: Collector, url: str) -> Iterator[str]:
    """The link that opens the console once, where only this machine can reach it."""
    if not is_loopback(collector.settings.host):
        return
    try:
        token = Sessions(collector.store, collector.keys, collector.clock).link()
    except PequelError:  # a database that takes no writes now: a key still opens the console
        return
    yield f"console      {url}/open/{token} (works once, for {LINK_LASTS // MINUTE} minutes)"


def is_loopback(host: str) -> bool:
    """Whether an address can be reached from this machine only."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def definitions_line(collector: Collector) -> str:
    """The names of the active definitions, and where they come from."""
    names = ", ".join(definition.name for definition in collector.catalogue.definitions) or "none"
    origin = _origin(collector.active_definitions(), collector.settings.config)
    return f"definitions  {names} ({origin})"


def _readable_by_others(database: str) -> Iterator[str]:
    """A warning if others than its user can read the file, which keeps the mode that it has."""
    path = _file_of(database)
    if path is not None and path.exists() and path.stat().st_mode & 0o077:
        yield f"database     other users can read it: chmod 600 {path}*"


def _first_keys(collector: Collector) -> Iterator[str]:
    """The keys of a first start. A journal keeps what is printed, so there they go to a file."""
    path = None if sys.stdout.isatty() else _key_file(collector.settings.database)
    if path is None:
        yield from _shown(collector.keys.create_first())
        return
    if not collector.keys.needs_first():
        return
    new: list[NewKey] = []
    try:
        with _private(path) as file:
            if new := collector.keys.create_first():
                file.truncate(0)
                file.writelines(f"{key.kind} {token}\n" for key, token in new)
    except OSError as error:
        yield f"keys         cannot be written to {path}: {error.strerror}"
        yield from _shown(new)
    else:
        yield f"keys         created on this first start, and written to {path}"


def _shown(new: Sequence[NewKey]) -> Iterator[str]:
    if new:
        yield "keys         created on this first start; they are not shown again:"
    for key, token in new:
        yield f"  {key.kind:<10} {token}"


def _key_file(database: str) -> Path | None:
    """The file for the keys: beside a SQLite database, else here. None for one in memory."""
    if not database.startswith("sqlite://"):
        return Path("pequel.keys").absolute()
    file = _file_of(database)
    return None if file is None else Path(f"{file}.keys").absolute()


def _file_of(database: str) -> Path | None:
    """The file of a SQLite database; None for one in memory or on a server."""
    scheme, _, path = database.partition("://")
    name = path.removeprefix("/")
    return Path(name) if scheme == "sqlite" and name not in {"", ":memory:"} else None


def _private(path: Path) -> TextIO:
    """A file to append to, which only its owner can read, also if it is there already."""
    file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a")
    path.chmod(0o600)
    return file


def _how_to_create(missing: Sequence[KeyKind], settings: Settings) -> str:
    """The missing kinds of key, and how to create the one with the most rights."""
    create = f"pequel keys create --kind {missing[-1]}"
    if settings.database != Settings().database:
        create += f" --database {_without_password(settings.database)}"
    variable = f"PEQUEL_{missing[-1].upper()}_KEY"
    return f"no {' or '.join(missing)} key: create one with `{create}`, or set {variable}"


def _without_password(database: str) -> str:
    return _PASSWORD.sub("…", database)


def _origin(active: ActiveDefinitions | None, config: str) -> str:
    exists = Path(config).exists()
    if active is not None and active.origin == "put":
        file = f"{config} has not changed since" if exists else f"no {config} here"
        return f"put over HTTP at {iso(active.at)}; {file}"
    if active is not None and active.replaced_put_at is not None:
        return f"{config}, which has changed since others were put at {iso(active.replaced_put_at)}"
    return config if exists else f"no {config} here"
