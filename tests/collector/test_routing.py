"""Who gets a lead, and by when: pure functions, and the laws that they keep."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pequel_collector.leads.deadlines import due_soon, next_check, passed
from pequel_collector.leads.hours import after_working, week_of
from pequel_collector.leads.routing import Load, decide, escalate, note
from pequel_collector.model import Lead, Routed, parse_iso
from pequel_collector.rules.language.lead_condition import LeadView
from pequel_collector.rules.language.routing import Hours, RoutingTables
from pequel_collector.rules.parser.catalogue import read_catalogue

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
BERLIN = Hours("Europe/Berlin", holidays=("DE", None))
TABLES = """
[[pql]]
name = "keen"
when = { event = "used" }
[[team]]
name = "dach"
members = ["ben", "eva", "kim"]
capacity = 2
[[partner]]
name = "north"
capacity = 1
[[route]]
name = "german"
when = { trait = "country", eq = "DE" }
assign = "round_robin:dach"
escalate = [{ after = "1d", assign = "user:boss" }, { after = "2d", assign = "round_robin:dach" }]
[[route]]
name = "partner"
when = { trait = "country", in = ["DE", "FR"] }
assign = "partner:north"
"""


def tables() -> RoutingTables:
    return read_catalogue(TABLES).routing


def lead_from(country: str) -> LeadView:
    return LeadView("keen", "new", "normal", "user", traits={"country": country})


def decided(load: Load, country: str) -> Routed | None:
    found = decide(tables(), lead_from(country), load)
    if found is not None:
        note(load, found)
    return found


def test_the_round_goes_on_where_it_was_and_a_full_route_does_not_match() -> None:
    load = Load()
    found = [decided(load, "DE") for _ in range(8)]
    owners = [(each and each.owner) or (each and each.partner) for each in found]
    assert owners == ["ben", "eva", "kim", "ben", "eva", "kim", "north", None]
    assert found[1] is not None
    assert found[1].why == 'country is "DE"; eva is next after ben'
    assert found[6] is not None
    assert "no capacity left this week: german" in found[6].why
    assert found[7] is not None
    assert (found[7].name, found[7].why) == (
        None, "no capacity left this week: german, partner; no other route matched",
    )  # fmt: skip
    assert decided(load, "US") is None


def test_an_escalation_gives_the_lead_to_somebody_even_if_all_are_full() -> None:
    load, routes = Load(), tables()
    for _ in range(6):
        decided(load, "DE")
    steps = [escalate(routes, routes.routes[0], step, load) for step in (1, 2)]
    assert [(each.owner, each.step) for each in steps] == [("boss", 1), ("ben", 2)]


@given(st.lists(st.sampled_from(["DE", "FR", "US"]), max_size=30))
def test_nobody_gets_more_than_their_capacity_and_the_first_route_wins(
    countries: list[str],
) -> None:
    load = Load()
    found = [decided(load, country) for country in countries]
    given_to = Counter(each.owner or each.partner for each in found if each and each.name)
    assert all(number <= 2 for name, number in given_to.items() if name != "north")
    assert given_to["north"] <= 1
    members = [given_to[name] for name in ("ben", "eva", "kim")]
    assert max(members) - min(members) <= 1
    left = 6
    for country, routed in zip(countries, found, strict=True):
        expected = "german" if country == "DE" and left else None
        left -= expected == "german"
        assert (routed is not None and routed.name == "german") is (expected == "german")


# -- working hours -----------------------------------------------------------------------------


def instant(text: str) -> int:
    """A time in Berlin."""
    local = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Berlin"))
    return int(local.timestamp()) * 1000


@pytest.mark.parametrize(
    ("start", "length", "end"),
    [
        ("2026-03-06T16:00", 4 * HOUR, "2026-03-09T12:00"),  # Friday to Monday
        ("2026-03-06T10:00", 2 * DAY, "2026-03-10T10:00"),
        ("2026-03-07T23:00", 2 * HOUR, "2026-03-09T11:00"),  # from the weekend
        ("2026-03-07T23:00", DAY, "2026-03-10T09:00"),
        ("2026-04-02T16:30", HOUR, "2026-04-07T09:30"),  # Good Friday and Easter Monday
        ("2026-03-27T16:00", 2 * HOUR, "2026-03-30T10:00"),  # the clocks change on Sunday
        ("2026-03-09T09:00", 8 * HOUR, "2026-03-09T17:00"),
        ("2026-03-09T17:00", MINUTE, "2026-03-10T09:01"),
    ],
)
def test_only_working_time_counts(start: str, length: int, end: str) -> None:
    assert after_working(instant(start), length, BERLIN) == instant(end)


def test_without_hours_all_time_counts() -> None:
    assert after_working(5, DAY, None) == DAY + 5


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 60 * 24 * 60), st.integers(1, 5 * 8 * 60).filter(lambda n: n % 1440),
    st.sets(st.integers(0, 6), min_size=1), st.integers(0, 20), st.integers(1, 4),
)  # fmt: skip
def test_working_time_is_the_number_of_minutes_at_work(
    start: int, length: int, days: set[int], opens: int, span: int
) -> None:
    """The oracle walks minute by minute."""
    began = (parse_iso("2026-04-01T00:00Z") or 0) + start * MINUTE
    hours = Hours("Europe/Berlin", frozenset(days), opens * HOUR, (opens + span) * HOUR)
    at, left = began, length
    while left:
        local = datetime.fromtimestamp(at / 1000, ZoneInfo("Europe/Berlin"))
        left -= local.weekday() in days and opens <= local.hour < opens + span
        at += MINUTE
    found = after_working(began, length * MINUTE, hours)
    assert found == at


def test_a_week_begins_on_monday_in_the_time_zone() -> None:
    monday = instant("2026-03-09T00:00")
    weeks = [week_of(time, "Europe/Berlin") for time in (monday - 1, monday, monday + 7 * DAY - 1)]
    assert (weeks[1] - weeks[0], weeks[2] - weeks[1]) == (1, 0)


# -- deadlines ---------------------------------------------------------------------------------

TIMES = st.one_of(st.none(), st.integers(1, 20))


@given(
    st.sampled_from(["new", "assigned", "contacted", "won"]), TIMES, TIMES, TIMES, TIMES, TIMES,
    st.integers(0, 25),
)  # fmt: skip
def test_something_has_passed_exactly_from_the_next_check_on(
    state: str, due: int | None, soon: int | None, escalates: int | None, snoozed: int | None,
    expires: int | None, now: int,
) -> None:  # fmt: skip
    lead = Lead(
        "l", "keen", 1, "u:x", 1, 0, 0, state=state,  # type: ignore[arg-type]
        due_at=due, due_soon_at=soon, escalate_at=escalates, snoozed_until=snoozed,
        expires_at=expires,
    )  # fmt: skip
    check = next_check(lead)
    assert bool(passed(lead, now)) is (check is not None and check <= now)
    if snoozed is not None and now < snoozed:
        assert passed(lead, now) == []


def test_a_lead_is_due_soon_an_hour_before_but_not_in_the_first_half() -> None:
    assert due_soon(10 * HOUR, 0, HOUR) == 9 * HOUR
    assert due_soon(HOUR, 0, HOUR) == HOUR // 2
    assert due_soon(None, 0, HOUR) is None
