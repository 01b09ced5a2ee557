"""Which values the fields of a CRM get, and what a change of a lead means for its record."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pequel_collector.delivery.crm.changes import (
    OF_AMOUNT,
    OF_OWNER,
    STATE_AFTER,
    owner_of,
    stage_of,
)
from pequel_collector.delivery.crm.values import LONGEST, first, text_of, texts_of
from pequel_collector.delivery.records import Delivery
from pequel_collector.model import LeadState
from pequel_collector.rules.language.alerts import EVENTS
from pequel_collector.rules.language.crm import LEAD_FIELDS, Source
from pequel_collector.web.answers.schemas import LEAD as LEAD_SCHEMA
from pequel_collector.web.openapi.examples import LEAD

STATES = st.sampled_from(get_args(LeadState))


def delivery(event: str = "qualified", **lead: Any) -> Delivery:
    return Delivery("msg_1", "crm", f"lead.{event}", 0, {**LEAD, **lead}, link="https://x.example")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("title",), "Set up"),
        (("link",), "https://x.example"),
        (("timestamp",), "1970-01-01T00:00:00.000Z"),
        (("traits", "a.b"), 1),
        (("traits", "deep.c.d"), 2),
        (("traits", "deep.missing"), None),
        (("traits", "a.b.c"), None),
        (("traits", "empty"), None),
        (("title", "below.text"), None),
    ],
)
def test_a_path_leads_to_a_value(path: tuple[str, ...], value: Any) -> None:
    traits = {"a.b": 1, "deep": {"c.d": 2}, "empty": ""}
    assert first((Source(path),), delivery(traits=traits)) == value


def test_the_first_source_that_has_a_value_counts() -> None:
    sources = (Source(("traits", "name")), Source(("owner",)), Source(text="unknown"))
    assert first(sources, delivery(traits={})) == "unknown"
    assert first(sources, delivery(traits={"name": ""}, owner="ada")) == "ada"


def test_what_has_no_value_is_left_as_it_is_in_the_crm() -> None:
    fields = {"a": (Source(("owner",)),), "b": (Source(("traits",)),), "c": (Source(text="x"),)}
    assert texts_of(fields, delivery()) == {"c": "x"}


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=3),
    )
)
def test_every_value_has_a_text(value: Any) -> None:
    assert len(text_of(value)) <= LONGEST


def test_texts_are_as_hubspot_reads_them() -> None:
    assert text_of(True) == "true"
    assert text_of(["a", 1, False]) == "a;1;false"


def test_paths_may_begin_with_every_field_of_a_lead() -> None:
    shown = set(LEAD_SCHEMA.fields) - LEAD_SCHEMA.OMITTED_IF_NONE
    assert set(LEAD_FIELDS) == shown


def test_the_changes_are_those_that_alerts_know() -> None:
    assert STATE_AFTER.keys() | set(OF_OWNER) | set(OF_AMOUNT) <= EVENTS.keys()


@given(event=st.sampled_from(sorted(EVENTS)), state=STATES)
def test_an_update_only_sets_the_stage_of_the_state_that_it_is_about(
    event: str, state: str
) -> None:
    stages = {each: f"stage of {each}" for each in get_args(LeadState)}
    found = stage_of(delivery(event, state=state), stages, is_new=False)
    assert found == (stages[state] if STATE_AFTER.get(event) == state else None)


@given(event=st.sampled_from(sorted(EVENTS)), state=STATES)
def test_a_new_record_always_has_a_stage(event: str, state: str) -> None:
    assert stage_of(delivery(event, state=state), {"new": "first"}, is_new=True) == "first"


def test_an_owner_without_an_entry_is_left_alone() -> None:
    assert owner_of(delivery(owner="eve"), {"ada": "7"}, is_new=True) is None
    assert owner_of(delivery("won", owner="ada"), {"ada": "7"}, is_new=False) is None
