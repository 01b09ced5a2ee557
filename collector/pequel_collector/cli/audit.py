"""``pequel audit``: who administered what, when and why."""

from __future__ import annotations

import json
from contextlib import closing
from typing import Any

import click

from ..app.bootstrap import open_store
from ..model import iso
from ..ports import AuditEntry
from .options import example, settings_from, settings_options
from .output import columns


@click.command(epilog=example("pequel audit --limit 20"))
@settings_options("database")
@click.option("--limit", type=click.IntRange(1), default=100, help="How many acts to list.  [100]")
def audit(limit: int, **given: Any) -> None:
    """List administrative acts, latest first.

    An act is a key that was created, rotated or revoked, definitions that came in force, rejected
    events that were replayed, or an import that was undone.
    """
    store = open_store(settings_from(given).database, make=False)
    with closing(store), store.reading() as view:
        entries = view.audit(limit)
    rows = [("AT", "ACTOR", "WHAT", "REASON", "DETAILS"), *map(_row, entries)]
    click.echo("\n".join(columns(rows)))


def _row(entry: AuditEntry) -> tuple[str, ...]:
    details = json.dumps(entry.details, ensure_ascii=False)
    return iso(entry.at), entry.by.actor, entry.what, _one_line(entry.by.reason), details


def _one_line(text: str | None) -> str:
    return "-" if text is None else ascii(text)[1:-1] if not text.isprintable() else text
