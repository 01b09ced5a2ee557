"""What the demo prints: who becomes a lead and why, who is close, who is not, and what to try."""

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

from .collector import ADMIN_KEY, READ_KEY, WRITE_KEY, Running, running_collector
from .product import DAYS, PEOPLE, Taskboard

ALMOST, ACTIVE, BLOCKED, HAND_RAISER = "hana", "fay", ("jil", "sam"), "gus"
SEPARATOR = " · "
PAUSE = 2.0
"""Seconds between two events after the two weeks."""


def show(stop: bool) -> None:
    """Run the demo. Without ``stop``, the collector runs until Ctrl-C."""
    with suppress(KeyboardInterrupt), running_collector() as collector:
        _introduce(collector)
        _run(collector)
        if stop:
            click.echo("Run it without --exit to keep the collector running.")
            return
        _suggest(collector)
        click.echo("The collector keeps running, and events go on arriving. Ctrl-C stops it.")
        click.secho(f"Open the console (works once):  {collector.console}", bold=True)
        _go_on(collector)


def _go_on(collector: Running) -> None:
    """Send an event now and then, until the collector stops or somebody presses Ctrl-C."""
    with closing(Taskboard(WRITE_KEY, collector.url, datetime.now(timezone.utc))) as taskboard:
        while collector.process.poll() is None:
            time.sleep(PAUSE)
            taskboard.go_on()


