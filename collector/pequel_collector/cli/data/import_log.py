"""``pequel import``: events from a file into the store, and back out of it."""

from __future__ import annotations

import io
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, BinaryIO

import click

from ...app.bootstrap import Collector, now, open_collector, open_store, read_definitions
from ...app.progress import reading, replaying
from ...config import Settings
from ...errors import BadRequest, NotFound
from ...importing.files import Log
from ...importing.format import Format, Options
from ...importing.formats import NAMES, check_options, format_of
from ...importing.mapping import read_map, zone_of
from ...ingest import import_runs
from ...ingest.event_log import Import, ImportSummary, OnRefused
from ...ingest.import_runs import DryRun, ListedImport
from ...ingest.undo import Undo
from ...insights.metrics.spend import read_csv
from ...model import iso
from ...ports import By, ImportRun
from ...rules.language.definition import Catalogue
from ...server.garbage import collect_rarely
from ..messages import told
from ..options import FILE, INGEST, example, reason_option, settings_from, settings_options
from ..output import printable
from .log_tables import missing_events, names_table
from .rejects import rejects as refused_to

MAX_MAP, MAX_SPEND = 100_000, 2_000_000
"""Characters of a map, and of a file of spend."""

TABLES = ("track", "identify", "group", "page", "screen", "alias")


@click.command(
    "import",
    epilog=example(
        "pequel import events.ndjson.gz",
        "pequel import export.json --format mixpanel --dry-run",
        "zcat 2026-*.gz | pequel import - --database sqlite:///pequel.db",
        "pequel import --spend spend.csv",
        "pequel import --list",
        "pequel import --undo 3",
    ),
)
@click.argument("file", type=click.File("rb"), required=False)
@click.option("--format", "name", type=click.Choice(NAMES), help="Whose log it is.  [pequel]")
@click.option("--map", "map_", type=FILE, help="A TOML file that says what each key is.")
@click.option("--group", help="The type of group, or the key, that names the account.")
@click.option("--table", type=click.Choice(TABLES), help="The calls in a table of a warehouse.")
@click.option("--time-zone", help="The zone of times that have none, such as Europe/Berlin.")
@click.option("--dry-run", is_flag=True, help="Show what would be stored, and store nothing.")
@click.option("--rejects", type=click.Path(dir_okay=False), help="A file for the refused lines.")
@click.option("--list", "list_", is_flag=True, help="List all imports.")
@click.option(
    "--spend", type=FILE, help="A CSV of what channels cost: channel, day, amount, currency."
)
@click.option("--undo", type=click.IntRange(1), metavar="ID", help="Take an import back.")
@reason_option
@settings_options(*INGEST)
def import_(
    file: BinaryIO | None,
    name: str | None,
    map_: str | None,
    group: str | None,
    table: str | None,
    time_zone: str | None,
    dry_run: bool,
    rejects: str | None,
    list_: bool,
    spend: str | None,
    undo: int | None,
    reason: str | None,
    **given: Any,
) -> None:
    """Import an event log, list imports, or take one back.

    FILE is JSON in any layout, or CSV with a header, plain or gzip; - is standard input. An event
    has the fields event_id, user_id, account_id, event, timestamp and properties, or is a Segment
    message. For the logs of other products say their --format, and for any other log --map.

    You can import a file again: an event is stored once, by its id or, without one, by its content.
    Lines that are refused make the exit status 1; the others are stored. --rejects writes them to a
    file, and GET /v1/rejected shows them.
    """
    _check_arguments(file, name, map_, list_, undo, spend)
    settings = settings_from(given)
    if spend is not None:
        _spend(settings, spend)
    elif list_:
        _list(settings)
    elif undo is not None:
        _undo(settings, undo, By("cli", reason))
    elif file is not None:
        options = Options(group, table, *_zone(time_zone))
        format_ = format_of(name or "pequel", options) if map_ is None else _mapped(map_)
        check_options(format_, {"--group": group, "--table": table, "--time-zone": time_zone})
        log = Log(file, settings.max_body)
        _check_is_other(rejects, file)
        with refused_to(rejects) as on_refused:
            run = _dry_run if dry_run else _import
            run(settings, file, log, format_, on_refused)


def _check_arguments(
    file: BinaryIO | None,
    name: str | None,
    map_: str | None,
    list_: bool,
    undo: int | None,
    spend: str | None,
) -> None:
    if [file is not None, list_, undo is not None, spend is not None].count(True) != 1:
        raise click.UsageError("expected one of FILE, --list, --undo and --spend")
    if name is not None and map_ is not None:
        raise click.UsageError("expected either --format or --map")


def _check_is_other(rejects: str | None, file: BinaryIO) -> None:
    name = str(getattr(file, "name", "-"))
    if rejects is not None and Path(rejects).resolve() == Path(name).resolve():
        raise click.UsageError("--rejects: expected another file than FILE")


def _zone(name: str | None) -> tuple[Any, ...]:
    return () if name is None else (zone_of(name, "--time-zone"),)


def _mapped(path: str) -> Format:
    return read_map(_text_of(path, MAX_MAP), path)


def _text_of(path: str, limit: int) -> str:
    """The text of a small file. Raises BadRequest if it is longer, or not UTF-8."""
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            text = file.read(limit + 1)
    except UnicodeDecodeError as error:
        raise BadRequest(f"{path} is not UTF-8: {error.reason}") from None
    if len(text) > limit:
        raise BadRequest(f"{path} is over {limit} characters")
    return text


# -- storing -----------------------------------------------------------------------------------


