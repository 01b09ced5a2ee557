"""``pequel lint``: what is doubtful in definitions, and what the data says of them."""

from __future__ import annotations

import json
import sys
from contextlib import closing
from pathlib import Path

import click

from ..bootstrap import now, open_store, read_definitions
from ..lint.finding import Report
from ..lint.linter import lint as look
from ..lint.sample import Sample
from ..lint.sampling import take
from ..rules.definition import Catalogue
from .options import example


@click.command(
    epilog=example(
        "pequel lint", "pequel lint --strict --database sqlite:///pequel.db --capacity 20"
    )
)
@click.argument(
    "file", type=click.Path(exists=True, dir_okay=False), default="pequel.toml", required=False
)
@click.option("--database", metavar="URL", help="Also look at the data in this store.")
@click.option(
    "--capacity",
    type=click.IntRange(min=1),
    help="How many leads of one definition can be followed up in a week.",
)
@click.option("--strict", is_flag=True, help="Fail for warnings too.")
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", help="How to say it."
)
@click.pass_context
def lint(
    context: click.Context,
    /,
    file: str,
    database: str | None,
    capacity: int | None,
    strict: bool,
    form: str,
) -> None:
    """Look for what is doubtful in definitions.

    FILE is a definitions file, pequel.toml if none is named. One finding a line, with its place.
    The exit status is 1 if there is an error, that is, something that makes leads worthless or
    wrong; what a definition accepts with a reason is listed, and fails nothing.
    """
    catalogue = read_definitions(file)
    sample = None if database is None else _sample(database, catalogue)
    report = look(catalogue, Path(file).as_posix(), sample, capacity)
    click.echo(_as_json(report) if form == "json" else _told(report))
    if report.count("error") or (strict and report.count("warning")):
        context.exit(1)


def _sample(database: str, catalogue: Catalogue) -> Sample:
    if sys.stderr.isatty():
        click.echo("looking at the data …", err=True)
    with closing(open_store(database)) as store, store.reading() as view:
        return take(view, catalogue, now())


def _as_json(report: Report) -> str:
    return json.dumps(report.as_json(), ensure_ascii=False)


def _told(report: Report) -> str:
    return "\n".join([*map(str, report.findings), report.summary()])
