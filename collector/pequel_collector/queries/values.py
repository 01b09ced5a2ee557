"""Values of traits, compared with the text of a filter."""

from __future__ import annotations

import re
from decimal import Decimal

from ..model import JSON, is_number

_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d{1,3})?", re.ASCII)
MAX_NUMBER = 64
"""Characters of a number."""


def is_written_as(value: JSON, text: str) -> bool:
    """Whether a value is this text, or the number or the truth value that the text stands for.

    ``1`` is the text "1" and every number that equals 1. ``true`` is the text and the truth value.
    """
    if isinstance(value, bool):
        return text == ("true" if value else "false")
    if is_number(value):
        is_short = len(text) <= MAX_NUMBER
        return bool(is_short and _NUMBER.fullmatch(text)) and Decimal(text) == Decimal(str(value))
    return bool(value == text)
