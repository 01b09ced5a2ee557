"""One subject as of one moment: all that may be seen is at or before tau."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from .history import Fact, Subject
from .values import look_up, mail_domain

if TYPE_CHECKING:
    from .qualify import World


@dataclass(frozen=True)
class Moment:
    world: World
    subject: Subject
    tau: int
    since: int | None = None  # the start of the cycle: events before it do not count
    inside: str | None = None  # the account, when the subject is looked at as a member of it
    guard: bool = False  # looking for a reason not to qualify
    clock_only: bool = False  # tau is a moment of the clock, and no fact's time

    @property
    def kind(self) -> str:
        return self.subject[0]

    @cached_property
    def facts(self) -> list[Fact]:
        in_order = self.world.history.of(self.subject)
        return in_order[: bisect_right(in_order, self.tau, key=lambda fact: fact.time)]

    @cached_property
    def own_events(self) -> list[Fact]:
        """All events of the subject, of any cycle and account: those that anchors are among."""
        return [fact for fact in self.facts if fact.event is not None]

    @cached_property
    def events(self) -> list[Fact]:
        """The events that count: of this cycle, and of a member those in the account."""
        if self.since is None:
            return self.events_of_all_cycles
        return [fact for fact in self.events_of_all_cycles if self.in_cycle(fact)]

    @cached_property
    def events_of_all_cycles(self) -> list[Fact]:
        if self.inside is None:
            return self.own_events
        return [fact for fact in self.own_events if fact.account == self.inside]

    def in_cycle(self, fact: Fact) -> bool:
        return self.since is None or fact.time >= self.since

    @cached_property
    def traits(self) -> Mapping[str, Any]:
        """The latest value of each trait; null unsets."""
        setter = "identify" if self.kind == "user" else "group"
        values: dict[str, Any] = {}
        for fact in self.facts:
            if fact.type == setter:
                values.update(fact.traits)
        return values

    def trait(self, name: str) -> Any:
        """A trait of the subject, or `account.x` of a user: x of the user's account.

        Reading: in a user definition `account.` is always the account, never a user trait.
        """
        if self.kind == "user" and name.startswith("account."):
            account = self.account
            return None if account is None else account.trait(name.removeprefix("account."))
        if name == "@email_domain":
            return mail_domain(self.traits.get("email"))
        return look_up(self.traits, name)

    @cached_property
    def account(self) -> Moment | None:
        """The user's account at tau: that of their latest fact that has one.

        Reading: for a member inside `users` it is the account whose members are counted.
        """
        named = [fact.account for fact in self.facts if fact.account is not None]
        account = self.inside or (named[-1] if named else None)
        return None if account is None else self.of_other(("account", account))

    def of_other(self, subject: Subject) -> Moment:
        return Moment(self.world, subject, self.tau)

    @cached_property
    def members(self) -> list[str]:
        """An account's members: the persons with a user id and a fact in it, the first first."""
        return list(dict.fromkeys(fact.user_id for fact in self.facts if fact.user_id is not None))

    def as_member(self, user: str) -> Moment:
        """A member of this account at this moment, over the events in this account."""
        return replace(self, subject=("user", user), inside=self.subject[1])

    @property
    def first_member(self) -> Moment | None:
        return self.of_other(("user", self.members[0])) if self.members else None
