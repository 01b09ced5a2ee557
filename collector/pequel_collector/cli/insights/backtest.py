"""``pequel backtest``: whether definitions find those who convert."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import click

from ...insights.backtest import Backtest, Question, require_definition
from ...insights.backtest import backtest as tested
from ...insights.confusion import Confusion
from ...insights.population import population_of
from ...queries.csv_rows import csv_lines
from ...rules.language.quantities import many
from ...web.answers.backtest_schemas import BACKTEST
from ..options import definitions_file, example, settings_options
from ..output import columns, echo_as
from ..progress import subjects_shown
from .figures import length, number, percent
from .question import (
    catalogue_in,
    end_option,
    format_option,
    horizon_option,
    landmark_option,
    store_at,
)

HEADING = (
    "definition", "form", "set", "population", "converters", "predicted", "true", "base rate",
    "precision", "recall", "lift", "MCC", "lead time",
)  # fmt: skip


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
@landmark_option("How long after sign-up a subject may qualify, in the landmark form.")
@horizon_option()
@click.option(
    "--population",
    default="signup",
    show_default=True,
    help="Who is looked at: signup, or trait:NAME=VALUE.",
)
@end_option
@click.option(
    "--capacity", type=click.IntRange(min=1), help="How many leads a week your team can work."
)
@format_option("table", "json", "md", "csv")
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
    with store_at(database) as store, store.reading() as tx:
        catalogue = catalogue_in(tx, file)
        names = [each.name for each in catalogue.definitions]
        if definition is not None or not names:
            names = [require_definition(catalogue, definition)]
        with subjects_shown("reading") as progress:
            found = tested(tx, catalogue, names, question, progress)
    echo_as(output_format, FORMATS[output_format](found, definition is not None))


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
