"""``pequel verify``: compare derived data with the stored messages."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import count
from typing import Any

import click

from ..app.bootstrap import now, open_store, read_definitions
from ..audit.compare import Difference
from ..audit.verify import Summary
from ..audit.verify import verify as verified
from ..config import Settings
from ..errors import PequelError
from .options import example, settings_options, stated
from .output import Failure, printable, printable_lines

DIFFERENT = 1
"""The exit status if derived data differs from the messages."""


class ComparisonFailure(Failure):
    """The comparison was not possible."""

    exit_code = 2


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
    help="How many differences to print; all are counted.",
)
def verify(limit: int, **given: Any) -> None:
    """Verify derived data against the messages.

    Derives identities, the account of every message, trait histories, the counts of definitions,
    and every lead with its evidence again from the stored messages, and compares them with the
    database. Prints a line for each difference. Nothing is changed, and a collector may serve from
    the database meanwhile. The active definitions are used; with --config, that file must have
    the same ones.

    The exit status is 0 if everything is equal, 1 if not, and 2 if the comparison failed.
    """
    try:
        settings = stated(given)
        summary = _run(Settings(**settings), "config" in settings, limit)
    except PequelError as error:
        raise ComparisonFailure(error) from error
    for line in _summary_lines(summary, limit):
        click.echo(printable(line))
    sys.exit(DIFFERENT if summary.differences else 0)


def _run(settings: Settings, with_file: bool, limit: int) -> Summary:
    catalogue = read_definitions(settings.config) if with_file else None
    with closing(open_store(settings.database, make=False)) as store, _progress() as progress:
        return verified(store, now, _printer(limit), progress, catalogue)


def _printer(limit: int) -> Callable[[Difference], None]:
    """A function that prints the first differences, up to a limit."""
    numbers = count(1)

    def print_difference(difference: Difference) -> None:
        if next(numbers) <= limit:
            click.echo(printable_lines(str(difference)))

    return print_difference


@contextmanager
def _progress() -> Iterator[Callable[[int], None] | None]:
    """Yield a function that shows how many subjects are done; None without a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    yield lambda subjects: click.echo(f"\rverifying: {subjects:,}", err=True, nl=False)
    click.echo(" visitors, accounts and users", err=True)


def _summary_lines(summary: Summary, limit: int) -> Iterator[str]:
    found = summary.differences
    if not found:
        yield "all equal"
    else:
        named = f", the first {limit:,} are above" if found > limit else ""
        yield f"{found:,} difference{'' if found == 1 else 's'}{named}"
    yield f"visitors, accounts, users  {summary.subjects:>9,}"
    yield f"messages                   {summary.messages:>9,}"
    yield f"leads                      {summary.leads:>9,}"
    if summary.outdated:
        yield f"kept as they were          {summary.outdated:>9,}"
    if not summary.tallied:
        yield "messages arrived meanwhile, so the tallies were not compared"
