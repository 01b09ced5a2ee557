"""Facts as the engine sees them, the state that it folds them into, and what it may look up."""

# ruff: noqa: ARG002 - `FactList` and `EmptyWorld` ignore most arguments of their protocols

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

from msgspec import Struct, field

from ...model import Conversion

NEVER = -(2**62)
"""Before every time."""

Position = tuple[int, int]
"""Where a fact is in the history of its subject: the number of the page, the index in it."""


class Fact(Struct, frozen=True, array_like=True, gc=False):
    """One message of one subject, reduced to what the definitions read.

    ``name`` is None if the message is not an event. ``data`` holds the properties that definitions
    read, by path. ``traits`` holds what an identify or group call sets on this subject. ``late``
    means that the message was received more than an hour after ``time``. ``ended`` names the
    definition whose lead was dismissed or lost at ``time``; nothing is evaluated at such a fact.
    """

    time: int
    mid: str
    name: str | None = None
    data: dict[str, Any] = {}
    user: str | None = None
    account: str | None = None
    traits: dict[str, Any] = {}
    late: bool = False
    ended: str | None = None
    position: int = 0


class Qualification(NamedTuple):
    """When a subject qualified for a definition, and the account that a user had then."""

    time: int
    account: str | None


class TraitValue(NamedTuple):
    """The value of a trait, since when, and the id of the message that set it."""

    value: Any
    time: int
    mid: str


class BegunInstant(Struct, array_like=True):
    """An instant of which some facts were taken in, and which is not evaluated yet.

    ``page`` and ``index`` are where its first fact is, ``has_message`` whether any of its facts is
    a message. ``concerned`` are the rules that its facts concern.
    """

    page: int
    index: int
    has_message: bool
    concerned: list[int]


class State(Struct, array_like=True):
    """What the facts of one subject, up to and including ``time``, add up to.

    ``first`` and ``last`` are the times of the first and the last event, ``firsts`` the time of
    the first event of each anchor. ``slots`` holds what each leaf keeps, by the number of the leaf
    (see ``slots.py``). ``marks`` lists when each definition qualified, once per cycle; ``cycles``
    holds when the open cycle of a definition began. ``cooling`` lists the ends of leads by
    definition. ``known`` is the history of each trait that other subjects' definitions read.
    ``accounts`` lists the accounts in which a user was seen. ``conversions`` lists conversion and
    expansion events. ``moves`` lists when a user came into an account: the latest move before the
    first qualification, and those after it. ``begun`` is there if more facts of ``time`` follow.
    """

    time: int = NEVER
    first: int | None = None
    last: int | None = None
    firsts: dict[str, int] = field(default_factory=dict)
    converted: int | None = None
    account: str | None = None
    first_member: str | None = None
    accounts: list[str] = field(default_factory=list)
    traits: dict[str, TraitValue] = field(default_factory=dict)
    known: dict[str, list[tuple[int, Any]]] = field(default_factory=dict)
    slots: dict[int, Any] = field(default_factory=dict)
    marks: dict[int, list[Qualification]] = field(default_factory=dict)
    cycles: dict[int, int] = field(default_factory=dict)
    cooling: dict[str, list[int]] = field(default_factory=dict)
    conversions: list[Conversion] = field(default_factory=list)
    moves: list[tuple[int, str]] = field(default_factory=list)
    begun: BegunInstant | None = None

    def account_at(self, time: int) -> str | None:
        """The account of a user at a time, if it is in ``moves``."""
        return next((account for since, account in reversed(self.moves) if since <= time), None)

    def known_at(self, name: str, time: int) -> Any:
        """The value that a trait in ``known`` had at a time; None if it was not set."""
        for since, value in reversed(self.known.get(name, ())):
            if since <= time:
                return value
        return None

    def first_at(self, anchor: str, time: int) -> int | None:
        """The time of the first event of an anchor, if it is not later than ``time``."""
        found = self.firsts.get(anchor)
        return found if found is not None and found <= time else None

    def is_marked_at(self, rule: int, time: int) -> bool:
        """Whether the subject had qualified for a definition by a time."""
        marks = self.marks.get(rule)
        return marks is not None and marks[0].time <= time

    def has_converted_at(self, time: int) -> bool:
        """Whether the subject had converted by a time."""
        return self.converted is not None and self.converted <= time


class World(Protocol):
    """The other subjects that a definition may read. A state may be later than τ."""

    def user(self, user_id: str) -> State | None:
        """The state of a user; None for one without facts."""

    def account(self, account_id: str) -> State | None:
        """The state of an account; None for one without facts."""


class EmptyWorld:
    """No other subjects."""

    def user(self, user_id: str) -> State | None:
        return None

    def account(self, account_id: str) -> State | None:
        return None


class HistoryReader(Protocol):
    """The facts of a subject, and the accumulators that were moved out of its state.

    A leaf with one accumulator per value or per member may have too many of them for the state.
    Those that the state has no room for are stored apart, by the number of the slot and a key.
    """

    def facts(self, start: Position) -> Iterator[tuple[Position, Fact]]:
        """The facts from a position on, with the position of each."""

    def before(self, time: int) -> Iterator[tuple[Position, Fact]]:
        """The facts before a time, the latest first, with the position of each."""

    def since(self, time: int) -> Position:
        """A position at or before that of the first fact at or after a time."""

    def accumulator(self, slot: int, key: str) -> Any:
        """The accumulator stored under a key; None if there is none."""

    def accumulators(self, slot: int) -> dict[str, Any]:
        """All accumulators of a slot that are stored apart, by key."""


class FactList:
    """A history that is one list of facts, with no accumulators stored apart."""

    def __init__(self, facts: list[Fact]) -> None:
        self._facts = facts

    def facts(self, start: Position) -> Iterator[tuple[Position, Fact]]:
        for index in range(start[1], len(self._facts)):
            yield (1, index), self._facts[index]

    def before(self, time: int) -> Iterator[tuple[Position, Fact]]:
        for index in reversed(range(len(self._facts))):
            if self._facts[index].time < time:
                yield (1, index), self._facts[index]

    def since(self, time: int) -> Position:
        return 1, 0

    def accumulator(self, slot: int, key: str) -> Any:
        return None

    def accumulators(self, slot: int) -> dict[str, Any]:
        return {}
