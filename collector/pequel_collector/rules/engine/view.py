"""What a definition can read at one moment: its own subject, and the other subjects it names.

τ is ``time``. Nothing later than τ can be read, of any subject.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice, takewhile
from typing import Any, Protocol

from ...model import Kind
from ..language.dates import instant_of
from ..language.definition import TraitPath, trait_path
from .slots import times_of_member
from .state import NEVER, Fact, HistoryReader, Position, State, TraitValue, World

BEYOND: Position = (2**62, 0)
"""A position after every fact."""

FIRST: Position = (1, 0)
"""The position of the first fact."""


class View(Protocol):
    """What a leaf can read of a subject, or of a member of an account.

    ``since`` is when the events begin that count. With ``clock_only``, no fact is at τ: the clock
    alone has reached it.
    """

    time: int
    since: int
    clock_only: bool
    history: HistoryReader

    def trait(self, path: TraitPath) -> Any:
        """The value of a trait; None where it is missing."""

    def first(self, anchor: str) -> int | None:
        """The first event of an anchor: ``signup``, ``trial`` or ``first:EVENT``."""

    def is_marked(self, kind: Kind, rule: int) -> bool:
        """Whether the subject, or the user's account, has qualified for a definition."""

    def acted(self) -> int | None:
        """The time of the first event; of a member, of the first one in the account."""

    def events(self, since: int) -> Iterator[Fact]:
        """The events from an instant on; of a member, those in the account."""


class EvalContext:
    """The subject itself at one moment. Facts from ``limit`` on cannot be read.

    No definition can qualify before ``earliest``.
    """

    __slots__ = (
        "clock_only",
        "earliest",
        "history",
        "kind",
        "limit",
        "since",
        "state",
        "time",
        "world",
    )

    def __init__(
        self,
        kind: Kind,
        state: State,
        world: World,
        history: HistoryReader,
        time: int,
        limit: Position = BEYOND,
    ) -> None:
        self.kind, self.state, self.world, self.history = kind, state, world, history
        self.time, self.limit = time, limit
        self.since, self.clock_only, self.earliest = NEVER, False, NEVER

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
        """Whether the subject, or the user's account, has qualified for a definition."""
        if kind == self.kind:
            return self.state.is_marked_at(rule, self.time)
        account = self._account()
        return account is not None and account.is_marked_at(rule, self.time)

    def acted(self) -> int | None:
        """The time of the subject's first event."""
        return self.state.first

    def events(self, since: int) -> Iterator[Fact]:
        """The events from an instant up to τ."""
        since = max(since, self.since)
        start = FIRST if since == NEVER else self.history.since(since)
        found = (fact for _, fact in self.facts(start))
        return (fact for fact in found if fact.name is not None and fact.time >= since)

    def facts(self, start: Position = FIRST) -> Iterator[tuple[Position, Fact]]:
        """The facts from a position up to τ."""
        limit, time = self.limit, self.time
        for position, fact in self.history.facts(start):
            if fact.time > time or position >= limit:
                return
            yield position, fact

    def between(self, first: int, behind: int, looked_at: int | None = None) -> Iterator[Fact]:
        """The facts of the instants [first, behind) up to τ, earliest first.

        If there are more than twice ``looked_at``, the first and the last so many of them.
        """
        start = FIRST if first == NEVER else self.history.since(first)
        found = (
            (position, fact)
            for position, fact in takewhile(lambda each: each[1].time < behind, self.facts(start))
            if fact.time >= first
        )
        last = start
        for position, fact in islice(found, looked_at):
            last = position
            yield fact
        if next(found, None) is not None:
            yield from self._last_between(last, behind, looked_at)

    def _last_between(self, after: Position, behind: int, number: int | None) -> list[Fact]:
        """The last facts after a position, before an instant and up to τ, earliest first."""
        found = takewhile(
            lambda each: each[0] > after, self.history.before(min(behind, self.time + 1))
        )
        last = list(islice((fact for at, fact in found if at < self.limit), number))
        return last[::-1]

    def has_converted(self) -> bool:
        """Whether the subject, or the user's account, has converted."""
        if self.state.has_converted_at(self.time):
            return True
        account = self._account() if self.kind == "user" else None
        return account is not None and account.has_converted_at(self.time)

    def first_member(self) -> State | None:
        """The state of the member of an account who was seen in it first."""
        member = self.state.first_member
        return None if member is None else self.world.user(member)

    def member(self, user: str) -> MemberView:
        """A member of this account, at this moment."""
        return MemberView(self, user)

    def _account(self) -> State | None:
        account = self.state.account
        return None if account is None else self.world.account(account)


class MemberView:
    """A member of an account at one moment: their own traits, and their events in the account."""

    __slots__ = ("_of", "_state", "clock_only", "history", "since", "time", "user")

    def __init__(self, of: EvalContext, user: str) -> None:
        self._of, self.user = of, user
        self._state: State | None = None
        self.time, self.since, self.clock_only = of.time, of.since, of.clock_only
        self.history = of.history

    def trait(self, path: TraitPath) -> Any:
        """The value of a trait of the member's own, or of this account."""
        if path.account:
            return self._of.trait(TraitPath(path.path))
        return _known(self._own(), path.path, self.time)

    def first(self, anchor: str) -> int | None:
        """The first event of an anchor, inside or outside the account."""
        return self._own().first_at(anchor, self.time)

    def is_marked(self, kind: Kind, rule: int) -> bool:
        """Whether the member, or this account, has qualified for a definition."""
        of = self._own() if kind == "user" else self._of.state
        return of.is_marked_at(rule, self.time)

    def acted(self) -> int | None:
        """The time of the member's first event in the account."""
        times = times_of_member(self._of.state, self.user, self._of.history)
        return None if times is None else times.first_event

    def events(self, since: int) -> Iterator[Fact]:
        """The member's events in the account from an instant on."""
        return (fact for fact in self._of.events(since) if fact.user == self.user)

    def _own(self) -> State:
        if self._state is None:
            self._state = self._of.world.user(self.user) or State()
        return self._state


def _held(traits: Mapping[str, TraitValue], path: str) -> Any:
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
    """The value at a path below a value."""
    for step in rest.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(step)
    return value


Anchor = Callable[[View], int | None]


def anchor(of: str, knows_account: bool, zone: str) -> Anchor:
    """The function that finds the anchor of a window, as known at τ.

    With ``knows_account``, ``account.x`` is the trait x of the account; without it, ``account.x``
    is itself the name of a trait. A date without a time is 00:00 in the time ``zone``.
    """
    if of.startswith("trait:"):
        path = trait_path(of.removeprefix("trait:"), knows_account)
        return lambda view: instant_of(view.trait(path), zone)
    return lambda view: view.first(of)
