"""What several commands print: errors and tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from ..errors import DefinitionError, PequelError


class Failure(click.ClickException):
    """An error that is printed without a traceback."""

    def __init__(self, error: PequelError) -> None:
        # Editors and terminals link a file:line:column at the start of a line.
        located = isinstance(error, DefinitionError)
        super().__init__(error.message if located else f"pequel: {error.message}")

    def show(self, file: Any = None) -> None:
        """Print the message without Click's prefix."""
        click.echo(printable_lines(self.message), err=file is None, file=file)


def printable(text: str) -> str:
    """Text without what a terminal would take for a command, or for the end of a line."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def printable_lines(text: str) -> str:
    """Several lines of text, each without what a terminal would take for a command."""
    return "\n".join(map(printable, text.split("\n")))


def echo_as(form: str, text: str) -> None:
    """Print a text that is written in a form. JSON is data, and stays as it is."""
    click.echo(text if form == "json" else printable_lines(text))


def columns(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """A line for each row, with its cells below those of the row before."""
    rows = [tuple(map(printable, row)) for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
