"""What a definition can see at one moment: its subject's facts and traits, and those it asks for.

τ is ``time``. Nothing later than τ shows, of whichever subject.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from ...model import Kind, parse_iso
from ..language.definition import TraitPath, trait_path
from .state import NEVER, Fact, Memory, Position, State, Value, World

BEYOND: Position = (2**62, 0)
"""Behind every fact."""

FIRST: Position = (1, 0)
"""Where a history begins."""

MEMBERS = -1
"""The slot in which an account keeps its members: when each was first seen, and acted, there."""


class View(Protocol):
    """A subject, or a member of an account, as a leaf looks at it.

    ``since`` is where the events begin that count; with ``clock_only``, τ is no fact's time.
    """

    time: int
    since: int
    clock_only: bool
    memory: Memory

    def trait(self, path: TraitPath) -> Any:
        """The value of a trait; None where it is missing."""

    def first(self, anchor: str) -> int | None:
        """The first event of an anchor: ``signup``, ``trial`` or ``first:EVENT``."""

    def is_marked(self, kind: Kind, rule: int) -> bool:
        """Whether a definition was qualified: the subject's, or the user's account's."""

    def acted(self) -> int | None:
        """When the subject's first event was; of a member, the first in the account."""

    def events(self, since: int) -> Iterator[Fact]:
        """The events from an instant on; of a member, those in the account."""


class EvalContext:
    """The subject itself at one moment. ``limit`` is where the facts end that may be seen."""

    __slots__ = ("clock_only", "kind", "limit", "memory", "since", "state", "time", "world")

    def __init__(
        self,
        kind: Kind,
        state: State,
        world: World,
        memory: Memory,
        time: int,
        limit: Position = BEYOND,
    ) -> None:
        self.kind, self.state, self.world, self.memory = kind, state, world, memory
        self.time, self.limit = time, limit
        self.since, self.clock_only = NEVER, False

    def trait(self, path: TraitPath) -> Any:
        """The value of a trait of the subject, or of the user's account."""
        if path.account:
            account = self._account()
            return None if account is None else _known(account, path.path, self.time)
        return _held(self.state.traits, path.path)

    def first(self, anchor: str) -> int | None:
        """The first event of an anchor; an account's sign-up is that of its first member."""
        if anchor != "signup" or self.kind == "user":
            return self.state.first_at(anchor, self.time)
        member = self.first_member()
        return None if member is None else member.first_at(anchor, self.time)

    def is_marked(self, kind: Kind, rule: int) -> bool:
        """Whether a definition was qualified: the subject's own, or the user's account's."""
        if kind == self.kind:
            return self.state.is_marked_at(rule, self.time)
        account = self._account()
        return account is not None and account.is_marked_at(rule, self.time)

    def acted(self) -> int | None:
        """When the subject's first event was."""
        return self.state.first

    def events(self, since: int) -> Iterator[Fact]:
        """The events from an instant on, up to what may be seen."""
        since = max(since, self.since)
        start = FIRST if since == NEVER else self.memory.since(since)
        found = (fact for _, fact in self.facts(start))
        return (fact for fact in found if fact.name is not None and fact.time >= since)

    def facts(self, start: Position = FIRST) -> Iterator[tuple[Position, Fact]]:
        """The facts from a position on, up to what may be seen."""
        limit, time = self.limit, self.time
        for position, fact in self.memory.facts(start):
            if fact.time > time or position >= limit:
                return
            yield position, fact

    def has_converted(self) -> bool:
        """Whether there was a conversion of the subject's own, or of the user's account."""
        if self.state.has_converted_at(self.time):
            return True
        account = self._account() if self.kind == "user" else None
        return account is not None and account.has_converted_at(self.time)

    def first_member(self) -> State | None:
        """The member of an account who was seen in it first."""
        member = self.state.first_member
        return None if member is None else self.world.user(member)

    def member(self, user: str) -> Member:
        """A member of this account, at this moment."""
        return Member(self, user)

    def _account(self) -> State | None:
        account = self.state.account
        return None if account is None else self.world.account(account)


class Member:
    """A member of an account at one moment: their own traits, and their events in the account."""

    __slots__ = ("_of", "_state", "clock_only", "memory", "since", "time", "user")

    def __init__(self, of: EvalContext, user: str) -> None:
        self._of, self.user = of, user
        self._state: State | None = None
        self.time, self.since, self.clock_only = of.time, of.since, of.clock_only
        self.memory = of.memory

    def trait(self, path: TraitPath) -> Any:
        """The value of a trait of the member's own, or of this account."""
        if path.account:
            return self._of.trait(TraitPath(path.path))
        return _known(self._own(), path.path, self.time)

    def first(self, anchor: str) -> int | None:
        """The first event of an anchor, wherever it happened."""
        return self._own().first_at(anchor, self.time)

    def is_marked(self, kind: Kind, rule: int) -> bool:
        """Whether the member was qualified, or this account."""
        of = self._own() if kind == "user" else self._of.state
        return of.is_marked_at(rule, self.time)

    def acted(self) -> int | None:
        """When the member's first event in the account was."""
        cells = self._of.state.slots.get(MEMBERS)
        seen = None if cells is None else keyed(cells, self.user, MEMBERS, self._of.memory)
        found: int | None = None if seen is None else seen[1]
        return found

    def events(self, since: int) -> Iterator[Fact]:
        """The member's events in the account from an instant on."""
        return (fact for fact in self._of.events(since) if fact.user == self.user)

    def _own(self) -> State:
        if self._state is None:
            self._state = self._of.world.user(self.user) or State()
        return self._state


def keyed(cells: list[Any], key: str, slot: int | None, memory: Memory) -> Any:
    """One of the cells of a slot: from the state, or from where it was put away; None if none.

    A slot of cells is ``[number, since, put away, cells by key]``.
    """
    found = cells[3].get(key, cells)
    if found is not cells:
        return found
    return memory.cell(slot, f"{cells[1]}|{key}") if cells[2] and slot is not None else None


def _held(traits: Mapping[str, Value], path: str) -> Any:
    literal = traits.get(path)
    if literal is not None:
        return literal.value
    name, dot, rest = path.partition(".")
    if not dot or (found := traits.get(name)) is None:
        return None
    return _inside(found.value, rest)


def _known(state: State, path: str, time: int) -> Any:
    literal = state.known_at(path, time)
    if literal is not None:
        return literal
    name, dot, rest = path.partition(".")
    return _inside(state.known_at(name, time), rest) if dot else None


def _inside(value: Any, rest: str) -> Any:
    """What stands at the steps of a path below a value."""
    for step in rest.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(step)
    return value


Anchor = Callable[[View], int | None]


def anchor(of: str, knows_account: bool) -> Anchor:
    """The function that finds the instant at which an anchored window begins, as known at τ.

    ``knows_account`` says whether ``account.x`` is a trait of an account, rather than so named.
    """
    if of.startswith("trait:"):
        path = trait_path(of.removeprefix("trait:"), knows_account)
        return lambda view: instant(view.trait(path))
    return lambda view: view.first(of)


def instant(value: Any) -> int | None:
    """The time of an ISO 8601 text in milliseconds; None if it is not one."""
    return parse_iso(value) if isinstance(value, str) else None
