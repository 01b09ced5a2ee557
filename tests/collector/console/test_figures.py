"""How metrics read in the console, and how they are drawn."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pequel_collector.app.bootstrap import Collector, open_collector
from pequel_collector.config import Settings
from pequel_collector.insights.metrics.catalogue import METRICS, ROLES
from pequel_collector.insights.metrics.figure import of_duration, of_rate
from pequel_collector.insights.metrics.rates import Rate
from pequel_collector.insights.metrics.survival import Duration
from pequel_collector.rules.parser.catalogue import read_catalogue
from pequel_collector.web.console.figures.charts import LARGE, SMALL, Size, columns
from pequel_collector.web.console.figures.readings import amounts, lasting, reading

from .conftest import Clock, text_of

counts = st.integers(0, 10**6)


class TestReadings:
    def test_a_share_has_its_parts_its_interval_and_who_is_too_young(self) -> None:
        found = reading("rate", of_rate(Rate(12, 85, 31)))
        assert found.main == "12 of 85 (14 %, 95 %: 8–23 %)"
        assert found.beside == "31 too young to tell"
        assert not found.is_small

    def test_a_share_of_nothing_has_no_percentage(self) -> None:
        assert reading("rate", of_rate(Rate(0, 0, 0))).main == "nobody yet"
        assert reading("rate", of_rate(Rate(0, 0, 7))).main == "none old enough to tell"

    @given(counts, counts, counts)
    def test_no_percentage_stands_without_what_it_is_of(
        self, some: int, others: int, young: int
    ) -> None:
        found = reading("rate", of_rate(Rate(some, some + others, young)))
        assert ("%" in found.main) == (some + others > 0)
        if "%" in found.main:
            assert found.main.startswith(f"{some:,} of {some + others:,} (")
            assert "95 %: " in found.main
        assert ("too young" in found.beside) == (young > 0)

    def test_a_length_of_time_says_how_many_have_arrived(self) -> None:
        found = reading("duration", of_duration(Duration(3 * 86_400_000, None, 40, 10)))
        assert (found.main, found.beside) == ("half within 3 d", "30 of 40 so far")
        assert reading("duration", of_duration(Duration())).main == "nobody yet"

    @pytest.mark.parametrize(
        ("seconds", "words"), [(None, "not known yet"), (45, "45 s"), (5_400, "1.5 h")]
    )
    def test_lengths(self, seconds: float | None, words: str) -> None:
        assert lasting(seconds) == words

    def test_amounts_have_their_currency(self) -> None:
        assert amounts({"EUR": "1234.50", "USD": None}) == "EUR 1,234.50 · USD –"
        assert amounts({}) == "nothing yet"


class TestCharts:
    def test_have_nothing_that_the_policy_forbids(self) -> None:
        for size in (LARGE, SMALL):
            chart = columns([("2026-03-02", 3), ("2026-03-09", 0)], 'Leads "by" <week>', size)
            assert not re.search(r"<style|<script|style=|onload|http", chart)
            assert chart.count("<svg") == 1
            assert "Leads &#34;by&#34; &lt;week&gt;: 2026-03-02: 3" in chart

    def test_have_labels_within_the_picture(self) -> None:
        points = [(f"2026-{month:02}-02", month) for month in range(1, 13)]
        for width, height in (LARGE, SMALL):
            chart = columns(points, "Leads", Size(width, height))
            assert ">12</text>" in chart
            assert ">2026-01-02</text>" in chart
            at = [float(x) for x in re.findall(r'class="below" x="([\d.]+)"', chart)]
            assert all(next_ - x >= 80 for x, next_ in pairwise(at))
            assert at[-1] + 66 <= width

    def test_are_small_and_nothing_of_nothing(self) -> None:
        points = [(f"2026-{number}", number) for number in range(500)]
        assert len(columns(points, "Leads")) < 20_000
        assert columns([], "Leads") == ""


class TestThePages:
    @pytest.mark.parametrize("role", ROLES)
    def test_each_role_has_one(self, admin: Any, ada: str, role: str) -> None:
        assert admin.get(f"/figures?role={role}&horizon=14d&by=definition").status_code == 200
        assert "too young to tell" in text_of(admin.page)
        assert "How it is counted" in admin.page

    @pytest.mark.parametrize("name", METRICS)
    def test_each_metric_has_one(self, admin: Any, ada: str, name: str) -> None:
        assert admin.get(f"/figure?name={name}").status_code == 200

    def test_the_members_behind_a_number_have_their_names(self, admin: Any, ada: str) -> None:
        admin.get("/figure?name=volume")
        assert "Ada Byron" in admin.page
        assert f"/leads/{ada}" in admin.page
        admin.get("/figure?name=volume&standing=out")
        assert "Ada Byron" not in admin.page

    def test_filters_stay_in_the_address(self, admin: Any, ada: str) -> None:
        admin.get("/figures?role=sales&horizon=7d&definition=set_up")
        assert "/figure?horizon=7d&amp;definition=set_up&amp;name=volume" in admin.page

    @pytest.mark.parametrize(
        "query", ["role=king", "horizon=long", "by=shoe&role=sales&definition=no", "from=x"]
    )
    def test_say_what_is_wrong_with_a_question(self, admin: Any, query: str) -> None:
        assert admin.get(f"/figures?{query}").status_code == 400
        assert "expected" in admin.page

    def test_a_metric_that_is_not_there_is_not_found(self, admin: Any) -> None:
        assert admin.get("/figure?name=luck").status_code == 404
        assert admin.get("/figure?name=overlap").status_code == 200

    def test_a_definition_says_how_it_does(self, admin: Any, ada: str) -> None:
        admin.get("/definition?name=set_up")
        assert "PQL → customer none old enough to tell · 1 too young" in text_of(admin.page)
        assert "Leads marked in each week, by the Monday on which it begins" in admin.page
        assert '<text class="below"' in admin.page


PAGES = (
    "/", "/live", "/definitions", "/definition?name=step_1", "/near?name=step_1", "/editor",
    "/figures", "/figure?name=volume", "/users", "/user?id=u1", "/accounts", "/catalogue",
    "/settings", "/alerts", "/routes",
)  # fmt: skip


class TestTheWeight:
    @pytest.fixture
    def collector(self, clock: Clock) -> Iterator[Collector]:
        """A collector with thirty definitions, and a hundred people with long names."""
        text = "".join(
            f'[[pql]]\nname = "step_{n}"\nwhen = {{ event = "step_{n}" }}\n' for n in range(30)
        )
        settings = Settings(database="sqlite://", write_key="write-key", admin_key="admin-key")
        with closing(open_collector(settings, read_catalogue(text), clock)) as collector:
            yield collector

    def test_of_each_page_is_bounded(self, admin: Any, send: Any) -> None:
        for number in range(100):
            user, name = f"u{number}", f"Somebody with a long name {number} " * 3
            traits = {"name": name, "email": f"{user}@example.com", "country": f"C{number}"}
            send(
                {"type": "identify", "userId": user, "traits": traits},
                {"userId": user, "event": f"step_{number % 30}", "properties": {"x": "y" * 300}},
            )
        for path in PAGES:
            assert admin.get(path).status_code == 200
            assert len(admin.page.encode()) <= 100_000, path
