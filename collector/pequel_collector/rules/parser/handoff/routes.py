"""``[[route]]``, ``[[team]]`` and ``[[partner]]``: who gets a lead."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import holidays as calendars

from ...language.dates import zone_named
from ...language.lead_condition import parts_of
from ...language.routing import (
    ASSIGN_KINDS,
    LONGEST_NAME,
    Assignment,
    Escalation,
    Hours,
    Partner,
    Route,
    RoutingTables,
    Team,
)
from ..items import Fields, Item, ItemParser, UnreadableError, list_of, quoted, read_all
from ..project import check_names, stated_name, tables
from .lead_conditions import MAX_CONDITIONS, LeadScope, lead_condition
from .partner_name import partner_name, require_partner_name

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

MAX_ROUTES, MAX_STEPS, MAX_MEMBERS = 200, 10, 500
"""Routes of a file, steps of an escalation, and members of a team."""

_CLOCK = re.compile(r"([01]\d|2[0-4]):([0-5]\d)", re.ASCII)
_ASSIGN = 'whom to assign to, such as "user:ben", "team:dach", "round_robin:dach", "partner:north"'
_MINUTE = 60_000
_END_OF_DAY = 24 * 60 * _MINUTE


def routing_tables(fields: Fields, scope: LeadScope) -> RoutingTables:
    """What the fields of a file say of routing. Each table was kept as it is until now."""
    fields.refine("team", lambda item: _named(item, "team", TEAM, Team))
    fields.refine("partner", lambda item: _named(item, "partner", PARTNER, Partner))
    teams: tuple[Team, ...] = fields.get("team", ())
    fields.refine("route", lambda item: _routes(item, scope, {t.name: t for t in teams}))
    return RoutingTables(fields.get("route", ()), teams, fields.get("partner", ()))


def _named(item: Item, table: str, parsers: Mapping[str, ItemParser], record: Any) -> Any:
    """The records of an array of tables that have names of their own."""
    listed = tables(item, table)
    check_names(listed)
    return tuple(read_all(listed, lambda one: _record(one, parsers, record)))


def _record(item: Item, parsers: Mapping[str, ItemParser], record: Any) -> Any:
    fields = item.read(parsers)
    fields.required("name")
    if fields.failed:
        raise UnreadableError
    return record(**fields.values)


# -- [[route]] -----------------------------------------------------------------------------


def _routes(item: Item, scope: LeadScope, teams: Mapping[str, Team]) -> tuple[Route, ...]:
    listed = tables(item, "route")
    if len(listed) > MAX_ROUTES:
        raise item.wrong(f"at most {MAX_ROUTES} routes", f"{len(listed)} routes")
    check_names(listed)
    found = read_all(list(enumerate(listed, 1)), lambda one: _route(*one, scope, teams))
    conditions = sum(len(parts_of(route.when)) for route in found)
    if conditions > MAX_CONDITIONS:
        expected = f"at most {MAX_CONDITIONS} conditions in all routes"
        raise item.wrong(expected, f"{conditions} conditions")
    return _with_names(found)


def _route(number: int, item: Item, scope: LeadScope, teams: Mapping[str, Team]) -> Route:
    fields = item.read(ROUTE)
    fields.refine("when", lambda when: lead_condition(when, scope))
    fields.refine("assign", lambda assign: _assignment(assign, teams))
    fields.refine("escalate", lambda steps: _escalations(steps, teams))
    fields.required("assign")
    if fields.failed:
        raise UnreadableError
    return Route(**{"name": stated_name(item) or f"route {number}", **fields.values})


def _with_names(routes: list[Route]) -> tuple[Route, ...]:
    """The routes; one without a name gets another if a later one has stated it."""
    taken: set[str] = set()
    named = []
    for route in routes:
        name = route.name
        while name in taken:
            name += "'"
        taken.add(name)
        named.append(replace(route, name=name))
    return tuple(named)


def _assignment(item: Item, teams: Mapping[str, Team]) -> Assignment:
    text = item.text()
    kind, _, name = text.partition(":")
    name = name.strip()
    if kind not in ASSIGN_KINDS or not name:
        raise item.wrong(_ASSIGN)
    if len(name) > LONGEST_NAME or not name.isprintable():
        raise item.wrong(f"a name of at most {LONGEST_NAME} printable characters after the colon")
    if kind == "partner":
        require_partner_name(item, name)
    if kind != "round_robin":
        return Assignment(kind, name)
    return Assignment(kind, name, _members_of(item, name, teams))


def _members_of(item: Item, name: str, teams: Mapping[str, Team]) -> tuple[str, ...]:
    """The members of a team, or the names that are listed themselves."""
    if name in teams:
        if not teams[name].members:
            raise item.wrong(f"a team with members: {quoted(name)} has none")
        return teams[name].members
    listed = tuple(dict.fromkeys(part.strip() for part in name.split(",") if part.strip()))
    if len(listed) > 1:
        return listed
    expected = item.near(name, [f"round_robin:{team}" for team in teams])
    other = 'a team headed by [[team]], or names such as "round_robin:ben,eva"'
    raise item.wrong(expected or other, f"the unknown team {quoted(name)}")


def _escalations(item: Item, teams: Mapping[str, Team]) -> tuple[Escalation, ...]:
    """One step, or a list of steps, each later than the one before."""
    listed = list(item.children()) if isinstance(item.value, list) else [item]
    if not listed or len(listed) > MAX_STEPS:
        raise item.wrong(f'{{ after = "2d", assign = "…" }}, or a list of 1 to {MAX_STEPS} of them')
    found = read_all(listed, lambda one: _escalation(one, teams))
    if len(found) < len(listed):
        raise UnreadableError
    for one, before, after in zip(listed[1:], found, found[1:], strict=False):
        if after.after <= before.after:
            raise one.child("after").wrong("a longer time than that of the step before")
    return tuple(found)


def _escalation(item: Item, teams: Mapping[str, Team]) -> Escalation:
    fields = item.read({"after": Item.duration, "assign": Item.keep})
    fields.refine("assign", lambda assign: _assignment(assign, teams))
    after, assign = fields.required_all("after", "assign")
    return Escalation(after, assign)


# -- [[team]] and [[partner]] --------------------------------------------------------------


def _hours(item: Item) -> Hours:
    fields = item.read(HOURS)
    if fields.failed:
        raise UnreadableError
    found = {_HOURS_FIELDS.get(key, key): value for key, value in fields.values.items()}
    hours = Hours(**{"timezone": item.source.timezone, **found})
    if hours.start >= hours.end:
        raise item.wrong('a time "to" that is later than "from"', "one that is not")
    return hours


def _timezone(item: Item) -> str:
    if (found := zone_named(item.text())) is None:
        raise item.wrong('a time zone such as "Europe/Berlin"')
    return found


def _day(item: Item) -> int:
    if item.value not in DAYS:
        raise item.wrong(item.near(str(item.value), DAYS))
    return DAYS.index(item.value)


def _days(item: Item) -> frozenset[int]:
    return frozenset(list_of(_day, 'a list of days, such as ["mon", "tue"]')(item))


def _clock(item: Item) -> int:
    found = _CLOCK.fullmatch(item.value) if isinstance(item.value, str) else None
    time = None if found is None else (int(found[1]) * 60 + int(found[2])) * _MINUTE
    if time is None or time > _END_OF_DAY:
        raise item.wrong('a time of day such as "09:00"')
    return time


def _holidays(item: Item) -> tuple[str, str | None]:
    """A country by its two letters, and a part of it, such as ``DE`` or ``DE-BY``."""
    country, _, part = item.text().partition("-")
    known = calendars.list_supported_countries(include_aliases=False)
    if country not in known:
        raise item.wrong('a country such as "DE", or a part of one such as "DE-BY"')
    if part and part not in known[country]:
        raise item.wrong(f"{quoted(country)}, or a part of it such as {_example(known[country])}")
    return country, part or None


def _example(parts: list[str]) -> str:
    return ", ".join(parts[:5]) or "none"


def _capacity(item: Item) -> int:
    number = item.value
    is_whole = isinstance(number, int) and not isinstance(number, bool)
    if not is_whole or not 1 <= number <= 1_000_000:
        raise item.wrong("a whole number from 1 to 1000000: leads a week")
    return int(number)


def _members(item: Item) -> tuple[str, ...]:
    found = list_of(Item.name, "a list of users")(item)
    if len(found) > MAX_MEMBERS:
        raise item.wrong(f"at most {MAX_MEMBERS} members", f"{len(found)} members")
    twice = [name for number, name in enumerate(found) if name in found[:number]]
    if twice:
        raise item.wrong("each member once", f"{quoted(twice[0])} a second time")
    return found


ROUTE: dict[str, ItemParser] = {
    "name": Item.name,
    "when": Item.keep,
    "assign": Item.keep,
    "sla": Item.duration,
    "escalate": Item.keep,
}
HOURS: dict[str, ItemParser] = {
    "timezone": _timezone,
    "days": _days,
    "from": _clock,
    "to": _clock,
    "holidays": _holidays,
}
_HOURS_FIELDS = {"from": "start", "to": "end"}
TEAM: dict[str, ItemParser] = {
    "name": Item.name,
    "members": _members,
    "capacity": _capacity,
    "hours": _hours,
}
PARTNER: dict[str, ItemParser] = {
    "name": partner_name,
    "capacity": _capacity,
    "claim": Item.duration,
    "hours": _hours,
}
