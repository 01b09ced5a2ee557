"""What becomes of leads when it turns out who somebody is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from oracle.streams import START, Ids, message
from pequel_collector.app.bootstrap import Collector
from pequel_collector.audit.verify import verify
from pequel_collector.marking.work import LeadChange
from pequel_collector.model import Lead, LeadPatch, LeadState, iso
from support.api import Api
from support.streams import collector_of, messages_of

DEFINITIONS = """
[[pql]]
name = "clicked_thrice"
when = { event = "clicked", gte = 3 }

[[pql]]
name = "two_people"
subject = "account"
when = { event = "clicked", distinct = "@user", gte = 2 }

[[pql]]
name = "paying"
when = { trait = "plan", eq = "paid" }
"""

Plain = dict[str, Any]


class Told:
    """Calls told one after the other, and the leads that there are."""

    def __init__(self, collector: Collector) -> None:
        self.collector = collector
        self.number = 0

    def __call__(self, kind: str, at: int, ids: Ids, **parts: Any) -> list[str]:
        """Send a call; the definitions that its acknowledgement says have qualified."""
        self.number += 1
        parts.setdefault("event", "clicked" if kind == "track" else None)
        call = message(kind, ids, START + at, **parts) | {"messageId": f"m{self.number:02}"}
        receipt = self.collector.ingest.accept(messages_of([call]))
        return [lead.definition for lead in receipt.qualified]

    def standing(self, *subjects: str) -> list[tuple[str, str, int]]:
        """Definition, subject and time of the leads of subjects that are not voided."""
        return [
            (lead.definition, lead.subject, lead.qualified_at - START)
            for lead in self.leads(*subjects)
            if lead.state != "voided"
        ]

    def leads(self, *subjects: str) -> list[Lead]:
        """Every lead of subjects."""
        with self.collector.store.reading() as view:
            found = view.leads_of(subjects)
        return [lead for subject in subjects for lead in found[subject]]


@pytest.fixture
def told(store_url: str) -> Iterator[Told]:
    """A collector with definitions, on either database."""
    collector = collector_of(DEFINITIONS, store_url)
    yield Told(collector)
    collector.close()


VISITOR, ADA, LOGIN = Ids(None, "v1"), Ids("ada", None), Ids("ada", "v1")


def test_a_visitor_qualifies_for_nothing(told: Told) -> None:
    marked = [told("track", at, VISITOR) for at in range(5)]
    assert marked == [[]] * 5
    assert told.standing("a:v1", "u:v1") == []


def test_what_was_done_before_the_login_counts_with_its_own_time(told: Told) -> None:
    for at in (1, 2, 3):
        told("track", at, VISITOR)
    assert told("identify", 9, LOGIN) == ["clicked_thrice"]
    assert told.standing("u:ada") == [("clicked_thrice", "u:ada", 3)]


def test_clicks_before_and_after_the_login_are_added_up(told: Told) -> None:
    told("track", 1, VISITOR)
    told("identify", 2, LOGIN)
    assert told("track", 3, ADA) == []
    assert told("track", 4, ADA) == ["clicked_thrice"]


def test_a_trait_that_the_visitor_told_is_the_users(told: Told) -> None:
    told("identify", 1, VISITOR, traits={"plan": "paid"})
    assert told("track", 5, LOGIN) == ["paying"]
    assert told.standing("u:ada") == [("paying", "u:ada", 1)]


def test_after_an_alias_the_lead_is_the_persons_and_only_one_stands(told: Told) -> None:
    for at in (1, 2, 3):
        told("track", at, Ids("old", None))
    for at in (4, 5, 6):
        told("track", at, ADA)
    told("alias", 7, ADA, previousId="old")
    assert told.standing("u:ada", "u:old") == [("clicked_thrice", "u:ada", 3)]


def two_with_leads(told: Told) -> None:
    """``old`` qualifies at 3, ``ada`` at 6."""
    for at in (1, 2, 3):
        told("track", at, Ids("old", None))
    for at in (4, 5, 6):
        told("track", at, ADA)


def work(told: Told, subject: str, state: LeadState, owner: str | None) -> None:
    """What a person does with the only lead of a subject."""
    [lead] = told.leads(subject)
    if state != "new":
        patch = LeadPatch(state=state) if owner is None else LeadPatch(state=state, owner=owner)
        told.collector.desk.change(lead.id, LeadChange(patch, reason="why not"))


def test_of_two_leads_that_under_the_persons_own_id_stays_with_the_earlier_time(told: Told) -> None:
    two_with_leads(told)
    [own] = told.leads("u:ada")
    told("alias", 7, ADA, previousId="old")
    [lead], [voided] = told.leads("u:ada"), told.leads("u:old")
    assert (lead.id, lead.marked_at) == (own.id, own.marked_at)
    assert lead.qualified_at == START + 3
    assert "restated" in lead.flags
    assert (voided.state, voided.merged_into) == ("voided", lead.id)
    with told.collector.store.reading() as view:
        changes = [(change.what, change.before) for change in view.changes(lead.id)]
    assert [what for what, _ in changes][:3] == ["opened", "merged", "restated"]
    assert changes[2][1]["qualified_at"] == iso(START + 6)


def test_of_two_leads_a_later_one_does_not_move_the_persons_own(told: Told) -> None:
    for at in (4, 5, 6):
        told("track", at, Ids("old", None))
    for at in (1, 2, 3):
        told("track", at, ADA)
    told("alias", 7, ADA, previousId="old")
    [lead] = told.leads("u:ada")
    assert (lead.qualified_at, lead.flags) == (START + 3, [])


@pytest.mark.parametrize(
    ("of_old", "of_ada", "stays"),
    [
        (("assigned", "eve"), ("new", None), ("assigned", "eve")),
        (("won", "eve"), ("contacted", "bob"), ("won", "eve")),
        (("new", None), ("assigned", "bob"), ("assigned", "bob")),
        (("assigned", "eve"), ("assigned", "bob"), ("assigned", "bob")),
        (("dismissed", None), ("won", "bob"), ("won", "bob")),
    ],
)
def test_of_two_leads_the_one_that_stays_keeps_what_people_did_with_either(
    told: Told, of_old: Any, of_ada: Any, stays: Any
) -> None:
    two_with_leads(told)
    work(told, "u:old", *of_old)
    work(told, "u:ada", *of_ada)
    told("alias", 7, ADA, previousId="old")
    [lead], [voided] = told.leads("u:ada"), told.leads("u:old")
    assert (lead.state, lead.owner) == stays
    assert voided.state == "voided"


def test_the_only_lead_passes_on_with_what_people_did(told: Told) -> None:
    for at in (1, 2, 3):
        told("track", at, Ids("old", None))
    work(told, "u:old", "contacted", "eve")
    told("alias", 7, ADA, previousId="old")
    [lead] = told.leads("u:ada")
    assert (lead.state, lead.owner, lead.qualified_at) == ("contacted", "eve", START + 3)


def test_a_merged_lead_names_the_lead_that_lives_after_further_merges(told: Told) -> None:
    two_with_leads(told)
    [first] = told.leads("u:old")
    told("alias", 7, ADA, previousId="old")
    told("alias", 8, Ids("eve", None), previousId="ada")
    [lead] = told.leads("u:eve")
    answer = told.collector.queries.pql(first.id)
    assert (answer.state, answer.lead.merged_into) == ("voided", lead.id)
    assert Api(told.collector).user("old")["leads"][0]["id"] == lead.id
    assert told.collector.queries.pql(lead.id).lead.merged_into is None


def test_merged_leads_verify(told: Told) -> None:
    two_with_leads(told)
    told("alias", 7, ADA, previousId="old")
    found: list[Any] = []
    verify(told.collector.store, told.collector.clock, found.append)
    assert found == []


def test_people_who_turn_out_to_be_one_are_one_member(told: Told) -> None:
    told("track", 1, Ids("old", None), groupId="acme")
    assert told("track", 2, ADA, groupId="acme") == ["two_people"]
    told("alias", 3, ADA, previousId="old")
    assert told.standing("g:acme") == []
    [lead] = told.leads("g:acme")
    assert lead.state == "voided"


def test_a_visitors_event_makes_no_member_until_the_login(told: Told) -> None:
    told("track", 1, Ids("bob", None), groupId="acme")
    assert told("track", 2, VISITOR, groupId="acme") == []
    assert told("identify", 9, LOGIN) == ["two_people"]
    assert told.standing("g:acme") == [("two_people", "g:acme", 2)]


def test_a_group_call_of_the_visitor_brings_the_users_events_to_the_account(told: Told) -> None:
    told("track", 1, Ids("bob", None), groupId="acme")
    told("group", 2, VISITOR, groupId="acme")
    told("track", 3, ADA)
    assert told("identify", 9, LOGIN) == ["two_people"]
    assert told.standing("g:acme") == [("two_people", "g:acme", 3)]


def test_a_lead_goes_when_the_visitor_was_somebody_else(told: Told) -> None:
    for at in (1, 2, 3):
        told("track", at, VISITOR)
    told("track", 9, Ids("bob", "v1"))
    assert told.standing("u:bob") == [("clicked_thrice", "u:bob", 3)]
    told("identify", 5, LOGIN)
    assert told.standing("u:bob", "u:ada") == [("clicked_thrice", "u:ada", 3)]
