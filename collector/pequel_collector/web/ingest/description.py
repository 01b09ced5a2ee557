"""What the ingestion routes take and answer, for the description of the API."""

from __future__ import annotations

from ...model import JSON
from ...wire.event import EventType
from ..openapi.operation import ANY_OBJECT, INGEST_ERRORS, Content, Operation

_TEXT: JSON = {"type": "string"}
_NUMBER: JSON = {"type": "integer"}
_ID: JSON = {"type": ["string", "number", "null"]}
_OBJECT: JSON = {"type": ["object", "null"]}
_TIME: JSON = {"description": "ISO 8601, or a number of seconds or milliseconds since 1970."}
_KEY: JSON = {"description": "The key, if it is not in a header or the URL."}

_EVENT_FIELDS: JSON = {
    "messageId": _ID | {"description": "An event with a known id is stored once."},
    "userId": _ID,
    "anonymousId": _ID,
    "groupId": _ID,
    "previousId": _ID,
    "event": {"type": ["string", "null"], "description": "The name, of a track call."},
    "properties": _OBJECT,
    "traits": _OBJECT,
    "context": _OBJECT,
    "timestamp": _TIME,
    "originalTimestamp": _TIME,
    "sentAt": _TIME,
}
_EVENT: JSON = {"type": "object", "properties": _EVENT_FIELDS | {"writeKey": _KEY}}
_BATCH: JSON = {
    "type": "object",
    "required": ["batch"],
    "properties": {
        "batch": {
            "type": "array",
            "items": {"type": "object", "properties": {"type": _TEXT, **_EVENT_FIELDS}},
        },
        "context": _OBJECT,
        "sentAt": _TIME,
        "writeKey": _KEY,
    },
}
_REJECTED: JSON = {
    "type": "object",
    "required": ["index", "messageId", "code", "message", "field"],
    "properties": {
        "index": _NUMBER,
        "messageId": {"type": ["string", "null"]},
        "code": _TEXT,
        "message": _TEXT,
        "field": {"type": ["string", "null"]},
    },
}
_QUALIFIED: JSON = {
    "type": "object",
    "required": ["lead_id", "definition", "subject", "qualified_at"],
    "properties": {
        "lead_id": _TEXT,
        "definition": _TEXT,
        "subject": {"type": "object", "properties": {"kind": _TEXT, "id": _TEXT}},
        "qualified_at": {"type": "string", "format": "date-time"},
    },
}
_RECEIPT = Content(
    "application/json",
    {
        "type": "object",
        "required": ["success", "accepted", "duplicates", "rejected"],
        "properties": {
            "success": {"const": True},
            "accepted": _NUMBER,
            "duplicates": _NUMBER,
            "rejected": {"type": "array", "items": _REJECTED},
            "rejected_total": _NUMBER,
            "qualified": {
                "type": "array",
                "items": _QUALIFIED,
                "description": "The leads that the events opened; only for a key that sees them.",
            },
        },
    },
    {"success": True, "accepted": 1, "duplicates": 0, "rejected": []},
)
_TRACKED: JSON = {"userId": "u1", "event": "project_created"}
_EXAMPLES: dict[EventType, JSON] = {
    "track": _TRACKED,
    "identify": {"userId": "u1", "traits": {"plan": "free"}},
    "group": {"userId": "u1", "groupId": "acme", "traits": {"plan": "team"}},
    "page": {"userId": "u1", "name": "Pricing"},
    "screen": {"userId": "u1", "name": "Home"},
    "alias": {"userId": "u1", "previousId": "5f1c"},
}
_STRICT: JSON = {
    "name": "X-Strict-Mode",
    "in": "header",
    "description": "With 1, nothing is stored if an event is rejected.",
    "schema": {"type": "string", "enum": ["1"]},
}


def _events(summary: str, body: Content) -> Operation:
    return Operation(
        summary,
        "sending",
        contents=(_RECEIPT,),
        parameters=(_STRICT,),
        bodies=(body,),
        scope="send",
        errors=INGEST_ERRORS,
        is_ingest=True,
    )


BATCH = _events(
    "Several events",
    Content("application/json", _BATCH, {"batch": [{"type": "track", **_TRACKED}]}),
)
SINGLES: dict[EventType, Operation] = {
    type_: _events(f"One event of the type {type_}", Content("application/json", _EVENT, example))
    for type_, example in _EXAMPLES.items()
}
DISCARDED = Operation(
    "Metrics of a library about itself, which are dropped",
    "sending",
    contents=(Content("application/json", ANY_OBJECT, {"success": True}),),
    bodies=(Content("application/json", ANY_OBJECT),),
    needs_body=False,
    errors=(500,),
    is_ingest=True,
)
PIXEL = Operation(
    "An image, which brings an event in its query",
    "sending",
    contents=(Content("image/gif", {"type": "string", "format": "binary"}),),
    errors=(500,),
    is_ingest=True,
)
SETTINGS = Operation(
    "The settings that a library fetches before it sends",
    "sending",
    contents=(Content("application/json", ANY_OBJECT),),
    errors=(500, 503),
    is_ingest=True,
)
