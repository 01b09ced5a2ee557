"""A definition that changes takes its leads back, and gives them back when it is changed back."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from oracle.leads import Step, fate, is_flagged, standing
from oracle.streams import WHOLE, catalogues, streams
from oracle.toml import to_toml
from pequel_collector.audit.preview import Budget
from pequel_collector.audit.verify import verify
from pequel_collector.leads.transitions import LeadKey, transitions_of
from pequel_collector.marking import backfill
from pequel_collector.marking.work import LeadChange
from pequel_collector.model import LeadPatch
from pequel_collector.rules.parser.catalogue import read_catalogue
from support.sales import DAY, HOUR, PROJECT, Sales, sales
from support.stage import Stage, replay_to_end, some_forward

Plain = dict[str, Any]

TWICE = '[[pql]]\nname = "set_up"\nwhen = { event = "used", gte = 2 }\n'
THRICE = TWICE.replace("2", "3")
FORWARD = 'on_change = "forward"\n'


def put(team: Sales, toml: str) -> list[str]:
    """Change the definitions, and replay history; a line for each change."""
    answer = team.call("PUT", "/definitions", key="admin", data=PROJECT + toml)
    assert answer.status_code == 200, answer.json
    replay_to_end(team.collector)
    changes: list[str] = answer.json["changes"]
    return changes


def use(team: Sales, user: str, times: int, at: int = 0, **parts: Any) -> None:
    for number in range(times):
        team.tell(user, "used", at + number, **parts)


NO_HISTORY = {"history": [], "history_total": 0}


@pytest.fixture
def team(store_url: str) -> Iterator[Sales]:
    """A team with a lead of ada, who did it twice, and one of eve, who did it three times."""
    with sales(TWICE, store_url) as team:
        use(team, "ada", 2)
        use(team, "eve", 3)
        team.at(HOUR)
        yield team


class TestStricter:
    def test_an_untouched_lead_is_voided_and_comes_back_under_its_id(self, team: Sales) -> None:
        before = team.lead("ada")
        assert put(team, THRICE) == ["set_up → version 2: 0 leads added, 1 withdrawn"]
        voided = team.get(f"/pqls/{before['id']}")
        assert voided["state"] == "voided"
        entry = voided["history"][-1]
        assert (entry["what"], entry["reason"]) == ("voided", "definition_changed")
        assert team.verified() == []
        assert put(team, TWICE) == ["set_up → version 1: 1 lead added, 0 withdrawn"]
        after = team.lead("ada")
        assert [each["what"] for each in after["history"]] == ["opened", "voided", "reopened"]
        assert after | NO_HISTORY == before | NO_HISTORY
        assert team.verified() == []

    def test_a_worked_lead_is_flagged_until_it_is_changed_back(self, team: Sales) -> None:
        lead = team.work(team.lead("ada"), owner="ben", contact={"channel": "phone"})
        assert put(team, THRICE) == ["set_up → version 2: 0 leads added, 1 withdrawn"]
        flagged = team.lead("ada")
        assert (flagged["state"], flagged["flags"], flagged["version"]) == (
            "contacted", ["superseded"], 1,
        )  # fmt: skip
        assert flagged["history"][-1]["what"] == "superseded"
        assert team.verified() == []
        assert put(team, TWICE) == ["set_up → version 1: 1 lead added, 0 withdrawn"]
        after = team.lead("ada")
        assert after | NO_HISTORY == lead | NO_HISTORY
        assert team.verified() == []

    def test_a_lead_that_both_give_keeps_its_id_and_gets_the_new_version(self, team: Sales) -> None:
        before = team.lead("eve")
        put(team, THRICE)
        after = team.lead("eve")
        assert (after["id"], after["version"], after["flags"]) == (before["id"], 2, ["restated"])
        assert after["qualified_at"] > before["qualified_at"]
        assert team.verified() == []

    def test_what_people_give_back_is_voided(self, team: Sales) -> None:
        lead = team.work(team.lead("ada"), owner="ben")
        put(team, THRICE)
        given_back = team.work(lead, state="new")
        assert (given_back["state"], given_back["flags"]) == ("voided", [])
        assert team.verified() == []
        put(team, TWICE)
        assert team.lead("ada")["state"] == "new"
        assert team.verified() == []

    def test_the_next_version_that_gives_it_takes_it_over(self, team: Sales) -> None:
        lead = team.work(team.lead("ada"), owner="ben")
        put(team, THRICE)
        use(team, "ada", 1, at=HOUR)
        after = team.lead("ada")
        assert (after["id"], after["version"], after["owner"]) == (lead["id"], 2, "ben")
        assert after["flags"] == ["restated"]
        assert team.verified() == []

    def test_facts_that_were_gone_first_stay_the_reason(self) -> None:
        """A lead that had no basis before its definition changed is not of an older version."""
        with sales(TWICE + 'unless = ["customer"]\n') as team:
            use(team, "ada", 2, at=HOUR)
            team.work(team.lead("ada"), owner="ben")
            team.tell("ada", "subscribed", 0)
            assert team.lead("ada")["flags"] == ["restated"]
            put(team, THRICE)
            assert team.lead("ada")["flags"] == ["restated"]
            assert team.verified() == []


class TestTakenOut:
    @pytest.mark.parametrize("other", ["", TWICE.replace("set_up", "keen")])
    def test_its_leads_are_withdrawn_and_come_back(self, team: Sales, other: str) -> None:
        """Renamed, it is another definition."""
        voided, worked = team.lead("ada"), team.work(team.lead("eve"), owner="ben")
        changes = put(team, other)
        assert changes[-1] == "set_up → no longer in force: 0 leads added, 2 withdrawn"
        assert team.get(f"/pqls/{voided['id']}")["state"] == "voided"
        assert team.get(f"/pqls/{worked['id']}")["flags"] == ["superseded"]
        assert team.verified() == []
        put(team, TWICE)
        assert team.lead("ada")["state"] == "new"
        assert (team.lead("eve")["state"], team.lead("eve")["flags"]) == ("assigned", [])
        assert team.verified() == []

    def test_for_accounts_instead_of_users(self, team: Sales) -> None:
        put(team, TWICE + 'subject = "account"\n')
        assert [each["subject"]["kind"] for each in team.leads()] == []
        assert team.verified() == []


class TestForward:
    def test_changed_and_changed_back_it_keeps_the_leads_from_before(self, store_url: str) -> None:
        with sales(TWICE + FORWARD, store_url) as team:
            use(team, "ada", 2)
            before = team.lead("ada")
            for day, toml in enumerate((THRICE, TWICE), 1):
                team.at(day * DAY)
                assert put(team, toml + FORWARD)[0].endswith("0 leads added, 0 withdrawn")
                after = team.lead("ada")
                today = {name: after[name] for name in ("holds_now", "description")}
                assert after == before | today
                assert team.verified() == []

    def test_taken_out_it_keeps_them_too(self, store_url: str) -> None:
        with sales(TWICE + FORWARD, store_url) as team:
            use(team, "ada", 2)
            team.at(DAY)
            for toml in ("", '[labels]\nused = { one = "used it", many = "used it {n} times" }\n'):
                put(team, toml)
                assert team.leads()[0]["state"] == "new"
                assert team.verified() == []

    def test_a_lead_that_was_taken_back_before_stays_so(self, team: Sales) -> None:
        put(team, THRICE)
        team.at(DAY)
        put(team, TWICE + FORWARD)
        assert [each["subject"]["id"] for each in team.leads()] == ["eve"]
        assert team.verified() == []
        put(team, TWICE)
        assert len(team.leads()) == 2
        assert team.verified() == []


# -- laws --------------------------------------------------------------------------------------

FEW = settings(
    deadline=None,
    max_examples=20,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),  # an example takes long to shrink
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
PATCHES = [
    LeadPatch(state="contacted"),
    LeadPatch(owner="ben"),
    LeadPatch(owner=None),
    LeadPatch(state="new"),
    LeadPatch(state="won"),
]


def work(stage: Stage, chance: random.Random) -> None:
    """Somebody does something with some lead, if that is legal."""
    alive = [lead for lead in stage.leads() if lead.state != "voided"]
    if alive:
        lead, patch = chance.choice(alive), chance.choice(PATCHES)
        stage.try_to_work(lead.id, LeadChange(patch))


def differences(stage: Stage) -> list[str]:
    found: list[str] = []
    verify(stage.collector.store, stage.clock, lambda each: found.append(str(each)))
    return found


def lives(stage: Stage) -> dict[str, Plain]:
    """All that is known of leads, but for the flag that says that a time was restated once."""
    found = {lead.id: asdict(lead) for lead in stage.leads()}
    for lead in found.values():
        lead["flags"] = sorted({*lead["flags"]} - {"restated"})
    return found


def check_against_the_oracle(stage: Stage) -> None:
    """Leads that the definitions in force do not give have no basis, and people's part stays."""
    since, names = stage.activated(), {table["name"] for table in stage.catalogue["pql"]}
    kept = set(stage.collector.ingest.evaluators.in_force.kept)
    for lead in stage.leads():
        if standing(lead, since, kept, names) == "merged":
            continue
        with stage.collector.store.reading() as view:
            done = transitions_of(view, [lead.subject])[lead.subject]
        steps = [Step.of(each) for each in done.get(LeadKey(lead.definition, lead.cycle), [])]
        assert (lead.state, lead.owner) == fate(lead, steps)[:2]
        assert ("superseded" in lead.flags) == is_flagged(lead, steps)


