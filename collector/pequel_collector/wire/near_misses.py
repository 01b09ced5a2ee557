"""What a client probably meant by a key that no event has, such as ``userid`` for ``userId``.

Other keys are ignored, so a slip in the name of a field looks as if the field were not there.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from itertools import islice

import msgspec

from .decode import UNREADABLE
from .event import EventError

FIELDS = (
    "userId",
    "anonymousId",
    "event",
    "messageId",
    "groupId",
    "timestamp",
    "type",
    "previousId",
)

LONGEST = 24
"""Characters of a key that is looked at."""

MAX_KEYS = 30
"""Keys of an event that are looked at, the first ones."""


def slips_of(letters: str) -> set[str]:
    """A name, and the name without each letter. Two names with one of these in common are alike.

    Then one letter is missing, added, another one, or in another place.
    """
    return {letters, *(letters[:place] + letters[place + 1 :] for place in range(len(letters)))}


_BY_SLIP = {slip: name for name in FIELDS for slip in slips_of(name.lower())}


def near_misses_in(error: EventError, raw: bytes) -> str:
    """What to add to the error for a missing field: keys of the event that look like a field."""
    if error.code != "missing_field":
        return ""
    keys: Collection[str] = ()
    with suppress(*UNREADABLE):  # what only the lenient parser can read gets no hint
        keys = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    found = near_misses(keys)
    if not found:
        return ""
    given, meant = (" and ".join(names) for names in zip(*found, strict=True))
    return f": found {given}; did you mean {meant}?"


def near_misses(keys: Collection[str]) -> list[tuple[str, str]]:
    """Keys of an event that are no field, each with the field that it looks like.

    A field that is there is not meant, and each is meant once.
    """
    found: dict[str, str] = {}
    for key in islice(keys, MAX_KEYS):
        if len(key) > LONGEST or not (key.isascii() and key.isprintable()) or key in FIELDS:
            continue
        letters = "".join(filter(str.isalnum, key)).lower()
        meant = min((_BY_SLIP[slip] for slip in slips_of(letters) if slip in _BY_SLIP), default="")
        if meant and meant not in keys:
            found.setdefault(meant, key)
    return [(key, meant) for meant, key in found.items()]
