"""Texts and JSON as every database can keep them.

Two characters that a text may hold cannot be stored everywhere: NUL, and one half of a pair of
surrogates. In their place stands a mark with the number of the character; the mark itself is
written so too, and therefore every text comes back as it was.
"""

from __future__ import annotations

import json
import re
from typing import TypeVar

import msgspec

from ..model import JSON

Text = TypeVar("Text", str, str | None)

_MARK = "\ufdd0"  # no character at all, by the definition of Unicode
_UNSAFE = re.compile(f"[\0\ud800-\udfff{_MARK}]")
_ARMOURED = re.compile(_MARK + "([0-9a-f]{4})")

_encoder = msgspec.json.Encoder(decimal_format="number")
_decoder = msgspec.json.Decoder()


def escape(text: Text) -> Text:
    """A text, or none, as it is stored."""
    if not text or (text.isascii() and "\0" not in text):
        return text
    return _UNSAFE.sub(lambda found: f"{_MARK}{ord(found[0]):04x}", text)


def escape_all(texts: list[str]) -> list[str]:
    """Texts as they are stored: looked at together, for hardly any of them needs a change."""
    together = "".join(texts)
    return texts if together == escape(together) else [escape(text) for text in texts]


def unescape(text: Text) -> Text:
    """A text, or none, as it was before it was stored."""
    if not text or _MARK not in text:
        return text
    return _ARMOURED.sub(lambda found: chr(int(found[1], 16)), text)


def encode(value: JSON) -> str:
    """A value as JSON. Numbers that JSON does not know, the infinite ones, are null."""
    try:
        text = _encoder.encode(value).decode()
    except UnicodeEncodeError:  # half a pair of surrogates: only an escape can hold it
        return json.dumps(value)
    return json.dumps(value) if _MARK in text else text


def decode(text: str) -> JSON:
    """A value from JSON."""
    try:
        return _decoder.decode(text)
    except msgspec.DecodeError:
        return json.loads(text)