def _import(
    settings: Settings, file: BinaryIO, log: Log, format_: Format, on_refused: OnRefused | None
) -> None:
    lines = import_runs.checked(log, format_)
    started = time.monotonic()
    collect_rarely()
    with closing(_collector(settings)) as collector:
        store = collector.store
        run = import_runs.begin(store, now(), getattr(file, "name", "-"), format_.name)
        job = Import(collector.ingest.accept_batch, settings, now, format_, run.number, on_refused)
        with reading(file) as progress:
            summary = job.run(lines, progress)
        import_runs.end(store, now(), run, summary)
    for line in _summary_lines(summary, run, time.monotonic() - started):
        click.echo(printable(line))
    _end(summary, log, format_, "see GET /v1/rejected or --rejects")


def _collector(settings: Settings) -> Collector:
    with replaying() as replayed:
        return open_collector(settings, on_progress=replayed)


def _end(summary: ImportSummary, log: Log, format_: Format, advice: str) -> None:
    """Say what may be wrong, and what was refused, with exit status 1."""
    for doubt in format_.doubts():
        click.echo(doubt, err=True)
    if log.has_more:
        click.echo("the log is not complete: it names a next page in `next`", err=True)
    for reason in summary.refused:
        click.echo(reason, err=True)
    if log.broken:
        raise BadRequest(f"cannot read the log to its end: {log.broken}")
    if refused := summary.rejected.total():
        raise BadRequest(f"{refused:,} refused, {advice}")


def _summary_lines(summary: ImportSummary, run: ImportRun, seconds: float) -> Iterator[str]:
    yield f"import             {run.number:>9}"
    yield from _counts(summary, "stored")
    yield f"leads marked       {len(summary.marked):>9,}"
    for name, number in Counter(summary.marked.values()).most_common():
        yield f"  {name:<16} {number:>9,}"
    yield f"{seconds:.1f} s, {summary.read / max(seconds, 0.001):,.0f} events/s"


def _counts(summary: ImportSummary, stored: str) -> Iterator[str]:
    yield f"read               {summary.read:>9,}"
    yield f"{stored:<18} {summary.stored:>9,}"
    yield f"duplicates         {summary.duplicates:>9,}"
    yield f"rejected           {summary.rejected.total():>9,}"
    for code, number in summary.rejected.most_common():
        yield f"  {code:<16} {number:>9,}"
    if summary.of_nobody:
        yield f"without a user     {summary.of_nobody:>9,}"
    if summary.undated:
        yield f"without a time     {summary.undated:>9,}"


# -- what channels cost --------------------------------------------------------------------


def _spend(settings: Settings, path: str) -> None:
    spent = read_csv(io.StringIO(_text_of(path, MAX_SPEND), newline=""))
    with closing(open_store(settings.database)) as store, store.writing() as tx:
        tx.save_spend(spent)
    click.echo(f"{len(spent):,} amounts written")


# -- looking -----------------------------------------------------------------------------------


def _dry_run(
    settings: Settings, file: BinaryIO, log: Log, format_: Format, on_refused: OnRefused | None
) -> None:
    lines = import_runs.checked(log, format_)
    catalogue = read_definitions(settings.config)
    try:
        store = open_store(settings.database, make=False)
    except NotFound:
        store = None
    try:
        dry = DryRun(store, settings, now, format_, on_refused)
        with reading(file) as progress:
            summary = dry.run(lines, progress)
    finally:
        if store is not None:
            store.close()
    for message in dry.shown:
        click.echo(told(message))
    for line in _found(dry, summary, catalogue):
        click.echo(printable(line))
    click.echo("nothing is stored: this was a dry run")
    _end(summary, log, format_, "see --rejects")


def _found(dry: DryRun, summary: ImportSummary, catalogue: Catalogue) -> Iterator[str]:
    yield from _counts(summary, "would be stored")
    yield from (f"{what:<18} {number:>9,}" for what, number in dry.people.items())
    yield from names_table(dry.names)
    if missing := missing_events(catalogue, dry.names):
        yield f"not in the log, but in definitions: {', '.join(missing)}"


def _list(settings: Settings) -> None:
    with closing(open_store(settings.database, make=False)) as store:
        imports = import_runs.listed(store)
    if not imports:
        click.echo("no imports")
        return
    click.echo(f"{'id':>4}  {'began':<24}  {'format':<11}  {'messages':>11}  {'state':<14}  file")
    for each in imports:
        click.echo(printable(_listed(each)))


def _listed(each: ListedImport) -> str:
    run = each.run
    return (
        f"{run.number:>4}  {iso(run.began_at)}  {run.format:<11}  {each.messages:>11,}  "
        f"{each.state:<14}  {run.source}"
    )


# -- taking back -------------------------------------------------------------------------------


def _undo(settings: Settings, number: int, by: By) -> None:
    with replaying() as replayed:
        collector = open_collector(settings, on_progress=replayed, make=False)
    with closing(collector):
        undo = Undo(collector.store, collector.ingest, number, by)
        removed = undo.run(_progress())
    click.echo(f"import {number} is undone: {removed:,} messages removed")
    click.echo(f"leads voided       {len(undo.voided):>9,}")
    click.echo(f"leads restored     {len(undo.restored):>9,}")
    if undo.kept:
        click.echo(f"worked leads kept  {len(undo.kept):>9,}")


def _progress() -> Any:
    if not sys.stderr.isatty():
        return None
    return lambda removed: click.echo(f"\r{removed:,} removed", nl=False, err=True)
