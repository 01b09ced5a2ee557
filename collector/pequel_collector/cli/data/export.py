"""``pequel export``: every stored message into a file that ``pequel import`` reads."""

from __future__ import annotations

import gzip
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import click

from ...app.bootstrap import open_store
from ...errors import BadRequest
from ...importing.export import FORMATS
from ...model import Message, parse_iso
from ...queries.events.message_log import LogFilter, message_log
from ..options import example, settings_from, settings_options

EVERY = 10_000
"""Messages between two lines of progress."""


class Instant(click.ParamType[int]):
    """A time in ISO 8601, as ms."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        found = parse_iso(value) if isinstance(value, str) else value
        if found is None:
            self.fail(f"found {value!r}, expected a time such as 2026-03-01T10:00Z", param, ctx)
        return int(found)


@click.command(
    epilog=example(
        "pequel export events.ndjson.gz",
        "pequel export march.csv --from 2026-03-01 --to 2026-04-01",
        "pequel export - --user u1 | less",
    )
)
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True))
@click.option("--format", "form", type=click.Choice(list(FORMATS)), help="The form of the file.")
@click.option("--from", "since", type=Instant(), help="The first time that is written.")
@click.option("--to", "until", type=Instant(), help="The time before which it ends.")
@click.option("--event", help="Only events of this name.")
@click.option("--user", help="Only what this user did, under every id.")
@settings_options("database")
def export(
    file: str,
    form: str | None,
    since: int | None,
    until: int | None,
    event: str | None,
    user: str | None,
    database: str | None,
) -> None:
    """Write all stored messages to a file, in the order of time.

    FILE gets the events, traits, group calls and links as they were received, each with its
    corrected time; `pequel import` reads it. - is standard output. Without --format the ending says
    it: .csv, else JSON in lines; with .gz it is compressed. Memory stays bounded. A collector may
    serve meanwhile; what arrives during the export may be missing.
    """
    if since is not None and until is not None and until <= since:
        raise click.UsageError("--to: expected a time after --from")
    wanted = LogFilter(since, until, event, user)
    url = settings_from({"database": database}).database
    lines_of = FORMATS[form or form_of(file)]
    with closing(open_store(url, make=False)) as store, _output(file) as out:
        messages = _Counted(each.message for each in message_log(store, wanted))
        for line in lines_of(messages):
            out.write(line)
    click.echo(f"{messages.number:,} messages", err=True)


def form_of(file: str) -> str:
    """The form that the ending of a file says."""
    return "csv" if file.removesuffix(".gz").endswith(".csv") else "ndjson"


class _Counted:
    """Counts messages, and shows the number on a terminal."""

    def __init__(self, messages: Iterable[Message]) -> None:
        self._messages, self.number = messages, 0
        self._show: Callable[[], None] | None = self._shown if sys.stderr.isatty() else None

    def __iter__(self) -> Iterator[Message]:
        for message in self._messages:
            self.number += 1
            if self._show and self.number % EVERY == 0:
                self._show()
            yield message

    def _shown(self) -> None:
        click.echo(f"\r{self.number:,} messages", nl=False, err=True)


@contextmanager
def _output(file: str) -> Iterator[BinaryIO]:
    """The file, readable by its owner only; it takes its name when it is whole."""
    if file == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    part = Path(f"{file}.part")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as raw:
            if file.endswith(".gz"):
                with gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=6) as packed:
                    yield cast(BinaryIO, packed)
            else:
                yield raw
        part.replace(file)
    except OSError as error:
        raise BadRequest(f"cannot write {file}: {error.strerror or error}") from None
    finally:
        part.unlink(missing_ok=True)
