"""``pequel backtest``: whether definitions find those who convert."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import closing

import click

from ...app.bootstrap import open_store, read_definitions
from ...insights.backtest import Backtest, Question, require_definition
from ...insights.backtest import backtest as tested
from ...insights.confusion import Confusion
from ...insights.lift import Interval
from ...insights.population import population_of
from ...marking.evaluators import active_evaluators
from ...model import parse_iso
from ...ports import ReadTransaction
from ...queries.csv_rows import csv_lines
from ...rules.language.definition import Catalogue
from ...rules.language.quantities import DAY, HOUR, MINUTE, many, milliseconds
from ...web.answers.backtest_schemas import BACKTEST
from ..options import definitions_file, example, settings_from, settings_options
from ..output import columns, echo_as
from ..progress import subjects_shown

PATIENCE = 3_600.0
"""Seconds that a database may take for one statement."""

HEADING = (
    "definition", "form", "set", "population", "converters", "predicted", "true", "base rate",
    "precision", "recall", "lift", "MCC", "lead time",
)  # fmt: skip


class Duration(click.ParamType[int]):
    """A length of time such as 7d, as ms."""

    name = "duration"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        try:
            return value if isinstance(value, int) else milliseconds(str(value))
        except ValueError as error:
            self.fail(f"found {value!r}, expected {error}", param, ctx)


class Time(click.ParamType[int]):
    """A time in ISO 8601, as ms."""

    name = "time"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        found = value if isinstance(value, int) else parse_iso(str(value))
        if found is None:
            self.fail(f"found {value!r}, expected a time in ISO 8601", param, ctx)
        return found


@click.command(
    epilog=example(
        "pequel backtest pequel.toml --database sqlite:///pequel.db",
        "pequel backtest --definition set_up --landmark 7d --horizon 30d --format md",
        'pequel backtest --population "trait:plan=free" --capacity 20',
    )
)
@definitions_file
@settings_options("database")
@click.option("--definition", metavar="NAME", help="Test this definition only.")
@click.option(
    "--landmark",
    type=Duration(),
    default="7d",
    show_default=True,
    help="How long after sign-up a subject may qualify, in the landmark form.",
)
@click.option(
    "--horizon",
    type=Duration(),
    default="30d",
    show_default=True,
    help="How long after the landmark a conversion counts.",
)
@click.option(
    "--population",
    default="signup",
    show_default=True,
    help="Who is looked at: signup, or trait:NAME=VALUE.",
)
@click.option("--end", type=Time(), help="The end of the data; its newest message if not given.")
@click.option(
    "--capacity", type=click.IntRange(min=1), help="How many leads a week your team can work."
)
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["table", "json", "md", "csv"]),
    default="table",
    show_default=True,
    help="The output format.",
)
def backtest(
    file: str | None,
    database: str | None,
    definition: str | None,
    landmark: int,
    horizon: int,
    population: str,
    end: int | None,
    capacity: int | None,
    output_format: str,
) -> None:
    """Show whether definitions find those who convert.

    FILE is a definitions file; without it, the one in PEQUEL_CONFIG, else pequel.toml, else what is
    in force in the database. Says who would have qualified, and how many of them converted
    afterwards: over all of the data (strict), and by what was known so long after sign-up
    (landmark). Nothing is changed, and a collector may serve from the database meanwhile.
    """
    question = Question(landmark, horizon, population_of(population), end, capacity)
    url = settings_from({"database": database}).database
    with closing(open_store(url, make=False, timeout=PATIENCE)) as store, store.reading() as tx:
        catalogue = catalogue_in(tx, file)
        names = [each.name for each in catalogue.definitions]
        if definition is not None or not names:
            names = [require_definition(catalogue, definition)]
        with subjects_shown("reading") as progress:
            found = tested(tx, catalogue, names, question, progress)
    echo_as(output_format, FORMATS[output_format](found, definition is not None))


def catalogue_in(tx: ReadTransaction, file: str | None) -> Catalogue:
    """The definitions of a file; without one that exists, those in force in a store."""
    path = settings_from({"config": file}).config
    found = read_definitions(path)
    if file is None and not found.text:
        return active_evaluators(tx).catalogue
    return found


# -- output --------------------------------------------------------------------------------


def _as_json(found: Sequence[Backtest], is_one: bool) -> str:
    dumped = [BACKTEST.dump(each) for each in found]
    return json.dumps(dumped[0] if is_one else {"data": dumped}, ensure_ascii=False)


def _as_table(found: Sequence[Backtest], _is_one: bool) -> str:
    rows = [tuple(word.upper() for word in HEADING), *_rows(found)]
    return "\n".join([*columns(rows), "", *_remarks(found)])


def _as_md(found: Sequence[Backtest], _is_one: bool) -> str:
    lines = [HEADING, tuple("---" for _ in HEADING), *_rows(found)]
    table = [f"| {' | '.join(cell or ' ' for cell in line)} |" for line in lines]
    return "\n".join([*table, "", *(f"* {line}" for line in _remarks(found))])


def _as_csv(found: Sequence[Backtest], _is_one: bool) -> str:
    dumped = [BACKTEST.dump(each) for each in found]
    names = list(dumped[0]["strict"]) if dumped else []
    rows = []
    for each in dumped:
        for form in ("strict", "landmark"):
            values = (each[form][name] for name in names)
            cells = ["–".join(map(str, v)) if isinstance(v, list) else v for v in values]
            rows.append([each["definition"], form, each["set_size"], *cells])
    return "\n".join(csv_lines(["definition", "form", "set_size", *names], rows, end=""))


FORMATS: dict[str, Callable[[Sequence[Backtest], bool], str]] = {
    "table": _as_table,
    "json": _as_json,
    "md": _as_md,
    "csv": _as_csv,
}


def _rows(found: Sequence[Backtest]) -> list[tuple[str, ...]]:
    forms = [(each, form, getattr(each, form)) for each in found for form in ("strict", "landmark")]
    return [
        (each.definition.name, form, f"{each.set_size:,}", *confusion_cells(confusion))
        for each, form, confusion in forms
    ]


def confusion_cells(found: Confusion) -> tuple[str, ...]:
    """The figures of one form, from the population on."""
    counts = found.counts
    return (
        f"{counts.population:,}",
        f"{counts.outcomes:,}",
        f"{counts.predicted:,}",
        f"{counts.true_positives:,}",
        percent(found.base_rate),
        percent(found.precision, found.precision_interval),
        percent(found.recall, found.recall_interval),
        number(counts.lift, found.lift_interval),
        number(found.mcc, found.mcc_interval),
        length(found.lead_time_seconds_median),
    )


def percent(rate: float | None, interval: Interval | None = None) -> str:
    """A rate in percent, with its interval."""
    if rate is None:
        return "–"
    around = "" if interval is None else f" ({interval.low * 100:.1f}–{interval.high * 100:.1f})"
    return f"{rate * 100:.1f} %{around}"


def number(value: float | None, interval: Interval | None = None) -> str:
    """A number with two decimals, with its interval."""
    if value is None:
        return "–"
    around = "" if interval is None else f" ({interval.low:.2f}–{interval.high:.2f})"
    return f"{value:.2f}{around}"


def length(seconds: float | None) -> str:
    """A length of time in its largest unit."""
    if seconds is None:
        return "–"
    for unit, symbol in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min")):
        if seconds * 1000 >= unit:
            return f"{seconds * 1000 / unit:.1f} {symbol}"
    return f"{seconds:.0f} s"


def _remarks(found: Sequence[Backtest]) -> list[str]:
    lines = []
    for each in found:
        name, weekly = each.definition.name, each.weekly
        rate = f"{name}: {weekly.mean:.1f} leads a week over {many(weekly.weeks, 'week')}"
        over = weekly.over_capacity
        more = "" if over is None else f"; more than {weekly.capacity} in {many(over, 'week')}"
        lines.append(f"{rate}, {weekly.busiest} at most{more}")
        lines += [f"{name}: {note}" for note in each.notes]
    return lines
