"""``pequel import``: an event log from a file into the store."""

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
from ..server.garbage import collect_seldom
from .options import example, settings_from, settings_options


@click.command(
    "import",
    epilog=example(
        "pequel import events.ndjson.gz",
        "zcat 2026-*.gz | pequel import - --database sqlite:///pequel.db",
    ),
)
@click.argument("file", type=click.File("rb"))
@settings_options("database", "config", "max_event", "max_depth")
def import_(file: BinaryIO, **given: Any) -> None:
    """Import an event log.

    FILE is NDJSON: one event a line, plain or gzip; - is standard input. A line is a Segment
    message, or has the common form: event_id, user_id, account_id, event, timestamp, properties.
    An event without a user is kept as anonymous, and one without a timestamp happened now: the
    summary says how many there were. Importing a file again counts no event twice: events are
    known by their ids, and one without an id by its content. Lines that are refused are kept with
    their number and the reason, for GET /v1/rejected.
    """
    settings = settings_from(given)
    log = Log(file, settings.max_body)
    started = time.monotonic()
    with replaying() as replayed:
        collector = open_collector(settings, progress=replayed)
    collect_seldom()
    with closing(collector), reading(file) as progress:
        summary = Import(collector.ingest.accept, settings, now).run(log, progress)
    for line in _told(summary, time.monotonic() - started):
        click.echo(line)
    if log.broken:
        raise BadRequest(f"the log could not be read to its end: {log.broken}")
    if not summary.stored + summary.duplicates:
        raise BadRequest("the log has no event that could be read")


def _told(summary: ImportSummary, seconds: float) -> list[str]:
    rejected = [f"  {code:<16} {n:>9,}" for code, n in summary.rejected.most_common()]
    marked = [f"  {name:<16} {n:>9,}" for name, n in summary.marked.most_common()]
    return [
        f"read               {summary.read:>9,}",
        f"stored             {summary.stored:>9,}",
        f"duplicates         {summary.duplicates:>9,}",
        f"rejected           {summary.rejected.total():>9,}",
        *rejected,
        *_doubtful(summary),
        f"leads marked       {summary.marked.total():>9,}",
        *marked,
        f"{seconds:.1f} s, {summary.read / max(seconds, 0.001):,.0f} events/s",
    ]


def _doubtful(summary: ImportSummary) -> Iterator[str]:
    """What was taken in, and may not have been meant so."""
    if summary.of_nobody:
        yield f"of nobody          {summary.of_nobody:>9,}"
    if summary.undated:
        yield f"dated now          {summary.undated:>9,}"
