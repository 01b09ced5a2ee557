"""Ids that name nobody: what a program writes where it has no id.

One such id on the events of many people would make one person of them all, for good.
"""

from __future__ import annotations

NOBODY = frozenset(
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
"""In small letters. They count as no id at all."""

DOUBTFUL = frozenset({"0", "-1"})
"""Mostly the number of nobody, now and then somebody's. They are ids, and link nothing."""

_LONGEST = max(map(len, NOBODY))


def names_nobody(text: str) -> bool:
    """Whether an id is none, whatever its letters and the spaces around it."""
    return text.strip().lower() in NOBODY if len(text) <= 2 * _LONGEST else False


def may_link(text: str) -> bool:
    """Whether an id may make one person of two."""
    return text not in DOUBTFUL
