"""``pequel partners``: what a partner has won, its account list, and what there is to win."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import click

from ..app.bootstrap import now, open_store
from ..errors import BadRequest
from ..leads.account_lists import entries_in, replace_list
from ..marking.evaluators import active_evaluators
from ..model import Lead, id_of, iso
from ..ports import CLI
from ..queries.overlap import Overlaps
from ..queries.partners import AGES, BYS, USUAL_AGE, PartnerLedger, Partners
from ..rules.language.routing import LONGEST_NAME, PARTNER_NAME, is_partner_name
from ..web.answers.schemas import LIST_CHANGE, OVERLAP, PARTNER_LEDGER, POTENTIAL
from .leads.reading import output_format
from .options import example, settings_from, settings_options
from .output import columns


@click.group(epilog=example("pequel partners ledger north"))
def partners() -> None:
    """Show what a partner has won, map its accounts, and count leads for partners."""


@partners.command(epilog=example("pequel partners ledger north --limit 20"))
@click.argument("name")
@settings_options("database")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, help="Leads to list.  [100]")
@output_format
def ledger(name: str, limit: int, output_format: str, **given: Any) -> None:
    """List the leads that the partner NAME has won, earliest first, and what they are worth."""
    _require_name(name)
    with _partners(given) as found:
        won = found.ledger(name, limit)
    if output_format == "json":
        click.echo(json.dumps(PARTNER_LEDGER.dump(won), ensure_ascii=False))
    else:
        click.echo("\n".join(_lines(won)))


@partners.command(epilog=example("pequel partners potential --by country"))
@settings_options("database")
@click.option("--by", type=click.Choice(BYS), default="country", help="The groups.  [country]")
@click.option(
    "--max-age",
    type=click.Choice(list(AGES)),
    default=USUAL_AGE,
    help="Of leads that were marked at most so long ago.  [90d]",
)
@output_format
def potential(by: Any, max_age: str, output_format: str, **given: Any) -> None:
    """Count users and accounts with an open lead, in whole fives, without small groups."""
    with _partners(given) as found:
        groups = found.potential(by, max_age)
    if output_format == "json":
        click.echo(json.dumps(POTENTIAL.dump(groups), ensure_ascii=False))
        return
    rows = [(by.upper(), "PQLS"), *((each.name, str(each.pqls)) for each in groups.data)]
    click.echo("\n".join(columns(rows)))
    small = f"groups under {groups.smallest_group}, not shown: {groups.suppressed_groups}"
    click.echo(small)


@partners.command(epilog=example("pequel partners accounts north accounts.csv"))
@click.argument("name")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@settings_options("database")
@output_format
def accounts(name: str, file: Path, output_format: str, **given: Any) -> None:
    """Replace the account list of the partner NAME by FILE, a CSV file or a list of lines.

    The first column has an account id or a domain. A first line such as "domain" is left out.
    """
    _require_name(name)
    entries = entries_in(_first_column(file))
    with closing(open_store(settings_from(given).database)) as store, store.writing() as tx:
        change = replace_list(tx, name, entries, now(), CLI)
    if output_format == "json":
        click.echo(json.dumps(LIST_CHANGE.dump(change), ensure_ascii=False))
    else:
        click.echo(f"{change.listed} accounts: {change.added} added, {change.removed} removed")


@partners.command(epilog=example("pequel partners overlap north"))
@click.argument("name")
@settings_options("database")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, help="Accounts to list.  [100]")
@output_format
def overlap(name: str, limit: int, output_format: str, **given: Any) -> None:
    """List the accounts on the list of the partner NAME that are ours, and what they are to us."""
    _require_name(name)
    with closing(open_store(settings_from(given).database, make=False)) as store:
        found = Overlaps(store, active_evaluators, steps=None).overlap(name, limit)
    if output_format == "json":
        click.echo(json.dumps(OVERLAP.dump(found), ensure_ascii=False))
        return
    rows = [(each.account, each.state, each.entry) for each in found.data]
    click.echo("\n".join(columns([("ACCOUNT", "STATE", "ENTRY"), *rows])))
    states = ", ".join(f"{number} {state}" for state, number in found.by_state._asdict().items())
    click.echo(f"{found.known} of {found.listed} are accounts of ours: {states}")


HEADINGS = frozenset({"account", "account_id", "account id", "company", "domain", "id", "website"})
"""First lines of a file that are no account."""


def _first_column(file: Path) -> list[str]:
    """The first column of a CSV file without its heading. Raises BadRequest."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            found = [row[0] for row in csv.reader(lines) if row and row[0].strip()]
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadRequest(f"{file.name}: expected a CSV file in UTF-8: {error}") from None
    return found[1:] if found and found[0].strip().lower() in HEADINGS else found


def _require_name(name: str) -> None:
    """Raises BadRequest for a name that no partner can have."""
    if not is_partner_name(name):
        raise BadRequest(f"NAME: found {name[:LONGEST_NAME]!a}, expected {PARTNER_NAME}")


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
