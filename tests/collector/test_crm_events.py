"""What an event of a CRM asks of a lead: laws of the pure functions, and the store."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from pequel_collector.leads.crm import (
    OUTCOMES,
    CrmEvent,
    Outcome,
    Skipped,
    asked,
    fresh,
    key_of,
    reason_for,
)
from pequel_collector.leads.outbox import AlertRules, to_send
from pequel_collector.model import Lead, LeadPatch, Transition
from pequel_collector.ports import Attempted, Change, Queued, Store
from pequel_collector.rules.language.alerts import EVENTS, Alert
from pequel_collector.rules.language.crm import Crm
from pequel_collector.rules.language.lead_condition import LeadView
from pequel_collector.store import open_store

LEAD = Lead(
    id="l1", definition="keen", version=1, subject="u:ada", cycle=1, qualified_at=1, marked_at=1
)
CRM = Crm("hubspot", ("S",), {"a": "contacted", "b": "won"}, {"1": "ada", "2": "bob"})

events = st.builds(
    CrmEvent,
    id=st.text(max_size=5),
    at=st.integers(0, 20),
    stage=st.sampled_from(["a", "b", "unknown", UNSET]),
    owner=st.sampled_from(["1", "2", "unknown", None, UNSET]),
)


def made(event: CrmEvent, patch: LeadPatch, actor: str = CRM.actor) -> Transition:
    return Transition("u:ada", "keen", 1, 100, patch, None, actor, key_of(event), key_of(event))


def test_every_outcome_is_counted() -> None:
    assert get_args(Outcome) == OUTCOMES


@given(events, events)
def test_of_two_events_in_any_order_the_later_one_stays(one: CrmEvent, other: CrmEvent) -> None:
    early, late = sorted([one, other], key=lambda event: event.at)
    known, patch = asked(late, CRM), asked(early, CRM)
    if isinstance(known, Skipped) or isinstance(patch, Skipped) or early.at == late.at:
        return
    left = fresh(patch, early, CRM, LEAD, "new", [made(late, known)])
    if not isinstance(left, Skipped):
        assert left.state is UNSET or known.state is UNSET
        assert left.owner is UNSET or known.owner is UNSET


@given(events)
def test_an_event_that_was_taken_is_not_taken_again(event: CrmEvent) -> None:
    patch = asked(event, CRM)
    if not isinstance(patch, Skipped):
        left = fresh(patch, event, CRM, LEAD, "new", [made(event, patch)])
        assert left == Skipped("unchanged", "this event was taken before")


@given(events, events)
def test_what_others_did_does_not_make_an_event_old(one: CrmEvent, other: CrmEvent) -> None:
    patch = asked(one, CRM)
    if not isinstance(patch, Skipped):
        done = [made(other, LeadPatch(state="lost", owner="eve"), "crm:salesforce")]
        left = fresh(patch, one, CRM, LEAD, "new", done)
        assert left == fresh(patch, one, CRM, LEAD, "new", [])


def test_a_crm_never_becomes_the_owner_of_a_lead() -> None:
    event, patch = CrmEvent("e", 1, "l1", stage="c"), LeadPatch(state="assigned")
    assert fresh(patch, event, CRM, LEAD, "new", []) == Skipped(
        "refused", "nobody is known to own the lead"
    )
    owned = replace(LEAD, owner="ada")
    assert fresh(patch, event, CRM, owned, "new", []) == patch
    with_owner = LeadPatch(state="assigned", owner="ada")
    assert fresh(with_owner, event, CRM, LEAD, "new", []) == with_owner


@given(events)
def test_keys_and_reasons_are_short(event: CrmEvent) -> None:
    assert len(key_of(event)) < 60
    assert len(reason_for(event, CRM)) <= 500


@given(
    what=st.sampled_from(sorted(EVENTS.values())),
    actor=st.sampled_from([None, "ada", "crm:hubspot", "crm:pipedrive"]),
)
def test_no_change_of_a_crm_is_sent_back_to_it(what: str, actor: str | None) -> None:
    """Whatever the change is; every other alert gets it."""
    on = tuple(EVENTS)
    alerts = (
        Alert("a", on, "hubspot"),
        Alert("b", on, "webhook", options={"crm": "pipedrive"}),
        Alert("c", on),
    )
    change = Change("l1", 1, what, {}, {}, None, actor, 1)
    sent = to_send(
        AlertRules(alerts), [change], {"l1": LEAD}, 1, lambda _: LeadView("keen", "new", "", "user")
    )
    own = {"crm:hubspot": "a", "crm:pipedrive": "b"}.get(actor or "")
    assert {each.alert for each in sent} == {"a", "b", "c"} - {own}


def test_a_lead_is_found_by_the_reference_to_its_record(store_url: str) -> None:
    store: Store = open_store(store_url)
    try:
        with store.writing() as tx:
            tx.queue_deliveries([Queued(1, "crm", "l1", "won", 1, 1)])
            tx.claim_deliveries("crm", 1, 2, 1)
            tx.end_delivery(Attempted(1, "crm", "l1", 1), "sent", 1, "ok", "hubspot:deals:7")
        with store.reading() as view:
            assert view.lead_of_reference("hubspot:deals:7") == "l1"
            assert view.lead_of_reference("hubspot:deals:8") is None
            assert view.lead_of_reference("") is None
    finally:
        store.close()
