"""``pequel test``: run the personas of a definitions file."""

from __future__ import annotations

import click

from ..app.bootstrap import read_definitions
from ..errors import NotFound
from ..personas import Outcome, rehearse
from .options import definitions_file, definitions_path, example
from .output import printable_lines


@click.command(epilog=example("pequel test", "pequel test definitions/sales.toml"))
@definitions_file
@click.pass_context
def test(context: click.Context, /, file: str | None) -> None:
    """Test definitions.

    FILE is a definitions file; without it, the one in PEQUEL_CONFIG, else pequel.toml. Each
    [[persona]] in it is run against a collector in memory, and must be marked exactly as it
    expects. The exit status is 1 if one fails.
    """
    path = definitions_path(file)
    catalogue = read_definitions(path)
    if not catalogue.personas:
        raise NotFound(f"there is no [[persona]] in {path}")
    failed = 0
    for outcome in rehearse(catalogue, path):
        failed += not outcome.passed
        click.echo(printable_lines("\n".join(_lines(outcome))))
    click.echo(f"{len(catalogue.personas) - failed} of {len(catalogue.personas)} personas passed")
    if failed:
        context.exit(1)


def _lines(outcome: Outcome) -> list[str]:
    sign = "✓" if outcome.passed else "✗"
    marked = ", ".join(map(str, outcome.marked)) or "nothing"
    return [f"{sign} {outcome.name}: {marked}", *(f"    {line}" for line in outcome.failures)]
