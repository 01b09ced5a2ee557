"""``pequel keys``: make, list and revoke API keys."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import click

from ..access.keys import KINDS, KeyKind, Keys
from ..app.bootstrap import now, open_store
from ..errors import NotFound
from ..model import Key
from ..ports import Store
from .options import example, settings_from, settings_options


@click.group(epilog=example('pequel keys create --kind read --label "the CRM"'))
def keys() -> None:
    """Make, list and revoke API keys.

    A write key sends events, a read key asks, an admin key does both and manages.
    Those given as PEQUEL_WRITE_KEY, PEQUEL_READ_KEY and PEQUEL_ADMIN_KEY are not stored.
    """


@keys.command(epilog=example('pequel keys create --kind write --label "web shop"'))
@settings_options("database")
@click.option("--kind", type=click.Choice(KINDS), required=True, help="What the key may do.")
@click.option("--label", default="", help="Who will use it, for the list.")
@click.option("--rate", type=click.IntRange(0), help="Events a second; 0 is any number.")
@click.option("--quota", type=click.IntRange(0), help="Events a month; 0 is any number.")
def create(kind: KeyKind, label: str, rate: int | None, quota: int | None, **given: Any) -> None:
    """Make a key and print it.

    It is shown only now: what is stored is a digest. Where there is no database yet, one is made.
    """
    with _keys(given, make=True) as keys:
        key, token = keys.create(kind, label, rate, quota)
    click.echo(f"{key.kind} key {key.id}, shown only now:", err=True)
    click.echo(token)


@keys.command("list", epilog=example("pequel keys list --database sqlite:///pequel.db"))
@settings_options("database")
def list_(**given: Any) -> None:
    """List the keys, without their secrets."""
    with _keys(given) as keys:
        rows = [("ID", "KIND", "CREATED", "REVOKED", "LABEL"), *map(_row, keys.listed())]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


@keys.command(epilog=example("pequel keys revoke 5f3c9a1e07bd"))
@settings_options("database")
@click.argument("key_id", metavar="ID")
def revoke(key_id: str, **given: Any) -> None:
    """Revoke a key.

    A running collector refuses it within a second.
    """
    with _keys(given) as keys:
        if not keys.revoke(key_id):
            raise NotFound(f"no key {key_id} to revoke: see `pequel keys list`")
    click.echo(f"revoked {key_id}")


@contextmanager
def _keys(given: dict[str, Any], make: bool = False) -> Iterator[Keys]:
    settings = settings_from(given)
    with closing(_store(settings.database, make)) as store:
        yield Keys(store, now, settings)


def _store(database: str, make: bool) -> Store:
    """The store at a URL; one that is made now is told of, as it may not be the one meant."""
    try:
        return open_store(database, make=False)
    except NotFound:
        if not make:
            raise
        store = open_store(database)
        click.echo(f"made the database {Path(database.partition(':///')[2]).absolute()}", err=True)
        return store


def _row(key: Key) -> tuple[str, ...]:
    revoked = _day(key.revoked_at) if key.revoked_at else "-"
    return key.id, key.kind, _day(key.created_at) if key.created_at else "-", revoked, key.label


def _day(time: int) -> str:
    return datetime.fromtimestamp(time / 1000, timezone.utc).strftime("%Y-%m-%d %H:%M")
