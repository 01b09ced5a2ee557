"""Lift over a landmark: who is counted, and how sure one can be."""

from __future__ import annotations

from math import exp, log, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pequel_collector.insights.lift import HORIZON, LANDMARK, Life, Table, table

END = 1_000
COUNTS = st.integers(0, 500)
TABLES = st.builds(Table, COUNTS, COUNTS, COUNTS, COUNTS)
TIMES = st.one_of(st.none(), st.integers(0, END))
LIVES = st.lists(st.builds(Life, st.integers(0, END), TIMES, TIMES), max_size=30)


def of(*lives: Life) -> tuple[int, ...]:
    return tuple(table(lives, END, landmark=10, horizon=20))


class TestWhoIsCounted:
    """Landmark 10, horizon 20."""

    def test_the_predicted_qualified_before_the_landmark(self) -> None:
        assert of(Life(0, 9, 15)) == (1, 0, 0, 0)
        assert of(Life(0, 10, 15)) == (0, 0, 1, 0)

    def test_an_outcome_lies_from_the_landmark_on_and_before_the_horizon(self) -> None:
        assert of(Life(0, 5, 10)) == (1, 0, 0, 0)
        assert of(Life(0, 5, 29)) == (1, 0, 0, 0)
        assert of(Life(0, 5, 30)) == (0, 1, 0, 0)
        assert of(Life(0, 5, None)) == (0, 1, 0, 0)

    def test_who_converted_before_the_landmark_is_left_out(self) -> None:
        assert of(Life(0, 5, 9)) == (0, 0, 0, 0)

    def test_who_cannot_be_judged_yet_is_left_out(self) -> None:
        assert of(Life(END - 29)) == (0, 0, 0, 0)
        assert of(Life(END - 30)) == (0, 0, 0, 1)

    @given(LIVES)
    def test_it_is_the_formula(self, lives: list[Life]) -> None:
        judged = [
            life
            for life in lives
            if life.signup + 30 <= END
            and (life.converted is None or life.converted >= life.signup + 10)
        ]
        predicted = {
            n for n, life in enumerate(judged)
            if life.qualified is not None and life.qualified < life.signup + 10
        }  # fmt: skip
        outcome = {
            n for n, life in enumerate(judged)
            if life.converted is not None and life.converted < life.signup + 30
        }  # fmt: skip
        both, either = predicted & outcome, predicted | outcome
        assert of(*lives) == (
            len(both), len(predicted - outcome), len(outcome - predicted),
            len(judged) - len(either),
        )  # fmt: skip

    def test_the_landmark_is_14_days_and_the_horizon_30(self) -> None:
        assert (LANDMARK, HORIZON) == (14 * 86_400_000, 30 * 86_400_000)


class TestLift:
    def test_is_precision_over_base_rate(self) -> None:
        assert Table(30, 70, 20, 380).lift == pytest.approx((30 / 100) / (50 / 500))

    def test_is_unknown_without_predictions_or_outcomes(self) -> None:
        assert Table(0, 0, 10, 10).lift is None
        assert Table(0, 10, 0, 10).lift is None

    @given(TABLES)
    def test_is_1_if_every_subject_is_predicted(self, counts: Table) -> None:
        everybody = Table(counts.outcomes, counts.population - counts.outcomes)
        assert everybody.lift in {None, 1.0}


class TestInterval:
    def test_is_the_log_interval_of_katz_for_the_risk_ratio(self) -> None:
        """15 of 150 against 100 of 250: ratio 0.25, 95 % interval 0.15 to 0.41."""
        counts = Table(15, 135, 100, 150)
        spread = 1.959964 * sqrt(1 / 15 - 1 / 150 + 1 / 100 - 1 / 250)
        ratios = [exp(log(0.25) - spread), exp(log(0.25) + spread)]
        assert ratios == pytest.approx([0.1511, 0.4136], abs=1e-4)
        share = 150 / 400
        assert counts.interval() == pytest.approx([1 / (share + (1 - share) / r) for r in ratios])

    @pytest.mark.parametrize("counts", [(5, 5, 0, 0), (0, 0, 5, 5), (0, 5, 0, 5), (0, 0, 0, 0)])
    def test_is_unknown_without_two_groups_to_compare(self, counts: tuple[int, ...]) -> None:
        assert Table(*counts).interval() is None

    @given(TABLES)
    def test_goes_around_the_lift(self, counts: Table) -> None:
        interval = counts.interval()
        if interval is not None and counts.lift is not None:
            assert interval.low <= counts.lift <= interval.high

    @given(TABLES)
    def test_has_ends(self, counts: Table) -> None:
        interval = counts.interval()
        assert interval is None or 0 <= interval.low < interval.high

    def test_narrows_as_subjects_are_added(self) -> None:
        few, many = Table(3, 7, 5, 25).interval(), Table(300, 700, 500, 2500).interval()
        assert few is not None
        assert many is not None
        assert few.high - few.low > many.high - many.low
        assert few.includes(1)
        assert not many.includes(1)
