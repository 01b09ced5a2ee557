"""Progress of long work: on a terminal only, on standard error."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import click


@contextmanager
def replaying() -> Iterator[Callable[[int], None] | None]:
    """Yield what counts the subjects whose history is replayed; None where nobody watches."""
    if not sys.stderr.isatty():
        yield None
        return
    shown = False

    def show(subjects: int) -> None:
        nonlocal shown
        shown = True
        click.echo(
            f"\rreplaying history under changed definitions: {subjects:,}", err=True, nl=False
        )

    try:
        yield show
    finally:
        if shown:
            click.echo(" users and accounts", err=True)


@contextmanager
def reading(file: BinaryIO) -> Iterator[Callable[[], None] | None]:
    """Yield what moves a bar to where a file is read; None where nobody watches, or for a pipe."""
    size = _size(file)
    if size is None or not sys.stderr.isatty():
        yield None
        return
    with click.progressbar(length=size, label="importing", file=sys.stderr) as bar:
        yield lambda: bar.update(file.tell() - bar.pos)


def _size(file: BinaryIO) -> int | None:
    name = getattr(file, "name", None)
    path = Path(name) if isinstance(name, str) else None
    return path.stat().st_size if path and path.is_file() else None
