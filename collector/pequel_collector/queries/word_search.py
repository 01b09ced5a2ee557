"""Whether a search finds a text: by its beginning, or by the beginning of one of its words.

"acme.ex" finds ``ada@acme.example``, and "byron" finds ``Ada Byron``. Pure functions.
"""

from __future__ import annotations

import re
from itertools import islice

MAX_WORDS = 8
"""Words of a text that a search looks at."""

_WORD = re.compile(r"[^\W_]+")


def finds(wanted: str, text: str) -> bool:
    """Whether a text begins with what is wanted, or does so from one of its first words on.

    Capitals do not count, and neither does an at sign before what is wanted.
    """
    whole, start = text.lower(), wanted.lower()
    if whole.startswith(start):
        return True
    start = start.removeprefix("@")
    words = islice(_WORD.finditer(whole), MAX_WORDS)
    return bool(start) and any(whole.startswith(start, word.start()) for word in words)
