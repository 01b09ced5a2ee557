r"""Text and JSON in a form that both databases can store.

PostgreSQL cannot store NUL, and neither database can store a lone surrogate. Each is replaced by a
mark, U+FDD0, with the four hex digits of the character: ``a\0`` becomes ``a`` + mark + ``0000``.
The mark itself is replaced in the same way, so every text is read back unchanged.
"""

from __future__ import annotations

import json
import re
from typing import TypeVar

import msgspec

from ..model import JSON

Text = TypeVar("Text", str, str | None)

MARK = "\ufdd0"  # Unicode guarantees that it is never a character
_UNSAFE = re.compile(f"[\0\ud800-\udfff{MARK}]")
_ESCAPED = re.compile(MARK + "([0-9a-f]{4})")

_encoder = msgspec.json.Encoder(decimal_format="number")
_decoder = msgspec.json.Decoder()


def escape(text: Text) -> Text:
    """A text, or None, as it is stored."""
    if not text or (text.isascii() and "\0" not in text):
        return text
    return _UNSAFE.sub(lambda found: f"{MARK}{ord(found[0]):04x}", text)


def escape_all(texts: list[str]) -> list[str]:
    """Texts as they are stored. They are first checked all at once: most need no change."""
    joined = "".join(texts)
    return texts if joined == escape(joined) else [escape(text) for text in texts]


def escape_each(*texts: str | None) -> tuple[str | None, ...]:
    """Texts as they are stored, checked all at once."""
    joined = "".join(filter(None, texts))
    is_plain = joined.isascii() and "\0" not in joined
    return texts if is_plain else tuple(map(escape, texts))


def unescape(text: Text) -> Text:
    """A text, or None, from its stored form."""
    if not text or MARK not in text:
        return text
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)


def encode(value: JSON) -> str:
    """A value as JSON. Infinite numbers and NaN become null."""
    try:
        text = _encoder.encode(value).decode()
    except UnicodeEncodeError:  # a lone surrogate, which JSON can hold only as an escape
        return json.dumps(value)
    return json.dumps(value) if MARK in text else text


def decode(text: str) -> JSON:
    """A value from JSON."""
    try:
        return _decoder.decode(text)
    except msgspec.DecodeError:
        return json.loads(text)
