"""Webhooks of every other CRM: signed by the Standard Webhooks scheme, with events of our own form.

Salesforce sends nothing that is signed by itself. A trigger of a few lines sends this.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from hmac import compare_digest
from typing import Any

from msgspec import UNSET, UnsetType
from standardwebhooks import Webhook

from ...errors import BadRequest, Unauthorized
from ...leads.crm import CrmEvent
from ...model import parse_iso

MAX_LENGTH = 512
"""Characters of an id, a stage or an owner."""

MAX_AGE = 300_000
"""How old a request may be (ms), and how far ahead of our clock."""

MOST_SIGNATURES = 10
"""Signatures of a request that are looked at."""

_LEAD = re.compile(r"[A-Za-z0-9_-]{1,64}")
_RECORD = re.compile(r"[A-Za-z0-9_:.-]{1,128}")
_HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")


def check(headers: Mapping[str, str], body: bytes, signers: Iterable[Webhook], now: int) -> None:
    """Check a signature. Names of ``headers`` are in lower case. Raises Unauthorized."""
    identifier, time, stated = (headers.get(name, "") for name in _HEADERS)
    if not (identifier and time and stated):
        raise Unauthorized(f"expected the headers {', '.join(_HEADERS)}")
    is_time = time.isascii() and time.isdigit() and len(time) < 12
    if not is_time or abs(1_000 * int(time) - now) > MAX_AGE:
        raise Unauthorized("webhook-timestamp: found a time that is not within 5 minutes of now")
    given = [each.encode("utf-8", "replace") for each in stated.split()[:MOST_SIGNATURES]]
    at, text = datetime.fromtimestamp(int(time), timezone.utc), text_of(body)
    right = [signer.sign(identifier, at, text).encode() for signer in signers]
    if not any(compare_digest(one, other) for one in right for other in given):
        raise Unauthorized("webhook-signature: found one of another secret, body or time")


def text_of(body: bytes) -> str:
    """A body as text. Raises BadRequest."""
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise BadRequest("the body is not UTF-8", "bad_json") from None


def event_of(given: Any, crm: str, now: int) -> CrmEvent:
    """One event of a request."""
    if not isinstance(given, dict):
        return CrmEvent("", skipped="found something else than an object")
    identifier: Any = given.get("id")
    lead, record = given.get("lead"), given.get("record")
    if not _is_text(identifier):
        return CrmEvent("", skipped=f"id: expected a text of 1 to {MAX_LENGTH} characters")
    if lead is not None and not _matches(_LEAD, lead):
        return CrmEvent(identifier, skipped="lead: expected the id of a lead")
    if lead is None and not _matches(_RECORD, record):
        return CrmEvent(identifier, skipped="expected the id of a lead, or of a record")
    at = parse_iso(given["at"]) if isinstance(given.get("at"), str) else None
    if at is None or at < 0:
        return CrmEvent(identifier, skipped="at: expected a time in ISO 8601")
    stage, owner = _part(given, "stage"), _part(given, "owner")
    if stage is None or not _is_part(stage) or not _is_part(owner):
        return CrmEvent(identifier, skipped="stage and owner: expected a text")
    reference = None if record is None else f"{crm}:{record}"
    return CrmEvent(identifier, min(at, now), lead, reference, stage, owner or None)


def _part(given: Mapping[str, Any], name: str) -> Any:
    return given.get(name, UNSET)


def _is_part(found: Any) -> bool:
    return isinstance(found, UnsetType) or found is None or found == "" or _is_text(found)


def _is_text(found: Any) -> bool:
    return isinstance(found, str) and 0 < len(found) <= MAX_LENGTH


def _matches(pattern: re.Pattern[str], found: Any) -> bool:
    return isinstance(found, str) and pattern.fullmatch(found) is not None
