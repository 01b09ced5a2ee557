"""Facts as the engine sees them, the state that it folds them into, and what it may ask for."""

# ruff: noqa: ARG002 - a memory of one page has no use for what others need to know

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

from msgspec import Struct, field

NEVER = -(2**62)
"""Before every time."""

Position = tuple[int, int]
"""Where a fact stands in its history: the number of its page, and its index there."""


class Fact(Struct, frozen=True, array_like=True, gc=False):
    """One fact of one subject, cut down to what definitions look at.

    ``name`` is None for a fact that is no event. ``data`` holds the named properties of an event
    by path; ``traits`` what an identify or group call sets on this subject. ``late`` says that
    it was received more than an hour after ``time``. ``ended`` is the definition whose lead came
    to its end at ``time``, dismissed or lost; such a fact is no moment of the subject.
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


class Qualification(NamedTuple):
    """That a definition qualified: when, and the account that a user had then."""

    time: int
    account: str | None


class Value(NamedTuple):
    """What a trait is, since when, and the message that said so."""

    value: Any
    time: int
    mid: str


class State(Struct, array_like=True):
    """What has been learnt of one subject from its facts up to and including ``time``.

    ``first`` and ``last`` are the times of its first and last event, ``firsts`` those of the first
    event of each anchor. ``slots`` holds the progress of each leaf by its number, ``marks`` when
    each definition qualified, one for each cycle, and ``cycles`` where the open cycle of one began.
    ``cooling`` are the ends of leads, by definition. ``known`` are the histories of the traits that
    other subjects may ask about, ``accounts`` the accounts in which a user was seen.
    """

    time: int = NEVER
    first: int | None = None
    last: int | None = None
    firsts: dict[str, int] = field(default_factory=dict)
    converted: int | None = None
    account: str | None = None
    first_member: str | None = None
    accounts: list[str] = field(default_factory=list)
    traits: dict[str, Value] = field(default_factory=dict)
    known: dict[str, list[tuple[int, Any]]] = field(default_factory=dict)
    slots: dict[int, Any] = field(default_factory=dict)
    marks: dict[int, list[Qualification]] = field(default_factory=dict)
    cycles: dict[int, int] = field(default_factory=dict)
    cooling: dict[str, list[int]] = field(default_factory=dict)

    def known_at(self, name: str, time: int) -> Any:
        """A remembered trait as it was at a time; None where it was not set."""
        for since, value in reversed(self.known.get(name, ())):
            if since <= time:
                return value
        return None

    def first_at(self, anchor: str, time: int) -> int | None:
        """The first event of an anchor, if it was at or before a time."""
        found = self.firsts.get(anchor)
        return found if found is not None and found <= time else None

    def is_marked_at(self, rule: int, time: int) -> bool:
        """Whether a definition was qualified at or before a time."""
        marks = self.marks.get(rule)
        return marks is not None and marks[0].time <= time

    def has_converted_at(self, time: int) -> bool:
        """Whether there was a conversion at or before a time."""
        return self.converted is not None and self.converted <= time


class World(Protocol):
    """What a definition may ask about other subjects than its own."""

    def user(self, user_id: str) -> State | None:
        """The state of a user, however much later it is; None for one without facts."""

    def account(self, account_id: str) -> State | None:
        """The state of an account, however much later it is; None for one without facts."""


class Alone:
    """A world with nobody else in it."""

    def user(self, user_id: str) -> State | None:
        """Nobody."""

    def account(self, account_id: str) -> State | None:
        """Nobody."""


class Memory(Protocol):
    """The facts of a subject, and the cells of its state that do not stand in the state itself.

    A state of few facts holds all of its cells. What is kept here was put here by whoever keeps
    the state; ``cell`` gives back each as it was left.
    """

    def facts(self, start: Position) -> Iterator[tuple[Position, Fact]]:
        """The facts from a position on, with the position of each."""

    def since(self, time: int) -> Position:
        """A position at or before that of the first fact at or after a time."""

    def cell(self, slot: int, key: str) -> Any:
        """A cell that was put away; None if there is none."""

    def cells(self, slot: int) -> dict[str, Any]:
        """All cells of a slot that were put away."""


class Sheet:
    """A memory of one page, with nothing put away."""

    def __init__(self, facts: list[Fact]) -> None:
        self._facts = facts

    def facts(self, start: Position) -> Iterator[tuple[Position, Fact]]:
        """The facts from a position on, with the position of each."""
        for index in range(start[1], len(self._facts)):
            yield (1, index), self._facts[index]

    def since(self, time: int) -> Position:
        """The beginning."""
        return 1, 0

    def cell(self, slot: int, key: str) -> Any:
        """Nothing."""

    def cells(self, slot: int) -> dict[str, Any]:
        """Nothing."""
        return {}
