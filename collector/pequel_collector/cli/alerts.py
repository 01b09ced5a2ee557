"""``pequel alerts``: try an alert, see what was delivered, deliver again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, get_args

import click

from ..app.alerts import AlertDesk, DeliveryAnswer
from ..app.bootstrap import now, open_store, read_definitions
from ..delivery.records import Sent
from ..model import iso
from ..ports import CLI, DeliveryFilter, DeliveryState
from ..rules.language.alerts import Alert
from ..web.api.alerts import outcome_of, said
from ..web.openapi.examples import LEAD
from .options import example, settings_from, settings_options
from .output import columns, printable


@click.group(
    epilog=example(
        "pequel alerts test sales",
        "pequel alerts log --state dead",
        "pequel alerts redeliver --alert sales",
    )
)
def alerts() -> None:
    """Try alerts, and see what became of their deliveries."""


@alerts.command(epilog=example("pequel alerts test sales"))
@click.argument("name")
@settings_options("config", "allow_private_alerts", "alert_env", "public_url")
def test(name: str, **given: Any) -> None:
    """Send a made-up lead by the alert NAME of the definitions file, once.

    It reads the secrets from the environment, as the collector does. It exits with 1 if the alert
    was not taken.
    """
    settings = settings_from(given)
    configured = read_definitions(settings.config).alerts
    with closing(open_store("sqlite://")) as store:
        desk = AlertDesk(store, lambda: configured, now, settings, os.environ)
        delivery, result = desk.test(name, LEAD)
    click.echo(printable(f"{outcome_of(result)}: {said(result)} ({delivery.type}, {delivery.id})"))
    if not isinstance(result, Sent):
        raise SystemExit(1)


@alerts.command(epilog=example("pequel alerts log --alert sales --state dead"))
@settings_options("database")
@click.option("--alert", metavar="NAME", help="Deliveries of this alert.")
@click.option(
    "--state", type=click.Choice(get_args(DeliveryState)), help="Deliveries in this state."
)
@click.option("--lead", metavar="ID", help="Deliveries of this lead.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, help="How many.  [50]")
def log(
    alert: str | None, state: DeliveryState | None, lead: str | None, limit: int, **given: Any
) -> None:
    """List deliveries, latest change first: when, by which alert, and what came of them."""
    with _desk(given) as desk:
        page = desk.deliveries(DeliveryFilter(alert, state, lead), limit)
    heading = ("AT", "ALERT", "CHANGE", "LEAD", "STATE", "TRIES", "RESULT", "ID")
    click.echo("\n".join(columns([heading, *map(_row, page.data)])))


@alerts.command(epilog=example("pequel alerts redeliver --alert sales"))
@click.argument("id", required=False)
@click.option("--alert", metavar="NAME", help="Every dead delivery of this alert.")
@settings_options("database")
def redeliver(id: str | None, alert: str | None, **given: Any) -> None:  # noqa: A002 - its name
    """Deliver again: the delivery ID, or every dead one of an alert. Their ids stay the same.

    A collector that serves from the database sends them within a second.
    """
    if (id is None) == (alert is None):
        raise click.UsageError("expected the ID of a delivery, or --alert NAME")
    with _desk(given) as desk:
        if id is not None:
            desk.redeliver(id, CLI)
            click.echo(f"{id} waits to be sent again")
        elif alert is not None:
            click.echo(f"{desk.redeliver_dead(alert, CLI)} deliveries wait to be sent again")


@contextmanager
def _desk(given: dict[str, Any]) -> Iterator[AlertDesk]:
    settings = settings_from(given)
    with closing(open_store(settings.database, make=False)) as store:
        yield AlertDesk(store, _none, now, settings, os.environ)


def _none() -> tuple[Alert, ...]:
    """The commands that read deliveries need no definitions."""
    return ()


def _row(answer: DeliveryAnswer) -> tuple[str, ...]:
    found = answer.delivery
    return (
        iso(found.at),
        found.alert,
        found.event,
        found.lead,
        found.state,
        str(found.attempts),
        found.result or "-",
        answer.id,
    )
