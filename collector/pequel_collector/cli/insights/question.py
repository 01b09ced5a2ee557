"""What the commands of insights are asked with: the same options, read in one way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import click

from ...app.bootstrap import open_store, read_definitions
from ...insights.suggest.suggest import LONGEST, Wanted
from ...marking.evaluators import active_evaluators
from ...model import Kind, parse_iso
from ...ports import ReadTransaction, Store
from ...rules.language.definition import Catalogue
from ...rules.language.quantities import milliseconds
from ..options import Command, settings_from

PATIENCE = 3_600.0
"""Seconds that a database may take for one statement."""


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


def landmark_option(text: str) -> Callable[[Command], Command]:
    """Add ``--landmark``, with its help."""
    return click.option("--landmark", type=Duration(), default="7d", show_default=True, help=text)


def horizon_option(
    text: str = "How long after the landmark a conversion counts.",
) -> Callable[[Command], Command]:
    """Add ``--horizon``, with its help."""
    return click.option("--horizon", type=Duration(), default="30d", show_default=True, help=text)


def subject_option(text: str) -> Callable[[Command], Command]:
    """Add ``--subject``, with its help."""
    return click.option(
        "--subject",
        type=click.Choice(["user", "account"]),
        default="user",
        show_default=True,
        help=text,
    )


def format_option(*formats: str) -> Callable[[Command], Command]:
    """Add ``--format``; the first one is the default."""
    return click.option(
        "--format",
        "output_format",
        type=click.Choice(formats),
        default=formats[0],
        show_default=True,
        help="The output format.",
    )


end_option = click.option(
    "--end", type=Time(), help="The end of the data; its newest message if not given."
)


def sample_options(subject: str) -> Callable[[Command], Command]:
    """Add the options that say which subjects are looked at, and for how long."""
    options: list[Callable[[Command], Command]] = [
        landmark_option("How long after sign-up a subject is looked at."),
        horizon_option(),
        subject_option(subject),
    ]

    def add(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def wanted_of(landmark: int, horizon: int, subject: Kind, end: int | None) -> Wanted:
    """What to look at. Raises UsageError."""
    if landmark > LONGEST:
        raise click.UsageError("--landmark: expected at most 366d")
    return Wanted(landmark, horizon, subject, end=end)


@contextmanager
def store_at(database: str | None) -> Iterator[Store]:
    """The store that a command reads; it must exist."""
    url = settings_from({"database": database}).database
    with closing(open_store(url, make=False, timeout=PATIENCE)) as store:
        yield store


def catalogue_in(tx: ReadTransaction, file: str | None) -> Catalogue:
    """The definitions of a file; without one that exists, those in force in a store."""
    path = settings_from({"config": file}).config
    found = read_definitions(path)
    if file is None and not found.text:
        return active_evaluators(tx).catalogue
    return found
