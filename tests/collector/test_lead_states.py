"""Laws of the state of a lead: a pure fold of what the facts say and what people did."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from oracle.leads import Step, fate, whose
from pequel_collector.leads.states import LEGAL, SET_BY_PEOPLE, outcome
from pequel_collector.model import (
    Claim,
    Contact,
    Conversion,
    Lead,
    LeadPatch,
    Routed,
    Transition,
)

TIMES = st.integers(1, 12)
OWNERS = st.sampled_from(["ada", "ben", None])


ROUTED = st.builds(
    Routed,
    st.sampled_from(["north", "south"]), st.just("user:x"), st.just("because"), OWNERS,
    st.sampled_from([None, "p", "q"]), st.integers(0, 2),
).map(lambda routed: LeadPatch(routed=routed))  # fmt: skip
CLAIMED = st.builds(Claim, st.sampled_from(["p", "q"]), TIMES).map(
    lambda claim: LeadPatch(claim=claim)
)


@st.composite
def of_people(draw: st.DrawFn) -> LeadPatch:
    """What somebody changes."""
    return LeadPatch(
        state=draw(st.sampled_from([UNSET, *SET_BY_PEOPLE])),
        owner=draw(st.one_of(st.just(UNSET), OWNERS)),
        contact=draw(st.one_of(st.just(UNSET), st.builds(Contact, at=TIMES))),
        snoozed_until=draw(st.sampled_from([UNSET, 99, None])),
        amount=draw(st.sampled_from([UNSET, "5", None])),
    )


@st.composite
def transitions(draw: st.DrawFn) -> list[Transition]:
    """What people did, also what was not legal where it lands."""
    made = []
    for number in range(draw(st.integers(0, 6))):
        subject = draw(st.sampled_from(["u:x", "u:x", "u:old"]))
        patch = draw(st.one_of(of_people(), ROUTED, CLAIMED))
        made.append(Transition(subject, "it", 1, draw(TIMES), patch, number=number))
    return made


leads = st.builds(
    Lead,
    id=st.just("l1"), definition=st.just("it"), version=st.just(1), subject=st.just("u:x"),
    cycle=st.just(1), qualified_at=st.just(0), marked_at=st.just(0),
    default_owner=st.sampled_from([None, "desk"]), withdrawn=st.sampled_from([None, "gone"]),
    conversion=st.one_of(
        st.none(), st.builds(Conversion, TIMES, st.just("m"), amount=st.sampled_from(["7", None]))
    ),
)  # fmt: skip


@given(leads, transitions())
def test_the_state_is_what_the_oracle_reads(lead: Lead, made: list[Transition]) -> None:
    found = outcome(lead, made)
    steps = [Step.of(each) for each in made]
    assert (found.state, found.owner, found.won_at, found.self_serve) == fate(lead, steps)
    route = None if found.route is None else found.route.name
    assert (found.partner, found.claimed_until, route) == whose(lead, steps)


@given(leads, transitions(), st.randoms())
def test_the_order_of_arrival_does_not_matter(
    lead: Lead, made: list[Transition], chance: object
) -> None:
    shuffled = sorted(made, key=lambda _: chance.random())  # type: ignore[attr-defined]
    assert outcome(lead, shuffled) == outcome(lead, made)


@given(leads, transitions())
def test_a_conversion_wins_every_lead_that_has_a_basis(lead: Lead, made: list[Transition]) -> None:
    found = outcome(lead, made)
    if lead.conversion is not None and lead.withdrawn is None:
        assert found.state == "won"
        assert found.won_at is not None
        assert found.won_at <= lead.conversion.time


@given(leads, transitions())
def test_a_contact_is_never_lost(lead: Lead, made: list[Transition]) -> None:
    logged = [t.patch.contact.at for t in made if isinstance(t.patch.contact, Contact)]
    said = [t.at for t in made if t.patch.contact is UNSET and t.patch.state == "contacted"]
    assert outcome(lead, made).contacted_at == min([*logged, *said], default=None)


def test_every_state_has_its_legal_ones() -> None:
    assert {*LEGAL} == {*SET_BY_PEOPLE, "expired", "voided"}
    assert [state for state, legal in LEGAL.items() if "new" in legal] == ["assigned", "dismissed"]
