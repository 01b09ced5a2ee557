"""Events in: the paths of the Segment tracking API, and what it is answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

from flask import Blueprint, Response, request

from ..ingest import Receipt
from ..model import Key, Lead, Rejection, id_of, iso, kind_of
from ..wire import body, decode
from ..wire.event import EventType
from ..wire.ids import Ids
from ..wire.normalise import normalise
from . import cors, credentials
from .answers import answer
from .collector import Collector
from .errors import INGEST, refusal

BATCHES = ("batch", "import", "b")
SINGLES: dict[str, EventType] = {
    **{type_: type_ for type_ in get_args(EventType)},
    **{type_[0]: type_ for type_ in get_args(EventType)},
}
"""Long names, and the letters of the browser's library: ``s`` is screen."""


def blueprint(collector: Collector) -> Blueprint:
    """The write side of the API, over a collector."""
    paths = Blueprint(INGEST, __name__, url_prefix="/v1")
    new_id = Ids(collector.clock)
    paths.after_request(cors.allow)
    for path in BATCHES:
        paths.add_url_rule(f"/{path}", path, _handler(collector, new_id), methods=["POST"])
    for path, type_ in SINGLES.items():
        paths.add_url_rule(f"/{path}", path, _handler(collector, new_id, type_), methods=["POST"])
    return paths


def _handler(
    collector: Collector, new_id: Callable[[], str], type_: EventType | None = None
) -> Callable[[], Response]:
    def take() -> Response:
        received = collector.clock()
        key = _key_outside_of_the_body(collector)
        text = _body(collector)
        envelope = decode.single(text, type_) if type_ else decode.batch(text)
        key = key or _writer(collector, decode.write_key(envelope))
        messages, rejected = normalise(envelope, collector.settings, received, new_id)
        if rejected and request.headers.get("X-Strict-Mode") == "1":
            return answer(_strict(rejected), 400)
        return answer(_receipt(collector.ingest.accept(messages, rejected, key.id), key))

    return take


def _key_outside_of_the_body(collector: Collector) -> Key | None:
    """The key of a header or the query, looked at before anything is read."""
    token = credentials.of_writer(request)
    return None if token is None else _writer(collector, token)


def _writer(collector: Collector, token: str | None) -> Key:
    return credentials.require(collector.keys, token, credentials.WRITERS)


def _body(collector: Collector) -> bytes:
    # Raw, whatever Content-Type says: clients send JSON as text, and gzip as a form. Of a body
    # that is too large no more is read than shows it, chunked or not.
    encoding = request.headers.get("Content-Encoding", "")
    sent = request.stream.read(collector.settings.max_body + 1)
    return body.read(sent, encoding, collector.settings)


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


def _strict(rejected: list[Rejection]) -> dict[str, Any]:
    message = f"nothing is stored: {len(rejected)} refused, and all or nothing was asked for"
    return refusal("rejected", message) | {"rejected": [_rejection(one) for one in rejected]}


def _rejection(rejection: Rejection) -> dict[str, Any]:
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
