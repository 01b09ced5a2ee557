"""Progress of long work: on a terminal only, on standard error."""

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
    """Yield what shows how far history is replayed; None where nobody watches."""
    if not sys.stderr.isatty():
        yield None
        return
    shown = Replayed()
    try:
        yield shown
    finally:
        shown.end()


def watching() -> Callable[[BackfillProgress], None] | None:
    """What shows how far history is replayed as the collector serves; None where nobody watches."""
    return Replayed() if sys.stderr.isatty() else None


class Replayed:
    """One line about the users and accounts whose history is replayed, written over itself."""

    def __init__(self) -> None:
        self._shown = False

    def __call__(self, replay: BackfillProgress) -> None:
        """Show how far it is; ends the line when it is over."""
        if replay.is_over:
            self.end()
            return
        self._shown = True
        of = "" if replay.total is None else f" of {max(replay.total, replay.done):,}"
        done = f"{replay.done:,}{of} users and accounts"
        click.echo(f"\rreplaying history under changed definitions: {done}", err=True, nl=False)

    def end(self) -> None:
        """Leave the line as it is, if there is one."""
        if self._shown:
            click.echo(err=True)
        self._shown = False


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
