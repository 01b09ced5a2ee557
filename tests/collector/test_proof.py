"""``GET /v1/pqls/{id}/proof``: a lead derived anew from the messages that are stored."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oracle.streams import START, WHOLE, Ids, catalogues, message, streams
from oracle.toml import to_toml
from pequel_collector.app.bootstrap import Collector, open_collector
from pequel_collector.audit.proof import Proofs
from pequel_collector.config import Settings
from pequel_collector.marking import history
from pequel_collector.model import Lead
from pequel_collector.rules.engine import keyed
from pequel_collector.rules.parser.catalogue import read_catalogue
from pequel_collector.web.app import create_app
from support.described import client_of
from support.streams import NOW, messages_of

READ = {"Authorization": "Bearer reader"}
TWICE = """
[features]
basic = ["used", "shared"]

[[pql]]
name = "keen"
when = { event = { feature = "basic" }, gte = 2 }
"""
THRICE = TWICE.replace("gte = 2", "gte = 3")
ACCOUNT = """
[[pql]]
name = "spread"
subject = "account"
when = { event = "used", distinct = "@user", gte = 2 }
"""
TALKS = """
[project]
conversion = "paid"
timezone = "Europe/Berlin"

[features]
"first steps" = ["used", "shared"]

[[metric]]
name = "large"
event = { feature = "first steps" }
where = { size.of.it = { gte = 0.1 }, kind = ["a", "b"] }

[[pql]]
name = "talks"
when = { event = "used", gte = 2 }

[[pql]]
name = "wide"
when.all = [{ pql = "talks" }, { metric = "large", gte = 1 }]
unless = ["customer"]
"""
STRICTER = TALKS.replace('"large", gte = 1', '"large", gte = 9')
ADA, BOB, OLD = Ids("ada", None), Ids("bob", None), Ids("old", None)
Plain = dict[str, Any]
Open = Callable[[str], Collector]


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Histories have pages of a few facts, and few cells have room in a state."""
    monkeypatch.setattr(history, "FACTS_PER_PAGE", 3)
    monkeypatch.setattr(keyed, "MAX_IN_STATE", 2)


@pytest.fixture
def opened(store_url: str) -> Iterator[Open]:
    """What opens a collector with definitions, on either database."""
    collectors: list[Collector] = []

    def open_(toml: str) -> Collector:
        settings = Settings(database=store_url, read_key="reader", write_key="writer")
        collectors.append(open_collector(settings, read_catalogue(toml), clock=lambda: NOW))
        return collectors[-1]

    yield open_
    for each in collectors:
        each.close()


def _tell(collector: Collector, *calls: tuple[int, Ids], **parts: Any) -> None:
    """Say that people used the product, each at a time."""
    told = [
        message("track", who, START + at, event="used", **parts) | {"messageId": f"m{at}"}
        for at, who in calls
    ]
    collector.ingest.accept(messages_of(told))


def _lead(collector: Collector, subject: str) -> Lead:
    with collector.store.reading() as view:
        [lead] = view.leads_of([subject])[subject]
    return lead


def _change(collector: Collector, lead: Lead, **values: Any) -> None:
    for name, value in values.items():
        setattr(lead, name, value)
    with collector.store.writing() as tx:
        tx.save_leads([lead])


def _proof(collector: Collector, lead: Lead) -> dict[str, Any]:
    response = client_of(create_app(collector)).get(f"/v1/pqls/{lead.id}/proof", headers=READ)
    assert response.status_code == 200
    answer: dict[str, Any] = response.get_json()
    return answer


# -- what a proof says -------------------------------------------------------------------------


def test_a_lead_that_the_messages_give_is_equal(opened: Open) -> None:
    collector = opened(TWICE)
    _tell(collector, (1, ADA), (2, ADA), (3, ADA), groupId="acme")
    lead = _lead(collector, "u:ada")
    proof = _proof(collector, lead)
    shown = client_of(create_app(collector)).get(f"/v1/pqls/{lead.id}", headers=READ).get_json()
    assert proof.keys() == {"result", "lead", "derived", "definition", "facts", "differences"}
    assert (proof["result"], proof["facts"], proof["differences"]) == ("equal", 3, [])
    assert proof["lead"] == shown
    assert proof["derived"] == {
        "state": "new",
        "qualified_at": "2026-03-26T00:00:00.002Z",
        "account": "acme",
        "evidence": lead.evidence,
    }
    definition = collector.catalogue.definitions[0]
    assert proof["definition"] == {
        "name": "keen",
        "version": 1,
        "hash": definition.hash,
        "text": definition.text,
    }


def test_the_account_of_an_accounts_lead_is_the_account(opened: Open) -> None:
    collector = opened(ACCOUNT)
    _tell(collector, (1, ADA), (2, BOB), groupId="acme")
    proof = _proof(collector, _lead(collector, "g:acme"))
    assert (proof["result"], proof["derived"]["account"]) == ("equal", "acme")


