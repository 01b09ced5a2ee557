"""Facts as the engine sees them, and the state that it folds them into."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from msgspec import Struct, field


class Fact(NamedTuple):
    """One fact of one subject, cut down to what definitions look at.

    ``name`` is None for a fact that is no event. ``data`` holds the named properties of an event
    by path; ``traits`` what an identify or group call sets on this subject. ``late`` says that
    it was received more than an hour after ``time``.
    """

    time: int
    mid: str
    name: str | None = None
    data: dict[str, Any] = {}  # noqa: RUF012 - nobody changes it
    user: str | None = None
    account: str | None = None
    traits: dict[str, Any] = {}  # noqa: RUF012 - likewise
    late: bool = False


class State(Struct, omit_defaults=True):
    """What has been learnt of one subject from its facts up to and including ``time``.

    ``slots`` holds the progress of each leaf by its number; ``qualified`` the instants at which
    each definition qualified. ``signup``, ``converted`` and ``known`` (trait histories) are what
    other subjects may ask about, so they keep their times.
    """

    time: int = -(2**62)
    signup: int | None = None
    converted: int | None = None
    account: str | None = None
    first_member: str | None = None
    accounts: list[str] = field(default_factory=list)
    traits: dict[str, Any] = field(default_factory=dict)
    known: dict[str, list[tuple[int, Any]]] = field(default_factory=dict)
    slots: dict[str, Any] = field(default_factory=dict)
    qualified: dict[str, list[tuple[int, str | None]]] = field(default_factory=dict)

    def copy(self) -> State:
        """An independent copy: folding into it leaves this one as it is."""
        return State(
            self.time, self.signup, self.converted, self.account, self.first_member,
            list(self.accounts), dict(self.traits),
            {name: list(values) for name, values in self.known.items()},
            {number: _copied(slot) for number, slot in self.slots.items()},
            {name: list(instants) for name, instants in self.qualified.items()},
        )  # fmt: skip

    def known_at(self, time: int) -> dict[str, Any]:
        """The remembered traits as they were at a time."""
        return {
            name: value
            for name, values in self.known.items()
            for value in [next((v for since, v in reversed(values) if since <= time), None)]
            if value is not None
        }


def _copied(slot: Any) -> Any:
    return slot.copy() if isinstance(slot, list | dict) else slot


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
