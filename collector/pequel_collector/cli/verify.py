"""``pequel verify``: everything that is derived, held against the stored messages."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import click

from ..app.bootstrap import now, open_store, read_definitions
from ..audit.compare import Difference
from ..audit.verify import Summary
from ..audit.verify import verify as verified
from ..config import Settings
from ..errors import DefinitionError, PequelError
from .options import example, settings_from, settings_options

DIFFERENT, TROUBLE = 1, 2
"""Exit statuses: something stored is not what the messages give; it could not be found out."""


@click.command(
    epilog=example(
        "pequel verify --database sqlite:///pequel.db",
        "pequel verify --database postgresql://pequel@db.example/pequel --limit 1000",
    )
)
@settings_options("database", "config")
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=50,
    show_default=True,
    help="How many differences are named; all are counted.",
)
def verify(limit: int, **given: Any) -> None:
    """Verify what is derived against the messages.

    Who is who, the account of every message, trait histories, what definitions have counted, and
    every lead with its evidence are made anew from the stored messages, from nothing, and compared
    with what is stored. Each difference is a line. Nothing is changed, and a collector may serve
    from the database meanwhile. The definitions are those in force; with --config they must be
    those of that file.

    The exit status is 0 if all is equal, 1 if not, and 2 if that could not be found out.
    """
    try:
        summary = _run(settings_from(given), given["config"] is not None, limit)
    except PequelError as error:
        located = isinstance(error, DefinitionError)
        click.echo(error.message if located else f"pequel: {error.message}", err=True)
        sys.exit(TROUBLE)
    for line in _told(summary, limit):
        click.echo(line)
    sys.exit(DIFFERENT if summary.differences else 0)


def _run(settings: Settings, with_file: bool, limit: int) -> Summary:
    catalogue = read_definitions(settings.config) if with_file else None
    with closing(open_store(settings.database, make=False)) as store, _progress() as progress:
        return verified(store, now, _naming(limit), progress, catalogue)


def _naming(limit: int) -> Callable[[Difference], None]:
    """What prints differences, up to so many."""
    named = 0

    def name(difference: Difference) -> None:
        nonlocal named
        named += 1
        if named <= limit:
            click.echo(str(difference))

    return name


@contextmanager
def _progress() -> Iterator[Callable[[int], None] | None]:
    """Yield what says how many subjects are done; None where nobody watches."""
    if not sys.stderr.isatty():
        yield None
        return
    yield lambda subjects: click.echo(f"\rverifying: {subjects:,}", err=True, nl=False)
    click.echo(" visitors, accounts and users", err=True)


def _told(summary: Summary, limit: int) -> Iterator[str]:
    found = summary.differences
    if not found:
        yield "all equal"
    else:
        named = f", of which {limit:,} are named above" if found > limit else ""
        yield f"{found:,} difference{'' if found == 1 else 's'}{named}"
    yield f"visitors, accounts, users  {summary.subjects:>9,}"
    yield f"messages                   {summary.messages:>9,}"
    yield f"leads                      {summary.leads:>9,}"
    if summary.outdated:
        yield f"of versions out of force   {summary.outdated:>9,}"
    if not summary.tallied:
        yield "messages arrived meanwhile: the tallies were not compared"
