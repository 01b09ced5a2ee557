"""Junk ids: text that a program sends when it has no id, such as ``null``.

A junk id on the events of many people would merge them into one person, permanently.
"""

from __future__ import annotations

JUNK = frozenset(
    {
        "null",
        "(null)",
        "<null>",
        "undefined",
        "none",
        "nil",
        "nan",
        "[object object]",
        "true",
        "false",
        "anonymous",
        "guest",
        "not_authenticated",
        "id",
        "email",
        "distinct_id",
        "distinctid",
    }
)
"""In lower case. They count as no id."""

DOUBTFUL = frozenset({"0", "-1"})
"""Usually junk, sometimes a real id. They are accepted as ids, but link nothing."""

_MAX_LENGTH = max(map(len, JUNK))


def is_junk(text: str) -> bool:
    """Whether an id is junk, in any case and with any space around it."""
    return text.strip().lower() in JUNK if len(text) <= 2 * _MAX_LENGTH else False


def may_link(text: str) -> bool:
    """Whether an id may link two ids to one person."""
    return text not in DOUBTFUL
