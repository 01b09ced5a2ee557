"""Events in: the paths of the Segment tracking API, and what it is answered."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from flask import Blueprint, Response, request

from ...errors import PequelError
from ...ingest.receipts import Receipt
from ...model import Key, Lead, RejectedEvent, id_of, iso, kind_of
from ...wire import client_reports, decode, headers
from ...wire.event import Envelope, EventType
from ...wire.ids import Ids
from ...wire.normalise import normalise
from .. import credentials
from ..collector import Collector
from ..errors import INGEST, refusal
from ..json import answer
from ..request import RawRequest
from . import client_settings, pixel, routes
from .accept import take
from .large_bodies import Turns


def blueprint(collector: Collector, ingest_handler: IngestHandler) -> Blueprint:
    """The write side of the API, over a collector."""
    paths = Blueprint(INGEST, __name__)
    for path in routes.BATCHES:
        paths.add_url_rule(path, path, _handler(ingest_handler), methods=["POST"])
    for path, type_ in routes.SINGLES.items():
        paths.add_url_rule(path, path, _handler(ingest_handler, type_), methods=["POST"])
    paths.add_url_rule(routes.METRICS, routes.METRICS, _drop, methods=["POST"])
    paths.register_blueprint(pixel.blueprint(collector, ingest_handler.new_id))
    paths.register_blueprint(client_settings.blueprint())
    return paths


class IngestHandler:
    """Takes in what requests bring."""

    def __init__(self, collector: Collector) -> None:
        self._collector = collector
        self._turns = Turns()
        self.new_id = Ids(collector.clock)

    def receive(
        self, sent: RawRequest, type_: EventType | None = None
    ) -> tuple[int, dict[str, Any]]:
        """Take a request in; the status and the data of its answer.

        ``type_`` is what its path says of its one event; without, it brings several. Raises
        PequelError for a request that is refused as a whole.
        """
        with ExitStack() as until:
            return self._receive(sent, type_, until)

    def _receive(
        self, sent: RawRequest, type_: EventType | None, until: ExitStack
    ) -> tuple[int, dict[str, Any]]:
        collector = self._collector
        received = collector.clock()
        key = credentials.of_writer(sent, collector.keys)
        envelope = self._envelope(sent, type_, key, until)
        key = key or credentials.of_body(sent, collector.keys, decode.write_key(envelope))
        messages, rejected = normalise(envelope, collector.settings, received, self.new_id)
        if rejected and sent.headers.get("X-Strict-Mode") == "1":
            return 400, _strict(rejected)
        report = client_reports.read(envelope.report)
        return 200, _receipt(take(collector, messages, rejected, key, report), key)

    def _envelope(
        self, sent: RawRequest, type_: EventType | None, key: Key | None, until: ExitStack
    ) -> Envelope:
        """The events of a request. Where its only key is none of ours, that is what is wrong."""
        try:
            text = self._text(sent, until)
            envelope = decode.single(text, type_) if type_ else decode.batch(text)
        except PequelError:
            if key is None and sent.headers.get("Authorization") is not None:
                credentials.of_body(sent, self._collector.keys, None)
            raise
        said = sent.headers
        return headers.completed(envelope, said.get("SentAt"), said.get("AnonymousId"))

    def _text(self, sent: RawRequest, until: ExitStack) -> bytes:
        # Raw, whatever Content-Type says: clients send JSON as text, and gzip as a form. Of a body
        # that is too large no more is read than shows it, chunked or not.
        settings = self._collector.settings
        encoding = sent.headers.get("Content-Encoding") or ""
        found = sent.stream.read(settings.max_body + 1)
        return self._turns.text(found, encoding, settings, until)


def _handler(
    ingest_handler: IngestHandler, type_: EventType | None = None
) -> Callable[[], Response]:
    def handle() -> Response:
        status, data = ingest_handler.receive(RawRequest(request.environ, request.stream), type_)
        return answer(data, status)

    return handle


def _drop() -> Response:
    """What a library tells about itself is not for us; it is content with an answer."""
    return answer({"success": True})


def _receipt(receipt: Receipt, key: Key) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "success": True,
        "accepted": receipt.accepted,
        "duplicates": receipt.duplicates,
        "rejected": [_rejection(one) for one in receipt.rejected],
    }
    if key.kind in credentials.READERS:
        shown["qualified"] = [_mark(lead) for lead in receipt.qualified]
    return shown


def _strict(rejected: list[RejectedEvent]) -> dict[str, Any]:
    message = f"nothing is stored: {len(rejected)} refused, and all or nothing was asked for"
    return refusal("rejected", message) | {"rejected": [_rejection(one) for one in rejected]}


def _rejection(rejection: RejectedEvent) -> dict[str, Any]:
    return {
        "index": rejection.index,
        "messageId": rejection.mid,
        "code": rejection.code,
        "message": rejection.message,
        "field": rejection.field,
    }


def _mark(lead: Lead) -> dict[str, Any]:
    return {
        "lead_id": lead.id,
        "definition": lead.definition,
        "subject": {"kind": kind_of(lead.subject), "id": id_of(lead.subject)},
        "qualified_at": iso(lead.qualified_at),
    }
