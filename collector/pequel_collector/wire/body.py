"""The bytes of a body, as sent, to the UTF-8 that it is meant to be."""

from __future__ import annotations

import zlib

from ..config import Settings
from ..errors import BadRequest, TooLarge, Unsupported

_GZIP = b"\x1f\x8b"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_ENCODINGS = {"", "identity", "gzip", "x-gzip"}
_MEMBERS = 100
"""Members that gzip may have: each costs a look at all that is behind it."""


def read(body: bytes, encoding: str, settings: Settings, most: int | None = None) -> bytes:
    """The text of a body, inflated where it is gzip; ``most`` bytes of it instead of the setting's.

    Its first bytes say that, whatever the header says: some clients compress without telling,
    and some proxies inflate and keep the header. Raises PequelError.
    """
    if encoding.strip().lower() not in _ENCODINGS:
        raise Unsupported(
            f"Content-Encoding {encoding!a} is not spoken here, expected gzip or none",
            "unsupported_encoding",
        )
    if len(body) > settings.max_body:
        raise TooLarge(f"the body is over {settings.max_body} bytes", limit=settings.max_body)
    if body.startswith(_GZIP):
        body = _inflate(body, settings.max_inflated if most is None else most)
    return _utf8(body.removeprefix(_BYTE_ORDER_MARK))


def _inflate(body: bytes, limit: int) -> bytes:
    """The text of gzip, which may come in several members, one behind the other."""
    inflated: list[bytes] = []
    left = limit
    while body:
        if len(inflated) == _MEMBERS:
            raise BadRequest(f"the body is gzip of more than {_MEMBERS} members", "bad_gzip")
        stream = zlib.decompressobj(wbits=31)
        try:
            inflated.append(stream.decompress(body, left + 1))
        except zlib.error as error:
            raise BadRequest(f"the body is no gzip: {error}", "bad_gzip") from None
        left -= len(inflated[-1])
        if left < 0:
            raise TooLarge(f"the body is over {limit} bytes when inflated", limit=limit)
        if not stream.eof:
            raise BadRequest("the body is gzip that ends too early", "bad_gzip")
        body = stream.unused_data
    return b"".join(inflated)


def _utf8(body: bytes) -> bytes:
    try:
        body.decode()
    except UnicodeDecodeError as error:
        raise BadRequest(
            f"the body is no UTF-8: byte {error.start} is {body[error.start]:#04x}", "bad_json"
        ) from None
    return body
