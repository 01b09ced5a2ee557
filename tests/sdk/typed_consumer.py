"""All of the public API as an application with strict types uses it; `test_types` has it checked.

What must be an error says so with an ignore, which mypy reports where it is not needed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import flask
from starlette.applications import Starlette
from starlette.middleware import Middleware
from typing_extensions import assert_type

import pequel
import pequel.testing
from pequel.integrations import asgi, celery, wsgi
from pequel.integrations.flask import init_app
from pequel.testing import Events, RecordingClient

# -- the functions of the package ----------------------------------------------------------------


def on_error(error: pequel.DroppedError, message: dict[str, Any] | None) -> None:
    """Be told of what was dropped."""
    assert_type(error.detail, str)
    assert_type(error.field, str | None)
    assert error.reason in pequel.REASONS


client = pequel.configure(write_key="key", host="http://127.0.0.1:9", on_error=on_error)
assert_type(client, pequel.Client)
now = datetime.now(timezone.utc)
pequel.track("u1", "project_created", {"at": now}, timestamp=now, message_id="m1")
pequel.track(5, event="e", context={"groupId": "acme"}, integrations={"All": True})
pequel.track(uuid4(), "e", anonymous_id=UUID(int=7))
pequel.identify("u1", {"plan": None})
pequel.group("u1", "acme", {"employees": 120})
pequel.page("u1", "docs", "Start", {"path": "/"})
pequel.screen("u1", name="Home")
pequel.alias("a1", "u1")
assert_type(pequel.flush(timeout=None), bool)
assert_type(pequel.shutdown(), bool)
assert_type(pequel.stats().dropped_by_reason, dict[str, int])
assert_type(pequel.__version__, str)
pequel.track("u1", "e", [1])  # type: ignore[arg-type]
pequel.track("u1", name="e")  # type: ignore[call-arg]

# -- a client, and the seam to the network -------------------------------------------------------


class Printer:
    """A transport."""

    def send(self, events: Sequence[bytes], /) -> pequel.Outcome:
        """Print them."""
        rejected = (pequel.Rejection(0, code="too_deep"),)
        return pequel.Outcome(pequel.Verdict.DELIVERED, rejected=rejected)


transport: pequel.Transport = Printer()
with pequel.Client("key", "http://127.0.0.1:9", transport=transport) as other:
    assert_type(other, pequel.Client)
    assert_type(other.options, pequel.Options)
    assert_type(other.stats(), pequel.Stats)


class Courier(Printer):
    """A transport that takes reports, too."""

    def deliver(self, delivery: pequel.Delivery, /) -> pequel.Outcome:
        """Print them."""
        return self.send(delivery.events)


def on_qualified(mark: pequel.Mark) -> None:
    """Be told of a lead."""
    assert_type(mark.subject_id, str)


courier: pequel.FullTransport = Courier()
pequel.configure(transport=courier, on_qualified=on_qualified, sync=True)
recording = pequel.RecordingTransport([pequel.Outcome(pequel.Verdict.RETRY, retry_after=1)])
assert_type(recording.events, list[dict[str, Any]])
problem: pequel.PequelError = pequel.ConfigError("wrong")

# -- who, and for which account ------------------------------------------------------------------


@pequel.context(group_id="acme", locale="de")
def scoped(number: int, *, name: str = "") -> float:
    """Keeps its type."""
    return number / len(name)


@pequel.context(user_id=5)
async def scoped_async(number: int) -> str:
    """Keeps its type."""
    return str(number)


with pequel.context(user_id="u1", anonymous_id=uuid4(), group_id=7):
    pequel.set_context(locale="de")
    assert_type(pequel.current_context(), dict[str, Any])
assert_type(scoped(3, name="a"), float)
scoped("3")  # type: ignore[arg-type]
assert_type(asyncio.run(scoped_async(3)), str)
pequel.context("u1")  # type: ignore[call-arg]

# -- tracking what a function does ---------------------------------------------------------------


@pequel.tracked("exported", user_id="who", properties=lambda rows, **_: {"rows": len(rows)})
def export(who: str, *, limit: int = 10) -> list[int]:
    """Keeps its type."""
    return [limit]


@client.tracked("exported", properties={"format": "pdf"}, user_id=lambda _result, who: who)
async def export_async(who: str) -> bytes:
    """Keeps its type."""
    return who.encode()


@pequel.tracked("read")
def read() -> Iterator[int]:
    """Keeps its type."""
    yield 1


@pequel.tracked("read")
async def read_async() -> AsyncIterator[int]:
    """Keeps its type."""
    yield 1


class Report:
    """A class whose methods are tracked."""

    @pequel.tracked("exported")
    def export(self, rows: int) -> str:
        """Keep its type."""
        return str(rows)


assert_type(export("u1", limit=3), list[int])
export(5)  # type: ignore[arg-type]
assert_type(asyncio.run(export_async("u1")), bytes)
assert_type(read(), Iterator[int])
assert_type(read_async(), AsyncIterator[int])
assert_type(Report().export(3), str)
exporting: Callable[[str], list[int]] = export

# -- questions to the collector ------------------------------------------------------------------


def ask() -> str | None:
    """Ask for leads, and cope with what may go wrong."""
    try:
        with pequel.Reader("key", "http://127.0.0.1:9", max_retries=0) as reader:
            assert_type(reader.pql("u1")["is_pql"], bool)
            assert_type(next(reader.pqls(definition="set_up"))["definition"], str)
            assert_type(reader.user("u1")["account"], str | None)
            assert_type(reader.account("acme")["event_counts"], dict[str, int])
            assert_type(next(reader.timeline("u1"))["timestamp"], str)
            assert_type(reader.definitions()[0]["version"], int)
            return reader.progress(5)[0]["definition"]
    except (pequel.NotFoundError, pequel.UnauthorizedError, pequel.UnavailableError):
        return None
    except pequel.ReaderError as error:
        return str(error)


def work(leads: pequel.Leads) -> str | None:
    """Work leads, and follow what others do with them."""
    try:
        for lead in leads.list(state="new", overdue=True):
            assert_type(leads.assign(lead["id"], "ben")["history"][0]["from"], str | None)
            leads.contact(lead["id"], channel="email", note="hello", at=now)
            leads.snooze(lead["id"], timedelta(days=3), actor="eve")
            leads.win(lead["id"], Decimal("1200.00"), "EUR")
            leads.dismiss(lead["id"])  # type: ignore[call-arg]
    except pequel.ConflictError as error:
        assert_type(error.allowed, list[str])
        return error.state
    changes = leads.changes(after=None)
    for change in changes:
        assert_type(change["lead_id"], str)
    assert_type(next(iter(leads))["state"], str)
    return changes.cursor


# -- frameworks ----------------------------------------------------------------------------------


def environ_user(environ: dict[str, Any]) -> str | None:
    """Who asks, by the server."""
    return environ.get("REMOTE_USER")


async def account_of(scope: Any) -> int:
    """Of which account, by asking for it."""
    return len(scope["path"])


web = flask.Flask("shop")
init_app(web, group=lambda request: request.headers.get("X-Account"), ip=True)
init_app(web, user=None, context=lambda request: {"locale": request.args["locale"]})
wsgi.PequelMiddleware(web, user=environ_user)
api = Starlette(middleware=[Middleware(asgi.PequelMiddleware, group=account_of, ip=True)])
api.add_middleware(asgi.PequelMiddleware, user=lambda scope: "u1", context=lambda scope: None)
celery.connect()

# -- for tests -----------------------------------------------------------------------------------

with pequel.testing.capture() as events:
    assert_type(events, Events)
    assert_type(events.assert_tracked("e", user_id=5, rows=3), dict[str, Any])
    assert_type(events[0], dict[str, Any])
    assert_type(events[1:], list[dict[str, Any]])
    assert_type(events.last, dict[str, Any])
    assert_type(events.tracked("e"), list[dict[str, Any]])
    assert_type(events.of_type("identify"), list[dict[str, Any]])
    assert_type(events.dropped, list[pequel.DroppedError])
with RecordingClient(batch_events=5) as recorder:
    assert_type(recorder, RecordingClient)
    assert_type(recorder.events, Events)
    recorder.assert_tracked("e", user_id="u1")
