"""``pequel leads list`` and ``pequel leads show``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any, TypeVar, get_args

import click
from marshmallow import ValidationError

from ...ports import LeadFilter, LeadSort
from ...queries.answers import LeadAnswer
from ...queries.lead_tests import LeadTests
from ...web.answers.schemas import LEAD
from ...web.asked.arguments import Flag, LeadArguments, OneOf, Text
from ..options import example, settings_options
from . import text
from .database import lead_database

Command = TypeVar("Command", bound=Callable[..., Any])

FIRST = 50
"""Leads of the table, unless --limit says otherwise."""

_PAGING = ("format", "limit", "cursor")
FILTERS: dict[str, Any] = {
    name: field
    for name, field in LeadArguments().fields.items()
    if name not in _PAGING and name in LeadFilter.__dataclass_fields__
} | {"sort": OneOf(*get_args(LeadSort))}
"""The filters of ``GET /v1/pqls``. The orders are those of a list that comes whole."""

output_format = click.option(
    "--format",
    "output_format",
    type=click.Choice(["text", "json"]),
    default="text",
    help="The output format.",
)


_HELP = {
    "definition": "Leads of this definition.",
    "subject_kind": "Leads of users, or of accounts.",
    "state": "Leads in this state. Without it, the open ones.",
    "version": "Leads of this version of their definition.",
    "sort": "The order. A minus sign puts the latest first.",
    "owner": "Leads with this owner.",
    "partner": "Leads of this partner.",
    "kind": "Leads of this kind.",
    "country": "Leads whose subject now has this country.",
    "plan": "Leads whose subject now has this plan.",
    "account": "Leads of this account, or of a user who was in it.",
    "overdue": "Leads that are overdue, or that are not.",
    "snoozed": "Leads that are snoozed, or that are not.",
    "qualified_from": "Qualified at this time or later, such as 2026-03-01T10:00Z.",
    "qualified_to": "Qualified before this time.",
    "marked_after": "Marked after this time.",
}


class Value(click.ParamType[Any]):
    """A value as a parameter of the API takes it."""

    def __init__(self, field: Text) -> None:
        self._field = field
        self.name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return self._field.deserialize(value)
        except ValidationError as error:
            self.fail(f"found {value!a}, expected {error.messages[0]}", param, ctx)


class TraitValue(click.ParamType[tuple[str, str]]):
    """The name of a trait and its value."""

    name = "trait"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value
        name, equals, wanted = value.partition("=")
        if not (name and equals and wanted.strip()):
            self.fail(f"found {value!a}, expected NAME=VALUE, such as industry=retail", param, ctx)
        return name, wanted


def filter_options(command: Command) -> Command:
    """Add an option for each filter of the API."""
    for name, field in reversed(FILTERS.items()):
        option, metavar = "--" + name.replace("_", "-"), "TEXT"
        if isinstance(field, Flag):
            add = click.option(f"{option}/--not-{option[2:]}", default=None, help=_help(name))
        else:
            kind = click.Choice(field.words) if isinstance(field, OneOf) else Value(field)
            metavar = "|".join(field.words) if isinstance(field, OneOf) else _metavar(name)
            add = click.option(option, type=kind, metavar=metavar, help=_help(name))
        command = add(command)
    return command


def _metavar(name: str) -> str:
    return "TIME" if name.endswith(("_from", "_to", "_after")) else "TEXT"


def _help(name: str) -> str:
    return _HELP.get(name, f"Leads with this {name.replace('_', ' ')}.")


@click.command(
    "list",
    epilog=example(
        "pequel leads list",
        "pequel leads list --overdue --owner ben",
        "pequel leads list --trait industry=retail",
        "pequel leads list --state won --format csv > won.csv",
    ),
)
@settings_options("database")
@filter_options
@click.option(
    "--trait",
    "traits",
    type=TraitValue(),
    multiple=True,
    metavar="NAME=VALUE",
    help="Leads whose subject now has this trait. Several must all hold.",
)
@click.option(
    "--limit",
    type=click.IntRange(1),
    help=f"How many leads to list.  [default: {FIRST} as text, all as json and csv]",
)
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["text", "json", "csv"]),
    default="text",
    help="The output format.",
)
def list_(
    traits: tuple[tuple[str, str], ...],
    limit: int | None,
    output_format: str,
    database: str | None,
    **given: Any,
) -> None:
    """List leads: high priority first, then the latest mark.

    The filters are those of GET /v1/pqls. Without --state, the open leads are listed.
    """
    given["state"] = None if given["state"] == "any" else given["state"] or "open"
    tests = LeadTests(traits=dict(traits))
    wanted = LeadFilter(**{name: value for name, value in given.items() if value is not None})
    with lead_database({"database": database}) as leads:
        if output_format == "text":
            limit = limit or FIRST
            found = list(leads.leads(wanted, limit + 1, tests))
            click.echo(text.listed(found[:limit], leads.clock()))
            if len(found) > limit:
                click.echo(f"only the first {limit:,}: add --limit for more", err=True)
        elif output_format == "csv":
            _print_all(text.as_csv(leads.leads(wanted, limit, tests)))
        else:
            _print_all(_as_json(leads.leads(wanted, limit, tests)))


@click.command(epilog=example("pequel leads show df48c7f1"))
@settings_options("database")
@output_format
@click.argument("lead_id", metavar="ID")
def show(lead_id: str, output_format: str, **given: Any) -> None:
    """Show a lead: why it is one, and what people did with it."""
    with lead_database(given) as leads:
        answer = leads.lead(lead_id)
        if output_format == "json":
            click.echo(json.dumps(LEAD.dump(answer), ensure_ascii=False))
        else:
            click.echo(text.shown(answer, leads.clock()))


def _as_json(leads: Iterable[LeadAnswer]) -> Iterable[str]:
    """The lines of a JSON array, with a lead on each."""
    before = "["
    for answer in leads:
        yield before + json.dumps(LEAD.dump(answer), ensure_ascii=False)
        before = ","
    yield "]" if before == "," else "[]"


def _print_all(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(line)
