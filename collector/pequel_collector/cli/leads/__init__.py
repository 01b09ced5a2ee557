"""``pequel leads``: list, show and change leads, in the database itself."""

from __future__ import annotations

import click

from ..options import example
from .changing import COMMANDS
from .reading import list_, show


@click.group(
    epilog=example(
        "pequel leads list --state new",
        "pequel leads assign df48c7f1 ben",
        'pequel leads dismiss df48c7f1 --reason "a student"',
    )
)
def leads() -> None:
    """List leads and work with them.

    The commands read and change the database; a collector may serve from it meanwhile. The ID of a
    lead may be cut off, as long as no other lead has an id that begins like it.
    """


for command in (list_, show, *COMMANDS):
    leads.add_command(command)
