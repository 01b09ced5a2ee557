"""Values, parts and members by the thousand: put away, they count as if they were at hand."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oracle import qualifications
from oracle.toml import to_toml
from pequel_collector.marking import history
from pequel_collector.rules.engine import keyed
from pequel_collector.rules.parser.catalogue import read_catalogue
from support.leaves import DAY, HOUR, START, Event, OneLeaf
from support.rehearsal import Rehearsal
from support.streams import NOW, plain_event

steps = st.sampled_from([0, 1, HOUR, DAY])
keys = st.integers(0, 5)
Made = list[tuple[int, int]]


@pytest.fixture(autouse=True)
def _no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "FULL", 2)
    monkeypatch.setattr(keyed, "MAX_IN_STATE", 1)


def events_of(made: Made) -> list[Event]:
    at, found = 0, []
    for step, key in made:
        at += step
        found.append((at, "used", {"v": key}))
    return found


@pytest.mark.parametrize("of", ['distinct = "v"', 'per = "v"', 'per = "v", distinct = "@day"'])
@pytest.mark.parametrize("window", ["", ', within = "2d"', ', within = "3d", of = "first:used"'])
def test_put_away_or_at_hand_a_number_is_the_same(of: str, window: str) -> None:
    """At the last event and a day later, when some of it is over."""
    leaf = OneLeaf(f'{{ event = "used", {of}, gte = 99{window} }}')

    @settings(deadline=None, max_examples=25)
    @given(made=st.lists(st.tuples(steps, keys), min_size=1, max_size=14))
    def same(made: Made) -> None:
        events = events_of(made)
        for now in (events[-1][0], events[-1][0] + DAY):
            assert leaf.observed_in_pages(events, now) == leaf.observed(events, now)

    same()


@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    made=st.lists(st.tuples(steps, keys), min_size=1, max_size=14),
    order=st.randoms(use_true_random=False),
)
def test_rewinding_takes_what_was_put_away_along(made: Made, order: Any) -> None:
    """Values, parts and members of an account, in any order of arrival, one message at a time."""
    tables = [
        {"event": "used", "distinct": "v", "gte": 3, "within": "2d"},
        {"event": "used", "per": "v", "gte": 3},
        {"users": {"event": "used", "gte": 2, "within": "2d"}, "gte": 2},
        {"event": "used", "distinct": "@user", "gte": 3, "within": "1d"},
    ]
    catalogue = {
        "project": {"timezone": "UTC"},
        "pql": [
            {"name": f"p{n}", "subject": "account", "when": table} for n, table in enumerate(tables)
        ],
    }
    messages = [
        plain_event(f"u{p['v']}", "used", f"m{n}", START + at, groupId="acme", properties=p)
        for n, (at, _, p) in enumerate(events_of(made))
    ]
    order.shuffle(messages)
    rehearsal = Rehearsal()
    rehearsal.now = NOW
    rehearsal.follow(read_catalogue(to_toml(catalogue)))
    for message in messages:
        rehearsal.tell([message])
    assert rehearsal.marks() == qualifications(catalogue, messages)
