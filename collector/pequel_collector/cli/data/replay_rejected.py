"""``pequel replay-rejected``: try again to store rejected events."""

from __future__ import annotations

import sys
from contextlib import closing
from typing import Any

import click

from ...app.bootstrap import open_collector
from ...app.progress import replaying
from ...ingest.replay_rejected import ReplayRejected, ReplaySummary
from ...ports import By, RejectedFilter
from ..options import INGEST, example, reason_option, settings_from, settings_options
from ..output import printable


@click.command(
    "replay-rejected",
    epilog=example("pequel replay-rejected --code too_large --max-event 65536"),
)
@settings_options(*INGEST)
@click.option("--code", help="Only events rejected with this code, such as too_large.")
@click.option("--key", help="Only events sent with the key of this id.")
@reason_option
def replay_rejected(code: str | None, key: str | None, reason: str | None, **given: Any) -> None:
    """Try again to store rejected events.

    Each event is read again with the current settings and version, as if it arrived when it was
    first received. Valid events are stored and can open leads; the others stay rejected. You can
    run this command again at any time.
    """
    settings = settings_from(given)
    with replaying() as replayed:
        collector = open_collector(settings, on_progress=replayed, make=False)
    with closing(collector):
        replay = ReplayRejected(collector.store, collector.ingest, settings)
        summary = replay.run(RejectedFilter(code, key), _progress(), By("cli", reason))
    for line in _summary_lines(summary):
        click.echo(printable(line))


def _progress() -> Any:
    if not sys.stderr.isatty():
        return None
    return lambda read: click.echo(f"\r{read:,} read", nl=False, err=True)


def _summary_lines(summary: ReplaySummary) -> list[str]:
    rejected = [f"  {code:<16} {n:>9,}" for code, n in summary.rejected.most_common()]
    return [
        f"read               {summary.read:>9,}",
        f"stored             {summary.stored:>9,}",
        f"duplicates         {summary.duplicates:>9,}",
        f"still rejected     {summary.rejected.total():>9,}",
        *rejected,
    ]
