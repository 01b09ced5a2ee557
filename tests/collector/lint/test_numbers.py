"""The rules that look at data: from where on they fire, and what they say."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pequel_collector.insights.sample import Arrivals, Property, Sample
from pequel_collector.rules.language.quantities import DAY, WEEK
from support.samples import END, buyers, codes, doing, linted, marked, repeated, teams, users

EXPORTS = '[[pql]]\nname = "it"\nwhen = { event = "report_exported"MORE }\n'


def asks(more: str = "", subject: str = "user") -> str:
    """A definition that asks for exports."""
    return EXPORTS.replace("MORE", more) + f'subject = "{subject}"\n'


def fires(code: str, toml: str, sample: Sample, capacity: int | None = None) -> bool:
    return code in codes(linted(toml, sample, capacity))


class TestNearlyEverybody:
    @pytest.mark.parametrize(("count", "expected"), [(90, False), (91, True)])
    def test_more_than_nine_of_ten_who_signed_up(self, count: int, expected: bool) -> None:
        sample = Sample(users=users(10) + doing(0, 100, ""), marks={"it": marked(range(count))})
        assert fires("L02", asks(), sample) is expected

    def test_too_few_subjects_give_no_finding(self) -> None:
        sample = Sample(users=doing(0, 19, ""), marks={"it": marked(range(19))})
        assert not fires("L02", asks(), sample)


class TestNotReceived:
    SEEN = Sample(
        users=users(20, traits={"plan": "free"}),
        accounts=users(20, "g:", traits={"size": {"people": 5}}),
        events={"report_exported": Arrivals(20, properties={"format": Property(5)})},
        lasts={"report_exported": 0},
    )

    @pytest.mark.parametrize(
        "when",
        [
            'when = { event = "report_exported", distinct = "format" }',
            'when = { event = "report_*" }',
            'when = { event = "*" }',
            'when = { trait = "plan", eq = "pro" }',
            'when = { trait = "account.size.people", gte = 5 }',
            'subject = "account"\nwhen = { users = { trait = "plan", eq = "pro" } }',
        ],
    )
    def test_received_names_give_no_finding(self, when: str) -> None:
        assert not fires("L04", f'[[pql]]\nname = "it"\n{when}', self.SEEN)

    @pytest.mark.parametrize(
        ("when", "message"),
        [
            ('{ event = "report_export" }', "report_export was never received: did you mean repor"),
            ('{ event = "zzz_*" }', "zzz_* was never received"),
            (
                '{ event = "report_exported", where = { formt = "pdf" } }',
                "report_exported never had a formt: did you mean format?",
            ),
            ('{ event = "*", distinct = "size" }', "any event never had a size"),
            ('{ trait = "plann", eq = 1 }', "no user has the trait plann: did you mean plan?"),
            ('{ trait = "account.plan", eq = 1 }', "no account has the trait plan"),
        ],
    )
    def test_names_that_were_never_received_are_reported(self, when: str, message: str) -> None:
        assert message in self.told(f'[[pql]]\nname = "it"\nwhen = {when}', self.SEEN)

    def test_an_event_of_a_sampled_user_long_ago_counts_as_received(self) -> None:
        sample = replace(self.SEEN, lasts={"old": 0})
        assert not fires("L04", '[[pql]]\nname = "it"\nwhen = { event = "old" }', sample)

    @pytest.mark.parametrize(
        ("more", "message"),
        [
            (', of = "trial", within = "7d"', "trial_started was never received"),
            (', of = "first:app_opened", within = "7d"', "app_opened was never received"),
        ],
    )
    def test_an_event_that_a_window_begins_with_is_named(self, more: str, message: str) -> None:
        assert message in self.told(asks(more), self.SEEN)

    def test_events_that_take_points_off_and_their_properties_are_reported(self) -> None:
        toml = """
            [[pql]]
            name = "it"
            [pql.when]
            score  = { gte = 5 }
            points = [
              { event = "report_exported", add = 5, where = { size = { gte = 3 } } },
              { event = "report_deleted", add = -5 },
            ]
        """
        told = self.told(toml, self.SEEN)
        assert "report_exported never had a size" in told
        assert "report_deleted was never received" in told

    def test_a_finding_about_a_leaf_is_reported_once(self) -> None:
        points = '{ event = "gone", add = 5 }, { event = "gone", add = 1, where = { a = 1 } }'
        toml = f'[[pql]]\nname = "it"\nwhen = {{ score = {{ gte = 5 }}, points = [{points}] }}'
        assert self.told(toml, self.SEEN).count("gone was never received") == 1

    def test_an_empty_store_gives_no_finding(self) -> None:
        assert not fires("L04", asks(), Sample())

    @pytest.mark.parametrize(
        "when",
        ['{ event = "gone" }', '{ event = "a", distinct = "x" }', '{ trait = "plann", eq = 1 }'],
    )
    @pytest.mark.parametrize(("count", "expected"), [(19, False), (20, True)])
    def test_nothing_is_concluded_from_fewer_than_20(
        self, when: str, count: int, expected: bool
    ) -> None:
        sample = Sample(
            users=users(count, traits={"plan": "x"}), events={"a": Arrivals(count)}, lasts={"a": 0}
        )
        assert fires("L04", f'[[pql]]\nname = "it"\nwhen = {when}', sample) is expected

    @staticmethod
    def told(toml: str, sample: Sample) -> str:
        """What L04 says, line by line."""
        return "\n".join(f.message for f in linted(toml, sample).findings if f.code == "L04")


class TestNotLatelyReceived:
    PATTERN = asks(', where = { format = "pdf" }')

    @staticmethod
    def seen(event: int, format_: int) -> Sample:
        """Data in which the event, and its property, came last so many days before the end."""
        known = {"format": Property(5, last=END - format_ * DAY)}
        return Sample(
            until=END,
            events={"report_exported": Arrivals(20, properties=known)},
            lasts={"report_exported": END - event * DAY, "logged_in": END},
        )

    @pytest.mark.parametrize(
        ("event", "format_", "message"),
        [
            (30, 30, ""),
            (31, 31, "report_exported was last received on 1970-03-11, 31 days before the latest"),
            (31, 45, "report_exported was last received on 1970-03-11, 31 days before the latest"),
            (0, 45, "report_exported last had a format on 1970-02-25, 45 days before the latest"),
        ],
    )
    def test_a_month_is_long(self, event: int, format_: int, message: str) -> None:
        told = TestNotReceived.told(self.PATTERN, self.seen(event, format_))
        assert told == (message and message + " message")

    def test_one_event_of_a_prefix_is_enough(self) -> None:
        sample = Sample(
            until=END,
            events={"report_shared": Arrivals()},
            lasts={"report_shared": END, "report": 0},
        )
        toml = asks().replace("report_exported", "report*")
        assert not fires("L04", toml, sample)

    def test_an_event_that_a_window_begins_with(self) -> None:
        toml = '[[pql]]\nname = "it"\nwhen = { event = "logged_in", of = "first:report_exported" }'
        told = TestNotReceived.told(toml, self.seen(40, 40))
        assert told.startswith("report_exported was last received on 1970-03-02, 40 days before")


class TestOnceIsNotEnough:
    @pytest.mark.parametrize(("count", "expected"), [(50, False), (51, True)])
    def test_more_than_half_have_done_it(self, count: int, expected: bool) -> None:
        assert fires("L05", asks(), Sample(users=doing(count, 100, "report_exported"))) is expected

    @pytest.mark.parametrize("more", [", gte = 2", ", where = { a = 1 }", ', distinct = "id"'])
    def test_to_ask_for_more_helps(self, more: str) -> None:
        assert not fires("L05", asks(more), Sample(users=doing(100, 100, "report_exported")))


class TestNoWindow:
    @pytest.mark.parametrize(("count", "expected"), [(50, False), (51, True)])
    def test_an_event_that_few_subjects_have_gives_no_finding(
        self, count: int, expected: bool
    ) -> None:
        sample = Sample(users=doing(count, 100, "report_exported"))
        assert fires("L06", asks(", gte = 9"), sample) is expected


class TestBeyondAllData:
    @pytest.mark.parametrize(("wanted", "expected"), [(7, False), (8, True)])
    def test_a_number_that_no_subject_has(self, wanted: int, expected: bool) -> None:
        sample = Sample(users=doing(5, 50, "report_exported", 7))
        assert fires("L07", asks(f", gte = {wanted}"), sample) is expected

    @pytest.mark.parametrize(("wanted", "expected"), [(500, False), (501, True)])
    def test_a_trait_value_that_no_subject_has(self, wanted: int, expected: bool) -> None:
        sample = Sample(users=users(30, traits={"employees": 500}))
        when = f'[[pql]]\nname = "it"\nwhen = {{ trait = "employees", gte = {wanted} }}'
        assert fires("L07", when, sample) is expected

    def test_a_few_values_of_a_trait_say_nothing(self) -> None:
        sample = Sample(users=users(19, traits={"employees": 5}) + users(9, "u:new"))
        when = '[[pql]]\nname = "it"\nwhen = { trait = "employees", gte = 50 }'
        assert not fires("L07", when, sample)

    def test_texts_are_not_compared_with_counts(self) -> None:
        when = '[[pql]]\nname = "it"\nwhen = { event = "a", last = "x", eq = "full" }'
        assert not fires("L07", when, Sample(users=doing(9, 30, "a")))

    def test_it_is_a_warning_because_later_data_may_meet_it(self) -> None:
        report = linted(asks(", gte = 8"), Sample(users=doing(5, 50, "report_exported", 7)))
        assert [f.level for f in report.findings if f.code == "L07"] == ["warning"]


class TestTheSameThingAgain:
    @pytest.mark.parametrize(("different", "expected"), [(36, False), (35, True)])
    def test_more_than_one_in_ten_is_a_repetition(self, different: int, expected: bool) -> None:
        sample = Sample(events={"report_exported": repeated("report_id", 40, different)})
        assert fires("L09", asks(", gte = 5"), sample) is expected

    @pytest.mark.parametrize("path", ["format", "user_id", "sessionId", "identity"])
    def test_only_ids_of_things_count(self, path: str) -> None:
        sample = Sample(events={"report_exported": repeated(path, 40, 2)})
        assert not fires("L09", asks(", gte = 5"), sample)


class TestTeamBehaviour:
    @pytest.mark.parametrize(("together", "expected"), [(10, False), (11, True)])
    def test_in_most_accounts_several_do_it(self, together: int, expected: bool) -> None:
        sample = Sample(events={"report_exported": teams(together, 20 - together)})
        assert fires("L10", asks(), sample) is expected
        assert not fires("L10", asks(subject="account"), sample)


class TestEventsWithoutAnAccount:
    @pytest.mark.parametrize(("homeless", "expected"), [(4, False), (5, True)])
    def test_more_than_one_in_ten(self, homeless: int, expected: bool) -> None:
        sample = Sample(events={"report_exported": Arrivals(40, homeless)})
        assert fires("L11", asks(subject="account"), sample) is expected
        assert not fires("L11", asks(), sample)

    def test_visits_before_sign_up_belong_to_no_account_yet(self) -> None:
        visits = Arrivals(500, homeless=2, anonymous=400)
        sample = Sample(events={"report_exported": visits})
        assert not fires("L11", asks(subject="account"), sample)


class TestNoInternalGuard:
    PROJECT = (
        '[project]\nconversion = "c"\n'
        'internal = { email_domain = ["our.example"], trait = { staff = true } }\n'
    )
    GUARDED = asks() + 'unless = ["customer"]\n'

    @pytest.mark.parametrize("traits", [{"email": "a@OUR.example"}, {"staff": True}])
    def test_your_own_people_are_there(self, traits: dict[str, object]) -> None:
        sample = Sample(users=users(1, traits=traits))
        assert fires("L12", self.PROJECT + self.GUARDED, sample)
        assert not fires("L12", self.PROJECT + asks() + 'unless = ["internal", "customer"]', sample)

    @pytest.mark.parametrize("traits", [{}, {"email": "a@your.example"}, {"email": "our.example"}])
    def test_they_are_not(self, traits: dict[str, object]) -> None:
        assert not fires("L12", self.PROJECT + self.GUARDED, Sample(users=users(9, traits=traits)))


class TestOutcomeLeakage:
    @pytest.mark.parametrize(("after", "expected"), [(24, False), (25, True)])
    def test_most_first_did_it_as_customers(self, after: int, expected: bool) -> None:
        first = {"report_exported": 5}
        sample = Sample(
            users=users(after, converted=4, firsts=first)
            + users(30 - after, "u:new", converted=6, firsts=first)
        )
        assert fires("L14", asks(), sample) is expected
        assert not fires("L14", asks() + 'kind = "upgrade"', sample)


class TestTooManyOrTooFew:
    def sample(self, count: int, at: int = END - DAY) -> Sample:
        return Sample(until=END, users=users(200), marks={"it": marked(range(count), at)})

    @pytest.mark.parametrize(("count", "expected"), [(40, False), (41, True)])
    def test_more_a_week_than_can_be_followed_up(self, count: int, expected: bool) -> None:
        assert fires("L16", asks(), self.sample(count), capacity=10) is expected

    def test_none_in_four_weeks(self) -> None:
        assert fires("L16", asks(), self.sample(50, at=END - 4 * WEEK), capacity=10)
        assert not fires("L16", asks(), self.sample(1, at=END - 4 * WEEK + 1), capacity=10)

    def test_without_a_capacity_there_is_no_finding(self) -> None:
        assert not fires("L16", asks(), self.sample(200))


class TestNearDuplicate:
    TWO = '[[pql]]\nname = "a"\nwhen = { event = "x" }\n' + asks()

    @pytest.mark.parametrize(("shared", "expected"), [(95, False), (96, True)])
    def test_more_than_19_of_20_are_shared(self, shared: int, expected: bool) -> None:
        sample = Sample(marks={"a": marked(range(100)), "it": marked(range(shared))})
        assert fires("L18", self.TWO, sample) is expected

    def test_the_later_one_is_named(self) -> None:
        sample = Sample(marks={"a": marked(range(99)), "it": marked(range(99))})
        report = linted(self.TWO, sample)
        assert [f.definition for f in report.findings if f.code == "L18"] == ["it"]

    def test_users_are_no_accounts(self) -> None:
        sample = Sample(marks={"a": marked(range(99)), "it": marked(range(99))})
        two = self.TWO.replace('subject = "user"', 'subject = "account"')
        assert not fires("L18", two, sample)


class TestForetellsNothing:
    def sample(self, buying: int, chosen: range) -> Sample:
        marks = {"it": marked(chosen, DAY)}
        return Sample(until=END, users=buyers(buying, 400), marks=marks)

    def test_every_other_one_says_nothing(self) -> None:
        report = linted(asks(), self.sample(100, range(0, 400, 2)))
        [message] = [f.message for f in report.findings if f.code == "L19"]
        assert "1.00 times as often" in message
        assert "400 users" in message

    def test_the_buyers_say_something(self) -> None:
        assert not fires("L19", asks(), self.sample(100, range(80)))

    def test_fewer_than_100_buyers_give_no_finding(self) -> None:
        assert not fires("L19", asks(), self.sample(99, range(0, 400, 2)))

    def test_it_is_about_new_business(self) -> None:
        sample = self.sample(100, range(0, 400, 2))
        assert not fires("L19", asks() + 'kind = "expansion"', sample)
