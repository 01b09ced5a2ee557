"""Who gets a lead: the first route that matches and has somebody with room for it.

``decide`` is pure: it takes the routes, the lead, and what was decided before. It is asked once for
a lead, and the answer is stored with the transitions of the lead: it depends on what came before,
which no replay knows. An escalation is decided in the same way, and stored beside it.

    [[route]] german    when country = DE    round_robin:dach      ben, eva; ben got the last lead
    [[route]] rest                           user:kim

    a lead from DE, eva has room             eva, by german
    a lead from DE, both are full            kim, by rest; german was full
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from ..model import Routed
from ..rules.language.lead_condition import LeadView, holds
from ..rules.language.lead_sentence import describe_condition
from ..rules.language.routing import Assignment, Escalation, Route, RoutingTables

ROUTE_ACTOR = "route:"
"""With a name: a route, as the ledger names who did something."""


@dataclass(slots=True)
class Load:
    """What was decided before: the leads of this week by ``counted_as``, and the last of teams."""

    counts: Counter[str] = field(default_factory=Counter)
    last: dict[str, str] = field(default_factory=dict)


def decide(tables: RoutingTables, lead: LeadView, load: Load) -> Routed | None:
    """Who gets a lead; None if no route matches."""
    full: list[str] = []
    for route in tables.routes:
        if not holds(route.when, lead):
            continue
        taker = taker_of(tables, route.assign, load)
        if taker is not None:
            return _routed(route, taker, load, full)
        full.append(route.name)
    return Routed(None, None, f"{_were_full(full)}; no other route matched") if full else None


def escalate(tables: RoutingTables, route: Route, step: int, load: Load) -> Routed:
    """Who gets a lead at a step of an escalation, from 1 on, even without room for it."""
    to = route.escalate[step - 1]
    taker = taker_of(tables, to.assign, load) or _next_of(to.assign, load)[0]
    why = f"nobody made contact: escalation {step} of the route {route.name}"
    return _given(route.name, to.assign, taker, why, step)


def taker_of(tables: RoutingTables, assign: Assignment, load: Load) -> str | None:
    """Who takes the next lead of an assignment; None if all of them are full."""
    return next((n for n in _next_of(assign, load) if _has_room(tables, assign, n, load)), None)


def route_actor(routed: Routed) -> str:
    """Who did what a route decided, as the ledger names it."""
    return "routes" if routed.name is None else f"{ROUTE_ACTOR}{routed.name}"


def route_in(actor: str | None) -> str | None:
    """The route that did what an entry of the ledger says; None if somebody else did."""
    if actor is None or not actor.startswith(ROUTE_ACTOR):
        return None
    return actor.removeprefix(ROUTE_ACTOR)


def counted_as(routed: Routed) -> str | None:
    """Under which name a decision counts for the capacity; None if it counts for nobody."""
    if routed.partner is not None:
        return f"partner:{routed.partner}"
    assigned = routed.assigned or ""
    return None if assigned.startswith("team:") or not routed.owner else f"user:{routed.owner}"


def note(load: Load, routed: Routed) -> None:
    """Take a decision into account for the next ones."""
    if (name := counted_as(routed)) is not None:
        load.counts[name] += 1
    load.last |= last_of([routed])


def last_of(decided: Iterable[Routed]) -> dict[str, str]:
    """Who of each ``round_robin`` got its last lead."""
    found = {}
    for each in decided:
        kind, _, team = (each.assigned or "").partition(":")
        if kind == "round_robin" and each.owner is not None:
            found[team] = each.owner
    return found


def next_step(route: Route | None, step: int) -> Escalation | None:
    """The step of an escalation after a step; None after the last one."""
    return route.escalate[step] if route is not None and step < len(route.escalate) else None


def _next_of(assign: Assignment, load: Load) -> tuple[str, ...]:
    """Those whom an assignment can mean, in the order of their turn."""
    if assign.kind != "round_robin":
        return (assign.name,)
    last, members = load.last.get(assign.name), assign.members
    turn = members.index(last) + 1 if last in members else 0
    return (*members[turn:], *members[:turn])


def _has_room(tables: RoutingTables, assign: Assignment, name: str, load: Load) -> bool:
    if assign.kind == "team":
        return True
    capacity = tables.capacity(assign, name)
    kind = "partner" if assign.kind == "partner" else "user"
    return capacity is None or load.counts[f"{kind}:{name}"] < capacity


def _routed(route: Route, taker: str, load: Load, full: Iterable[str]) -> Routed:
    why = [describe_condition(route.when)]
    if route.assign.kind == "round_robin":
        last = load.last.get(route.assign.name)
        why.append(f"{taker} is next" + ("" if last is None else f" after {last}"))
    why += [_were_full(full)] if full else []
    return _given(route.name, route.assign, taker, "; ".join(why), 0)


def _given(name: str, assign: Assignment, taker: str, why: str, step: int) -> Routed:
    match assign.kind:
        case "partner":
            return Routed(name, str(assign), why, None, taker, step)
        case "team":
            return Routed(name, str(assign), why, str(assign), None, step)
        case _:
            return Routed(name, str(assign), why, taker, None, step)


def _were_full(names: Iterable[str]) -> str:
    return f"no capacity left this week: {', '.join(names)}"
