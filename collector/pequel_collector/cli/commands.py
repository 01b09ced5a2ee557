"""The command ``pequel`` and its subcommands."""

from __future__ import annotations

from typing import Any

import click

from .. import __version__
from ..errors import DefinitionError, PequelError
from .demo import demo
from .import_log import import_
from .keys import keys
from .lint import lint
from .replay_rejected import replay_rejected
from .serve import serve
from .test import test
from .verify import verify


class Failure(click.ClickException):
    """An error that is printed without a traceback. The exit status is 1."""

    def __init__(self, error: PequelError) -> None:
        # Editors and terminals link a file:line:column at the start of a line.
        located = isinstance(error, DefinitionError)
        super().__init__(error.message if located else f"pequel: {error.message}")

    def show(self, file: Any = None) -> None:
        """Print the message without Click's prefix."""
        click.echo(self.message, err=file is None, file=file)


class Commands(click.Group):
    """Commands that report a PequelError as a Failure."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except PequelError as error:
            raise Failure(error) from error


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="pequel")
def pequel() -> None:
    """Collect product events and mark product-qualified leads."""


for command in (serve, import_, replay_rejected, keys, lint, test, verify, demo):
    pequel.add_command(command)
