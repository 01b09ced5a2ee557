"""Keys: where a request may carry one, and what each kind may do."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from typing import NamedTuple

from flask import Request

from ..access.keys import Keys, Scope, kinds_with, may
from ..errors import Unauthorized
from ..model import Key
from .request import AnyRequest


class Credential(NamedTuple):
    """A token of an Authorization header. ``is_key`` is true if it can only be a key."""

    token: str
    is_key: bool


def writer_key(request: AnyRequest, keys: Keys) -> Key | None:
    """The key outside the body: in Authorization, ``X-Write-Key`` or ``?writeKey=``.

    None if only the body can have one. Raises Unauthorized. An Authorization header without a
    known key is ignored: it may be meant for a gateway, or be an OAuth token.
    """
    credential = _authorization(request)
    if credential and (credential.is_key or find(keys, credential.token)):
        return require_key(keys, credential.token, "send")
    token = _header_or_query(request)
    return None if token is None else require_key(keys, token, "send")


def body_key(request: AnyRequest, keys: Keys, token: str | None) -> Key:
    """The key of a token in a body, for a request without one elsewhere.

    Raises Unauthorized; without a token, for what the Authorization header holds.
    """
    credential = _authorization(request)
    return require_key(keys, token or (credential.token if credential else None), "send")


def any_token(request: AnyRequest) -> str | None:
    """A token outside the body, known or not."""
    credential = _authorization(request)
    return credential.token if credential else _header_or_query(request)


def reader_token(request: Request) -> str | None:
    """The token of an Authorization header: a bearer token, or the user name of a Basic one."""
    scheme, _, rest = (request.headers.get("Authorization") or "").strip().partition(" ")
    match scheme.lower():
        case "bearer":
            return rest.strip() or None
        case "basic":
            return (_decoded(rest.strip()) or "").partition(":")[0].strip() or None
        case _:
            return None


def require_key(keys: Keys, token: str | None, scope: Scope) -> Key:
    """The key of a token. Raises Unauthorized if it may not do this."""
    kinds = kinds_with(scope)
    names = " or ".join(filter(None, (", ".join(kinds[:-1]), kinds[-1])))
    expected = f"{'an' if names.startswith('a') else 'a'} {names} key"
    if token is None:
        raise Unauthorized(f"found no key, expected {expected}", "missing_key")
    key = find(keys, token)
    if key is None:
        keys.refused.add(token)
        raise Unauthorized(f"the key is unknown or revoked, expected {expected}", "unknown_key")
    if not may(key, scope):
        raise Unauthorized(f"this is a {key.kind} key, expected {expected}", "wrong_key")
    return key


def _authorization(request: AnyRequest) -> Credential | None:
    """The token in the Authorization header of a client that sends events."""
    scheme, _, rest = (request.headers.get("Authorization") or "").strip().partition(" ")
    rest = rest.strip()
    if not rest or scheme.lower() not in ("bearer", "basic"):
        return None
    if scheme.lower() == "bearer":
        return Credential(rest, is_key=False)
    decoded = _decoded(rest)
    if decoded is None:  # June's clients send the key as it is
        return Credential(rest, is_key=False)
    user = decoded.partition(":")[0].strip()
    return Credential(decoded.removesuffix(":").strip(), is_key=True) if user else None


def _header_or_query(request: AnyRequest) -> str | None:
    places = (request.headers.get("X-Write-Key"), request.args.get("writeKey"))
    return next((place.strip() for place in places if place and place.strip()), None)


def find(keys: Keys, token: str) -> Key | None:
    """The key of a token, or of a part of it; None if it is unknown or revoked."""
    candidates = _candidates(token) if token.isprintable() else ()
    return next(filter(None, map(keys.find, candidates)), None)


def _candidates(token: str) -> Iterator[str]:
    """A token, and its two parts: Jitsu's library accepts only ``id:secret``."""
    yield token
    yield from (part for part in token.split(":", 1) if part not in ("", token))


def _decoded(credentials: str) -> str | None:
    """Basic credentials as text. Some clients leave out the colon, and the padding after it."""
    try:
        padded = credentials + "=" * (-len(credentials) % 4)
        return base64.b64decode(padded, validate=True).decode()
    except (binascii.Error, ValueError):
        return None
