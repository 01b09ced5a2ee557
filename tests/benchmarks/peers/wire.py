"""What each SDK puts on the wire, read back as events."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping
from math import isfinite
from typing import Any
from urllib.parse import parse_qs

BATCHES = ("batch", "events", "data")
PROPERTIES = ("properties", "event_properties")
ANSWER = {"success": True, "status": 1, "code": 200}
"""What all of them take for a success, but for `accepted`, which is Pequel's receipt."""


def events(body: bytes, headers: Mapping[str, str]) -> list[dict[str, Any]]:
    """The events of a request. Raises ValueError where there are none to be read."""
    if headers.get("Content-Encoding") == "gzip":
        body = gzip.decompress(body)
    if "form-urlencoded" in headers.get("Content-Type", ""):
        body = parse_qs(body)[b"data"][0]
    document = json.loads(body)
    if isinstance(document, dict):
        document = next((document[key] for key in BATCHES if key in document), [document])
    return document if isinstance(document, list) else [document]


def is_strict(value: Any) -> bool:
    """Whether what was read was JSON by the standard, which knows no NaN."""
    if isinstance(value, dict):
        return all(map(is_strict, value.values()))
    if isinstance(value, list):
        return all(map(is_strict, value))
    return not isinstance(value, float) or isfinite(value)


def properties(event: dict[str, Any]) -> dict[str, Any]:
    """The properties of an event, as they arrived."""
    if "ue_px" in event:
        return dict(json.loads(base64.urlsafe_b64decode(event["ue_px"]))["data"]["data"])
    return next((event[key] for key in PROPERTIES if key in event), None) or {}
