"""Progress of long work, on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click


@contextmanager
def subjects_shown(doing: str) -> Iterator[Callable[[int], None] | None]:
    """Yield a function that shows how many subjects are done; None without a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    yield lambda subjects: click.echo(f"\r{doing}: {subjects:,} subjects", err=True, nl=False)
    click.echo("\r\033[K", err=True, nl=False)
