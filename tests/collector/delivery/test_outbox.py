"""Which changes of leads are put into the outbox."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pequel_collector.leads.outbox import (
    AlertRules,
    change_of,
    delivery_id,
    to_send,
)
from pequel_collector.model import Lead
from pequel_collector.ports import Change
from pequel_collector.rules.language.alerts import EVENTS, Alert
from pequel_collector.rules.language.lead_condition import FieldIs, LeadView

HOUR = 3_600_000
NOW = 1_000 * HOUR
LEAD = Lead(
    id="l1", definition="set_up", version=1, subject="u:ada", cycle=1, qualified_at=NOW,
    marked_at=NOW,
)  # fmt: skip
RULES = AlertRules(
    (Alert("sales", ("qualified", "won")), Alert("crm", tuple(EVENTS))), max_age=72 * HOUR
)


def changes(*whats: str) -> list[Change]:
    return [Change("l1", NOW + n, what, {}, {}, number=10 + n) for n, what in enumerate(whats)]


def view(lead: Lead) -> LeadView:
    return LeadView(lead.definition, lead.kind, lead.priority, "user")


def sent(rules: AlertRules, lead: Lead, *whats: str, now: int = NOW) -> list[tuple[str, str]]:
    found = to_send(rules, changes(*whats), {"l1": lead}, now, view)
    return [(queued.alert, queued.event) for queued in found]


def test_each_alert_sends_the_changes_that_it_names() -> None:
    assert sent(RULES, LEAD, "opened", "assigned", "won") == [
        ("sales", "qualified"),
        ("crm", "qualified"),
        ("crm", "assigned"),
        ("sales", "won"),
        ("crm", "won"),
    ]


def test_a_row_names_the_change_and_its_time() -> None:
    [row] = to_send(replace(RULES, alerts=RULES.alerts[:1]), changes("won"), {"l1": LEAD}, 7, view)
    assert row == (10, "sales", "l1", "won", NOW, 7)


def test_a_back_filled_lead_is_not_alerted_but_what_becomes_of_it_is() -> None:
    lead = replace(LEAD, flags=["backfilled"])
    assert sent(RULES, lead, "opened", "won") == [("sales", "won"), ("crm", "won")]


@pytest.mark.parametrize(("age", "is_news"), [(72 * HOUR, True), (72 * HOUR + 1, False)])
def test_a_qualification_is_alerted_up_to_its_greatest_age(age: int, is_news: bool) -> None:
    assert bool(sent(RULES, LEAD, "opened", now=NOW + age)) is is_news


def test_a_change_without_a_word_is_not_sent() -> None:
    assert sent(RULES, LEAD, "something new") == []


def test_only_leads_for_which_the_condition_holds_are_sent_and_it_is_asked_once() -> None:
    asked: list[Any] = []

    def noted(lead: Lead) -> LeadView:
        asked.append(lead)
        return view(lead)

    alerts = (
        Alert("a", ("won", "lost"), when=FieldIs("definition", ("set_up",))),
        Alert("b", ("won", "lost"), when=FieldIs("definition", ("other",))),
    )
    found = to_send(AlertRules(alerts), changes("won", "lost", "snoozed"), {"l1": LEAD}, NOW, noted)
    assert [(queued.alert, queued.event) for queued in found] == [("a", "won"), ("a", "lost")]
    assert asked == [LEAD]


class TestIds:
    @given(st.integers(1, 10**17), st.text(), st.text(), st.integers(0, 10**15))
    def test_an_id_names_its_change(self, change: int, alert: str, lead: str, at: int) -> None:
        assert change_of(delivery_id(change, alert, lead, at)) == change

    def test_each_change_and_alert_has_an_id_of_its_own(self) -> None:
        ids = {delivery_id(c, a, "l1", 0) for c in (1, 2) for a in ("a", "b")}
        assert len(ids) == 4
        assert delivery_id(1, "a", "l1", 0) in ids

    @given(st.text())
    def test_no_text_breaks_the_reading_of_ids(self, text: str) -> None:
        assert change_of(text) is None or text.startswith("msg_")
