"""``pequel preview``: who other definitions would mark, before they are in force."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import click

from ..app.bootstrap import now, open_store, read_definitions
from ..audit.preview import NAMES, Budget, DefinitionPreview, Group, Preview, PreviewedLead
from ..audit.preview import preview as previewed
from ..audit.preview_routing import RoutedGroup
from ..marking.change import NewDefinitions
from ..model import id_of, iso
from ..web.answers.schemas import PREVIEW
from .options import definitions_file, definitions_path, example, settings_from, settings_options
from .output import columns, printable


@click.command(
    epilog=example(
        "pequel preview pequel.toml --database sqlite:///pequel.db",
        "pequel preview --limit 5 --format json",
    )
)
@definitions_file
@settings_options("database", "alert_env")
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=NAMES,
    show_default=True,
    help="How many leads to name for each effect; all are counted.",
)
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["text", "json"]),
    default="text",
    help="The output format.",
)
def preview(
    file: str | None, database: str | None, alert_env: str | None, limit: int, output_format: str
) -> None:
    """Show whom other definitions would mark.

    FILE is a definitions file; without it, the one in PEQUEL_CONFIG, else pequel.toml. For each
    definition that it changes, prints how many leads would be added, withdrawn, or get an earlier
    or later time, and who the first of them are. Nothing is changed, and a collector may serve from
    the database meanwhile.
    """
    path = definitions_path(file)
    settings = settings_from({"database": database, "alert_env": alert_env})
    new = NewDefinitions(read_definitions(path, settings.is_for_alerts))
    with closing(open_store(settings.database, make=False)) as store, _progress() as progress:
        found = previewed(store, new, now, progress, Budget(names=limit))
    if output_format == "json":
        click.echo(json.dumps(PREVIEW.dump(found), ensure_ascii=False))
        return
    for line in _lines(found, Path(path).name):
        click.echo(printable(line))


@contextmanager
def _progress() -> Iterator[Callable[[int], None] | None]:
    """Yield a function that shows how many subjects are done; None without a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    yield lambda subjects: click.echo(f"\rreplaying: {subjects:,}", err=True, nl=False)
    click.echo(" users and accounts", err=True)


def _lines(found: Preview, file: str) -> Iterator[str]:
    if not found.data:
        yield f"{file} changes nothing"
    for each in found.data:
        yield from _definition(each)
    if found.routing:
        yield "routes of the open leads:"
        rows = [_route(group) for group in found.routing]
        yield from (f"  {line}" for line in columns(rows))
    yield f"users and accounts replayed: {found.subjects:,}"


def _definition(each: DefinitionPreview) -> Iterator[str]:
    """A line of numbers, and a table with the first leads of each effect."""
    yield f"{each.name}{_version(each)}: {_numbers(each)}"
    groups = zip("+-<>", each.groups, strict=True)
    rows = [_row(sign, lead) for sign, group in groups for lead in group.first]
    yield from (f"  {line}" for line in (columns(rows) if rows else ()))
    if (hidden := sum(g.count - len(g.first) for g in each.groups)) > 0:
        yield f"  … and {hidden:,} more"


def _route(group: RoutedGroup) -> tuple[str, ...]:
    to = "no route" if group.route is None else f"{group.route} → {group.assigned or 'nobody'}"
    return group.definition, f"{group.leads:,}", to


def _version(each: DefinitionPreview) -> str:
    if each.version is None:
        return " → no longer in force"
    return f" → version {each.version}" if each.is_changed else ""


def _numbers(each: DefinitionPreview) -> str:
    return ", ".join(
        f"{group.count:,} {word}{_worked(group)}"
        for word, group in zip(("more", "fewer", "earlier", "later"), each.groups, strict=True)
        if group.count or word in ("more", "fewer")
    )


def _worked(group: Group) -> str:
    return f" ({group.worked:,} worked)" if group.worked else ""


def _row(sign: str, lead: PreviewedLead) -> tuple[str, ...]:
    cycle = f"cycle {lead.cycle}" if lead.cycle > 1 else ""
    was = "" if lead.before is None else f"was {iso(lead.before)}"
    notes = ", ".join(filter(None, (cycle, was, "worked" if lead.is_worked else "")))
    return sign, id_of(lead.subject), lead.name or "", iso(lead.qualified_at), notes
