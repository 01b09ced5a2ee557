"""``pequel suggest``: definitions that precede conversion."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import click

from ...insights.suggest.features import COUNT, DAYS
from ...insights.suggest.search import LEVEL, Behaviour
from ...insights.suggest.suggest import OnShare, Suggestions, Written
from ...insights.suggest.suggest import suggest as searched
from ...model import Kind
from ...rules.language.quantities import many
from ...web.answers.suggest_schemas import SUGGESTIONS
from ..options import definitions_file, example, settings_options
from ..output import columns, echo_as, printable
from .figures import length, number, percent
from .question import catalogue_in, end_option, format_option, sample_options, store_at, wanted_of

MOST_BEHAVIOURS = 20
"""Events that the text lists."""


@click.command(
    epilog=example(
        "pequel suggest --database sqlite:///pequel.db",
        "pequel suggest --landmark 14d --subject account --format toml > found.toml",
    )
)
@definitions_file
@settings_options("database")
@sample_options("Whose behaviour is looked at.")
@click.option(
    "--level",
    type=click.FloatRange(0, 0.2, min_open=True),
    default=LEVEL,
    show_default=True,
    help="How often a search of data without any connection may suggest something.",
)
@end_option
@format_option("text", "toml", "json")
def suggest(
    file: str | None,
    database: str | None,
    landmark: int,
    horizon: int,
    subject: Kind,
    level: float,
    end: int | None,
    output_format: str,
) -> None:
    """Search for definitions that precede conversion.

    FILE is a definitions file, whose [project] names sign-up and conversion; without it, the one in
    PEQUEL_CONFIG, else pequel.toml, else what is in force in the database. What is found in the
    earlier sign-ups is printed if the later ones confirm it. Nothing is changed.
    """
    wanted = replace(wanted_of(landmark, horizon, subject, end), level=level)
    with (
        store_at(database) as store,
        store.reading() as tx,
        reading_bar() as progress,
    ):
        found = searched(tx, catalogue_in(tx, file), wanted, progress)
    echo_as(output_format, FORMATS[output_format](found))


@contextmanager
def reading_bar() -> Iterator[OnShare | None]:
    """Yield what moves a progress bar; None without a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    with click.progressbar(length=1, label="reading", file=sys.stderr) as bar:

        def move(done: int, total: int) -> None:
            bar.length = total
            bar.update(done - bar.pos)

        yield move


def _as_json(found: Suggestions) -> str:
    return json.dumps(SUGGESTIONS.dump(found), ensure_ascii=False)


def _as_toml(found: Suggestions) -> str:
    tables = [f"{_comment(each)}\n{each.toml}" for each in found.suggestions]
    return "\n".join([*(f"# {printable(note)}" for note in found.result.notes), *tables])


def _comment(each: Written) -> str:
    figures = each.held_out
    lift = number(figures.counts.lift, figures.lift_interval)
    rate = percent(figures.precision, figures.precision_interval)
    return (
        f"# {printable(each.description)}.\n"
        f"# In the held-out period {rate} of {figures.counts.predicted:,} converted, lift {lift}."
    )


def _as_text(found: Suggestions) -> str:
    result = found.result
    who = f"{many(result.size, found.wanted.subject)}, {result.converters:,} of whom converted"
    lines = [f"searched: {who}; {many(result.tries, 'condition')} tried", *result.notes]
    if result.behaviours:
        lines += ["", "What precedes conversion, event by event:", ""]
        rows = [_behaviour(each) for each in result.behaviours[:MOST_BEHAVIOURS]]
        lines += columns([("EVENT", "CONDITION", "WHO", "PRECISION", "LIFT", "P"), *rows])
    if found.suggestions:
        lines += ["", "Definitions that the held-out period confirms:", "", _as_toml(found)]
    return "\n".join(lines).rstrip()


def _behaviour(each: Behaviour) -> tuple[str, ...]:
    figures, feature = each.figures, each.condition.feature
    distinct = f" different {printable(feature.property or '')}"
    measure = {COUNT: "", DAYS: " on different days"}.get(feature.measure, distinct)
    window = length(feature.window / 1000)
    return (
        feature.event,
        f"≥ {each.condition.threshold}{measure} in {window}",
        f"{figures.counts.predicted:,}",
        percent(figures.precision),
        number(figures.counts.lift, figures.lift_interval),
        f"{each.p:.2g}",
    )


FORMATS: dict[str, Callable[[Suggestions], str]] = {
    "text": _as_text,
    "toml": _as_toml,
    "json": _as_json,
}
