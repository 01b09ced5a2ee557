"""Keys: where a request may carry one, and what each kind may do."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection, Iterator
from typing import NamedTuple

from ..errors import Unauthorized
from ..model import Key
from .collector import Finds
from .request import Carries

WRITERS = frozenset({"write", "admin"})
READERS = frozenset({"read", "admin"})
ADMINS = frozenset({"admin"})


class Claim(NamedTuple):
    """A token, and whether it can be nothing but a key."""

    token: str
    is_key: bool


def of_writer(request: Carries, keys: Finds) -> Key | None:
    """The key outside of the body: of Authorization, ``X-Write-Key`` or ``?writeKey=``.

    None where the body has to say. Raises Unauthorized. An Authorization header that holds no key
    of ours may be there for something on the way, a gateway or OAuth: it is passed over.
    """
    claim = _authorization(request)
    if claim and (claim.is_key or _find(keys, claim.token)):
        return require(keys, claim.token, WRITERS)
    token = _elsewhere(request)
    return None if token is None else require(keys, token, WRITERS)


def of_body(request: Carries, keys: Finds, token: str | None) -> Key:
    """The key of a token in a body, which counts where no other place has one.

    Raises Unauthorized, with what is wrong with the Authorization header if there is no token.
    """
    claim = _authorization(request)
    return require(keys, token or (claim.token if claim else None), WRITERS)


def of_anybody(request: Carries) -> str | None:
    """A token outside of the body, whatever it may be worth."""
    claim = _authorization(request)
    return claim.token if claim else _elsewhere(request)


def of_reader(request: Carries) -> str | None:
    """The token of an Authorization header: a bearer, or the user of a Basic one."""
    scheme, _, rest = (request.headers.get("Authorization") or "").strip().partition(" ")
    match scheme.lower():
        case "bearer":
            return rest.strip() or None
        case "basic":
            return (_decoded(rest.strip()) or "").partition(":")[0].strip() or None
        case _:
            return None


def require(keys: Finds, token: str | None, kinds: Collection[str]) -> Key:
    """The key of a token, if it is of one of these kinds. Raises Unauthorized."""
    named = " or ".join(sorted(kinds, reverse=True))
    wanted = f"{'an' if named.startswith('a') else 'a'} {named} key"
    if token is None:
        raise Unauthorized(f"there is no key, expected {wanted}", "missing_key")
    key = _find(keys, token)
    if key is None:
        raise Unauthorized(f"the key is unknown or revoked, expected {wanted}", "unknown_key")
    if key.kind not in kinds:
        raise Unauthorized(f"this is a {key.kind} key, expected {wanted}", "wrong_key")
    return key


def _authorization(request: Carries) -> Claim | None:
    """What an Authorization header of a client that sends events holds."""
    scheme, _, rest = (request.headers.get("Authorization") or "").strip().partition(" ")
    rest = rest.strip()
    if not rest or scheme.lower() not in ("bearer", "basic"):
        return None
    if scheme.lower() == "bearer":
        return Claim(rest, is_key=False)
    decoded = _decoded(rest)
    if decoded is None:  # June's clients send the key as it is
        return Claim(rest, is_key=False)
    user = decoded.partition(":")[0].strip()
    return Claim(decoded.removesuffix(":").strip(), is_key=True) if user else None


def _elsewhere(request: Carries) -> str | None:
    places = (request.headers.get("X-Write-Key"), request.args.get("writeKey"))
    return next((place.strip() for place in places if place and place.strip()), None)


def _find(keys: Finds, token: str) -> Key | None:
    """The key of a token, or of a part of it."""
    readings = _readings(token) if token.isprintable() else ()
    return next(filter(None, map(keys.find, readings)), None)


def _readings(token: str) -> Iterator[str]:
    """A token, and the two parts of it: Jitsu's library takes only an ``id:secret``."""
    yield token
    yield from (part for part in token.split(":", 1) if part not in ("", token))


def _decoded(credentials: str) -> str | None:
    """Basic credentials as text. Some clients leave out the colon, and the padding after it."""
    try:
        padded = credentials + "=" * (-len(credentials) % 4)
        return base64.b64decode(padded, validate=True).decode()
    except (binascii.Error, ValueError):
        return None
