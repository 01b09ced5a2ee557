"""Who gets a lead, as data: what ``[[route]]``, ``[[team]]`` and ``[[partner]]`` say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from .lead_condition import LeadCondition

AssignKind = Literal["user", "team", "round_robin", "partner"]
ASSIGN_KINDS: tuple[AssignKind, ...] = ("user", "team", "round_robin", "partner")

LONGEST_NAME = 128
"""Characters of the name of somebody who gets leads."""

PARTNER_NAME = f"a name of 1 to {LONGEST_NAME} printable characters without a /"
"""What names a partner, in the words of an error."""


def is_partner_name(name: str) -> bool:
    """Whether a text can name a partner. A slash begins the name of a person of theirs."""
    is_short = bool(name.strip()) and len(name) <= LONGEST_NAME
    return is_short and name.isprintable() and "/" not in name


@dataclass(frozen=True, slots=True)
class Assignment:
    """Who a route assigns its leads to: ``user:ben`` is the kind ``user`` and the name ``ben``.

    ``members`` are those among whom a ``round_robin`` goes round.
    """

    kind: AssignKind
    name: str
    members: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"


@dataclass(frozen=True, slots=True)
class Hours:
    """When somebody works: on ``days`` (0 is Monday) from ``start`` to ``end``, ms after 00:00.

    ``holidays`` are a country and a part of it, such as ``("DE", "BY")``; those days are free.
    """

    timezone: str
    days: frozenset[int] = frozenset(range(5))
    start: int = 9 * 3_600_000
    end: int = 17 * 3_600_000
    holidays: tuple[str, str | None] | None = None


@dataclass(frozen=True, slots=True)
class Team:
    """A ``[[team]]``. Each member takes ``capacity`` routed leads a week; None for any number."""

    name: str
    members: tuple[str, ...] = ()
    capacity: int | None = None
    hours: Hours | None = None


@dataclass(frozen=True, slots=True)
class Partner:
    """A ``[[partner]]``: it takes ``capacity`` leads a week; its claims last ``claim`` ms."""

    name: str
    capacity: int | None = None
    claim: int | None = None
    hours: Hours | None = None


@dataclass(frozen=True, slots=True)
class Escalation:
    """Assign a lead to somebody else if nobody has contacted it ``after`` so long (ms)."""

    after: int
    assign: Assignment


@dataclass(frozen=True, slots=True)
class Route:
    """A ``[[route]]``: the leads for which ``when`` holds are assigned to ``assign``.

    ``sla`` replaces that of the definition (ms). ``escalate`` has its steps in order of ``after``.
    """

    name: str
    assign: Assignment
    when: LeadCondition | None = None
    sla: int | None = None
    escalate: tuple[Escalation, ...] = ()


@dataclass(frozen=True, slots=True)
class RoutingTables:
    """All that a definitions file says about who gets a lead. The first route that matches wins.

    ``capacities`` are those of the members of teams, by name: the smallest of their teams.
    """

    routes: tuple[Route, ...] = ()
    teams: tuple[Team, ...] = ()
    partners: tuple[Partner, ...] = ()
    capacities: Mapping[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        found: dict[str, int] = {}
        for members, capacity in ((team.members, team.capacity) for team in self.teams):
            if capacity is not None:
                found |= {name: min(capacity, found.get(name, capacity)) for name in members}
        object.__setattr__(self, "capacities", found)  # frozen, and made of the other fields

    def route(self, name: str) -> Route | None:
        """The route of a name."""
        return next((each for each in self.routes if each.name == name), None)

    def team(self, name: str) -> Team | None:
        """The team of a name."""
        return next((each for each in self.teams if each.name == name), None)

    def partner(self, name: str) -> Partner | None:
        """The partner of a name."""
        return next((each for each in self.partners if each.name == name), None)

    def capacity(self, assign: Assignment, name: str) -> int | None:
        """How many leads a week somebody takes whom an assignment can name; None for any number."""
        if assign.kind == "partner":
            partner = self.partner(name)
            return None if partner is None else partner.capacity
        return self.capacities.get(name)

    def hours(self, assign: Assignment) -> Hours | None:
        """When those work whom an assignment names; of a user, the first team with hours."""
        if assign.kind == "partner":
            partner = self.partner(assign.name)
            return None if partner is None else partner.hours
        named = [each for each in self.teams if each.name == assign.name]
        teams = named if assign.kind in ("team", "round_robin") else []
        own = [each for each in self.teams if assign.name in each.members]
        return next((each.hours for each in (*teams, *own) if each.hours is not None), None)