def test_what_the_messages_give_otherwise_is_restated_part_by_part(opened: Open) -> None:
    collector = opened(TWICE)
    _tell(collector, (1, ADA), (2, ADA))
    lead = _lead(collector, "u:ada")
    lead.evidence["leaves"][0]["observed"] = 7
    _change(collector, lead, qualified_at=START, account="brix")
    proof = _proof(collector, lead)
    assert proof["result"] == "restated"
    assert proof["differences"] == [
        {
            "field": "qualified_at",
            "stored": "2026-03-26T00:00:00.000Z",
            "derived": "2026-03-26T00:00:00.002Z",
        },
        {"field": "account", "stored": "brix", "derived": None},
        {"field": "evidence.leaves.0.observed", "stored": 7, "derived": 2},
    ]


def test_the_stored_history_has_no_say(opened: Open) -> None:
    collector = opened(TWICE)
    _tell(collector, (1, ADA), (2, ADA))
    with collector.store.writing() as tx:
        tx.forget_history("u:ada")
    assert _proof(collector, _lead(collector, "u:ada"))["result"] == "equal"


def test_a_lead_that_the_messages_do_not_give_has_nothing_derived(opened: Open) -> None:
    collector = opened(TWICE)
    _tell(collector, (1, ADA), (2, ADA))
    lead = _lead(collector, "u:ada")
    _change(collector, lead, cycle=2, id="invented")
    proof = _proof(collector, lead)
    assert (proof["result"], proof["derived"], proof["differences"]) == ("restated", None, [])


def test_a_lead_that_was_voided_has_a_proof(opened: Open) -> None:
    """A group call that came late took the basis of the account's lead away."""
    collector = opened(ACCOUNT)
    group = message("group", BOB, START, groupId="acme") | {"messageId": "g1"}
    collector.ingest.accept(messages_of([group]))
    _tell(collector, (3, ADA), groupId="acme")
    _tell(collector, (4, BOB))
    away = message("group", BOB, START + 1, groupId="brix") | {"messageId": "g2"}
    collector.ingest.accept(messages_of([away]))
    proof = _proof(collector, _lead(collector, "g:acme"))
    assert (proof["lead"]["state"], proof["result"]) == ("voided", "restated")
    assert proof["derived"] is None


def test_a_lead_that_was_passed_on_is_proven_for_whose_it_is(opened: Open) -> None:
    collector = opened(TWICE)
    _tell(collector, (1, OLD), (2, OLD))
    alias = message("alias", ADA, START + 3, previousId="old") | {"messageId": "a"}
    collector.ingest.accept(messages_of([alias]))
    proof = _proof(collector, _lead(collector, "u:old"))
    assert (proof["lead"]["state"], proof["result"]) == ("voided", "equal")
    assert proof["facts"] == 3


def test_facts_that_are_gone_are_said_to_be(opened: Open) -> None:
    collector = opened(TWICE)
    _tell(collector, (1, ADA), (2, ADA), (3, ADA))
    with collector.store._database.writing() as session:  # type: ignore[attr-defined]
        session.run("DELETE FROM event WHERE mid = 'm1'")
    proof = _proof(collector, _lead(collector, "u:ada"))
    assert (proof["result"], proof["facts"]) == ("facts_purged", 2)
    assert proof["derived"]["qualified_at"] == "2026-03-26T00:00:00.003Z"


# -- under which version -----------------------------------------------------------------------


def _under(collector: Collector, toml: str) -> None:
    collector.put_definitions(toml)
    while (replay := collector.backfill_some()) and not replay.is_finished:
        pass


@pytest.mark.parametrize("toml", [THRICE, "[features]\nbasic = ['used', 'shared']"])
def test_a_lead_is_proven_under_its_own_version(opened: Open, toml: str) -> None:
    """Whether the definition has changed, or was taken out."""
    collector = opened(TWICE)
    _tell(collector, (1, ADA), (2, ADA))
    text = collector.catalogue.definitions[0].text
    _under(collector, toml)
    proof = _proof(collector, _lead(collector, "u:ada"))
    assert (proof["result"], proof["definition"]["version"]) == ("equal", 1)
    assert proof["definition"]["text"] == text


def test_a_version_that_looks_forward_counts_from_when_it_was_in_force(opened: Open) -> None:
    forward = TWICE + 'on_change = "forward"\n'
    collector = opened(forward)
    _tell(collector, (NOW - START + 1, ADA), (NOW - START + 2, ADA))
    _under(collector, THRICE)
    assert _proof(collector, _lead(collector, "u:ada"))["result"] == "equal"


def test_a_version_that_cannot_be_read_any_more_is_said_to_be(opened: Open) -> None:
    """What definitions share is as it is today."""
    collector = opened(TWICE)
    _tell(collector, (1, ADA), (2, ADA))
    _under(collector, ACCOUNT)
    proof = _proof(collector, _lead(collector, "u:ada"))
    assert (proof["result"], proof["derived"], proof["facts"]) == (None, None, 0)
    assert "version 1 of keen" in proof["definition"]["problem"]


