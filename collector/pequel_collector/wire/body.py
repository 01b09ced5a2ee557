"""The bytes of a request body to UTF-8 text."""

from __future__ import annotations

import zlib

from ..config import Settings
from ..errors import BadRequest, TooLarge, Unsupported

_GZIP = b"\x1f\x8b"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_ENCODINGS = {"", "identity", "gzip", "x-gzip"}
_MAX_MEMBERS = 100
"""Members of a gzip body. Each one copies all bytes behind it."""


def read(body: bytes, encoding: str, settings: Settings, max_inflated: int | None = None) -> bytes:
    """The text of a body, inflated if it is gzip. Raises PequelError.

    The first bytes decide whether it is gzip, not the header: some clients compress without a
    header, and some proxies inflate and keep the header. ``max_inflated`` replaces the limit of
    the settings.
    """
    if encoding.strip().lower() not in _ENCODINGS:
        raise Unsupported(
            f"Content-Encoding {encoding!a} is not supported, expected gzip or none",
            "unsupported_encoding",
        )
    if len(body) > settings.max_body:
        raise TooLarge(f"the body is over {settings.max_body} bytes", limit=settings.max_body)
    if body.startswith(_GZIP):
        body = _inflate(body, settings.max_inflated if max_inflated is None else max_inflated)
    return _utf8(body.removeprefix(_BYTE_ORDER_MARK))


def _inflate(body: bytes, limit: int) -> bytes:
    """The text of a gzip body, which may have several members one after the other."""
    inflated: list[bytes] = []
    left = limit
    while body:
        if len(inflated) == _MAX_MEMBERS:
            raise BadRequest(f"the body is gzip of more than {_MAX_MEMBERS} members", "bad_gzip")
        stream = zlib.decompressobj(wbits=31)
        try:
            inflated.append(stream.decompress(body, left + 1))
        except zlib.error as error:
            raise BadRequest(f"the body is not gzip: {error}", "bad_gzip") from None
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
            f"the body is not UTF-8: byte {error.start} is {body[error.start]:#04x}", "bad_json"
        ) from None
    return body
