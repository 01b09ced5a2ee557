"""Leads that routes give to people and partners, over HTTP, on both stores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pequel_collector.app.jobs import Housekeeper
from pequel_collector.marking.deadlines import pass_deadlines
from support.sales import DAY, HOUR, Sales, sales, time

DEFINITIONS = """
[[pql]]
name = "set_up"
sla = "4h"
owner = "maria"
when = { event = "used", gte = 2 }

[[pql]]
name = "team"
subject = "account"
when = { event = "used", gte = 3 }

[[team]]
name = "direct"
members = ["ben", "eva"]
capacity = 2

[[partner]]
name = "north"
claim = "3d"

[[route]]
name = "german"
when = { trait = "country", eq = "DE" }
assign = "partner:north"
escalate = { after = "1d", assign = "round_robin:direct" }

[[route]]
name = "french"
when = { trait = "country", eq = "FR" }
assign = "partner:south"

[[route]]
name = "direct"
when = { definition = "set_up" }
assign = "round_robin:direct"
"""


@pytest.fixture
def team(store_url: str) -> Iterator[Sales]:
    with sales(DEFINITIONS, store_url) as made:
        yield made


def qualify(team: Sales, user: str, country: str, at: int = 0, **more: Any) -> dict[str, Any]:
    team.at(at)
    traits = {"country": country, "email": f"{user}@corp.example", "name": user.title()}
    team.tell(user, "", at, type="identify", traits=traits)
    for _ in range(2):
        team.tell(user, "used", at, **more)
    return team.lead(user)


def partner_key(team: Sales, name: str) -> str:
    return team.collector.keys.create("partner", name, partner=name).token


def asked(team: Sales, key: str, method: str, path: str, **options: Any) -> tuple[int, Any]:
    answer = team.call(method, path, key, **options)
    return answer.status_code, answer.json


def what(lead: dict[str, Any]) -> list[str]:
    return [entry["what"] for entry in lead["history"]]


class TestTheStory:
    def test_a_german_trial_goes_to_its_partner_is_escalated_and_won(self, team: Sales) -> None:
        north, south = partner_key(team, "north"), partner_key(team, "south")
        lead = qualify(team, "ada", "DE")
        qualify(team, "luc", "FR")
        qualify(team, "joe", "US")
        path = f"/pqls/{lead['id']}"
        assert (lead["state"], lead["owner"], lead["partner"]) == ("new", "maria", "north")
        assert (lead["route"]["name"], lead["route"]["why"]) == ("german", 'country is "DE"')

        # The right partner sees it, without personal data.
        [seen] = asked(team, north, "GET", "/pqls")[1]["data"]
        assert seen["traits"] == {"country": "DE", "email": "•••@corp.example"}
        assert asked(team, south, "GET", path)[0] == 404

        # It has to claim it first, and can do so once.
        contact = {"contact": {"channel": "phone"}}
        status, answer = asked(team, north, "PATCH", path, json=contact)
        assert (status, answer["error"]["code"]) == (409, "not_claimed")
        assert asked(team, south, "POST", f"{path}/claim")[0] == 404
        status, claimed = asked(team, north, "POST", f"{path}/claim", json={"actor": "Nora"})
        assert (status, claimed["state"], claimed["traits"]["name"]) == (200, "assigned", "Ada")
        assert claimed["claim"]["until"] == time(3 * DAY)
        status, answer = asked(team, north, "POST", f"{path}/claim")
        assert (status, answer["error"]["code"]) == (409, "already_claimed")

        # It is late: the lead is overdue, and escalates to the direct team once.
        for hour in (3, 5, 6, 25, 26):
            team.at(hour * HOUR)
            team.collector.pass_deadlines()
        late = team.lead("ada")
        assert what(late) == ["opened", "routed", "claimed", "due_soon", "overdue", "escalated"]
        assert (late["partner"], late["owner"], late["route"]["step"]) == ("north", "eva", 1)
        assert "pequel_leads_overdue 2.0" in team.client.get("/metrics").text

        assert asked(team, north, "PATCH", path, json=contact)[0] == 200
        won = {"state": "won", "amount": "1200.10", "currency": "EUR"}
        status, answer = asked(team, north, "PATCH", path, json=won)
        assert (status, answer["state"]) == (200, "won")

        # The ledger of the partner, its list and its changes agree.
        status, ledger = asked(team, north, "GET", "/partners/north/ledger")
        assert ([each["id"] for each in ledger["data"]], ledger["totals"]["amounts"]) == (
            [lead["id"]], {"EUR": "1200.10"},
        )  # fmt: skip
        [listed] = asked(team, north, "GET", "/pqls", query_string={"state": "won"})[1]["data"]
        assert (listed["id"], listed["amount"]) == (lead["id"], "1200.10")
        changes = asked(team, north, "GET", "/pqls/changes")[1]["data"]
        assert [each["what"] for each in changes][-3:] == ["escalated", "contacted", "won"]
        assert {each["lead_id"] for each in changes} == {lead["id"]}
        assert asked(team, south, "GET", "/partners/north/ledger")[0] == 404
        assert team.verified() == []


class TestRouting:
    def test_round_robin_capacity_and_the_owner_of_the_definition(self, team: Sales) -> None:
        leads = [qualify(team, f"u{n}", "US") for n in range(5)]
        assert [lead["owner"] for lead in leads] == ["ben", "eva", "ben", "eva", "maria"]
        assert leads[4]["route"]["name"] is None
        assert "no capacity left this week: direct" in leads[4]["route"]["why"]
        assert qualify(team, "next", "US", 9 * DAY)["owner"] == "ben"  # in another week
        assert team.verified() == []

    def test_a_lead_that_only_a_route_touched_can_be_voided(self, team: Sales) -> None:
        team.at(0)
        team.tell("ada", "used", 0)
        team.tell("ada", "used", 0)
        lead = team.lead("ada")
        assert (lead["owner"], lead["state"]) == ("ben", "new")
        team.tell("zoe", "used", 0)
        team.tell("zoe", "", 0, type="alias", previousId="ada")
        assert team.get(f"/pqls/{lead['id']}")["state"] == "voided"
        [own] = team.leads(definition="set_up")
        assert (own["subject"]["id"], own["owner"], own["route"]["name"]) == (
            "zoe",
            "ben",
            "direct",
        )
        assert team.verified() == []

    def test_what_was_given_back_goes_to_whom_the_route_chose(self, team: Sales) -> None:
        lead = qualify(team, "joe", "US")
        assert team.work(lead, owner="kim")["owner"] == "kim"
        given_back = team.work(lead, state="new")
        assert (given_back["owner"], given_back["state"]) == ("ben", "new")

    def test_leads_of_accounts_without_a_route_stay_unrouted(self, team: Sales) -> None:
        for n in range(3):
            team.tell(f"u{n}", "used", 0, groupId="acme")
        [lead] = team.leads(subject_kind="account")
        assert (lead["route"], lead["partner"], lead["owner"]) == (None, None, None)

    def test_a_changed_route_is_for_new_leads_in_every_process(self, team: Sales) -> None:
        first = qualify(team, "joe", "US")
        other = team.collector.ingest
        before = other.evaluators
        text = team.collector.catalogue.text
        moved = text.replace('assign = "round_robin:direct"\n"', "").replace(
            'when = { definition = "set_up" }\nassign = "round_robin:direct"',
            'when = { definition = "set_up" }\nassign = "user:kim"',
        )
        team.collector.put_definitions(moved)
        assert team.get(f"/pqls/{first['id']}")["owner"] == "ben"
        assert qualify(team, "max", "US")["owner"] == "kim"
        # Another process has the old ones, until it looks.
        with team.collector.store.reading() as view:
            other._active = before, "old token"
            assert other.current_evaluators(view).catalogue.routing.routes[2].assign.name == "kim"

    def test_a_preview_shows_where_the_open_leads_would_go(self, team: Sales) -> None:
        qualify(team, "ada", "DE")
        qualify(team, "joe", "US")
        text = team.collector.catalogue.text.replace('eq = "DE"', 'eq = "US"')
        answer = team.call("POST", "/definitions/preview", data=text)
        assert answer.status_code == 200
        found = {(g["route"], g["assigned"]): g["leads"] for g in answer.json["routing"]}
        assert found == {("german", "partner:north"): 1, ("direct", "round_robin:direct"): 1}


class TestDeadlines:
    def test_the_background_job_passes_them_in_rounds_and_once(self, team: Sales) -> None:
        for n in range(3):
            qualify(team, f"u{n}", "FR")
        team.at(5 * HOUR)
        with team.collector.store.writing() as tx:
            evaluators = team.collector.ingest.current_evaluators(tx)
            assert [pass_deadlines(tx, evaluators, team.now, 2) for _ in range(3)] == [2, 1, 0]
        for _ in range(2):
            Housekeeper(team.collector, lambda _: None, lambda _: None).run_once()
        told = [entry["what"] for entry in team.get("/pqls/changes")["data"]]
        assert told.count("overdue") == 3

    def test_a_snoozed_lead_waits_and_a_contacted_one_has_none(self, team: Sales) -> None:
        snoozed, contacted = qualify(team, "ada", "FR"), qualify(team, "bob", "FR")
        team.work(snoozed, snoozed_until=time(10 * HOUR))
        team.work(contacted, contact={})
        for hour, expected in ((9, []), (10, ["overdue"]), (11, ["overdue"])):
            team.at(hour * HOUR)
            team.collector.pass_deadlines()
            assert [w for w in what(team.lead("ada")) if w in ("due_soon", "overdue")] == expected
        assert "overdue" not in what(team.lead("bob"))

    def test_due_at_follows_the_hours_of_whom_the_lead_goes_to(self, store_url: str) -> None:
        hours = 'hours = { timezone = "UTC", from = "09:00", to = "17:00" }'
        text = DEFINITIONS.replace("capacity = 2", f"capacity = 2\n{hours}")
        with sales(text, store_url) as team:  # the start is a Sunday
            assert qualify(team, "joe", "US")["due_at"] == time(DAY + 13 * HOUR)
            assert qualify(team, "luc", "FR")["due_at"] == time(4 * HOUR)


class TestStages:
    def test_a_stage_is_a_trait_that_leads_show_and_routes_read(self, store_url: str) -> None:
        text = DEFINITIONS.replace(
            '[[route]]\nname = "german"',
            '[[route]]\nwhen = { trait = "stage", eq = "sql" }\nassign = "user:sam"\n'
            '[[route]]\nname = "german"',
        )
        with sales(text, store_url) as team:
            team.tell("ada", "", 0, type="identify", traits={"stage": "sql"})
            lead = qualify(team, "ada", "DE")
            assert (lead["stage"], lead["owner"]) == ("sql", "sam")
            team.tell("luc", "", 0, type="group", groupId="acme", traits={"stage": "mql"})
            assert qualify(team, "luc", "FR", groupId="acme")["stage"] == "mql"
            assert qualify(team, "joe", "US")["stage"] is None


class TestClaims:
    def test_one_that_ran_out_can_be_made_again(self, team: Sales) -> None:
        north = partner_key(team, "north")
        lead = qualify(team, "ada", "DE")
        path = f"/pqls/{lead['id']}"
        assert asked(team, north, "POST", f"{path}/claim")[0] == 200
        team.at(4 * DAY)
        seen = asked(team, north, "GET", path)[1]
        assert (seen["claim"], "name" in seen["traits"]) == (None, False)
        assert asked(team, north, "PATCH", path, json={"contact": {}})[0] == 409
        assert asked(team, north, "POST", f"{path}/claim")[0] == 200
        assert team.verified() == []

    def test_a_contact_keeps_it(self, team: Sales) -> None:
        north = partner_key(team, "north")
        path = f"/pqls/{qualify(team, 'ada', 'DE')['id']}"
        asked(team, north, "POST", f"{path}/claim")
        asked(team, north, "PATCH", path, json={"contact": {"channel": "email"}})
        team.at(30 * DAY)
        assert asked(team, north, "GET", path)[1]["claim"]["partner"] == "north"
        assert asked(team, north, "PATCH", path, json={"state": "won"})[0] == 200

    def test_one_without_a_claim_leaves_the_partner_when_it_escalates(self, team: Sales) -> None:
        north = partner_key(team, "north")
        path = f"/pqls/{qualify(team, 'ada', 'DE')['id']}"
        team.at(25 * HOUR)
        team.collector.pass_deadlines()
        lead = team.lead("ada")
        assert (lead["partner"], lead["owner"]) == (None, "ben")
        assert asked(team, north, "GET", path)[0] == 404
        assert asked(team, north, "GET", "/pqls/changes")[1]["data"] == []

    def test_our_own_people_register_a_deal_for_a_partner(self, team: Sales) -> None:
        path = f"/pqls/{qualify(team, 'joe', 'US')['id']}/claim"
        status, answer = asked(team, team.work_key, "POST", path)
        assert (status, answer["error"]["details"]["field"]) == (400, "partner")
        status, answer = asked(team, team.work_key, "POST", path, json={"partner": "south"})
        assert (status, answer["partner"], answer["claim"]["partner"]) == (200, "south", "south")
        assert asked(team, partner_key(team, "south"), "GET", path.removesuffix("/claim"))[0] == 200
        again = asked(team, team.work_key, "POST", path, json={"partner": "north"})
        assert (again[0], again[1]["error"]["code"]) == (409, "already_claimed")

    def test_a_repeated_request_is_the_same_claim(self, team: Sales) -> None:
        north = partner_key(team, "north")
        path = f"/pqls/{qualify(team, 'ada', 'DE')['id']}/claim"
        again = {"headers": {"Idempotency-Key": "k"}}
        assert [asked(team, north, "POST", path, **again)[0] for _ in range(2)] == [200, 200]

    @pytest.mark.parametrize(
        ("body", "field"),
        [({"owner": "x"}, "owner"), ({"state": "assigned"}, "state"), ({"actor": 3}, "actor")],
    )
    def test_a_partner_cannot_assign(self, team: Sales, body: dict[str, Any], field: str) -> None:
        north = partner_key(team, "north")
        path = f"/pqls/{qualify(team, 'ada', 'DE')['id']}"
        asked(team, north, "POST", f"{path}/claim")
        status, answer = asked(team, north, "PATCH", path, json=body | {"amount": "1"})
        assert (status, answer["error"]["details"]["field"]) == (400, field)


def test_the_potential_has_no_small_groups(team: Sales) -> None:
    for n in range(12):
        qualify(team, f"u{n}", "DE" if n < 8 else "US")
    team.now += DAY
    found = team.get("/partners/potential", by="country")
    assert (found["data"], found["suppressed_groups"]) == ([{"name": "DE", "pqls": 5}], 1)
    assert team.get("/partners/potential", by="definition")["data"] == [
        {"name": "set_up", "pqls": 10}
    ]


def test_no_two_answers_about_the_potential_tell_of_one_lead(team: Sales) -> None:
    for n in range(9):
        qualify(team, f"u{n}", "DE")
    team.now += DAY
    before = team.get("/partners/potential")
    qualify(team, "u9", "DE", DAY)
    assert team.get("/partners/potential") == before  # it counts from the next day on
    key = team.collector.keys.create("partner", partner="north").token
    for age in ("0", "1h", "89d", "91d"):
        answer = team.call("GET", "/partners/potential", key, query_string={"max_age": age})
        assert answer.status_code == 400
    team.now += DAY
    assert [each["pqls"] for each in before["data"]] == [5]
    assert [each["pqls"] for each in team.get("/partners/potential")["data"]] == [10]
    assert [each["pqls"] for each in team.get("/partners/potential", max_age="30d")["data"]] == [10]


# -- laws --------------------------------------------------------------------------------------

USERS = st.sampled_from(["ada", "bob", "eve", "joe"])
happenings = st.one_of(
    st.tuples(st.just("used"), USERS, st.integers(0, 20)),
    st.tuples(st.just("country"), USERS, st.sampled_from(["DE", "FR", "US"])),
    st.tuples(st.just("alias"), USERS, USERS),
    st.tuples(st.just("work"), st.integers(0, 5), st.sampled_from([
        {"owner": "kim"}, {"state": "new"}, {"state": "dismissed", "reason": "x"}, {"contact": {}},
    ])),
    st.tuples(st.just("claim"), st.integers(0, 5), st.sampled_from(["north", "south"])),
    st.tuples(st.just("wait"), st.integers(1, 30), st.none()),
)  # fmt: skip


def happen(team: Sales, kind: str, one: Any, other: Any) -> None:
    match kind:
        case "used":
            team.tell(one, "used", HOUR * other)
        case "country":
            team.tell(one, "", 20 * HOUR, type="identify", traits={"country": other})
        case "alias" if one != other:
            team.tell(other, "", 20 * HOUR, type="alias", previousId=one)
        case "wait":
            team.now += one * HOUR
            team.collector.pass_deadlines()
        case "work" | "claim":
            leads = team.leads(state="any")
            if not leads:
                return
            lead = leads[one % len(leads)]
            if kind == "work":
                team.patch(lead, **other)
            else:
                team.call("POST", f"/pqls/{lead['id']}/claim", json={"partner": other})


@settings(max_examples=20, deadline=None)
@given(st.lists(happenings, min_size=6, max_size=24))
def test_decisions_are_made_once_and_a_replay_agrees(story: list[tuple[Any, ...]]) -> None:
    with sales(DEFINITIONS) as team:
        team.at(21 * HOUR)
        for each in story:
            happen(team, *each)
        assert team.verified() == []
        with team.collector.store.reading() as view:
            made = view.transitions_of([f"u:{name}" for name in ("ada", "bob", "eve", "joe")])
            counted = view.routed_counts
            routed = [t for t in made if hasattr(t.patch.routed, "step")]
            first = Counter((t.subject, t.cycle) for t in routed if t.patch.routed.step == 0)
            assert all(number == 1 for number in first.values())
            weeks = range(105_000, 107_000)
            total = sum(sum(counted(week).values()) for week in weeks)
        named = [t for t in routed if t.patch.routed.owner or t.patch.routed.partner]
        assert total == len(named)
