"""Keys: where a request may carry one, and what each kind may do."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection

from flask import Request

from ..errors import Unauthorized
from ..model import Key
from .collector import Finds

WRITERS = frozenset({"write", "admin"})
READERS = frozenset({"read", "admin"})
ADMINS = frozenset({"admin"})


def of_writer(request: Request) -> str | None:
    """The first token outside of the body: Authorization, ``X-Write-Key``, ``?writeKey=``."""
    places = (of_reader(request), request.headers.get("X-Write-Key"), request.args.get("writeKey"))
    return next((place.strip() for place in places if place and place.strip()), None)


def of_reader(request: Request) -> str | None:
    """The token of an Authorization header: a bearer, or the user of a Basic one."""
    scheme, _, rest = request.headers.get("Authorization", "").strip().partition(" ")
    match scheme.lower():
        case "bearer":
            return rest.strip() or None
        case "basic":
            return _user(rest.strip()) or None
        case _:
            return None


def require(keys: Finds, token: str | None, kinds: Collection[str]) -> Key:
    """The key of a token, if it is of one of these kinds. Raises Unauthorized."""
    named = " or ".join(sorted(kinds, reverse=True))
    wanted = f"{'an' if named.startswith('a') else 'a'} {named} key"
    if token is None:
        raise Unauthorized(f"there is no key, expected {wanted}", "missing_key")
    key = keys.find(token) if token.isprintable() else None
    if key is None:
        raise Unauthorized(f"the key is unknown or revoked, expected {wanted}", "unknown_key")
    if key.kind not in kinds:
        raise Unauthorized(f"this is a {key.kind} key, expected {wanted}", "wrong_key")
    return key


def _user(credentials: str) -> str:
    """The user of Basic credentials. Some clients leave out the colon and the padding after it."""
    try:
        padded = credentials + "=" * (-len(credentials) % 4)
        return base64.b64decode(padded, validate=True).decode().partition(":")[0].strip()
    except (binascii.Error, ValueError):
        return ""