def _run(collector: Running) -> None:
    midnight = datetime.now(timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
    with (
        closing(Taskboard(WRITE_KEY, collector.url, midnight)) as taskboard,
        closing(Api(collector.url)) as api,
    ):
        _send_two_weeks(taskboard, api)
        _sum_up(api)
        _work(api)


WORK: dict[str, dict[str, Any]] = {
    "team_spread": {"contact": {"channel": "email", "note": "Asked who else needs a seat"}},
    "habit": {"state": "won", "amount": "1200.00", "currency": "EUR"},
}
"""What the sales team does with the lead of a definition."""


class Api:
    """A client of the query API that remembers which leads it has returned."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {READ_KEY}"
        self._seen: set[str] = set()

    def get(self, path: str, **query: str) -> Any:
        answer = self._session.get(self._url + path, params=query, timeout=10)
        answer.raise_for_status()
        return answer.json()

    def change(self, lead_id: str, **fields: Any) -> None:
        """Change a lead, as the sales team does."""
        headers = {"Authorization": f"Bearer {ADMIN_KEY}"}
        url = f"{self._url}/v1/pqls/{lead_id}"
        self._session.patch(url, json=fields, headers=headers, timeout=10).raise_for_status()

    def close(self) -> None:
        """Close the connection."""
        self._session.close()

    def new_leads(self) -> list[dict[str, Any]]:
        """The leads marked since the last call, earliest first."""
        leads = self.get("/v1/pqls", limit="100")["data"]
        new = [lead for lead in leads if lead["id"] not in self._seen]
        self._seen |= {lead["id"] for lead in new}
        return sorted(new, key=lambda lead: str(lead["qualified_at"]))


def _introduce(collector: Running) -> None:
    _print(
        "Pequel stores what the users of a product do, and marks those who look ready to buy as "
        "product-qualified leads (PQLs). Taskboard is a made-up product with "
        f"{len(PEOPLE)} users. Its code calls"
    )
    click.echo('    pequel.track("ada", "project_created", {"project_id": "website"})')
    _print(
        "and it has four definitions of a PQL: set_up, team_spread, habit, hand_raised. "
        f"The events of two weeks go to {collector.url}:"
    )
    click.echo()


def _send_two_weeks(taskboard: Taskboard, api: Api) -> None:
    for day in range(1, DAYS + 1):
        taskboard.live(day)
        for lead in api.new_leads():
            _print_lead(f"day {day}", lead)
    clicked = time.monotonic()
    taskboard.raise_hand(HAND_RAISER)
    for lead in api.new_leads():
        took = (time.monotonic() - clicked) * 1000
        _print_lead("now", lead, f"; {_urgency(lead)}; listed {took:.0f} ms after the click")
    click.echo()


def _print_lead(when: str, lead: dict[str, Any], more: str = "") -> None:
    subject = lead["subject"]["id"]
    name = subject if lead["account"] in (None, subject) else f"{subject} ({lead['account']})"
    _print_row(
        (f"{when:>6}", ""),
        (f"{name:<14}", "bold"),
        (f"{lead['definition']:<12}", "green"),
        text=lead["evidence"]["sentence"] + more,
    )


def _urgency(lead: dict[str, Any]) -> str:
    return f"{lead['priority']} priority, due {lead['due_at'][11:16]} UTC"


def _sum_up(api: Api) -> None:
    _print_row(("   PQL", "green"), text=SEPARATOR.join(_names(api)))
    _print_row(("nearly", "yellow"), text=f"{ALMOST}: {_set_up_progress(api, ALMOST)}")
    _print_row(
        ("   not", "red"),
        text=f"{ACTIVE}: {_most_frequent(api, ACTIVE)}, but {_set_up_progress(api, ACTIVE)}",
    )
    _print_row(("   not", "red"), text=SEPARATOR.join(_blocked(api, name) for name in BLOCKED))
    click.echo()


def _work(api: Api) -> None:
    """What the sales team does with some of the leads."""
    leads = {lead["definition"]: lead for lead in api.get("/v1/pqls", limit="100")["data"]}
    for definition, fields in WORK.items():
        lead = leads[definition]
        api.change(lead["id"], actor=lead["owner"], **fields)


def _names(api: Api) -> Iterator[str]:
    for lead in api.get("/v1/pqls", limit="100")["data"]:
        yield f"{lead['subject']['id']}: {lead['definition']}"


def _set_up_progress(api: Api, name: str) -> str:
    """The progress of a user towards set_up."""
    progress = _progress(api, name)["set_up"]
    steps = (
        f"{leaf['observed']} of {leaf['needed']} {leaf['measure'].partition(' ')[0]}"
        for leaf in progress["leaves"]
    )
    return f"{progress['progress']:.0%} of set_up: {', '.join(steps)}"


def _most_frequent(api: Api, name: str) -> str:
    """The most frequent event of a user."""
    counts = api.get(f"/v1/users/{name}")["event_counts"]
    event = max(counts, key=counts.get)
    return f"{counts[event]} × {event}"


def _blocked(api: Api, name: str) -> str:
    """Why a user who did everything is not a lead."""
    progress = _progress(api, name)["set_up"]
    reasons = " and ".join(progress["blocked_by"])
    return f"{name}: {progress['progress']:.0%} of set_up, blocked by {reasons}"


def _progress(api: Api, name: str) -> dict[str, Any]:
    return {each["definition"]: each for each in api.get(f"/v1/users/{name}/pql")["progress"]}


def _suggest(collector: Running) -> None:
    url, read, write = collector.url, f"-H 'Authorization: Bearer {READ_KEY}'", f"-u {WRITE_KEY}:"
    event = (
        f'{{"userId": "{ALMOST}", "event": "integration_connected", '
        '"properties": {"kind": "github"}}'
    )
    click.echo("List the leads, send the event that is missing, and see that it counts:")
    for line in (
        f"curl -s {read} '{url}/v1/pqls?limit=2'",
        f"curl -s {write} -d '{event}' {url}/v1/track",
        f"curl -s {read} {url}/v1/users/{ALMOST}/pql",
    ):
        click.echo(f"  {line} | python3 -m json.tool")


def _print_row(*cells: tuple[str, str], text: str) -> None:
    """Print cells, each bold or in a colour, and a text that wraps beside them."""
    indent = sum(len(cell) + 2 for cell, _ in cells)
    styled = (_styled(cell, style) for cell, style in cells)
    click.echo("  ".join(styled) + "  " + _wrapped(text, indent))


def _styled(cell: str, style: str) -> str:
    return click.style(cell, bold=True) if style == "bold" else click.style(cell, fg=style or None)


def _print(text: str) -> None:
    click.echo(_wrapped(text, 0))


def _wrapped(text: str, indent: int) -> str:
    width = min(shutil.get_terminal_size((100, 24)).columns, 110)
    lines = textwrap.wrap(text, max(width - indent, 30), break_on_hyphens=False)
    return ("\n" + " " * indent).join(lines)
