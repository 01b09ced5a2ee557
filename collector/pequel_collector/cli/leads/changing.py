"""The commands that change a lead: one for each thing that people do with it."""

from __future__ import annotations

import getpass
import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from ...app.bootstrap import now
from ...model import JSON, iso, parse_iso
from ...rules.language.quantities import QuantityError, milliseconds
from ...web.answers.schemas import LEAD
from ..options import example, settings_options
from . import text
from .database import lead_database
from .reading import output_format

Command = TypeVar("Command", bound=Callable[..., Any])


class Until(click.ParamType[str]):
    """A time to come: a duration from now such as ``3d``, or a date with or without a time."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if (time := parse_iso(value)) is not None:
            return iso(time)
        try:
            return iso(now() + milliseconds(value))
        except QuantityError:
            expected = "a duration such as 3d, or a date such as 2026-03-01"
            self.fail(f"found {value!a}, expected {expected}", param, ctx)


def change_options(command: Command) -> Command:
    """Add the ID of a lead and the options that every change has."""
    options: tuple[Callable[[Any], Any], ...] = (
        click.argument("lead_id", metavar="ID"),
        settings_options("database"),
        click.option("--actor", help="Who does this.  [default: your login name]"),
        click.option(
            "--if-state", metavar="STATE", help="Change the lead only if it is in this state."
        ),
        output_format,
    )
    for option in reversed(options):
        command = option(command)
    return command


def change(common: Mapping[str, Any], **fields: JSON) -> None:
    """Change a lead and print it; ``common`` are the arguments of ``change_options``."""
    if common["if_state"] is not None:
        fields["if_state"] = common["if_state"]
    with lead_database({"database": common["database"]}) as leads:
        answer = leads.change(common["lead_id"], common["actor"] or login_name(), fields)
    if common["output_format"] == "json":
        click.echo(json.dumps(LEAD.dump(answer), ensure_ascii=False))
    else:
        click.echo(text.changed(answer))


def given(**fields: JSON) -> dict[str, JSON]:
    """The fields that an option gives."""
    return {name: value for name, value in fields.items() if value is not None}


def login_name() -> str:
    """Who runs the command. Raises UsageError if the system does not know."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        raise click.UsageError("the system knows no login name: add --actor") from None


reason = click.option("--reason", help="Why, for the history.")
required_reason = click.option("--reason", required=True, help="Why, for the history.")


@click.command(epilog=example("pequel leads assign df48c7f1 ben"))
@change_options
@click.argument("owner", required=False)
@reason
def assign(owner: str | None, reason: str | None, **common: Any) -> None:
    """Assign a lead to OWNER; without one, to its owner, else to yourself."""
    change(common, state="assigned", **given(owner=owner, reason=reason))


@click.command(
    epilog=example('pequel leads contact df48c7f1 --channel email --note "sent the team plan"')
)
@change_options
@click.option("--channel", help="How, such as email or phone.")
@click.option("--note", help="What was said.")
@click.option("--at", metavar="TIME", help="When, such as 2026-03-01T10:00Z.  [default: now]")
@reason
def contact(
    channel: str | None, note: str | None, at: str | None, reason: str | None, **common: Any
) -> None:
    """Log a contact. A lead that is new or assigned becomes contacted."""
    made = given(channel=channel, note=note, at=at)
    change(common, contact=made, **given(reason=reason))


@click.command(epilog=example("pequel leads snooze df48c7f1 --until 3d"))
@change_options
@click.option(
    "--until",
    type=Until(),
    metavar="3d|DATE",
    required=True,
    help="For how long from now, or until when in UTC.",
)
@reason
def snooze(until: str, reason: str | None, **common: Any) -> None:
    """Leave a lead until later: it is not overdue before then. Its state stays."""
    change(common, snoozed_until=until, **given(reason=reason))


@click.command(epilog=example("pequel leads wake df48c7f1"))
@change_options
@reason
def wake(reason: str | None, **common: Any) -> None:
    """End the snooze of a lead."""
    change(common, snoozed_until=None, **given(reason=reason))


@click.command(epilog=example('pequel leads dismiss df48c7f1 --reason "a student"'))
@change_options
@required_reason
def dismiss(reason: str, **common: Any) -> None:
    """Dismiss a lead that is not worth a contact. This starts its cooldown."""
    change(common, state="dismissed", reason=reason)


@click.command(epilog=example("pequel leads win df48c7f1 --amount 1200.00 --currency EUR"))
@change_options
@click.option("--amount", help="What the deal is worth, such as 1200.00.")
@click.option("--currency", help="Its currency, such as EUR.")
@reason
def win(amount: str | None, currency: str | None, reason: str | None, **common: Any) -> None:
    """Say that a lead bought. The conversion event says so by itself."""
    change(common, state="won", **given(amount=amount, currency=currency, reason=reason))


@click.command(epilog=example('pequel leads lose df48c7f1 --reason "no budget this year"'))
@change_options
@required_reason
def lose(reason: str, **common: Any) -> None:
    """Say that a lead does not buy. This starts its cooldown."""
    change(common, state="lost", reason=reason)


@click.command(epilog=example("pequel leads reopen df48c7f1"))
@change_options
@reason
def reopen(reason: str | None, **common: Any) -> None:
    """Make a dismissed lead new again."""
    change(common, state="new", **given(reason=reason))


@click.command(name="give-back", epilog=example("pequel leads give-back df48c7f1"))
@change_options
@reason
def give_back(reason: str | None, **common: Any) -> None:
    """Give an assigned lead back: it is new again, with the owner of its definition or none."""
    change(common, state="new", **given(reason=reason))


COMMANDS = (assign, contact, snooze, wake, dismiss, win, lose, reopen, give_back)
"""Every command that changes a lead."""
