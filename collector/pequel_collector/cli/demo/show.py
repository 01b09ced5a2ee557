"""What the demo says: who becomes a lead and why, who nearly is, who is not, and what to try."""

from __future__ import annotations

import shutil
import textwrap
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import datetime, timezone
from typing import Any

import click
import requests

from .collector import READ_KEY, WRITE_KEY, Running, running_collector
from .product import DAYS, PEOPLE, Taskboard

NEARLY, BUSY, KEPT_OUT, HAND = "hana", "fay", ("jil", "sam"), "gus"
SEPARATOR = " · "


def show(stop: bool) -> None:
    """Run the demo; without ``stop`` it stays until Ctrl-C."""
    with suppress(KeyboardInterrupt), running_collector() as collector:
        _introduce(collector)
        _tell_all(collector)
        if stop:
            click.echo("Without --exit the collector stays, and is yours to try.")
            return
        _suggest(collector)
        click.echo("The collector is yours to try. Ctrl-C stops it.")
        collector.process.wait()


def _tell_all(collector: Running) -> None:
    midnight = datetime.now(timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
    with (
        closing(Taskboard(WRITE_KEY, collector.url, midnight)) as taskboard,
        closing(Api(collector.url)) as api,
    ):
        _live(taskboard, api)
        _sum_up(api)


class Api:
    """Asks the collector, and remembers which leads it has told of."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {READ_KEY}"
        self._told: set[str] = set()

    def get(self, path: str, **query: str) -> Any:
        """What the collector answers."""
        answer = self._session.get(self._url + path, params=query, timeout=10)
        answer.raise_for_status()
        return answer.json()

    def close(self) -> None:
        """Let go of the connection."""
        self._session.close()

    def new_leads(self) -> list[dict[str, Any]]:
        """The leads that were marked since the last time, earliest first."""
        leads = self.get("/v1/pqls", limit="100")["data"]
        new = [lead for lead in leads if lead["id"] not in self._told]
        self._told |= {lead["id"] for lead in new}
        return sorted(new, key=lambda lead: str(lead["qualified_at"]))


def _introduce(collector: Running) -> None:
    _say(
        "Pequel stores what the users of a product do, and marks who shows that they are ready to "
        "buy: a product-qualified lead, PQL. Here is Taskboard, a made-up product with "
        f"{len(PEOPLE)} users. Its code calls"
    )
    click.echo('    pequel.track("ada", "project_created", {"project_id": "website"})')
    _say(
        "and its definitions say what counts: set_up, team_spread, habit, hand_raised. "
        f"Two weeks go by, sent to {collector.url}:"
    )
    click.echo()


def _live(taskboard: Taskboard, api: Api) -> None:
    for day in range(1, DAYS + 1):
        taskboard.live(day)
        for lead in api.new_leads():
            _tell(f"day {day}", lead)
    clicked = time.monotonic()
    taskboard.raise_hand(HAND)
    for lead in api.new_leads():
        took = (time.monotonic() - clicked) * 1000
        _tell("now", lead, f"; {_urgency(lead)}; in the list {took:.0f} ms after the click")
    click.echo()


def _tell(when: str, lead: dict[str, Any], more: str = "") -> None:
    subject = lead["subject"]["id"]
    name = subject if lead["account"] in (None, subject) else f"{subject} ({lead['account']})"
    _row(
        (f"{when:>6}", ""),
        (f"{name:<14}", "bold"),
        (f"{lead['definition']:<12}", "green"),
        text=lead["evidence"]["sentence"] + more,
    )


def _urgency(lead: dict[str, Any]) -> str:
    return f"{lead['priority']} priority, due {lead['due_at'][11:16]} UTC"


def _sum_up(api: Api) -> None:
    _row(("   PQL", "green"), text=SEPARATOR.join(_names(api)))
    _row(("nearly", "yellow"), text=f"{NEARLY}: {_nearest(api, NEARLY)}")
    _row(("   not", "red"), text=f"{BUSY}: {_busy(api, BUSY)}, but {_nearest(api, BUSY)}")
    _row(("   not", "red"), text=SEPARATOR.join(_blocked(api, name) for name in KEPT_OUT))
    click.echo()


def _names(api: Api) -> Iterator[str]:
    for lead in api.get("/v1/pqls", limit="100")["data"]:
        yield f"{lead['subject']['id']}: {lead['definition']}"


def _nearest(api: Api, name: str) -> str:
    """How far somebody is with what a team sets up first."""
    progress = _progress(api, name)["set_up"]
    steps = (
        f"{leaf['observed']} of {leaf['needed']} {leaf['measure'].partition(' ')[0]}"
        for leaf in progress["leaves"]
    )
    return f"{progress['progress']:.0%} of set_up: {', '.join(steps)}"


def _busy(api: Api, name: str) -> str:
    """What somebody did all the time."""
    counts = api.get(f"/v1/users/{name}")["event_counts"]
    event = max(counts, key=counts.get)
    return f"{counts[event]} × {event}"


def _blocked(api: Api, name: str) -> str:
    """What keeps somebody out who did all that was asked."""
    progress = _progress(api, name)["set_up"]
    reasons = " and ".join(progress["blocked_by"])
    return f"{name}: {progress['progress']:.0%} of set_up, kept out as {reasons}"


def _progress(api: Api, name: str) -> dict[str, Any]:
    return {each["definition"]: each for each in api.get(f"/v1/users/{name}/pql")["progress"]}


def _suggest(collector: Running) -> None:
    url, read, write = collector.url, f"-H 'Authorization: Bearer {READ_KEY}'", f"-u {WRITE_KEY}:"
    event = (
        f'{{"userId": "{NEARLY}", "event": "integration_connected", '
        '"properties": {"kind": "github"}}'
    )
    click.echo("Ask for the list; send what is missing; see that it counts:")
    click.echo(f"  curl -s {read} '{url}/v1/pqls?limit=2'")
    click.echo(f"  curl -s {write} -d '{event}' {url}/v1/track")
    click.echo(f"  curl -s {read} {url}/v1/users/{NEARLY}/pql")


def _row(*cells: tuple[str, str], text: str) -> None:
    """Print cells, each bold or in its colour, and a text that wraps beside them."""
    indent = sum(len(cell) + 2 for cell, _ in cells)
    styled = (_styled(cell, how) for cell, how in cells)
    click.echo("  ".join(styled) + "  " + _wrapped(text, indent))


def _styled(cell: str, how: str) -> str:
    return click.style(cell, bold=True) if how == "bold" else click.style(cell, fg=how or None)


def _say(text: str) -> None:
    click.echo(_wrapped(text, 0))


def _wrapped(text: str, indent: int) -> str:
    width = min(shutil.get_terminal_size((100, 24)).columns, 110)
    lines = textwrap.wrap(text, max(width - indent, 30), break_on_hyphens=False)
    return ("\n" + " " * indent).join(lines)