@FEW
@given(
    choices=st.lists(catalogues(WHOLE), min_size=2, max_size=2),
    messages=streams(identity=True, max_size=20),
    chance=st.randoms(use_true_random=False),
)
def test_whatever_happened_the_leads_are_those_of_a_replay_under_the_last_definitions(
    choices: list[Plain],
    messages: list[Plain],
    chance: random.Random,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Changes there and back, batches, steps, restarts and the work of people, in any order."""
    monkeypatch.setattr(backfill, "SUBJECTS_PER_STEP", 2)
    offered = [*(some_forward(each, chance) for each in choices), {**choices[0], "pql": []}]
    stage, left, parts = Stage(offered[0]), list(messages), []
    while left:
        match chance.choice(["tell", "tell", "step", "put", "restart", "work", "work", "tick"]):
            case "tell":
                parts.append(left[:3])
                stage.tell(left[:3])
                left = left[3:]
            case "step":
                stage.collector.backfill_some()
            case "put":
                stage.put(chance.choice(offered))
            case "restart":
                stage.restart()
            case "work":
                work(stage, chance)
            case "tick":
                stage.collector.run_clock()
    stage.finish()
    assert stage.marks() == stage.expected(parts)
    check_against_the_oracle(stage)
    assert differences(stage) == []


def check_there_and_back(
    stage: Stage, first: Plain, second: Plain, messages: list[Plain], chance: random.Random
) -> None:
    stage.tell(messages)
    stage.finish()
    for _ in range(3):
        work(stage, chance)
    before = lives(stage)
    for catalogue in (second, first):
        stage.put(catalogue)
        stage.finish()
    after = lives(stage)
    assert {id_: after[id_] for id_ in before} == before
    assert all(after[id_]["state"] == "voided" for id_ in after.keys() - before.keys())


@FEW
@given(
    first=catalogues(WHOLE),
    second=catalogues(WHOLE),
    messages=streams(identity=True, max_size=20),
    chance=st.randoms(use_true_random=False),
)
def test_a_change_that_is_changed_back_leaves_no_trace(
    first: Plain, second: Plain, messages: list[Plain], chance: random.Random
) -> None:
    check_there_and_back(Stage(first), first, second, messages, chance)


@pytest.mark.postgres
@settings(FEW, max_examples=4)
@given(
    first=catalogues(WHOLE),
    second=catalogues(WHOLE),
    messages=streams(identity=True, max_size=20),
    chance=st.randoms(use_true_random=False),
)
def test_the_same_holds_on_postgres(
    first: Plain, second: Plain, messages: list[Plain], chance: random.Random, postgres_server: Any
) -> None:
    with postgres_server.database() as url:
        stage = Stage(first, url)
        with closing(stage.collector):
            check_there_and_back(stage, first, second, messages, chance)


@FEW
@given(
    first=catalogues(WHOLE),
    second=catalogues(WHOLE),
    messages=streams(identity=True, max_size=20),
    chance=st.randoms(use_true_random=False),
    steps=st.integers(0, 2),
)
def test_a_preview_says_what_the_change_does(
    first: Plain, second: Plain, messages: list[Plain], chance: random.Random, steps: int
) -> None:
    """Also while history is still replayed under an earlier change."""
    stage = Stage(first)
    stage.tell(messages)
    for _ in range(steps):
        stage.collector.backfill_some()
        work(stage, chance)
    stage.now += 1
    following = some_forward(chance.choice([first, second]), chance)
    catalogue = read_catalogue(to_toml(following))
    before = with_a_basis(stage)
    found = stage.collector.preview(catalogue, Budget(names=1_000))
    stage.put(following)
    replay_to_end(stage.collector)
    after = with_a_basis(stage)
    moved = {key for key in before.keys() & after.keys() if before[key] != after[key]}
    said = {
        effect: {
            (each.name, lead.subject, lead.cycle)
            for each in found.data
            for lead in getattr(each, effect).first
        }
        for effect in ("gained", "lost", "earlier", "later")
    }
    assert said == {
        "gained": after.keys() - before.keys(),
        "lost": before.keys() - after.keys(),
        "earlier": {key for key in moved if after[key] < before[key]},
        "later": {key for key in moved if after[key] > before[key]},
    }
    assert found.is_whole


def with_a_basis(stage: Stage) -> dict[tuple[str, str, int], int]:
    return {
        (lead.definition, lead.subject, lead.cycle): lead.qualified_at
        for lead in stage.leads()
        if lead.withdrawn is None and lead.merged_into is None
    }
