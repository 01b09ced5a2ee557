"""Webhooks of HubSpot: their signature, and the events that they hold.

https://developers.hubspot.com/docs/apps/developer-platform/build-apps/authentication/request-validation
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Mapping
from hashlib import sha256
from hmac import compare_digest
from hmac import new as hmac
from typing import Any

from msgspec import UNSET

from ...delivery.crm.hubspot import REFERENCE
from ...errors import Unauthorized
from ...leads.crm import CrmEvent

NAME = "hubspot"
SIGNATURE, TIMESTAMP = "X-HubSpot-Signature-v3", "X-HubSpot-Request-Timestamp"
MAX_AGE = 300_000
"""How old a request may be (ms), and how far ahead of our clock."""

DEALS = "0-3"
"""The type of deals in events that do not name the type in their own name."""

STAGE, OWNER = "dealstage", "hubspot_owner_id"

_DECODED = {
    "%3A": ":", "%2F": "/", "%3F": "?", "%40": "@", "%21": "!", "%24": "$", "%27": "'",
    "%28": "(", "%29": ")", "%2A": "*", "%2C": ",", "%3B": ";",
}  # fmt: skip
_ESCAPE = re.compile("|".join(_DECODED), re.IGNORECASE)


def check(
    headers: Mapping[str, str],
    method: str,
    urls: Iterable[str],
    body: bytes,
    secrets: Iterable[str],
    now: int,
) -> None:
    """Check a signature. Names of ``headers`` are in lower case. Raises Unauthorized.

    ``urls`` are those that the sender may have used.
    """
    stated, time = headers.get(SIGNATURE.lower(), ""), headers.get(TIMESTAMP.lower(), "")
    if not stated or not time:
        raise Unauthorized(f"expected the headers {SIGNATURE} and {TIMESTAMP}")
    if not (time.isascii() and time.isdigit() and abs(int(time[:18]) - now) <= MAX_AGE):
        raise Unauthorized(f"{TIMESTAMP}: found a time that is not within 5 minutes of now")
    right = [signature(secret, method, url, body, time) for secret in secrets for url in set(urls)]
    given = stated.encode("utf-8", "replace")
    if not any(compare_digest(each.encode(), given) for each in right):
        raise Unauthorized(f"{SIGNATURE}: found one of another secret, URL, body or time")


def signature(secret: str, method: str, url: str, body: bytes, time: str) -> str:
    """The signature of a request."""
    decoded = _ESCAPE.sub(lambda found: _DECODED[found[0].upper()], url)
    text = f"{method}{decoded}".encode("utf-8", "replace") + body + time.encode()
    return b64encode(hmac(secret.encode(), text, sha256).digest()).decode()


def event_of(given: Any, now: int) -> CrmEvent:
    """One event of a request, as far as it is about the stage or the owner of a deal."""
    if not isinstance(given, dict):
        return CrmEvent("", skipped="found something else than an object")
    numbers = [given.get(n) for n in ("eventId", "subscriptionId", "objectId", "occurredAt")]
    name, value = given.get("propertyName"), given.get("propertyValue")
    # The event id alone may come twice.
    identifier = ".".join(map(_plain, [*numbers, name]))[:200]
    _, _, deal, at = numbers
    if (why := _skipped(given, name)) is not None:
        return CrmEvent(identifier, skipped=why)
    if not _is_id(deal):
        return CrmEvent(identifier, skipped="objectId: found something else than a number")
    if not isinstance(at, int) or isinstance(at, bool) or not 0 <= at < 10**15:
        return CrmEvent(identifier, skipped="occurredAt: found something else than a time")
    if not isinstance(value, str | None):
        return CrmEvent(identifier, skipped="propertyValue: found something else than a text")
    return CrmEvent(
        identifier,
        min(at, now),
        reference=f"{REFERENCE}{deal}",
        stage=(value or "") if name == STAGE else UNSET,
        owner=(value or None) if name == OWNER else UNSET,
    )


def _skipped(given: Mapping[str, Any], name: Any) -> str | None:
    """Why an event is of no interest; None if it is."""
    kind = given.get("subscriptionType")
    is_deal = kind == "deal.propertyChange" or (
        kind == "object.propertyChange" and given.get("objectTypeId") == DEALS
    )
    if not is_deal or name not in (STAGE, OWNER):
        return "it is not about the stage or the owner of a deal"
    source = given.get("sourceId")
    is_own = given.get("changeSource") == "INTEGRATION" and source is not None
    if is_own and _plain(source) == _plain(given.get("appId")):
        return "the app has made this change itself"
    return None


def _is_id(found: Any) -> bool:
    text = _plain(found)
    is_number = isinstance(found, int | str) and not isinstance(found, bool)
    return is_number and text.isascii() and text.isdigit() and len(text) <= 20


def _plain(found: Any) -> str:
    """A number or a text as text. Of a list or an object only what it is: it may be deep."""
    return type(found).__name__ if isinstance(found, list | dict) else str(found)
