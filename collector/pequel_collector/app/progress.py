"""Show the progress of long work, on standard error, and only on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import click

from ..marking.active import BackfillProgress


@contextmanager
def replaying() -> Iterator[Callable[[BackfillProgress], None] | None]:
    """Yield a callback that shows the progress of a back-fill; None if not on a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    line = BackfillLine()
    try:
        yield line
    finally:
        line.end()


def watching() -> Callable[[BackfillProgress], None] | None:
    """The same for a collector that serves, without an end."""
    return BackfillLine() if sys.stderr.isatty() else None


class BackfillLine:
    """One line about the users and accounts that a back-fill has visited. It overwrites itself."""

    def __init__(self) -> None:
        self._shown = False

    def __call__(self, progress: BackfillProgress) -> None:
        """Show the progress; end the line when the back-fill is finished."""
        if progress.is_finished:
            self.end()
            return
        self._shown = True
        of = "" if progress.total is None else f" of {max(progress.total, progress.done):,}"
        done = f"{progress.done:,}{of} users and accounts"
        click.echo(f"\rreplaying history under changed definitions: {done}", err=True, nl=False)

    def end(self) -> None:
        """End the line, if there is one."""
        if self._shown:
            click.echo(err=True)
        self._shown = False


@contextmanager
def reading(file: BinaryIO) -> Iterator[Callable[[], None] | None]:
    """Yield a callback that moves a bar to the place where a file is read.

    None if not on a terminal, or if the file is a pipe.
    """
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
