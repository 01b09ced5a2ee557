"""``pequel metrics``: the figures of a metric, or of a role, as tables."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import chain
from typing import Any

import click

from ...app.bootstrap import now, open_store
from ...insights.metrics.catalogue import METRICS, ROLES
from ...marking.evaluators import Evaluators, active_evaluators
from ...model import JSON
from ...ports import ReadTransaction
from ...queries.csv_rows import csv_lines
from ...queries.metrics import Metrics, Question
from ...web.answers.metric_schemas import FIGURE, MEMBER
from ...web.asked.arguments import Duration, Time
from ..leads.reading import Value
from ..options import example, settings_from, settings_options
from .metric_tables import Table, as_markdown, as_text, member_table, tables_of

PAGE = 500
"""Members that are read at once."""


@click.command(
    epilog=example(
        "pequel metrics",
        "pequel metrics signup_to_pql --by channel",
        "pequel metrics --role sales --from 2026-01-01",
        "pequel metrics pql_to_customer --members --standing in --format csv",
    )
)
@click.argument("name", required=False, type=click.Choice(list(METRICS)), metavar="[NAME]")
@click.option("--role", type=click.Choice(list(ROLES)), help="The metrics of a role.")
@click.option("--from", "since", type=Value(Time()), metavar="TIME", help="The period's begin.")
@click.option("--to", "until", type=Value(Time()), metavar="TIME", help="The period's end.  [now]")
@click.option("--horizon", type=Value(Duration()), help="How long one has to arrive, such as 30d.")
@click.option("--definition", metavar="NAME", help="Of this definition.")
@click.option(
    "--by",
    metavar="SEGMENT",
    help="channel, plan, country, trait.NAME, definition, partner, owner or stage.",
)
@click.option("--members", is_flag=True, help="List who counts as what.")
@click.option(
    "--standing", type=click.Choice(["in", "out", "immature"]), help="With --members: only these."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "csv", "json", "md"]),
    default="text",
    help="The output format.",
)
@settings_options("database")
def metrics(
    name: str | None,
    role: str | None,
    members: bool,
    standing: str | None,
    form: str,
    database: str | None,
    **asked: Any,
) -> None:
    """Show the figures of a metric or of a role. Without either, list all metrics."""
    _check(name, role, members, standing)
    question = Question(**asked)
    if name is None and role is None:
        _print(form, [_about_table()], [])
        return
    with _metrics({"database": database}) as source:
        if members and name is not None:
            found = [MEMBER.dump(each) for each in _members(source, name, question, standing)]
            _print(form, [member_table(found)], found)
            return
        figures = (
            [source.metric(name, question)] if name else source.view(role or "", question).figures
        )
    shown = [FIGURE.dump(each) for each in figures]
    _print(form, [table for each in shown for table in tables_of(each)], shown)


def _check(name: str | None, role: str | None, members: bool, standing: str | None) -> None:
    if name is not None and role is not None:
        raise click.UsageError("expected either NAME or --role")
    if members and name is None:
        raise click.UsageError("--members needs the NAME of a metric")
    if standing is not None and not members:
        raise click.UsageError("--standing needs --members")


@contextmanager
def _metrics(given: dict[str, Any]) -> Iterator[Metrics]:
    """The metrics in the database that the options of a command name."""
    with closing(open_store(settings_from(given).database, make=False)) as store:
        known: list[Evaluators] = []

        def active(tx: ReadTransaction) -> Evaluators:
            if not known:
                known.append(active_evaluators(tx))
            return known[0]

        yield Metrics(store, active, now, steps=None)


def _members(source: Metrics, name: str, question: Question, standing: str | None) -> Iterator[Any]:
    cursor: str | None = None
    while True:
        found = source.members(name, question, standing, PAGE, cursor)
        yield from found.data
        cursor = found.next_cursor
        if cursor is None:
            return


def _about_table() -> Table:
    rows = [[metric.name, metric.title, ", ".join(metric.by) or "-"] for metric in METRICS.values()]
    return Table("Metrics", ["metric", "what it says", "segments"], rows)


def _print(form: str, tables: list[Table], data: list[JSON]) -> None:
    if form == "json":
        click.echo(json.dumps(data or _about_json(), ensure_ascii=False, indent=2))
    elif form == "csv":
        click.echo(_as_csv(tables), nl=False)
    else:
        click.echo((as_markdown if form == "md" else as_text)(tables))


def _about_json() -> list[JSON]:
    return [{"metric": metric.name, "title": metric.title} for metric in METRICS.values()]


def _as_csv(tables: list[Table]) -> str:
    """All tables in one: the title of its table is in front of each row."""
    parts = (
        csv_lines(["table", *table.header], ([table.title, *row] for row in table.rows), end="\n")
        for table in tables
    )
    return "".join(chain.from_iterable(parts))
