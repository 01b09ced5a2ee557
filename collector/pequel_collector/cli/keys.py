"""``pequel keys``: create, list, rotate and revoke API keys."""

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
from ..ports import By, Store
from ..rules.language.quantities import QuantityError, milliseconds
from .options import example, reason_option, settings_from, settings_options
from .output import columns

COLUMNS = ("ID", "PREFIX", "KIND", "CREATED", "LAST USED", "ENDS", "REVOKED", "LABEL")


@click.group(epilog=example('pequel keys create --kind read --label "the CRM"'))
def keys() -> None:
    """Create, list, rotate and revoke API keys.

    A write key sends events; a write+marks key also sees the leads that its events open. A read
    key reads leads and events; a work key also changes leads. An admin key can do everything. A
    partner key sees the leads of one partner, and nothing else.
    Keys in PEQUEL_WRITE_KEY, PEQUEL_READ_KEY and PEQUEL_ADMIN_KEY are not stored.
    """


@keys.command(epilog=example('pequel keys create --kind write --label "web shop"'))
@settings_options("database")
@click.option("--kind", type=click.Choice(KINDS), required=True, help="What the key is for.")
@click.option("--partner", metavar="NAME", help="Whose leads a partner's key sees.")
@click.option("--label", default="", help="Who uses the key; shown in the list.")
@click.option("--rate", type=click.IntRange(0), help="Maximum events a second; 0 for no limit.")
@click.option("--quota", type=click.IntRange(0), help="Maximum events a month; 0 for no limit.")
@reason_option
def create(
    kind: KeyKind,
    partner: str | None,
    label: str,
    rate: int | None,
    quota: int | None,
    reason: str | None,
    **given: Any,
) -> None:
    """Create a key and print it.

    The key is not shown again: only its hash is stored. A missing database is created.
    """
    with _keys(given, create=True) as keys:
        key, token = keys.create(kind, label, rate, quota, By("cli", reason), partner)
    click.echo(f"{key.kind} key {key.id}; it is not shown again:", err=True)
    click.echo(token)


@keys.command("list", epilog=example("pequel keys list --database sqlite:///pequel.db"))
@settings_options("database")
def list_(**given: Any) -> None:
    """List the keys, without their secrets."""
    with _keys(given) as keys:
        rows = [COLUMNS, *map(_row, keys.listed())]
    click.echo("\n".join(columns(rows)))


@keys.command(epilog=example("pequel keys rotate 5f3c9a1e07bd --overlap 24h"))
@settings_options("database")
@click.argument("key_id", metavar="ID")
@click.option("--overlap", default="24h", help="How long the old key still works.  [24h]")
@reason_option
def rotate(key_id: str, overlap: str, reason: str | None, **given: Any) -> None:
    """Create a key in place of another one, and print it.

    The new key works at once and has the same kind, label, rate and quota. The old key ends after
    the overlap.
    """
    with _keys(given) as keys:
        key, token = keys.rotate(key_id, _duration(overlap), By("cli", reason))
    click.echo(
        f"{key.kind} key {key.id} in place of {key_id}, which works for {overlap} more; "
        "it is not shown again:",
        err=True,
    )
    click.echo(token)


@keys.command(epilog=example("pequel keys revoke 5f3c9a1e07bd"))
@settings_options("database")
@click.argument("key_id", metavar="ID")
@reason_option
def revoke(key_id: str, reason: str | None, **given: Any) -> None:
    """Revoke a key.

    Running collectors refuse it within a second.
    """
    with _keys(given) as keys:
        if not keys.revoke(key_id, By("cli", reason)):
            raise NotFound(f"there is no active key {key_id}: see `pequel keys list`")
    click.echo(f"revoked {key_id}")


@contextmanager
def _keys(given: dict[str, Any], create: bool = False) -> Iterator[Keys]:
    settings = settings_from(given)
    with closing(_store(settings.database, create)) as store:
        yield Keys(store, now, settings)


def _store(database: str, create: bool) -> Store:
    """The store at a URL. Prints the path of a new one, in case another one was meant."""
    try:
        return open_store(database, make=False)
    except NotFound:
        if not create:
            raise
        store = open_store(database)
        click.echo(
            f"created the database {Path(database.partition(':///')[2]).absolute()}", err=True
        )
        return store


def _row(key: Key) -> tuple[str, ...]:
    times = key.created_at, key.last_used_at, key.expires_at, key.revoked_at
    kind = key.kind if key.partner is None else f"{key.kind} {key.partner}"
    return key.id, key.prefix or "-", kind, *map(_day, times), key.label


def _duration(text: str) -> int:
    """A duration such as ``24h``, in ms; ``0`` is none."""
    if text == "0":
        return 0
    try:
        return milliseconds(text)
    except QuantityError as error:
        raise click.BadParameter(f"{text!r}: {error}", param_hint="--overlap") from None


def _day(time: int | None) -> str:
    if not time:
        return "-"
    return datetime.fromtimestamp(time / 1000, timezone.utc).strftime("%Y-%m-%d %H:%M")
