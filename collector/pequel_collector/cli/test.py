"""``pequel test``: the personas of a definitions file, put to the test."""

from __future__ import annotations

import click

from ..app.bootstrap import read_definitions
from ..errors import NotFound
from ..personas import Outcome, rehearse
from .options import example


@click.command(epilog=example("pequel test", "pequel test definitions/sales.toml"))
@click.argument(
    "file", type=click.Path(exists=True, dir_okay=False), default="pequel.toml", required=False
)
@click.pass_context
def test(context: click.Context, /, file: str) -> None:
    """Put definitions to the test.

    FILE is a definitions file, pequel.toml if none is named. Each [[persona]] in it does what it
    says, against a collector in memory, and must be marked as it expects and no more. The exit
    status is 1 if one of them is not.
    """
    catalogue = read_definitions(file)
    if not catalogue.personas:
        raise NotFound(f"there is no [[persona]] in {file} to test with")
    failed = 0
    for outcome in rehearse(catalogue, file):
        failed += not outcome.passed
        click.echo("\n".join(_told(outcome)))
    click.echo(f"{len(catalogue.personas) - failed} of {len(catalogue.personas)} personas passed")
    if failed:
        context.exit(1)


def _told(outcome: Outcome) -> list[str]:
    sign = "✓" if outcome.passed else "✗"
    marked = ", ".join(map(str, outcome.marked)) or "nothing"
    return [f"{sign} {outcome.name}: {marked}", *(f"    {line}" for line in outcome.failures)]
