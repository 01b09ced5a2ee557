"""Events in: the routes of the Segment tracking API, and their responses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from flask import Blueprint, Response, request

from ...access.keys import may
from ...app.bootstrap import Collector
from ...config import Settings
from ...errors import PequelError, TooLarge
from ...ingest.receipts import Receipt
from ...model import Key, Lead, RejectedEvent, id_of, iso, kind_of
from ...rules.language.quantities import many
from ...wire import client_reports, decode, headers
from ...wire.bounds import max_events
from ...wire.event import Envelope, EventType
from ...wire.ids import Ids
from ...wire.normalise import normalise
from ...wire.rejected_events import MAX_KEPT
from .. import bodies, credentials
from ..errors import ingest_error
from ..json import json_response
from ..openapi.operation import describe
from ..request import RawRequest
from . import client_settings, description, pixel, routes
from .accept import accept
from .large_bodies import LargeBodySlots


def blueprint(collector: Collector, ingest_handler: IngestHandler) -> Blueprint:
    """The write side of the API, over a collector."""
    bp = Blueprint("ingest", __name__)
    for path in routes.BATCHES:
        view = describe(description.BATCH)(_view(ingest_handler))
        bp.add_url_rule(path, path, view, methods=["POST"])
    for path, type_ in routes.SINGLES.items():
        view = describe(description.SINGLES[type_])(_view(ingest_handler, type_))
        bp.add_url_rule(path, path, view, methods=["POST"])
    bp.add_url_rule(routes.METRICS, routes.METRICS, _discard, methods=["POST"])
    bp.register_blueprint(pixel.blueprint(collector, ingest_handler.new_id))
    bp.register_blueprint(client_settings.blueprint(collector.keys))
    return bp


class IngestHandler:
    """Accepts the events of requests."""

    def __init__(self, collector: Collector) -> None:
        self._collector = collector
        self._large_bodies = LargeBodySlots()
        self.new_id = Ids(collector.clock)

    def handle(
        self, request: RawRequest, type_: EventType | None = None
    ) -> tuple[int, dict[str, Any]]:
        """Accept the events of a request; the status and the data of its response.

        ``type_`` is the type that the path gives to a single event; None for a batch. Raises
        PequelError for a request that is refused as a whole.
        """
        with ExitStack() as stack:
            return self._handle(request, type_, stack)

    def _handle(
        self, request: RawRequest, type_: EventType | None, stack: ExitStack
    ) -> tuple[int, dict[str, Any]]:
        collector = self._collector
        received = collector.clock()
        key = credentials.writer_key(request, collector.keys)
        envelope = self._envelope(request, type_, key, stack)
        key = key or credentials.body_key(request, collector.keys, decode.write_key(envelope))
        messages, rejected = normalise(envelope, collector.settings, received, self.new_id)
        if rejected and request.headers.get("X-Strict-Mode") == "1":
            collector.limits.admit(key, len(messages) + len(rejected))
            return 400, _strict_refusal(rejected)
        report = client_reports.read(envelope.report)
        return 200, _receipt(accept(collector, messages, rejected, key, report), key)

    def _envelope(
        self, request: RawRequest, type_: EventType | None, key: Key | None, stack: ExitStack
    ) -> Envelope:
        """The events of a request. An unknown key is reported before a body that is broken."""
        try:
            text = self._text(request, key, stack)
            most = max_events(self._collector.settings)
            envelope = decode.single(text, type_) if type_ else decode.batch(text, most)
        except PequelError:
            if key is None and request.headers.get("Authorization") is not None:
                credentials.body_key(request, self._collector.keys, None)
            raise
        sent_at, anonymous_id = request.headers.get("SentAt"), request.headers.get("AnonymousId")
        return headers.completed(envelope, sent_at, anonymous_id)

    def _text(self, request: RawRequest, key: Key | None, stack: ExitStack) -> bytes:
        # Clients send JSON as text, and gzip as a form, so Content-Type does not matter.
        settings = self._collector.settings if key else _keyless(self._collector.settings)
        encoding = request.headers.get("Content-Encoding") or ""
        raw = bodies.read(request.environ, request.stream, settings.max_body)
        try:
            return self._large_bodies.text(raw, encoding, settings, stack)
        except TooLarge as error:
            if key is None:
                error.message += ", which is the limit without a key in a header or the URL"
            raise


def _keyless(settings: Settings) -> Settings:
    """The limits for a request that may have its key in the body: anybody can send it."""
    most = settings.max_keyless
    return replace(
        settings,
        max_body=min(most, settings.max_body),
        max_inflated=min(most, settings.max_inflated),
    )


def _view(ingest_handler: IngestHandler, type_: EventType | None = None) -> Callable[[], Response]:
    def handle() -> Response:
        status, data = ingest_handler.handle(RawRequest(request.environ, request.stream), type_)
        return json_response(data, status)

    return handle


@describe(description.DISCARDED)
def _discard() -> Response:
    """Libraries send metrics about themselves, and need a response."""
    return json_response({"success": True})


def _receipt(receipt: Receipt, key: Key) -> dict[str, Any]:
    data: dict[str, Any] = {
        "success": True,
        "accepted": receipt.accepted,
        "duplicates": receipt.duplicates,
        **_listed(receipt.rejected),
    }
    if may(key, "marks"):
        data["qualified"] = [_qualified(lead) for lead in receipt.qualified]
    return data


def _strict_refusal(rejected: list[RejectedEvent]) -> dict[str, Any]:
    number = many(len(rejected), "rejected event")
    message = f"nothing was stored: the batch has {number}, and X-Strict-Mode is 1"
    return ingest_error("rejected", message) | _listed(rejected)


def _listed(rejected: Sequence[RejectedEvent]) -> dict[str, Any]:
    """The first rejected events, and the number of all if there are more."""
    listed = {"rejected": [_rejected(each) for each in rejected[:MAX_KEPT]]}
    return listed | ({"rejected_total": len(rejected)} if len(rejected) > MAX_KEPT else {})


def _rejected(event: RejectedEvent) -> dict[str, Any]:
    return {
        "index": event.index,
        "messageId": event.mid,
        "code": event.code,
        "message": event.message,
        "field": event.field,
    }


def _qualified(lead: Lead) -> dict[str, Any]:
    return {
        "lead_id": lead.id,
        "definition": lead.definition,
        "subject": {"kind": kind_of(lead.subject), "id": id_of(lead.subject)},
        "qualified_at": iso(lead.qualified_at),
    }
