"""Junk ids: text that a program sends when it has no id, such as ``null``.

A junk id on the events of many people would merge them into one person, permanently. Words that may
well be somebody's login, such as ``test`` or ``user``, are not here; the setting ``junk_ids`` adds
what a product needs.
"""

from __future__ import annotations

from functools import lru_cache

_WORDS = """
null (null) <null> undefined none nil <nil> nan n/a unknown [] {} true false
anonymous guest not_authenticated id email distinct_id distinctid
"""

_UUIDS = ("00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff")
"""The nil UUID and the max UUID. A phone that may not be tracked has the first as its id."""

_UUID_FORMS = ("{}", "{{{}}}", "({})", "urn:uuid:{}")

PLACEHOLDERS = frozenset(
    [*_WORDS.split(), "[object object]"]
    + [form.format(uuid) for form in _UUID_FORMS for uuid in _UUIDS]
    + [uuid.replace("-", "") for uuid in _UUIDS]
)
"""In lower case. They count as no id."""

DOUBTFUL = frozenset({"0", "-1"})
"""Usually junk, sometimes a real id. They are accepted as ids, but link nothing."""

_QUOTES = frozenset("\"'")
_SPACE = 20
"""Characters of space around a placeholder, up to which it is looked up."""


class JunkIds:
    """The ids that name nobody: placeholders, ids in quotes, and more of them by a setting."""

    def __init__(self, more: str = "") -> None:
        """``more`` are placeholders with commas between them."""
        added = {name.strip().lower() for name in more.split(",")}
        self._names = PLACEHOLDERS | added - {""}
        self._longest = max(map(len, self._names)) + _SPACE

    def __contains__(self, id_: str) -> bool:
        """Whether an id is junk, in any case and with any space around it."""
        if len(id_) <= self._longest and id_.strip().lower() in self._names:
            return True
        return id_[0] in _QUOTES and id_[-1] == id_[0]


@lru_cache(maxsize=8)
def junk_ids(more: str) -> JunkIds:
    """The junk ids under a setting, made once."""
    return JunkIds(more)


def is_placeholder(text: str) -> bool:
    """Whether a text is a placeholder, in any case and with any space around it."""
    return text.strip().lower() in PLACEHOLDERS


def may_link(text: str) -> bool:
    """Whether an id may link two ids to one person."""
    return text not in DOUBTFUL
