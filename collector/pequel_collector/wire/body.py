"""The bytes of a body, as sent, to the UTF-8 that it is meant to be."""

from __future__ import annotations

import zlib

from ..config import Settings
from ..errors import BadRequest, TooLarge, Unsupported

_GZIP = b"\x1f\x8b"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_ENCODINGS = {"", "identity", "gzip", "x-gzip"}


def read(body: bytes, encoding: str, settings: Settings) -> bytes:
    """The text of a body, inflated where it is gzip.

    Its first bytes say that, whatever the header says: some clients compress without telling,
    and some proxies inflate and keep the header.
    """
    if encoding.strip().lower() not in _ENCODINGS:
        raise Unsupported(
            f"Content-Encoding {encoding!a} is not spoken here, expected gzip or none",
            "unsupported_encoding",
        )
    if len(body) > settings.max_body:
        raise TooLarge(f"the body is over {settings.max_body} bytes", limit=settings.max_body)
    if body.startswith(_GZIP):
        body = _inflate(body, settings.max_inflated)
    return _utf8(body.removeprefix(_BYTE_ORDER_MARK))


def _inflate(body: bytes, limit: int) -> bytes:
    stream = zlib.decompressobj(wbits=31)
    try:
        inflated = stream.decompress(body, limit + 1)
    except zlib.error as error:
        raise BadRequest(f"the body is no gzip: {error}", "bad_gzip") from None
    if len(inflated) > limit:
        raise TooLarge(f"the body is over {limit} bytes when inflated", limit=limit)
    if not stream.eof:
        raise BadRequest("the body is gzip that ends too early", "bad_gzip")
    if stream.unused_data:
        raise BadRequest("the body goes on after the end of its gzip", "bad_gzip")
    return inflated


def _utf8(body: bytes) -> bytes:
    try:
        body.decode()
    except UnicodeDecodeError as error:
        raise BadRequest(
            f"the body is no UTF-8: byte {error.start} is {body[error.start]:#04x}", "bad_json"
        ) from None
    return body
