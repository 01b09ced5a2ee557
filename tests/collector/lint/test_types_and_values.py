"""L23, L24 and L25: values that are of another type than a definition needs, or not there."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pequel_collector.insights.sample import Sample
from pequel_collector.insights.values import DIFFERENT, Values, plain, values_of
from support.samples import linted, users, valued

TEXT, NUMBER, BOOLEAN = "5", 5, True


def told(code: str, when: str, sample: Sample, rest: str = "") -> list[str]:
    """What a rule says about a definition."""
    report = linted(f'[[pql]]\nname = "it"\nwhen = {when}\n{rest}', sample)
    return [found.message for found in report.findings if found.code == code]


def having(**traits: Any) -> Sample:
    """Forty users with these traits."""
    return Sample(users=users(40, traits=traits))


def sending(path: str, *values: Any, of: int = 0) -> Sample:
    """Events ``x`` with a property that has these values."""
    return Sample(events={"x": valued(path, values, of)}, lasts={"x": 0})


class TestAnotherType:
    def test_the_finding_counts_and_says_what_is_needed(self) -> None:
        sample = Sample(
            accounts=users(30, "g:", traits={"project_limit": "5"})
            + users(23, "g:n", traits={"project_limit": 5})
        )
        when = '{ event = "x", gte = { ratio = 0.8, of_trait = "project_limit" } }'
        assert told("L23", when, sample, 'subject = "account"') == [
            (
                "project_limit is text in 30 of 53 accounts; the share needs a number: send it "
                "as a number"
            )
        ]

    @pytest.mark.parametrize(
        ("test", "value", "needed"),
        [
            ("gte = 50", "100", "text in 40 of 40 users; the comparison needs a number"),
            ("between = [1, 9]", "5", "text in 40 of 40 users; the comparison needs a number"),
            ("eq = true", "true", "text in 40 of 40 users; the comparison needs true or false"),
            ('eq = "7"', 7, "a number in 40 of 40 users; the comparison needs text"),
            ('in = ["admin"]', ["admin"], "a list in 40 of 40 users; the comparison needs text"),
            ('starts_with = "a"', {"a": 1}, "an object in 40 of 40 users; the comparison needs"),
            ('contains = "a"', 3, "a number in 40 of 40 users; the comparison needs text or a li"),
        ],
    )
    def test_of_a_trait(self, test: str, value: Any, needed: str) -> None:
        [message] = told("L23", f'{{ trait = "t", {test} }}', having(t=value))
        assert message.startswith(f"t is {needed}")

    @pytest.mark.parametrize(
        ("test", "value"),
        [
            ("gte = 50", 100),
            ("eq = true", False),
            ('in = ["admin"]', "user"),
            ('contains = "admin"', ["admin"]),
            ('contains = "admin"', "the admin"),
            ("exists = true", ["admin"]),
            ('in = ["admin", 7]', 7),
        ],
    )
    def test_values_that_can_meet_it_give_no_finding(self, test: str, value: Any) -> None:
        assert told("L23", f'{{ trait = "t", {test} }}', having(t=value)) == []

    @pytest.mark.parametrize(
        "when",
        [
            '{ event = "x", where = { p = true }, gte = 2 }',
            '{ event = "x", sum = "p", gte = 5 }',
            '{ event = "x", max = "p", gte = 5 }',
            '{ event = "x", last = "p", gte = 5 }',
            '{ sequence = ["x", "y"], where = { p = 1 } }',
            '{ score = { gte = 5 }, points = [{ event = "x", add = 1, where = { p = 1 } }] }',
        ],
    )
    def test_of_a_property(self, when: str) -> None:
        [message] = told("L23", when, sending("p", *["true"] * 20))
        assert message.startswith("p is text in 20 of 20 x events; the ")

    def test_different_values_of_several_types_are_reported(self) -> None:
        sample = sending("p", *["7"] * 15, *[7] * 10)
        [message] = told("L23", '{ event = "x", distinct = "p", gte = 2 }', sample)
        assert message.startswith("p is text in 15 and a number in 10 of 25 x events")

    @pytest.mark.parametrize(
        ("value", "said"),
        [
            (True, "at is true or false in 40 of 40 users; the window needs a date"),
            ("soon", "at is text that is no date in 40 of 40 users; the window needs a date"),
        ],
    )
    def test_a_window_begins_at_a_date(self, value: Any, said: str) -> None:
        [message] = told("L23", '{ event = "x", within = "7d", of = "trait:at" }', having(at=value))
        assert message.startswith(said)

    @pytest.mark.parametrize("value", ["2026-03-01", "2026-03-01T10:00:00Z", 1_790_000_000, "7"])
    def test_a_date_is_one(self, value: Any) -> None:
        when = '{ event = "x", within = "7d", of = "trait:at" }'
        assert told("L23", when, having(at=value)) == []

    @pytest.mark.parametrize("value", ["2026-03-01", 1_790_000_000])
    def test_a_date_may_be_compared_with_a_date(self, value: Any) -> None:
        assert told("L23", '{ trait = "at", lt = 2026-03-01 }', having(at=value)) == []

    def test_a_list_of_parts_may_be_in_a_text(self) -> None:
        assert told("L23", '{ trait = "at", contains = ["a", "b"] }', having(at="xa")) == []

    @pytest.mark.parametrize(("texts", "found"), [(4, 0), (5, 1)])
    def test_one_in_ten_is_an_exception(self, texts: int, found: int) -> None:
        sample = sending("p", *["5"] * texts, *[5] * (40 - texts))
        assert len(told("L23", '{ event = "x", sum = "p", gte = 5 }', sample)) == found

    @pytest.mark.parametrize(("count", "found"), [(19, 0), (20, 1)])
    def test_nothing_is_concluded_from_fewer_than_20(self, count: int, found: int) -> None:
        sample = sending("p", *["5"] * count)
        assert len(told("L23", '{ event = "x", sum = "p", gte = 5 }', sample)) == found

    def test_the_account_of_a_user_and_the_members_of_an_account_are_told_apart(self) -> None:
        sample = Sample(
            users=users(40, traits={"size": "5"}), accounts=users(40, "g:", traits={"size": 5})
        )
        assert told("L23", '{ trait = "account.size", gte = 5 }', sample) == []
        inner = '{ users = { trait = "size", gte = 5 } }'
        assert len(told("L23", inner, sample, 'subject = "account"')) == 1


class TestNeverSeen:
    def test_another_spelling_is_named_with_its_number(self) -> None:
        sample = Sample(
            users=users(12, traits={"plan": "Free"}) + users(28, "u:p", traits={"plan": "pro"})
        )
        assert told("L24", '{ trait = "plan", eq = "free" }', sample) == [
            (
                "plan is 'Free' in 12 of 40 users, and you compare with 'free': case and blanks "
                "count, so use one spelling"
            )
        ]

    @pytest.mark.parametrize("operator", ['ne = "free"', 'in = ["free", "pro"]'])
    def test_also_where_it_is_one_of_several(self, operator: str) -> None:
        assert len(told("L24", f'{{ trait = "t", {operator} }}', having(t=" Free "))) == 1

    @pytest.mark.parametrize(("others", "found"), [(4, 0), (5, 1)])
    def test_a_few_in_another_spelling_are_an_exception(self, others: int, found: int) -> None:
        sample = sending("p", *["Free"] * others, *["free"] * (40 - others))
        assert len(told("L24", '{ event = "x", where = { p = "free" } }', sample)) == found

    @pytest.mark.parametrize(
        ("wanted", "hint"),
        [('"enterprize"', "did you mean 'enterprise'?"), ('"zzz"', "the data has 'enterprise'")],
    )
    def test_a_value_that_never_came(self, wanted: str, hint: str) -> None:
        when = f'{{ event = "x", where = {{ p = {wanted} }} }}'
        [message] = told("L24", when, sending("p", *["enterprise"] * 20))
        assert message == f"p is never {wanted.replace(chr(34), chr(39))} in 20 x events: {hint}"

    @pytest.mark.parametrize(
        "test", ['eq = "a"', 'in = ["a", "zzz"]', 'ne = "zzz"', "exists = true"]
    )
    def test_values_that_came_give_no_finding(self, test: str) -> None:
        assert told("L24", f'{{ trait = "t", {test} }}', having(t="a")) == []

    def test_another_type_is_a_matter_of_another_rule(self) -> None:
        assert told("L24", '{ trait = "t", eq = 7 }', having(t="a")) == []

    def test_too_many_values_to_know_them_all_say_nothing(self) -> None:
        many = [str(n) for n in range(DIFFERENT + 1)]
        assert told("L24", '{ event = "x", where = { p = "zzz" } }', sending("p", *many)) == []


class TestMostlyMissing:
    @pytest.mark.parametrize("measure", ["distinct", "sum", "min", "max", "last"])
    @pytest.mark.parametrize(("there", "found"), [(50, 0), (49, 1)])
    def test_a_property_that_a_measure_needs(self, measure: str, there: int, found: int) -> None:
        sample = sending("p", *[7] * there, of=100)
        when = f'{{ event = "x", {measure} = "p", gte = 2 }}'
        assert len(told("L25", when, sample)) == found

    def test_the_finding_counts(self) -> None:
        sample = sending("p", *[7] * 30, of=120)
        assert told("L25", '{ event = "x", per = "p", gte = 2 }', sample) == [
            (
                "p is missing in 90 of 120 x events; without it an event does not count: send it "
                "with every one"
            )
        ]

    @pytest.mark.parametrize(
        "when",
        [
            '{ event = "x", sum = "p", where = { kind = "a" }, gte = 2 }',
            '{ event = "x", where = { p = 7 }, gte = 2 }',
            '{ event = "*", distinct = "p", gte = 2 }',
            '{ event = "x", last = "p", lt = 5, or_missing = true }',
        ],
    )
    def test_some_events_may_lack_it(self, when: str) -> None:
        assert told("L25", when, sending("p", *[7] * 30, of=120)) == []

    def test_a_trait_that_is_null_is_missing(self) -> None:
        sample = Sample(
            users=users(30, traits={"needed": None}) + users(10, "u:n", traits={"needed": 5})
        )
        when = '{ event = "x", gte = { ratio = 1, of_trait = "needed" } }'
        [message] = told("L25", when, sample)
        assert message.startswith("needed is missing in 30 of 40 users; without it there is no thr")


class TestValues:
    @given(st.lists(st.one_of(st.text(max_size=3), st.integers(-2, 2), st.booleans())))
    def test_are_the_same_counted_in_parts(self, given: list[Any]) -> None:
        parts = Values()
        for half in (given[::2], given[1::2]):
            parts += values_of(half)
        whole = values_of(given)
        assert (parts.types, parts.seen, parts.highest) == (
            whole.types, whole.seen, whole.highest,
        )  # fmt: skip
        assert parts.count == len(given)

    @given(st.lists(st.text(max_size=3)), st.text(max_size=3))
    def test_other_spellings_are_those_alike_without_case_and_blanks(
        self, given: list[str], text: str
    ) -> None:
        found = dict(values_of(given).spelt_otherwise(text))
        assert found == {
            other: given.count(other)
            for other in given
            if other != text and plain(other) == plain(text)
        }
