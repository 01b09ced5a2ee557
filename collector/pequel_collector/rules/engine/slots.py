"""What the slots of a state hold: a small record for each leaf, under the number of the leaf.

A state is stored as JSON, and read back as plain lists. Each record is an array there, its fields
in order. A leaf turns its slot into records when it first touches it. It calls the record with the
plain values, which takes less than half the time of ``msgspec.convert``.

For example, ``{ event = "used", per = "project", gte = 3, within = "7d" }`` as leaf 0, after two
events in project p1 and one in p2, is ``{"0": [[0, null, false, {"sp1": [2, [2]], "sp2": [1,
[1]]}], [[1, 0, 1767225600000]]]}``: a `Slot` whose accumulator is a `KeyedAccumulator` (no part
holds; nothing is stored apart), and whose window has the position and time of its oldest event.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Any

from msgspec import Struct

from .state import HistoryReader, Position, State

MEMBERS = -1
"""The number of the slot in which an account keeps its members."""

_ABSENT = object()


class Slot(Struct, array_like=True):
    """What a leaf keeps: the accumulator of its aggregate, and what its window needs."""

    acc: Any
    window: Any


class EventPosition(Struct, array_like=True):
    """Where an event is in the history, and its time."""

    page: int
    index: int
    time: int

    @property
    def position(self) -> Position:
        return self.page, self.index


class KeyedAccumulator(Struct, array_like=True):
    """One accumulator for each of many keys.

    ``number`` is how many keys count. Once there are too many, ``spilled`` is true and the
    accumulators are stored apart under ``since|key``, where ``since`` is the number of the page at
    whose end that began (in earlier releases, the time of the state); ``changed`` then has those
    that have changed since they were last stored, None for a key that is gone.
    """

    number: int = 0
    since: int | None = None
    spilled: bool = False
    changed: dict[str, Any] = {}

    def find(self, key: str, slot: int | None, history: HistoryReader) -> tuple[Any, bool]:
        """The accumulator of a key, None if there is none, and whether it was stored apart."""
        found = self.changed.get(key, _ABSENT)
        if found is not _ABSENT:
            return found, False
        if not self.spilled or slot is None:
            return None, False
        return history.accumulator(slot, f"{self.since}|{key}"), True


class MemberTimes(Struct, array_like=True):
    """When a member was first seen in an account, and the time of their first event in it."""

    first_seen: int
    first_event: int | None


def members_accumulator(state: State) -> KeyedAccumulator | None:
    """The `MemberTimes` of an account by user; None if it has no members yet."""
    found = state.slots.get(MEMBERS)
    if isinstance(found, list):
        found = state.slots[MEMBERS] = KeyedAccumulator(*found)
        found.changed = {user: MemberTimes(*times) for user, times in found.changed.items()}
    return found


def times_of_member(state: State, user: str, history: HistoryReader) -> MemberTimes | None:
    """When a member was first seen in an account; None for somebody else."""
    acc = members_accumulator(state)
    if acc is None:
        return None
    found, is_plain = acc.find(user, MEMBERS, history)
    return MemberTimes(*found) if is_plain and found is not None else found


def keys_in(slot: Any) -> AbstractSet[str]:
    """The keys whose accumulators are in a slot, whether or not it was read from JSON just now."""
    match slot:
        case Slot(acc=KeyedAccumulator(changed=changed)) | KeyedAccumulator(changed=changed):
            return changed.keys()
        case [[_, _, _, dict() as changed, *_], *_] | [_, _, _, dict() as changed, *_]:
            return changed.keys()
    return set()
