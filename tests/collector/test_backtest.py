"""Backtests: the sets are those of the oracle, and the figures those of a count by hand."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oracle import qualifications
from oracle.identity import placed
from oracle.streams import WHOLE, catalogues, streams
from oracle.toml import to_toml
from pequel_collector.app.bootstrap import Collector
from pequel_collector.errors import BadRequest, TooLarge
from pequel_collector.insights.backtest import Backtest, Question, backtest, first_in_accounts
from pequel_collector.insights.bulk import Budget
from pequel_collector.insights.confusion import Confusion, landmark, strict
from pequel_collector.insights.interval import wilson
from pequel_collector.insights.lift import Life, Table
from pequel_collector.insights.population import _is_written_as, population_of
from pequel_collector.model import id_of
from pequel_collector.rules.parser.catalogue import read_catalogue
from support.streams import by_instant, collector_of, messages_of, plain_event

DAY = 86_400_000
START = 1_770_000_000_001
TOML = """
[project]
signup = "signed_up"
conversion = "paid"
[[pql]]
name = "keen"
when = { event = "used", gte = 2 }
"""
Plain = dict[str, Any]


def result_of(
    collector: Collector, toml: str, question: Question | None = None, name: str = "keen"
) -> Backtest:
    with collector.store.reading() as tx:
        [found] = backtest(tx, read_catalogue(toml), [name], question or Question())
    return found


def stored(plain: Sequence[Plain], url: str = "sqlite://") -> Collector:
    collector = collector_of("", url)
    for some in by_instant(plain):
        collector.ingest.accept(messages_of(some))
    return collector


def life(user: str, **days: float) -> list[Plain]:
    """Events of a user by name, each so many days after the start."""
    return [
        plain_event(user, name.rstrip("2"), f"{user}-{name}", START + round(day * DAY))
        for name, day in days.items()
    ]


class TestWhoQualifies:
    @settings(max_examples=60)
    @given(catalogue=catalogues(WHOLE), messages=streams(max_size=30, duplicates=False))
    def test_is_who_the_oracle_says(self, catalogue: Any, messages: list[Plain]) -> None:
        """Every measure, window and guard; persons and accounts that change."""
        toml = to_toml(catalogue)
        names = [table["name"] for table in catalogue["pql"]]
        with closing(stored(messages)) as collector, collector.store.reading() as tx:
            found = backtest(tx, read_catalogue(toml), names, Question())
        for table in catalogue["pql"]:
            table.pop("requalify", None)
            table.pop("cooldown", None)
        truth = qualifications(catalogue, placed(by_instant(messages)), found[0].end)
        assert {
            (each.definition.name, each.definition.subject, id_of(key)): [time]
            for each in found
            for key, time in each.qualified.items()
        } == {key: times[:1] for key, times in truth.items()}

    def test_is_the_same_whatever_is_in_force(self) -> None:
        toml = TOML + 'on_change = "forward"\n'
        with closing(stored(life("u1", signed_up=0, used=1, used2=2))) as collector:
            collector.put_definitions(toml)
            assert list(result_of(collector, toml).qualified) == ["u:u1"]

    def test_both_databases_say_the_same(self, store_url: str) -> None:
        plain = [*life("ü\ufdd0\x00", signed_up=0, used=1, used2=2, paid=3), *life("u2", used=1)]
        with closing(stored(plain, store_url)) as collector:
            found = result_of(collector, TOML)
        assert found.qualified == {"u:ü\ufdd0\x00": START + 2 * DAY}
        assert found.strict.counts == (1, 0, 0, 0)

    def test_a_visitor_counts_as_the_person_they_turn_out_to_be(self, store_url: str) -> None:
        visit = plain_event("u1", "used", "v", START) | {"userId": None, "anonymousId": "a1"}
        login = plain_event("u1", "used", "l", START + 5) | {"anonymousId": "a1"}
        with closing(stored([visit, login], store_url)) as collector:
            assert result_of(collector, TOML).qualified == {"u:u1": START + 5}

    def test_stops_where_a_request_may_not_read_on(self) -> None:
        plain = life("u1", signed_up=0, used=1, used2=2)
        with (
            closing(stored(plain)) as collector,
            collector.store.reading() as tx,
            pytest.raises(TooLarge),
        ):
            backtest(tx, read_catalogue(TOML), ["keen"], Question(), budget=Budget(2))


# -- the figures -------------------------------------------------------------------------------

TIMES = st.none() | st.integers(0, 12)
LIVES = st.lists(st.builds(Life, st.integers(0, 12), TIMES, TIMES), max_size=30)


@given(lives=LIVES)
def test_strict_counts_who_qualified_before_they_converted(lives: list[Life]) -> None:
    counts = {"tp": 0, "fp": 0, "fn": 0, "tn": 0}
    for _, q, c in lives:
        predicted = q is not None and (c is None or q < c)
        counts[("t" if predicted == (c is not None) else "f") + ("p" if predicted else "n")] += 1
    found = strict(lives)
    assert found.counts == tuple(counts.values())
    leads = sorted(c - q for _, q, c in lives if None not in (q, c) and q < c)  # type: ignore[operator]
    median = leads[(len(leads) - 1) // 2] / 1000 if leads else None
    assert found.lead_time_seconds_median == median


@given(lives=LIVES, end=st.integers(0, 20), length=st.integers(1, 5), horizon=st.integers(1, 5))
def test_landmark_looks_at_what_was_known_then(
    lives: list[Life], end: int, length: int, horizon: int
) -> None:
    seen = [
        (q is not None and q < s + length, c is not None and c < s + length + horizon)
        for s, q, c in lives
        if s + length + horizon <= end and not (c is not None and c < s + length)
    ]
    found = landmark(lives, end, length, horizon)
    cells = [(True, True), (True, False), (False, True), (False, False)]
    assert found.counts == tuple(map(seen.count, cells))
    assert len(lives) == len(seen) + found.immature + found.already_converted


def test_an_equal_instant_is_not_before() -> None:
    assert strict([Life(0, 5, 5)]).counts == (0, 0, 1, 0)
    assert landmark([Life(0, 7, 7)], 100, 7, 3).counts == (0, 0, 1, 0)


def test_a_rate_without_a_denominator_is_none() -> None:
    nobody = strict([])
    assert {nobody.base_rate, nobody.precision, nobody.recall, nobody.counts.lift, nobody.mcc} == {
        None
    }
    assert nobody.precision_interval is nobody.mcc_interval is nobody.lift_interval is None


@pytest.mark.parametrize(
    ("numerator", "denominator", "expected"),
    [  # from the truth of the recorded logs
        (3, 17, (0.061911, 0.410295)),
        (0, 2, (0.0, 0.65762)),
        (6, 6, (0.609666, 1.0)),
    ],
)
def test_the_interval_of_a_rate_is_the_score_interval(
    numerator: int, denominator: int, expected: tuple[float, float]
) -> None:
    assert wilson(numerator, denominator) == pytest.approx(expected, abs=1e-6)


@given(st.tuples(*[st.integers(0, 40)] * 4))
def test_an_interval_holds_what_it_is_the_interval_of(counts: tuple[int, int, int, int]) -> None:
    found = Confusion(Table(*counts))
    if (of_lift := found.lift_interval) is not None and found.counts.lift is not None:
        assert 0 <= of_lift.low <= found.counts.lift <= of_lift.high
        assert of_lift.low < of_lift.high
    if (of_mcc := found.mcc_interval) is not None and found.mcc is not None:
        assert -1 <= of_mcc.low <= found.mcc <= of_mcc.high <= 1
        assert of_mcc.low < of_mcc.high


def test_a_perfect_correlation_of_few_subjects_has_a_wide_interval() -> None:
    few, many = (Confusion(Table(n, 0, 0, n)).mcc_interval for n in (3, 300))
    assert few is not None
    assert many is not None
    assert few.high == many.high == 1
    assert few.low < 0.5
    assert many.low > 0.9


# -- who is looked at, and when they converted --------------------------------------------------


def test_the_data_ends_a_day_later_where_it_has_dates_only() -> None:
    midnight = START // DAY * DAY
    dates = [plain_event("u1", "used", "1", midnight), plain_event("u1", "used", "2", midnight)]
    with closing(stored(dates)) as collector:
        assert result_of(collector, TOML).end == midnight + DAY
        collector.ingest.accept(messages_of([plain_event("u1", "used", "3", midnight + 1)]))
        assert result_of(collector, TOML).end == midnight + 1


def test_what_comes_after_a_stated_end_did_not_happen() -> None:
    plain = life("u1", signed_up=0, used=1, used2=2, paid=3)
    with closing(stored(plain)) as collector:
        at = {day: Question(end=START + day * DAY) for day in (1, 2, 3)}
        assert result_of(collector, TOML, at[1]).strict.counts == (0, 0, 0, 1)
        assert result_of(collector, TOML, at[2]).strict.counts == (0, 1, 0, 0)
        assert result_of(collector, TOML, at[3]).strict.counts == (1, 0, 0, 0)


def test_a_trait_counts_as_it_was_at_sign_up(store_url: str) -> None:
    def plan(user: str, day: int, value: Any) -> Plain:
        told = {"type": "identify", "event": None, "traits": {"plan": value}}
        return plain_event(user, "", f"{user}-{day}-{value}", START + day * DAY) | told

    plain = [
        *life("was", signed_up=2),
        plan("was", 1, "free"),
        plan("was", 5, "pro"),
        *life("later", signed_up=2),
        plan("later", 3, "free"),
        *life("never", signed_up=2),
        *life("became", signed_up=2),
        plan("became", 1, "pro"),
        plan("became", 3, "free"),
        plan("silent", 9, "free"),
    ]
    with closing(stored(plain, store_url)) as collector:
        asked = Question(population=population_of("trait:plan=free"), landmark=DAY, horizon=DAY)
        found = result_of(collector, TOML, asked)
    assert found.strict.counts.population == 3
    assert found.landmark.counts.population == 2
    assert found.notes == ["1 of the population did not sign up: only the strict form has them"]


@pytest.mark.parametrize("text", ["sNaN", "NaN", "Infinity", "1_0", "\u0663", "+10", "010", " 10"])
def test_only_a_number_of_json_is_compared_with_numbers(text: str) -> None:
    assert not _is_written_as(10, text)
    assert not _is_written_as(3, text)
    assert all(_is_written_as(10, text) for text in ("10", "10.0", "1e1", "1E+1"))


@pytest.mark.parametrize("text", ["", "signups", "trait:plan", "trait:=free", "plan=free"])
def test_a_population_that_is_none_is_named(text: str) -> None:
    with pytest.raises(BadRequest, match="population: found"):
        population_of(text)


def test_a_conversion_of_the_account_is_one_of_who_is_in_it() -> None:
    def inside(user: str, name: str, day: int, account: str) -> Plain:
        mid = f"{user}-{name}-{day}"
        return plain_event(user, name, mid, START + day * DAY, groupId=account)

    plain = [
        inside("u1", "signed_up", 0, "acme"),
        inside("u1", "used", 1, "acme"),
        inside("u1", "used", 2, "acme"),
        inside("boss", "paid", 3, "acme"),
        inside("gone", "signed_up", 0, "acme"),
        inside("gone", "moved", 2, "brix"),
    ]
    with closing(stored(plain)) as collector:
        found = result_of(collector, TOML)
    assert (found.strict.counts, found.strict.lead_times) == ((1, 0, 0, 1), (DAY,))


@given(
    moves=st.lists(st.tuples(st.integers(0, 20), st.sampled_from("ab")), max_size=4),
    times=st.dictionaries(st.sampled_from("ab"), st.lists(st.integers(0, 25), max_size=4)),
)
def test_the_first_conversion_is_one_while_in_the_account(
    moves: list[tuple[int, str]], times: dict[str, list[int]]
) -> None:
    moves = sorted({time: (time, account) for time, account in moves}.values())
    listed = {account: sorted(found) for account, found in times.items()}

    def account_at(time: int) -> str | None:
        return next((account for since, account in reversed(moves) if since <= time), None)

    every = [t for account, found in times.items() for t in found if account_at(t) == account]
    assert first_in_accounts(moves, listed) == min(every, default=None)


def test_an_account_signs_up_with_its_first_member() -> None:
    toml = TOML.replace('name = "keen"', 'name = "keen"\nsubject = "account"')

    def inside(user: str, name: str, day: float) -> Plain:
        return plain_event(user, name, f"{user}{name}{day}", round(START + day * DAY), groupId="x")

    plain = [
        *life("u1", signed_up=0),
        *life("u2", signed_up=0.5),
        inside("u1", "opened", 1),
        inside("u2", "used", 2),
        inside("u2", "used", 3),
        inside("u2", "paid", 9),
        *life("u3", used=60),
    ]
    with closing(stored(plain)) as collector:
        found = result_of(collector, toml, Question(landmark=4 * DAY))
    assert (found.qualified, found.landmark.counts) == ({"g:x": START + 3 * DAY}, (1, 0, 0, 0))


def test_leads_a_week_are_counted_from_the_end() -> None:
    days = {"a": 1, "b": 2, "c": 10, "d": 27.5}
    plain = [each for user, day in days.items() for each in life(user, used=day, used2=day + 0.1)]
    with closing(stored([*plain, *life("e", signed_up=0, left=28)])) as collector:
        weekly = result_of(collector, TOML, Question(capacity=1)).weekly
    assert (weekly.weeks, weekly.mean, weekly.busiest, weekly.last) == (4, 1.0, 2, 1)
    assert weekly.over_capacity == 1


def test_the_set_is_compared_with_the_leads_that_are_there() -> None:
    plain = [*life("u1", used=1, used2=2), *life("u2", used=1)]
    with closing(stored(plain)) as collector:
        collector.put_definitions(TOML.replace("gte = 2", "gte = 1"))
        collector.backfill_briefly()
        [overlap] = result_of(collector, TOML).overlaps
    assert (overlap.both, overlap.only_this, overlap.only_other) == (1, 0, 1)


def test_says_what_is_missing() -> None:
    with closing(collector_of("")) as collector:
        found = result_of(collector, TOML.replace('conversion = "paid"\n', ""))
    assert found.notes == [
        "[project] names no conversion event, so nobody counts as converted",
        "nobody is in the population signup",
    ]
