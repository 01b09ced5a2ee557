"""Suggestions: found where something is planted, not found where nothing is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from fractions import Fraction
from math import comb
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from pequel_collector.app.bootstrap import Collector, open_collector
from pequel_collector.config import Settings
from pequel_collector.insights.backtest import Question, backtest
from pequel_collector.insights.lift import Life, Table
from pequel_collector.insights.sample import Arrivals
from pequel_collector.insights.sampling import arrivals
from pequel_collector.insights.suggest.features import (
    Feature,
    SampleBuilder,
    Use,
    bits,
    duration,
    early_values,
    windows_within,
)
from pequel_collector.insights.suggest.properties import properties_of, values_at
from pequel_collector.insights.suggest.search import FEWEST_OUTCOMES, Result, search
from pequel_collector.insights.suggest.statistics import exact_p, holm
from pequel_collector.insights.suggest.suggest import Wanted, suggest
from pequel_collector.model import id_of
from pequel_collector.rules.parser.catalogue import read_catalogue
from pequel_collector.web.app import create_app
from support.conversions import (
    DAY,
    EVENTS,
    LANDMARK,
    PART,
    START,
    Rule,
    created_often,
    sample,
    shared_in_parts,
    told,
    users,
)
from support.described import client_of
from support.streams import messages_of, plain_event

READ = {"Authorization": "Bearer read"}
PROJECT = '[project]\nsignup = "signed_up"\nconversion = "paid"\n'
COUNTS = st.integers(0, 12)


# -- statistics ----------------------------------------------------------------------------------


@given(tp=COUNTS, fp=COUNTS, fn=COUNTS, tn=COUNTS)
def test_the_test_is_exact(tp: int, fp: int, fn: int, tn: int) -> None:
    predicted, good, total = tp + fp, tp + fn, tp + fp + fn + tn
    ways = [comb(good, k) * comb(total - good, predicted - k) for k in range(predicted + 1)]
    expected = Fraction(sum(ways[tp:]), comb(total, predicted))
    assert exact_p(Table(tp, fp, fn, tn)) == pytest.approx(float(expected), rel=1e-9)


@pytest.mark.parametrize("size", [10**4, 10**6])
def test_large_tables_neither_overflow_nor_take_long(size: int) -> None:
    assert 0.4 < exact_p(Table(size, size, size, size)) < 0.6
    assert exact_p(Table(size, 0, 0, size)) == 0.0


@given(st.lists(st.floats(0, 1), max_size=8))
def test_the_correction_is_that_of_holm(values: list[float]) -> None:
    found = holm(values)
    for value, corrected in zip(values, found, strict=True):
        smaller = [(v, sum(w >= v for w in values)) for v in values if v <= value]
        assert corrected == pytest.approx(min(1, max(v * n for v, n in smaller)))


# -- the search ----------------------------------------------------------------------------------


def _finds(result: Result, event: str) -> bool:
    return any(p.feature.event == event for each in result.suggestions for p in each.parts)


def test_nothing_is_suggested_where_use_says_nothing() -> None:
    """Those who have paid use everything ten times more. Any suggestion would be a false one."""
    found = [search(sample(seed, 1_500)) for seed in range(12)]
    assert sum(bool(result.suggestions) for result in found) <= 1
    assert all(result.tries > 50 for result in found)
    assert found[0].notes == ("nothing found: no condition precedes conversion reliably",)


def test_what_is_planted_is_found() -> None:
    """Of those who created 3 times in the first 7 days 30 % pay, of the others 6 %."""
    found = [search(sample(seed, 3_000, planted=0.3)) for seed in range(6)]
    assert all(_finds(result, "created") for result in found)
    assert all(result.behaviours[0].condition.feature.event == "created" for result in found)
    assert all(s.held_out.counts.interval().low > 1 for r in found for s in r.suggestions)  # type: ignore[union-attr]


def test_a_planted_number_of_different_values_is_found() -> None:
    found = search(sample(2, 4_000, 0.3, shared_in_parts))
    features = [part.feature for each in found.suggestions for part in each.parts]
    assert any(f.event == "shared" and f.property == PART for f in features)


def test_too_little_data_is_said() -> None:
    result = search(sample(1, 100))
    assert (result.suggestions, result.behaviours) == ((), ())
    [note] = result.notes
    assert note.startswith(f"too little data: each period needs {FEWEST_OUTCOMES} conversions")


def test_an_empty_store_is_too_little_data() -> None:
    assert search(sample(1, 0)).notes


def test_what_comes_after_the_landmark_or_before_sign_up_is_not_seen() -> None:
    builder = SampleBuilder(LANDMARK, 30 * DAY, 100 * DAY, 0.5, lambda time: time // DAY)
    edges = [
        Use(9 * DAY, "before"),
        Use(10 * DAY, "at"),
        Use(17 * DAY - 1, "last"),
        Use(17 * DAY, "after"),
    ]
    builder.add("u:1", Life(10 * DAY), edges)
    builder.add("u:2", Life(10 * DAY, None, 17 * DAY - 1), edges)  # has converted
    builder.add("u:3", Life(64 * DAY), edges)  # is not old enough
    found = builder.build()
    assert {feature.event for feature in found.columns} == {"at", "last"}
    assert list(found.columns[Feature("at", "@day", DAY)].reaching(1)) == [0]
    assert not list(found.columns[Feature("at", "@day", DAY)].reaching(2))
    assert (found.size, found.outcomes) == (1, 0)


def test_values_count_once_in_each_window() -> None:
    events = [
        Use(time, "made", [("kind", kind)]) for time, kind in ((0, "a"), (1, "a"), (DAY, "b"))
    ]
    found = early_values(events, 0, [DAY, 3 * DAY], lambda time: time // DAY)
    assert found == {
        Feature("made", "count", DAY): 2,
        Feature("made", "count", 3 * DAY): 3,
        Feature("made", "@day", DAY): 1,
        Feature("made", "@day", 3 * DAY): 2,
        Feature("made", "distinct", DAY, "kind"): 1,
        Feature("made", "distinct", 3 * DAY, "kind"): 2,
    }


def _arrivals(*events: tuple[str, Any]) -> dict[str, Arrivals]:
    """The latest events *made* of some users, each with a property *x*."""
    with closing(open_collector(Settings(database="sqlite://"), read_catalogue(""))) as store:
        plain = [
            plain_event(user, "made", f"m{n}", START + n, properties={"x": value, "@user": n})
            for n, (user, value) in enumerate(events)
        ]
        store.ingest.accept(messages_of(plain))
        with store.store.reading() as tx:
            return arrivals(tx.latest(100), tx)


@pytest.mark.parametrize(
    ("values", "is_worth_it"),
    [
        ([("u1", "a"), ("u1", "b"), ("u2", "a"), ("u2", "a")], True),
        ([("u1", 1), ("u1", 2.5), ("u2", 1), ("u2", 1)], True),
        ([("u1", "a"), ("u1", "a"), ("u2", "b"), ("u2", "b")], False),  # nobody has two
        ([("u1", "a"), ("u1", "b"), ("u2", "c")], False),  # a new one each time
        ([("u1", ["a"]), ("u1", ["b"]), ("u2", ["a"]), ("u2", ["a"])], False),
        ([("u1", "a"), ("u1", "b"), ("u1", "a"), *[("u2", None)] * 4], False),  # seldom there
    ],
)
def test_a_property_is_counted_where_somebody_has_several_values(
    values: list[tuple[str, Any]], is_worth_it: bool
) -> None:
    assert properties_of(_arrivals(*values)) == ({"made": ["x"]} if is_worth_it else {})


def test_values_are_told_apart_as_the_evaluator_does() -> None:
    text = '{"a": {"b": 1.0}, "c": "1", "d": null}'
    assert values_at(["a.b", "c", "d", "e"], text) == [("a.b", "n1"), ("c", "s1")]
    assert values_at(["a"], None) == []


def test_the_held_out_period_begins_between_two_sign_ups() -> None:
    builder = SampleBuilder(DAY, DAY, 100 * DAY, 0.5, lambda time: time // DAY)
    for number, day in enumerate((3, 1, 2, 2, 2)):
        builder.add(f"u:{number}", Life(day * DAY), [])
    assert builder.build().later == bits([4], 5)


@pytest.mark.parametrize(("length", "text"), [(DAY, "1d"), (36 * DAY // 24, "36h"), (1000, "1s")])
def test_a_length_is_written_as_definitions_write_it(length: int, text: str) -> None:
    assert duration(length) == text
    assert windows_within(length)[-1] == length


# -- over a store --------------------------------------------------------------------------------


def _filled(
    number: int, planted: float, *, in_accounts: bool = False, rule: Rule = created_often
) -> Collector:
    """Users, of whom those who created often pay more; each in an account of their own."""
    collector = open_collector(
        Settings(database="sqlite://", read_key="read"), read_catalogue(PROJECT)
    )
    plain = []
    for user in users(3, number, planted, rule):
        account = {"groupId": f"of-{id_of(user[0])}"} if in_accounts else {}
        plain += told(user, **account)
    plain.sort(key=lambda each: each["time"])
    for start in range(0, len(plain), 5_000):
        collector.ingest.accept(messages_of(plain[start : start + 5_000]))
    return collector


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    """1,500 users, of whom those who created often pay more."""
    with closing(_filled(1_500, 0.4)) as found:
        yield found


def test_accounts_are_searched_as_users_are() -> None:
    catalogue = read_catalogue(PROJECT)
    with closing(_filled(700, 0.6, in_accounts=True)) as filled, filled.store.reading() as tx:
        found = suggest(tx, catalogue, Wanted(subject="account"))
        assert found.result.size == suggest(tx, catalogue, Wanted()).result.size
        each = found.suggestions[0]
        tested = read_catalogue(PROJECT + each.toml)
        [result] = backtest(tx, tested, [each.name], Question())
    assert tested.definitions[0].subject == "account"
    both = zip(each.training.counts, each.held_out.counts, strict=True)
    assert result.landmark.counts == tuple(one + other for one, other in both)


def test_a_suggestion_means_what_was_counted(collector: Collector) -> None:
    """Its table, evaluated by the engine, gives the counts of both periods together."""
    catalogue = read_catalogue(PROJECT)
    with collector.store.reading() as tx:
        found = suggest(tx, catalogue, Wanted())
        assert found.suggestions
        for each in found.suggestions:
            tested = read_catalogue(PROJECT + each.toml)
            [result] = backtest(tx, tested, [each.name], Question())
            both = zip(each.training.counts, each.held_out.counts, strict=True)
            assert result.landmark.counts == tuple(one + other for one, other in both)


def test_a_number_of_different_values_is_written_as_a_definition() -> None:
    """The engine counts the values of the suggested table as the search did."""
    with closing(_filled(1_500, 0.6, rule=shared_in_parts)) as filled, filled.store.reading() as tx:
        found = suggest(tx, read_catalogue(PROJECT), Wanted())
        [each] = [s for s in found.suggestions if f'distinct = "{PART}"' in s.toml][:1]
        tested = read_catalogue(PROJECT + each.toml)
        [result] = backtest(tx, tested, [each.name], Question())
    both = zip(each.training.counts, each.held_out.counts, strict=True)
    assert result.landmark.counts == tuple(one + other for one, other in both)
    assert f"_{PART}_in_" in each.name
    assert PART in each.description


def test_over_http(collector: Collector) -> None:
    http: FlaskClient = client_of(create_app(collector))
    found: Any = http.post("/v1/definitions/suggest", json={}, headers=READ).json
    assert "created" in found["suggestions"][0]["toml"]
    assert {each["event"] for each in found["behaviours"]} == set(EVENTS)
    assert found["behaviours"][0]["figures"]["lift_interval"][0] > 1
    bad = {
        "landmark": "0d",
        "horizon": 7,
        "subject": "team",
        "level": 2,
        "end": "x",
        "more": 1,
    }
    for field, value in bad.items():
        answer = http.post("/v1/definitions/suggest", json={field: value}, headers=READ)
        assert answer.status_code == 400
        assert field in answer.json["error"]["message"]
