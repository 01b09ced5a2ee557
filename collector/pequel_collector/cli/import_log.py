"""``pequel import``: events from a file into the store."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any, BinaryIO

import click

from ..app.bootstrap import now, open_collector
from ..app.progress import reading, replaying
from ..errors import BadRequest
from ..ingest.event_log import Import, ImportSummary, Log
from ..server.garbage import collect_rarely
from .options import INGEST, example, settings_from, settings_options


@click.command(
    "import",
    epilog=example(
        "pequel import events.ndjson.gz",
        "zcat 2026-*.gz | pequel import - --database sqlite:///pequel.db",
    ),
)
@click.argument("file", type=click.File("rb"))
@settings_options(*INGEST)
def import_(file: BinaryIO, **given: Any) -> None:
    """Import an event log.

    FILE is NDJSON, with one event a line, plain or gzip; - is standard input. A line is a Segment
    message, or has the fields event_id, user_id, account_id, event, timestamp and properties.

    An event without a user becomes anonymous, and an event without a timestamp gets the current
    time; the summary counts both. You can import a file again: an event is stored once, by its id
    or, without one, by its content. Invalid lines are stored with their number and the reason, see
    GET /v1/rejected.
    """
    settings = settings_from(given)
    log = Log(file, settings.max_body)
    started = time.monotonic()
    with replaying() as replayed:
        collector = open_collector(settings, on_progress=replayed)
    collect_rarely()
    with closing(collector), reading(file) as progress:
        summary = Import(collector.ingest.accept, settings, now).run(log, progress)
    for line in _summary_lines(summary, time.monotonic() - started):
        click.echo(line)
    if log.broken:
        raise BadRequest(f"cannot read the log to its end: {log.broken}")
    if not summary.stored + summary.duplicates:
        raise BadRequest("the log has no valid event")


def _summary_lines(summary: ImportSummary, seconds: float) -> list[str]:
    rejected = [f"  {code:<16} {n:>9,}" for code, n in summary.rejected.most_common()]
    marked = [f"  {name:<16} {n:>9,}" for name, n in summary.marked.most_common()]
    return [
        f"read               {summary.read:>9,}",
        f"stored             {summary.stored:>9,}",
        f"duplicates         {summary.duplicates:>9,}",
        f"rejected           {summary.rejected.total():>9,}",
        *rejected,
        *_assumptions(summary),
        f"leads marked       {summary.marked.total():>9,}",
        *marked,
        f"{seconds:.1f} s, {summary.read / max(seconds, 0.001):,.0f} events/s",
    ]


def _assumptions(summary: ImportSummary) -> Iterator[str]:
    """Stored events that may be a mistake of the log."""
    if summary.of_nobody:
        yield f"without a user     {summary.of_nobody:>9,}"
    if summary.undated:
        yield f"without a time     {summary.undated:>9,}"
