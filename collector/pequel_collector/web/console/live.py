"""The live page: events as they arrive, refused ones, and the leads that they open.

The page is made with what arrived last. Then its script asks for what comes after, and each request
waits until there is something, as ``GET /v1/events/stream`` does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from threading import Lock
from time import monotonic
from typing import Any

from flask import Blueprint, Response, request, stream_with_context

from ...access.keys import may
from ...app.bootstrap import Collector
from ...app.likely_names import with_likely_names
from ...errors import Unavailable
from ...model import Key, Stored
from ...ports import ANY_REJECTED, StoredRejectedEvent
from ...queries.events.following import Followed, Following, FollowPage
from ...queries.events.last_minute import LastMinute, last_minute
from ...queries.events.looking_back import MESSAGES, REJECTED, LookedBack, look_back
from ...queries.events.wanted import FollowFilter
from ...rules.language.definition import Catalogue
from ...wire import decode
from ...wire.normalise import normalise
from ..asked import arguments
from ..ingest.accept import accept
from ..json import encode
from .forms import again
from .frame import Console, done, needs, url, viewer
from .leads import given_filters
from .timeline import properties_of
from .words import count, number

LATEST = 50
"""Lines with which the page begins."""

AT_ONCE = 200
"""Lines of one answer: as many as the page keeps."""

WAIT = 15
"""Seconds that a request of the script waits."""

COUNTED_EVERY = 1.0
"""Seconds for which the count of the last minute is kept."""

TEST_EVENT = "pequel_test"
TEST_USER = "pequel-test"


class Rate:
    """What arrived within the last minute, in words. It is counted once a second at most."""

    def __init__(self, collector: Collector, clock: Callable[[], float]) -> None:
        self._collector, self._clock = collector, clock
        self._counting = Lock()
        self._kept: tuple[float, str] | None = None

    def said(self) -> str:
        """``214 in the last minute, 3 refused``."""
        with self._counting:
            kept, now = self._kept, self._clock()
            if kept is not None and now - kept[0] < COUNTED_EVERY:
                return kept[1]
            with self._collector.store.reading() as tx:
                found = last_minute(tx, self._collector.clock())
            unknown = unknown_in_words(*self._collector.keys.refused.within_last_minute())
            self._kept = now, in_words(found) + unknown
            return self._kept[1]


def in_words(found: LastMinute) -> str:
    """What arrived within the last minute; at least so much, if the log does not go back so far."""
    least = "" if found.is_whole else "at least "
    refused = f", {number(found.refused)} refused" if found.refused else ""
    return f"{least}{number(found.events)} in the last minute{refused}"


def unknown_in_words(requests: int, latest: str) -> str:
    """How many requests came with a key that nobody knows, and how the latest key begins."""
    if not requests:
        return ""
    return f"; {count(requests, 'request')} with an unknown key ({latest})"


class LiveArguments(arguments.NoArguments):
    """What to follow."""

    user = arguments.Text()
    event = arguments.Text()


class AfterArguments(LiveArguments):
    """What to follow, after a place."""

    after = arguments.Cursor(required=True)


_LIVE, _AFTER = LiveArguments(), AfterArguments()


def add(bp: Blueprint, console: Console) -> None:
    """The routes, over a console."""
    collector = console.collector
    following, watch = Following(collector.queries), collector.arrivals
    rate = Rate(collector, monotonic)

    def rendered(page: FollowPage) -> bytes:
        lines = _lines(page.data, collector.catalogue)
        html = console.render("live_lines.html", lines=list(reversed(lines)))
        said = rate.said()
        return encode({"html": html, "number": len(lines), "next": page.next_cursor, "rate": said})

    def awaited(
        page: FollowPage, wanted: FollowFilter, leave: Callable[[], None]
    ) -> Iterator[bytes]:
        until = watch.until(WAIT)
        try:
            # The status is sent already; the next request gets the error.
            with suppress(Unavailable):
                while not page.data and watch.wait(page.next.number, until):
                    page = following.page(wanted, AT_ONCE, page.next)
        finally:
            leave()
        yield rendered(page)

    def page(status: int = 200) -> Response:
        return _page(console, following, rate, status)

    @bp.get("/live")
    def live() -> Response:
        return page()

    @bp.get("/live/lines")
    def live_lines() -> Response:
        read = arguments.read(request, _AFTER)
        wanted = FollowFilter(read.get("user"), read.get("event"))
        page = following.page(wanted, AT_ONCE, following.place(wanted, read["after"]))
        if page.data:
            return Response(rendered(page), mimetype="application/json")
        leave = watch.enter()
        body: Any = stream_with_context(awaited(page, wanted, leave))
        response = Response(body, mimetype="application/json")
        response.call_on_close(leave)
        return response

    @bp.post("/live/test")
    @needs("send")
    @again(page)
    def send_test() -> Response:
        _send_test(console, viewer().key)
        return done(url("console.live"), "sent")


def _page(console: Console, following: Following, rate: Rate, status: int) -> Response:
    given = given_filters()
    read = arguments.read_values({n: [text] for n, text in given.items()}, _LIVE)
    wanted = FollowFilter(read.get("user"), read.get("event"))
    place = following.place(wanted, None)  # before the list is read, so that nothing is missed
    start = following.page(wanted, 1, place).next_cursor
    found = _latest(console, wanted)
    lines = _latest_lines(found, console.collector.catalogue)
    return console.page(
        "live.html",
        status,
        lines=lines,
        given=given,
        start=start,
        rate=rate.said(),
        is_empty=not lines and not given,
        none_of=_none_of(wanted, found),
        write_key=_write_key(console),
        host=request.host_url.rstrip("/") + request.root_path,
        test_event=TEST_EVENT,
        may_send=viewer().may("send"),
    )


def _latest(console: Console, wanted: FollowFilter) -> LookedBack:
    """What arrived last of what is followed."""
    queries = console.collector.queries
    if any(wanted):
        with console.collector.store.reading() as tx:
            return look_back(tx, wanted, LATEST)
    refused = queries.rejected(ANY_REJECTED, LATEST).data
    return LookedBack([*queries.events(LATEST).data], [*refused], is_whole=False)


def _latest_lines(found: LookedBack, catalogue: Catalogue) -> list[dict[str, Any]]:
    """The same as lines of the page, latest first."""
    followed = [
        *(Followed("event", each.message.received, event=each) for each in found.messages),
        *(Followed("refused", each.received_at, refused=each) for each in found.rejected),
    ]
    followed.sort(key=lambda each: each.at or 0, reverse=True)
    return _lines(followed[:LATEST], catalogue)


def _none_of(wanted: FollowFilter, found: LookedBack) -> str:
    """Why no line is shown, in words: how far the page has looked back."""
    if found.is_whole:
        return "Nothing of this has arrived yet."
    of = " of this user" if wanted.user is not None else ""
    events, refused = f"{number(MESSAGES)} events{of}", f"{number(REJECTED)} refused ones"
    return f"None of this among the latest {events} and the latest {refused}."


def _write_key(console: Console) -> str:
    """How a write key begins that somebody may paste; words in its place if none is known."""
    now = console.collector.clock()
    active = [key for key in console.collector.keys.listed() if key.is_active(now)]
    known = [key.prefix for key in active if may(key, "send") and key.prefix]
    return f"{known[0]}…" if known else "YOUR_WRITE_KEY"


def _send_test(console: Console, key: Key) -> None:
    """Send one event the way that a client does."""
    collector = console.collector
    text = encode(
        {"userId": TEST_USER, "event": TEST_EVENT, "properties": {"sent_from": "the console"}}
    )
    envelope = decode.single(text, "track")
    now = collector.clock()
    messages, rejected = normalise(envelope, collector.settings, now, console.new_id)
    accept(collector, messages, rejected, key)


def _lines(found: Sequence[Followed], catalogue: Catalogue) -> list[dict[str, Any]]:
    """What arrived, as the lines of the page."""
    return [_line(each) for each in with_likely_names(found, catalogue)]


def _line(followed: Followed) -> dict[str, Any]:
    line: dict[str, Any] = {"kind": followed.kind, "at": followed.at, "number": followed.number}
    if followed.event is not None:
        return line | _event_line(followed.event) | {"looks_like": followed.looks_like}
    if followed.refused is not None:
        return line | _refused_line(followed.refused)
    return line | {"lead": followed.lead}


def _event_line(stored: Stored) -> dict[str, Any]:
    message = stored.message
    return {
        "mid": message.mid,
        "type": message.type,
        "name": message.name or "",
        "user": message.user_id,
        "visitor": message.anonymous_id,
        "account": stored.account,
        "properties": properties_of(message),
    }


def _refused_line(refused: StoredRejectedEvent) -> dict[str, Any]:
    event = refused.event
    return {"mid": event.mid, "code": event.code, "reason": event.message, "payload": event.payload}
