"""``pequel lint``: likely mistakes in definitions."""

from __future__ import annotations

import json
import sys
from contextlib import closing
from pathlib import Path

import click

from ..app.bootstrap import now, open_store, read_definitions
from ..insights.sample import Sample
from ..insights.sampling import take
from ..lint.coverage import Covered, Linted, coverage
from ..lint.finding import Report
from ..lint.linter import lint as find
from ..model import iso
from ..rules.language.definition import Catalogue
from ..web.answers.schemas import LINTED
from .options import (
    definitions_file,
    definitions_path,
    example,
    settings_from,
    settings_options,
    stated,
)
from .output import columns, echo_as


@click.command(
    epilog=example(
        "pequel lint",
        "pequel lint --strict --database sqlite:///pequel.db --capacity 20",
        "pequel lint --coverage --database sqlite:///pequel.db",
    )
)
@definitions_file
@settings_options("alert_env")
@click.option(
    "--database",
    metavar="URL",
    help="Also check against the data in this database.  [env var: PEQUEL_DATABASE]",
)
@click.option(
    "--capacity",
    type=click.IntRange(min=1),
    help="How many leads of one definition your team can handle in a week.",
)
@click.option(
    "--coverage",
    "with_coverage",
    is_flag=True,
    help="List what the definitions use, and when it was last seen.",
)
@click.option("--strict", is_flag=True, help="Exit with 1 for warnings too.")
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["text", "json"]),
    default="text",
    help="The output format.",
)
@click.pass_context
def lint(
    context: click.Context,
    /,
    file: str | None,
    alert_env: str | None,
    database: str | None,
    capacity: int | None,
    with_coverage: bool,
    strict: bool,
    output_format: str,
) -> None:
    """Find likely mistakes in definitions.

    FILE is a definitions file; without it, the one in PEQUEL_CONFIG, else pequel.toml. Each finding
    is a line with its place in the file. The exit status is 1 if there is an error: a mistake that
    makes leads wrong or useless. Findings that a definition accepts with a reason are listed, and
    are not errors.
    """
    path = definitions_path(file)
    database = stated({"database": database}).get("database")
    if with_coverage and database is None:
        raise click.UsageError("--coverage needs data: add --database")
    may_send = settings_from({"alert_env": alert_env}).is_for_alerts
    catalogue = read_definitions(path, may_send)
    sample = None if database is None else _sample(database, catalogue)
    report = find(catalogue, Path(path).as_posix(), sample, capacity)
    rows = coverage(catalogue, sample) if with_coverage and sample is not None else None
    text = _as_json(report, rows) if output_format == "json" else _as_text(report, rows)
    echo_as(output_format, text)
    if report.count("error") or (strict and report.count("warning")):
        context.exit(1)


def _sample(database: str, catalogue: Catalogue) -> Sample:
    if sys.stderr.isatty():
        click.echo("reading the data …", err=True)
    with closing(open_store(database, make=False)) as store, store.reading() as view:
        return take(view, catalogue, now())


def _as_json(report: Report, rows: list[Covered] | None) -> str:
    return json.dumps(LINTED.dump(Linted(report, rows)), ensure_ascii=False)


def _as_text(report: Report, rows: list[Covered] | None) -> str:
    heading = ("DEFINITION", "KIND", "NAME", "OF", "SEEN", "LAST SEEN")
    table = [] if rows is None else ["", *columns([heading, *map(_cells, rows)]), ""]
    return "\n".join([*map(str, report.findings), *table, report.summary()])


def _cells(row: Covered) -> tuple[str, ...]:
    return row.definition, row.kind, row.name, row.of or "", f"{row.seen:,}", _last_seen(row)


def _last_seen(row: Covered) -> str:
    if row.last_seen is not None:
        return iso(row.last_seen)
    return "" if row.kind == "trait" and row.seen else "never"
