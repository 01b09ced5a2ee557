"""Whatever happens in whatever order: the leads are what a replay gives, and no step is lost."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.sales import HOUR, Sales, sales

DEFINITIONS = """
[[pql]]
name = "set_up"
when = { event = "used", gte = 2 }
unless = ["customer"]
requalify = { after_silence = "3h" }
cooldown = "5h"

[[pql]]
name = "team"
subject = "account"
kind = "expansion"
when = { event = "used", gte = 2 }
"""
USERS = st.sampled_from(["ada", "bob", "eve"])
ACCOUNTS = st.sampled_from([None, "acme", "globex"])
TIMES = st.integers(0, 20)

happenings = st.one_of(
    st.tuples(
        st.just("event"), USERS, ACCOUNTS, TIMES,
        st.sampled_from(["used", "used", "used", "subscribed", "upgraded"]),
    ),
    st.tuples(st.just("alias"), USERS, USERS, TIMES),
    st.tuples(
        st.just("work"), st.integers(0, 5),
        st.sampled_from([
            {"owner": "ben"}, {"contact": {"channel": "phone"}}, {"state": "won", "amount": "5"},
            {"state": "lost", "reason": "x"}, {"state": "dismissed", "reason": "x"},
            {"state": "new"}, {"snoozed_until": "2027-01-01"},
        ]),
    ),
)  # fmt: skip


def happen(team: Sales, number: int, kind: str, *what: Any) -> int:
    """Let one thing happen at its hour; how many steps of people were taken."""
    team.at(HOUR * (21 + number))
    if kind == "event":
        user, account, at, event = what
        team.tell(user, event, HOUR * at, groupId=account, properties={"mrr": 7})
    elif kind == "alias":
        previous, user, at = what
        if previous != user:
            team.tell(user, "", HOUR * at, type="alias", previousId=previous)
    else:
        return work(team, *what)
    return 0


def work(team: Sales, place: int, body: dict[str, Any]) -> int:
    """A step of somebody with one of the leads. A step that is not legal changes nothing."""
    leads = [*team.leads(), *team.leads(state="voided")]
    if not leads:
        return 0
    lead = leads[place % len(leads)]
    before = team.get(f"/pqls/{lead['id']}")
    answer = team.patch(lead, **body)
    if answer.status_code == 200:
        return 1
    assert answer.status_code == 409
    assert "allowed" in answer.json["error"]["details"]
    assert team.get(f"/pqls/{lead['id']}") == before
    return 0


@settings(max_examples=25, deadline=None)
@given(st.lists(happenings, min_size=4, max_size=16))
def test_every_lead_is_what_a_replay_gives(story: list[tuple[Any, ...]]) -> None:
    with sales(DEFINITIONS) as team:
        steps = sum(happen(team, number, *each) for number, each in enumerate(story))
        assert team.verified() == []
        with team.collector.store.reading() as view:
            stored = view.transitions_of([f"{kind}:{name}" for kind, name in SUBJECTS])
        assert len(stored) == steps


SUBJECTS = [("u", "ada"), ("u", "bob"), ("u", "eve"), ("g", "acme"), ("g", "globex")]


@pytest.mark.postgres
@settings(max_examples=4, deadline=None)
@given(story=st.lists(happenings, min_size=8, max_size=16))
def test_both_stores_agree(postgres_server: Any, story: list[tuple[Any, ...]]) -> None:
    told = []
    with postgres_server.database() as url:
        for store in ("sqlite://", url):
            with sales(DEFINITIONS, store) as team:
                for number, each in enumerate(story):
                    happen(team, number, *each)
                told.append([*team.leads(), *team.leads(state="voided")])
    assert told[0] == told[1]
