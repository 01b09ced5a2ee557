"""``pequel replay-rejected``: refused events, taken in after all."""

from __future__ import annotations

import sys
from contextlib import closing
from typing import Any

import click

from ..app.bootstrap import open_collector
from ..app.progress import replaying
from ..ingest.replay_rejected import ReplayRejected, ReplaySummary
from ..ports import RejectedFilter
from .options import example, settings_from, settings_options


@click.command(
    "replay-rejected",
    epilog=example("pequel replay-rejected --code too_large --max-event 65536"),
)
@settings_options("database", "config", "max_event", "max_depth")
@click.option("--code", help="Only what was refused for this reason, such as too_large.")
@click.option("--key", help="Only what was sent with this key, by its id.")
def replay_rejected(code: str | None, key: str | None, **given: Any) -> None:
    """Take refused events in after all.

    Each is read again as if it had just come when it was received, with the settings and the
    version that run now. What can be read is stored and marked, and is refused no longer; what
    cannot stays. Running it again changes nothing.
    """
    settings = settings_from(given)
    with replaying() as replayed:
        collector = open_collector(settings, progress=replayed, make=False)
    with closing(collector):
        replay = ReplayRejected(collector.store, collector.ingest, settings)
        summary = replay.run(RejectedFilter(code, key), _progress())
    for line in _told(summary):
        click.echo(line)


def _progress() -> Any:
    if not sys.stderr.isatty():
        return None
    return lambda read: click.echo(f"\r{read:,} read", nl=False, err=True)


def _told(summary: ReplaySummary) -> list[str]:
    refused = [f"  {code:<16} {n:>9,}" for code, n in summary.rejected.most_common()]
    return [
        f"read               {summary.read:>9,}",
        f"stored             {summary.stored:>9,}",
        f"duplicates         {summary.duplicates:>9,}",
        f"still refused      {summary.rejected.total():>9,}",
        *refused,
    ]
