"""The formulas over plain records, beside a library or by hand where there is one."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lifelines import KaplanMeierFitter
from scipy.stats import binomtest

from pequel_collector.insights.interval import difference, wilson
from pequel_collector.insights.metrics import money
from pequel_collector.insights.metrics.lead_figures import by_week, months, velocity
from pequel_collector.insights.metrics.money import Price
from pequel_collector.insights.metrics.rates import Rate, rate, standing
from pequel_collector.insights.metrics.survival import Lengths, duration, lengths_of, quantiles
from pequel_collector.model import parse_iso
from pequel_collector.ports import MetricLead

DAY = 86_400_000
SPANS = st.lists(st.tuples(st.integers(0, 50), st.none() | st.integers(0, 90)), max_size=40)


def time(text: str) -> int:
    found = parse_iso(text)
    assert found is not None
    return found


class TestShares:
    """``rates`` and ``interval``."""

    @given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
    def test_the_interval_is_that_of_wilson(self, numbers: tuple[int, int]) -> None:
        found = wilson(*numbers)
        expected = binomtest(*numbers).proportion_ci(method="wilson")
        assert found is not None
        assert tuple(found) == pytest.approx((expected.low, expected.high), abs=1e-9)

    def test_nothing_of_nothing_has_no_rate_and_no_interval(self) -> None:
        assert (Rate().rate, Rate().interval) == (None, None)
        assert difference((0, 0), (1, 2)) is None

    def test_the_difference_is_that_of_newcombe(self) -> None:
        """Newcombe (1998), table II, method 10, contrast (a)."""
        found = difference((56, 70), (48, 80))
        assert found is not None
        assert tuple(found) == pytest.approx((0.0524, 0.3339), abs=5e-5)

    @given(SPANS, st.integers(1, 40), st.integers(50, 100))
    def test_everybody_is_in_out_or_immature(
        self, spans: list[tuple[int, int | None]], horizon: int, now: int
    ) -> None:
        counted = Counter(standing(span, horizon, now) for span in spans)
        assert rate(spans, horizon, now) == (
            counted["in"],
            counted["in"] + counted["out"],
            counted["immature"],
        )

    def test_both_ends_of_the_horizon_are_included(self) -> None:
        assert rate([(0, 10), (0, 11), (5, None)], 10, now=15) == (1, 3, 0)
        assert rate([(6, 7)], 10, now=15) == (0, 0, 1)


class TestLengths:
    """``survival``."""

    @given(SPANS.filter(bool))
    def test_they_are_those_of_lifelines(self, spans: list[tuple[int, int | None]]) -> None:
        now = 60
        found = lengths_of(spans)
        lengths = [max(0, n) for n in found.arrived] + [now - start for start in found.starts]
        fitter = KaplanMeierFitter()
        fitter.fit(lengths, [True] * len(found.arrived) + [False] * len(found.starts))
        curve = fitter.survival_function_["KM_estimate"]
        expected = [next(iter(curve.index[curve <= left + 1e-9]), None) for left in (0.5, 0.1)]
        got = duration(found, now)
        assert [got.median, got.p90] == expected

    def test_who_still_waits_counts(self) -> None:
        """The worked example of the documentation."""
        found = duration(Lengths([DAY, 2 * DAY, 4 * DAY], [-3 * DAY, -5 * DAY]), 0)
        assert found == (4 * DAY, None, 5, 2)

    def test_nobody_takes_no_time(self) -> None:
        assert duration(Lengths([], []), 0) == (None, None, 0, 0)

    @given(st.lists(st.tuples(st.integers(0, 20), st.none() | st.integers(-3, 20))))
    def test_starts_may_be_those_of_all(self, found: list[tuple[int, int | None]]) -> None:
        spans = [(start, None if length is None else start + length) for start, length in found]
        ended = [start for start, end in spans if end is not None]
        waiting = lengths_of(spans)
        everybody = Lengths(waiting.arrived, [start for start, _ in spans], ended)
        assert duration(everybody, 25) == duration(waiting, 25)

    def test_who_arrived_before_the_start_took_no_time(self) -> None:
        assert quantiles(Lengths([-5, 0], []), 0, (0.5, 0.9)) == [0, 0]


ACME = [
    Price(time("2026-01-01"), Decimal(100), "EUR", "conversion"),
    Price(time("2026-03-01"), Decimal(130), "EUR", "expansion"),
]
BOLT = [
    Price(time("2026-02-01"), Decimal(50), "EUR", "conversion"),
    Price(time("2026-03-20"), Decimal(0), "EUR", "churn"),
]


class TestMoney:
    """``money``."""

    def test_the_movements_of_the_documentation(self) -> None:
        found = money.movements([ACME, BOLT], time("2026-03-01"), time("2026-04-01"))
        assert (found.starting["EUR"], found.ending["EUR"]) == (150, 130)
        assert (found.expansion["EUR"], found.churn["EUR"]) == (30, 50)

    def test_what_starts_and_what_moves_makes_what_ends(self) -> None:
        found = money.movements([ACME, BOLT], time("2026-02-15"), time("2026-04-01"))
        moved = found.new["EUR"] + found.expansion["EUR"] - found.churn["EUR"]
        assert found.starting["EUR"] + moved - found.contraction["EUR"] == found.ending["EUR"]

    def test_the_lifetime_value_of_the_documentation(self) -> None:
        at = time("2026-04-20")
        assert money.lifetime_values([ACME], at) == {"EUR": [Decimal(460)]}
        bound = [ACME[0], ACME[1]._replace(term_months=12)]
        assert money.lifetime_values([bound], at) == {"EUR": [Decimal(1760)]}

    def test_currencies_stay_apart(self) -> None:
        dollars = Price(time("2026-03-10"), Decimal(40), "USD", "expansion")
        found = money.movements([[ACME[0], dollars]], 0, time("2026-04-01"))
        assert found.churn == {"EUR": 100}
        assert found.ending == {"USD": 40}

    @pytest.mark.parametrize(
        ("start", "end", "months"),
        [
            ("2026-01-31", "2026-02-28", 0),
            ("2026-01-31", "2026-03-01", 1),
            ("2026-01-15T12:00Z", "2026-02-15T11:59Z", 0),
            ("2026-01-15T12:00Z", "2027-02-15T12:00Z", 13),
        ],
    )
    def test_months_pass_on_their_day(self, start: str, end: str, months: int) -> None:
        assert money.full_months(time(start), time(end)) == months

    @pytest.mark.parametrize(
        ("amount", "text"),
        [("0", "0.00"), ("1E+3", "1000.00"), ("10.50", "10.50"), ("0.123456", "0.123456")],
    )
    def test_amounts_are_exact_with_two_decimals_at_least(self, amount: str, text: str) -> None:
        assert money.shown(Decimal(amount)) == text

    def test_an_average_is_to_the_cent_and_of_somebody(self) -> None:
        assert money.divided(Decimal(100), 3) == Decimal("33.33")
        assert money.divided(Decimal(100), 0) is None


# Where clocks changed at midnight, a Monday may have begun at 1:00.
ZONES = st.sampled_from(
    ["UTC", "Europe/Berlin", "America/Sao_Paulo", "Asia/Beirut", "Asia/Kathmandu"]
)


@given(
    times=st.lists(
        st.integers(0, 4_000_000_000_000) | st.integers(0, 200).map(lambda h: h * 3_600_000)
    ),
    zone=ZONES,
)
def test_a_week_begins_on_its_monday_in_every_zone(times: list[int], zone: str) -> None:
    days = [datetime.fromtimestamp(t / 1000, UTC).astimezone(ZoneInfo(zone)).date() for t in times]
    expected = Counter(day - timedelta(days=day.weekday()) for day in days)
    found = by_week(times, zone)
    assert found == expected
    assert list(found) == sorted(found)


class TestVelocity:
    """``lead_figures.velocity``."""

    @staticmethod
    def leads(*days: str) -> list[MetricLead]:
        times = map(time, days)
        empty = (None,) * 5
        return [
            MetricLead("i", "u:a", "d", 1, "new", at, at, *empty, None, None, False, None, None)
            for at in times
        ]

    def test_the_last_whole_month_counts(self) -> None:
        leads = self.leads("2026-01-05", "2026-01-09", "2026-02-10", "2026-02-11", "2026-02-12")
        found = velocity([*leads, *self.leads("2026-03-01")], time("2026-03-15"), "UTC")
        assert (found["month"], found["rate"]) == ("2026-02", 0.5)
        assert (found["numerator"], found["denominator"]) == (1, 2)

    def test_without_a_month_before_there_is_no_growth(self) -> None:
        assert velocity(self.leads("2026-02-10"), time("2026-03-15"), "UTC")["rate"] is None
        assert velocity([], time("2026-03-15"), "UTC")["rate"] is None

    def test_months_follow_the_time_zone_and_have_no_gaps(self) -> None:
        leads = self.leads("2025-12-31T23:30Z", "2026-03-01")
        expected = {"2026-01": 1, "2026-02": 0, "2026-03": 1}
        assert months(leads, "Europe/Berlin") == expected
