"""``pequel tail``: events as they arrive, refused ones with the reason, and the leads they open."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from typing import Any, Protocol

import click

from ..app.arrival_watch import ArrivalWatch
from ..app.bootstrap import now, open_store
from ..app.likely_names import with_likely_names
from ..errors import BadRequest
from ..marking.active import active_definitions
from ..marking.evaluators import active_evaluators
from ..model import JSON
from ..ports import Store
from ..queries.events.following import Following, FollowPage
from ..queries.events.looking_back import MESSAGES
from ..queries.events.wanted import FollowFilter
from ..queries.queries import Queries
from ..rules.language.definition import Catalogue
from ..rules.parser.catalogue import read_catalogue
from ..web.answers.schemas import FOLLOWED
from ..web.asked.arguments import MAX_SHORT, MAX_WAIT
from .collector_url import CollectorUrl, Lost
from .options import example, settings_from, settings_options
from .output import printable

KEYS = ("PEQUEL_READ_KEY", "PEQUEL_ADMIN_KEY")

MAX_SHOWN = 200
"""Characters of properties, or of a refused event."""


class Source(Protocol):
    """Where arrivals come from."""

    def pages(self) -> Iterator[list[JSON]]:
        """What arrives from now on, page by page, without end; a page may be empty."""


@click.command(
    epilog=example(
        "pequel tail",
        "pequel tail -n 20 --user u1 --database sqlite:///pequel.db",
        "PEQUEL_READ_KEY=pk_r_… pequel tail --url https://collector.example --json",
    )
)
@click.option("--user", help="Only what this user does, and the leads that it opens.")
@click.option("--event", help="Only events of this name, and the leads that they open.")
@click.option(
    "--last", "-n", type=click.IntRange(1, MAX_SHORT), help="Print the last so many items first."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one item a line.")
@click.option("--url", help="Ask a collector, with the key in PEQUEL_READ_KEY.")
@settings_options("database")
def tail(
    user: str | None,
    event: str | None,
    last: int | None,
    as_json: bool,
    url: str | None,
    database: str | None,
) -> None:
    """Print events as they arrive, until Ctrl-C.

    What came before is not printed, unless you ask for the last items with -n. Refused events are
    printed with the reason, and leads with what they are for. Without --url it reads the database.
    An import is not printed; the leads that it opens are.
    """
    wanted = FollowFilter(user, event)
    line_of = _as_json if as_json else text_of
    with ExitStack() as stack:
        source: Source
        if url is not None:
            source = FollowedCollector(CollectorUrl(url, _key()), wanted, last)
        else:
            path = settings_from({"database": database}).database
            source = FollowedStore(
                stack.enter_context(closing(open_store(path, make=False))), wanted, last
            )
        click.echo("waiting for events; Ctrl-C ends it", err=True)
        try:
            follow(source, line_of, click.echo)
        except KeyboardInterrupt:
            return


def follow(source: Source, line_of: Callable[[JSON], str], echo: Callable[[str], Any]) -> None:
    """Print what arrives."""
    for page in source.pages():
        for item in page:
            echo(line_of(item))


class FollowedStore:
    """Follows a database, from now on; the ``last`` so many items come first."""

    def __init__(self, store: Store, wanted: FollowFilter, last: int | None = None) -> None:
        self._store = store
        self._definitions = ("", Catalogue())
        self._following = Following(Queries(store, active_evaluators, now))
        self._watch, self._wanted = ArrivalWatch(store), wanted
        self._place = self._following.place(wanted, None)
        self._first = None if last is None else self._following.latest(wanted, last)
        if self._first is not None:
            _say_if_none(self._first.data, wanted)

    def pages(self) -> Iterator[list[JSON]]:
        if self._first is not None:
            self._place = self._first.next
            yield self._shown(self._first)
        while True:
            self._watch.wait(self._place.number, self._watch.until(MAX_WAIT))
            page = self._following.page(self._wanted, MAX_SHORT, self._place)
            self._place = page.next
            yield self._shown(page)

    def _shown(self, page: FollowPage) -> list[JSON]:
        found = with_likely_names(page.data, self._catalogue()) if page.data else ()
        return list(FOLLOWED.dump(found, many=True))

    def _catalogue(self) -> Catalogue:
        """The definitions in force, which are read again when they have changed."""
        with self._store.reading() as tx:
            active = active_definitions(tx)
        text = "" if active is None else active.text
        if text != self._definitions[0]:
            self._definitions = text, read_catalogue(text)
        return self._definitions[1]


class FollowedCollector:
    """Follows a collector over HTTP, from now on. Waits for one that is away for a while.

    The ``last`` so many items come first.
    """

    def __init__(
        self, collector: CollectorUrl, wanted: FollowFilter, last: int | None = None
    ) -> None:
        self._collector = collector
        self._given = {name: text for name, text in wanted._asdict().items() if text is not None}
        first = self._get() if last is None else self._get(last=str(last))
        self._first, self._cursor = first["data"], first["next_cursor"]
        if last is not None:
            _say_if_none(self._first, wanted)

    def pages(self) -> Iterator[list[JSON]]:
        if self._first:
            yield self._first
        is_lost = False
        while True:
            try:
                page = self._get(after=self._cursor, wait=str(MAX_WAIT))
            except Lost as error:
                if not is_lost:
                    click.echo(f"{error.message}; trying again", err=True)
                is_lost = True
                self._collector.pause(error)
                continue
            if is_lost:
                click.echo("the collector is back", err=True)
            is_lost, self._cursor = False, page["next_cursor"]
            yield page["data"]

    def _get(self, **more: str) -> Any:
        return self._collector.get("/v1/events/stream", {**self._given, **more})


def _say_if_none(first: Sequence[Any], wanted: FollowFilter) -> None:
    """Say that none of the last items is wanted, and among how many events they were looked for."""
    if not first and any(wanted):
        of = " of this user" if wanted.user is not None else ""
        click.echo(f"none of this among the latest {MESSAGES:,} events{of}", err=True)


def _key() -> str:
    """The key in the environment. Raises BadRequest."""
    for name in KEYS:
        if key := os.environ.get(name, "").strip():
            return key
    raise BadRequest("there is no key for --url: set PEQUEL_READ_KEY to a read, work or admin key")


# -- as text -----------------------------------------------------------------------------------


def _as_json(item: JSON) -> str:
    return json.dumps(item, ensure_ascii=False)


def text_of(item: Mapping[str, JSON]) -> str:
    """An item in one line that any terminal can show: the time of day in UTC, who, what."""
    return printable(_text_of(item))


def _text_of(item: Mapping[str, JSON]) -> str:
    at = item["at"][11:23] if item["at"] else ""
    match item["kind"]:
        case "event":
            return f"{at}  {_event(item['event'])}{_likely(item.get('looks_like'))}"
        case "refused":
            found = item["refused"]
            return f"{at}  refused ({found['code']}): {found['message']}  {_cut(found['payload'])}"
        case "lead":
            return f"{at}  {_lead(item['lead'])}"
        case _:
            number = "some" if item["count"] is None else f"{item['count']:,}"
            return f"… {number} items are not shown: see GET /v1/events and GET /v1/rejected"


def _event(event: Mapping[str, JSON]) -> str:
    who = event["userId"] or event["anonymousId"] or event["account"] or ""
    account = f" ({event['account']})" if event["account"] not in (None, who) else ""
    name = event["event"] if event["type"] == "track" else event["type"]
    content = event.get("properties") or event.get("traits")
    return f"{who}{account}  {name}" + (f"  {_cut(json.dumps(content))}" if content else "")


def _likely(name: str | None) -> str:
    return "" if name is None else f"  ← looks like {_cut(name)}"


def _lead(lead: Mapping[str, JSON]) -> str:
    subject = lead["subject"]
    sentence = lead["evidence"].get("sentence")
    why = f": {sentence}" if sentence else ""
    return f"★ {subject['kind']} {subject['id']} is a lead for {lead['title']}{why}"


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= MAX_SHOWN else f"{line[:MAX_SHOWN]}…"
