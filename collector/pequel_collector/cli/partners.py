"""``pequel partners``: what a partner has won, and what there is for partners to win."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import click

from ..app.bootstrap import now, open_store
from ..errors import BadRequest
from ..model import Lead, id_of, iso
from ..queries.partners import BYS, RECENT, PartnerLedger, Partners
from ..rules.language.routing import LONGEST_NAME, PARTNER_NAME, is_partner_name
from ..web.answers.schemas import PARTNER_LEDGER, POTENTIAL
from .leads.reading import output_format
from .options import example, settings_from, settings_options
from .output import columns


@click.group(epilog=example("pequel partners ledger north"))
def partners() -> None:
    """Show what a partner has won, and how many leads there are for partners."""


@partners.command(epilog=example("pequel partners ledger north --limit 20"))
@click.argument("name")
@settings_options("database")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, help="Leads to list.  [100]")
@output_format
def ledger(name: str, limit: int, output_format: str, **given: Any) -> None:
    """List the leads that the partner NAME has won, earliest first, and what they are worth."""
    if not is_partner_name(name):
        raise BadRequest(f"NAME: found {name[:LONGEST_NAME]!a}, expected {PARTNER_NAME}")
    with _partners(given) as found:
        won = found.ledger(name, limit)
    if output_format == "json":
        click.echo(json.dumps(PARTNER_LEDGER.dump(won), ensure_ascii=False))
    else:
        click.echo("\n".join(_lines(won)))


@partners.command(epilog=example("pequel partners potential --by country"))
@settings_options("database")
@click.option("--by", type=click.Choice(BYS), default="country", help="The groups.  [country]")
@output_format
def potential(by: Any, output_format: str, **given: Any) -> None:
    """Count users and accounts with an open lead of the last 90 days, without small groups."""
    with _partners(given) as found:
        groups = found.potential(by, RECENT)
    if output_format == "json":
        click.echo(json.dumps(POTENTIAL.dump(groups), ensure_ascii=False))
        return
    rows = [(by.upper(), "PQLS"), *((each.name, str(each.pqls)) for each in groups.data)]
    click.echo("\n".join(columns(rows)))
    small = f"groups under {groups.smallest_group}, not shown: {groups.suppressed_groups}"
    click.echo(small)


@contextmanager
def _partners(given: dict[str, Any]) -> Iterator[Partners]:
    with closing(open_store(settings_from(given).database, make=False)) as store:
        yield Partners(store, now)


def _lines(won: PartnerLedger) -> Iterator[str]:
    if won.data:
        rows = [("WON", "DEFINITION", "SUBJECT", "AMOUNT"), *map(_row, won.data)]
        yield from columns(rows)
    totals = won.totals
    worth = ", ".join(f"{amount} {currency}" for currency, amount in totals.amounts.items())
    yield f"{totals.won} won" + (f", worth {worth}" if worth else "")
    yield (
        f"{totals.leads} leads: {totals.open} open, {totals.claimed} claimed, "
        f"{totals.contacted} contacted, {totals.lost} lost"
    )


def _row(lead: Lead) -> tuple[str, ...]:
    at = "-" if lead.won_at is None else iso(lead.won_at)
    amount = "-" if lead.amount is None else f"{lead.amount} {lead.currency or ''}".strip()
    return at, lead.definition, id_of(lead.subject), amount