def _wide(collector: Collector) -> Lead:
    """A lead for what names another definition, a metric, a feature and the project."""
    _tell(collector, (1, ADA), (2, ADA), properties={"size": {"of": {"it": 1}}, "kind": "b"})
    with collector.store.reading() as view:
        [lead] = [one for one in view.leads_of(["u:ada"])["u:ada"] if one.definition == "wide"]
    return lead


@pytest.mark.parametrize(
    "toml",
    [
        TALKS.replace("gte = 2", "gte = 3"),
        TALKS.replace("gte = 2", "gte = 3").replace('"talks"', '"chats"'),
        TALKS[: TALKS.index("[[pql]]")],
    ],
)
def test_definitions_that_it_names_are_as_they_were(opened: Open, toml: str) -> None:
    """Whether these have changed, bear another name, or were taken out."""
    collector = opened(TALKS)
    lead = _wide(collector)
    _under(collector, toml)
    assert _proof(collector, lead)["result"] == "equal"


def test_a_definition_that_it_names_may_have_changed_back_and_forth(opened: Open) -> None:
    """It named the first version, after there had been a second one."""
    talks = TALKS[: TALKS.rindex("[[pql]]")]
    collector = opened(talks)
    with_one = talks.replace("gte = 2", "gte = 1")
    for toml in (with_one, TALKS):
        _under(collector, toml)
    lead = _wide(collector)
    _under(collector, TALKS.replace("gte = 2", "gte = 3"))
    assert _proof(collector, lead)["result"] == "equal"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('["used", "shared"]', '["used"]'),
        ("gte = 0.1", "gte = 0.2"),
        ('"paid"', '"bought"'),
    ],
)
def test_where_what_is_shared_has_changed_there_is_no_proof(
    opened: Open, before: str, after: str
) -> None:
    """The facts are what they were, so the lead is not said to be restated."""
    collector = opened(TALKS)
    lead = _wide(collector)
    _under(collector, STRICTER.replace(before, after))
    proof = _proof(collector, lead)
    assert (proof["result"], proof["derived"], proof["differences"]) == (None, None, [])
    assert proof["definition"]["problem"].startswith(
        "what version 1 of wide names has changed since"
    )


def test_what_its_version_does_not_name_may_change(opened: Open) -> None:
    collector = opened(TALKS)
    lead = _wide(collector)
    _under(collector, STRICTER.replace("Berlin", "Paris"))
    assert _proof(collector, lead)["result"] == "equal"


def test_a_version_that_never_was_is_said_not_to_be(opened: Open) -> None:
    collector = opened(TWICE)
    _tell(collector, (1, ADA), (2, ADA))
    lead = _lead(collector, "u:ada")
    _change(collector, lead, version=7)
    assert _proof(collector, lead)["definition"] == {
        "name": "keen",
        "version": 7,
        "hash": None,
        "text": None,
        "problem": "there is no version 7 of keen",
    }


# -- who may ask -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "status", "code"),
    [("reader", 404, "not_found"), ("writer", 401, "wrong_key"), ("who", 401, "unknown_key")],
)
def test_errors_have_the_shape_of_the_query_api(
    opened: Open, key: str, status: int, code: str
) -> None:
    client = client_of(create_app(opened(TWICE)))
    response = client.get("/v1/pqls/nothing/proof", headers={"Authorization": f"Bearer {key}"})
    assert (response.status_code, response.get_json()["error"]["code"]) == (status, code)


def test_there_are_no_parameters(opened: Open) -> None:
    response = client_of(create_app(opened(TWICE))).get("/v1/pqls/x/proof?y=1", headers=READ)
    assert (response.status_code, response.get_json()["error"]["code"]) == (400, "bad_parameter")


# -- the law -----------------------------------------------------------------------------------


@settings(
    max_examples=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(
    catalogue=catalogues(WHOLE),
    messages=streams(max_size=25),
    order=st.randoms(use_true_random=False),
    then=st.booleans(),
)
def test_every_lead_that_stands_is_equal(
    catalogue: Plain, messages: list[Plain], order: random.Random, then: bool
) -> None:
    """Also once its definition is in force no longer, and none that it names."""
    toml = to_toml(catalogue)
    collector = open_collector(Settings(database="sqlite://"), read_catalogue(toml), lambda: NOW)
    for call in order.sample(messages, len(messages)):
        collector.ingest.accept(messages_of([call]))
    with collector.store.reading() as view:
        keys = view.subjects()
        leads = [lead for each in view.leads_of(keys).values() for lead in each]
    if then:
        _under(collector, to_toml({name: p for name, p in catalogue.items() if name != "pql"}))
    proofs = Proofs(collector.store, collector.clock)
    standing = [proofs.proof(lead.id) for lead in leads if lead.state != "voided"]
    assert [proof for proof in standing if proof.result != "equal"] == []
    collector.close()
