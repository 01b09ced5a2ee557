"""The rules that need no data: what each of them finds, and what it does not find."""

from __future__ import annotations

import pytest

from support.samples import codes, linted


def fires(code: str, toml: str) -> bool:
    """Whether a rule finds something in a definition; ``when`` alone stands for the rest."""
    return code in codes(linted(toml if toml.startswith("[") else defined(toml)))


def defined(rest: str) -> str:
    """A definition with a name."""
    return f'[[pql]]\nname = "it"\n{rest}'


def named(count: int) -> str:
    """Definitions each of which names the one before it twice."""
    first = defined('when = { event = "report_shared" }').replace('"it"', '"p0"')
    others = (
        f'[[pql]]\nname = "p{n}"\n'
        f'when.all = [{{ pql = "p{n - 1}" }}, {{ any = [{{ pql = "p{n - 1}" }}] }}]'
        for n in range(1, count)
    )
    return "\n".join([first, *others])


@pytest.mark.parametrize("project", ["", '[project]\nkey_events = ["report_shared"]\n'])
def test_definitions_that_many_paths_lead_to_are_looked_at_once(project: str) -> None:
    """Two to the power of 300 paths lead to the first one."""
    found = linted(project + named(300)).findings
    without_key_action = [each for each in found if each.code == "L03"]
    assert len(without_key_action) == (0 if project else 300)
    assert not any(each.code == "L02" for each in found)


class TestActivityOnly:
    @pytest.mark.parametrize(
        "when",
        [
            'when = { event = "Logged In", gte = 10 }',
            'when = { event = "sessionStarted", distinct = "@day", gte = 5, within = "7d" }',
            'when = { event = ["login", "page_viewed"], gte = 3 }',
            'when = { event = "*", gte = 100, within = "7d" }',
            'when = { event = "*", distinct = "@day", gte = 5, within = "7d" }',
            'when = { event = "app_*", gte = 5, within = "7d" }',
            'when = { event = "session*", distinct = "@day", gte = 5, within = "7d" }',
            'when = { event = "page", gte = 20 }',
            'when.all = [{ event = "login", gte = 9 }, { trait = "plan", eq = "free" }]',
            'when.any = [{ event = "login", gte = 9 }, { event = "report_shared" }]',
            'when = { at_least = 1, of_these = [{ event = "login" }, { event = "a" }] }',
            'when = { sequence = ["login", "page_viewed"], within = "1h" }',
            'when = { event = "login", growth = 2.0, over = "7d" }',
            'when = { score = { gte = 9 }, points = [{ event = "login", add = 1, cap = 20 }] }',
            'subject = "account"\nwhen = { users = { event = "login" }, gte = 3 }',
        ],
    )
    def test_being_there_is_not_enough(self, when: str) -> None:
        assert fires("L01", when)

    @pytest.mark.parametrize(
        "when",
        [
            'when = { event = "report_shared" }',
            'when = { event = "*", distinct = "@user", gte = 5, within = "7d" }',
            'when = { event = "report_*", gte = 5, within = "7d" }',
            'when = { event = "page", where = { name = "pricing" }, gte = 2 }',
            'when.all = [{ event = "login", gte = 9 }, { event = "report_shared" }]',
            'when = { at_least = 2, of_these = [{ event = "login" }, { event = "a" }] }',
            'when = { trait = "employees", gte = 50 }',
            'when = { sequence = ["login", "report_shared"], within = "1h" }',
            'when = { score = { gte = 9 }, points = [{ trait = "size", gte = 5, add = 10 }] }',
        ],
    )
    def test_an_action_is_enough(self, when: str) -> None:
        assert not fires("L01", when)


class TestSignUpMarks:
    @pytest.mark.parametrize(
        "when",
        [
            'when = { event = "signed_up" }',
            'when = { event = "trial_started" }',
            'when = { event = "user_registered" }',
            'when = { event = "*" }',
            'when = { event = "signed_up", within = "1d", of = "signup" }',
            'when = { event = "*", distinct = "@minute", gte = "1m" }',
            'when.any = [{ event = "signed_up" }, { event = "report_shared", gte = 3 }]',
            'when.all = [{ event = "*" }, { trait = "plan", ne = "free", or_missing = true }]',
            'when = { score = { gte = 5 }, points = [{ event = "*", add = 5 }] }',
            'subject = "account"\nwhen = { users = { event = "signed_up" } }',
        ],
    )
    def test_signing_up_is_not_enough(self, when: str) -> None:
        assert fires("L02", when)

    @pytest.mark.parametrize(
        "when",
        [
            'when = { event = "signed_up", gte = 2 }',
            'when = { event = "signed_up", where = { plan = "team" } }',
            'when = { event = "*", within = "7d", of = "signup", from = "1d" }',
            'when = { event = "*", of = "first:report_shared" }',
            'when.all = [{ event = "signed_up" }, { event = "report_shared" }]',
            'when.all = [{ event = "signed_up" }, { trait = "employees", gte = 50 }]',
            'when = { event = "*", sum = "n", gte = 1 }',
            'when = { event = "signed_up", gte = { ratio = 1, of_trait = "n" } }',
        ],
    )
    def test_more_than_that_is(self, when: str) -> None:
        assert not fires("L02", when)

    def test_a_definition_that_names_one_is_no_better(self) -> None:
        toml = '[[pql]]\nname = "a"\nwhen = { event = "signed_up" }\n'
        report = linted(toml + '[[pql]]\nname = "b"\nwhen = { pql = "a" }\n')
        assert {f.definition for f in report.findings if f.code == "L02"} == {"a", "b"}


KEYS = """\
[project]
key_events = ["project_created", "report_*"]
[features]
sharing = ["teammate_invited"]
[[metric]]
name = "bytes_in"
event = "data_processed"
sum = "bytes"
value_metric = true
"""


class TestNoKeyAction:
    @pytest.mark.parametrize(
        "event",
        [
            "contact_sales_clicked",
            "Demo Requested",
            "bookedDemo",
            "talk_to_sales",
            "quote_requested",
        ],
    )
    def test_a_raised_hand_needs_no_other(self, event: str) -> None:
        toml = defined(f'when = {{ event = "{event}" }}')
        assert not fires("L03", KEYS + toml)
        assert not fires("L03", toml)

    def test_a_call_to_an_api_is_no_raised_hand(self) -> None:
        assert fires("L03", KEYS + defined('when = { event = "api_called", gte = 5 }'))

    @pytest.mark.parametrize(
        "when",
        [
            'when = { event = "project_created" }',
            'when = { event = "project_*" }',
            'when = { event = "report_shared" }',
            'when = { event = "report_pdf_*" }',
            'when = { event = { feature = "sharing" } }',
            'when = { metric = "bytes_in", gte = "1GB" }',
            'when.all = [{ event = "login" }, { event = "teammate_invited" }]',
            'when = { sequence = ["login", "project_created"] }',
        ],
    )
    def test_a_key_action_is_asked_for(self, when: str) -> None:
        assert not fires("L03", KEYS + defined(when))

    @pytest.mark.parametrize(
        "when",
        ['when = { event = "*" }', 'when = { event = "proj" }', 'when = { trait = "x", eq = 1 }'],
    )
    def test_none_is(self, when: str) -> None:
        assert fires("L03", KEYS + defined(when))

    def test_one_that_a_named_definition_asks_for_counts(self) -> None:
        named = '[[pql]]\nname = "a"\nwhen = { event = "project_created" }\n'
        assert not fires("L03", KEYS + named + defined('when = { pql = "a" }'))


class TestNoWindow:
    @pytest.mark.parametrize(
        ("when", "expected"),
        [
            ('when = { event = "a", gte = 50 }', True),
            ('when = { event = "a", sum = "n", gt = 50 }', True),
            ('when = { event = "a", gte = 50, of = "signup" }', True),
            ('when = { event = "a", gte = 50, within = "30d" }', False),
            ('when = { event = "a" }', False),
            ('when = { event = "a", max = "n", gte = 50 }', False),
            ('when = { event = "a", distinct = "id", gte = 50 }', False),
            ('when.all = [{ event = "a", gte = 50 }, { event = "b", within = "7d" }]', False),
            ('when.any = [{ event = "a", gte = 50 }, { event = "b", within = "7d" }]', True),
            ('subject = "account"\nwhen = { users = { event = "a", gte = 5 }, gte = 3 }', True),
        ],
    )
    def test_a_number_only_grows(self, when: str, expected: bool) -> None:
        assert fires("L06", when) is expected


class TestNeverOrAlways:
    @pytest.mark.parametrize(
        "when",
        [
            'when = { event = "*", distinct = "@day", gte = 8, within = "7d" }',
            'when = { event = "*", distinct = "@day", gte = 9, within = "7d", of = "signup" }',
            'when = { event = "*", distinct = "@hour", gt = 24, within = "1d" }',
            'when = { event = "*", distinct = "@minute", gte = "2h", within = "1h" }',
            'when = { event = ["a", "b"], distinct = "@event", gte = 3 }',
            'when = { event = "a", within = "7d", of = "signup", from = "7d" }',
            'when = { event = "a", where = { n = { gte = 10, lt = 10 } } }',
            'when.all = [{ trait = "plan", eq = "free" }, { trait = "plan", in = ["pro"] }]',
            'when.all = [{ trait = "plan", eq = "free" }, { trait = "plan", eq = "pro" }]',
            'when.all = [{ trait = "n", gte = 50 }, { trait = "n", lt = 10 }]',
            'when.all = [{ trait = "n", gte = 5 }, { trait = "n", exists = false }]',
            'when = { trait = "plan", eq = "free" }\nunless = [{ trait = "plan", eq = "free" }]',
        ],
    )
    def test_no_subject_can_meet_it(self, when: str) -> None:
        report = linted(defined(when))
        assert [f.level for f in report.findings if f.code == "L07"] == ["error"]

    @pytest.mark.parametrize(
        "when",
        [
            'when = { event = "*", distinct = "@day", gte = 7, within = "7d" }',
            'when = { event = "*", distinct = "@day", gte = 8, within = "7d", of = "signup" }',
            'when = { event = "*", distinct = "@day", gte = 80 }',
            'when = { event = "a_*", distinct = "@event", gte = 30 }',
            'when = { event = "a", where = { n = { gte = 10, lte = 10 } } }',
            'when.any = [{ trait = "plan", eq = "free" }, { trait = "plan", eq = "pro" }]',
            'when.all = [{ trait = "plan", eq = "free" }, { trait = "account.plan", eq = "pro" }]',
            'when = { trait = "plan", exists = true }\nunless = [{ trait = "plan", eq = "free" }]',
        ],
    )
    def test_somebody_can(self, when: str) -> None:
        assert not fires("L07", when)

    def test_every_subject_meets_it(self) -> None:
        when = 'when.any = [{ trait = "x", exists = true }, { trait = "x", exists = false }]'
        report = linted(defined(when))
        assert [f.level for f in report.findings if f.code == "L07"] == ["warning"]


class TestMixedWindows:
    @pytest.mark.parametrize(
        ("parts", "expected"),
        [
            ('{ event = "a", within = "7d" }, { event = "b", within = "30d" }', True),
            ('{ event = "a", within = "7d" }, { event = "b", within = "7d" }', False),
            ('{ event = "a", within = "7d" }, { event = "b" }', False),
            (
                '{ event = "a", within = "7d" }, { event = "b", within = "9d", of = "signup" }',
                False,
            ),
        ],
    )
    def test_roll_side_by_side(self, parts: str, expected: bool) -> None:
        assert fires("L08", f"when.all = [{parts}]") is expected
        assert fires("L08", f"when = {{ at_least = 2, of_these = [{parts}] }}") is expected
        assert not fires("L08", f"when.any = [{parts}]")


class TestNoCustomerGuard:
    def test_is_about_new_business(self) -> None:
        rest = 'when = { event = "a" }'
        assert fires("L12", rest)
        assert not fires("L12", rest + '\nkind = "upgrade"')
        assert not fires("L12", rest + '\nunless = ["customer"]')

    def test_without_a_conversion_it_says_what_is_needed_first(self) -> None:
        report = linted('[project]\nsignup = "s"\n' + defined('when = { event = "a" }'))
        assert "name your conversion event" in next(
            f.message for f in report.findings if f.code == "L12"
        )


class TestEndlessAbsence:
    def test_in_no_window(self) -> None:
        rest = 'clock = true\nwhen = { event = "a", eq = 0 }'
        assert fires("L13", rest)
        assert not fires("L13", rest.replace("0 }", '0, within = "7d" }'))

    def test_in_unless_it_may_be_endless(self) -> None:
        assert not fires("L13", 'when = { event = "a" }\nunless = [{ event = "b", eq = 0 }]')


class TestOutcomeLeakage:
    @pytest.mark.parametrize(
        "when",
        [
            'when = { event = "subscription_started" }',
            'when = { event = "Invoice Paid" }',
            'when = { event = "checkout_completed" }',
            'when = { trait = "plan", eq = "paid" }',
            'when = { trait = "is_customer", eq = true }',
            'when = { trait = "status", in = ["trial", "Paying"] }',
            'when = { score = { gte = 5 }, points = [{ trait = "plan", eq = "paid", add = 5 }] }',
        ],
    )
    def test_customers_do_that(self, when: str) -> None:
        assert fires("L14", when)
        assert not fires("L14", when + '\nkind = "expansion"')

    @pytest.mark.parametrize(
        "when",
        [
            'when = { event = "pricing_viewed" }',
            'when = { event = "invoice_sent" }',
            'when = { trait = "plan", eq = "free" }',
            'when = { trait = "plan", ne = "paid" }',
        ],
    )
    def test_others_do_this(self, when: str) -> None:
        assert not fires("L14", when)


class TestNoUnit:
    @pytest.mark.parametrize(
        ("leaf", "expected"),
        [
            ('sum = "bytes", gte = 1000000', True),
            ('sum = "bytes", gte = "1MB"', False),
            ('last = "bytes", gte = { ratio = 0.8, of_trait = "limit" }', False),
            ('last = "size.bytes", gte = 5000', True),
            ('sum = "duration", gte = 60', True),
            ('sum = "duration_ms", gte = 60', False),
            ('sum = "durationSeconds", gte = 60', False),
            ('sum = "amount", gte = 100', True),
            ('sum = "amount", gte = 100, where = { currency = "EUR" }', False),
            ('sum = "amount_eur", gte = 100', False),
            ('sum = "rows", gte = 5000', False),
            ('last = "storage", eq = "full"', False),
        ],
    )
    def test_a_number_must_say_of_what(self, leaf: str, expected: bool) -> None:
        assert fires("L15", f'when = {{ event = "a", {leaf} }}') is expected

    def test_a_threshold_of_a_metric_too(self) -> None:
        metric = '[project]\n[[metric]]\nname = "volume"\nevent = "a"\nsum = "bytes"\n'
        assert fires("L15", metric + defined('when = { metric = "volume", gte = 5000 }'))
        assert not fires("L15", metric + defined('when = { metric = "volume", gte = "5kB" }'))


class TestNobodyFollowsUp:
    @pytest.mark.parametrize(
        ("more", "expected"),
        [("", True), ('owner = "sales"', False), ('sla = "4h"', False), ('kind = "nudge"', False)],
    )
    def test_an_owner_or_a_time_is_enough(self, more: str, expected: bool) -> None:
        assert fires("L17", f'when = {{ event = "a" }}\n{more}') is expected


class TestRevocable:
    @pytest.mark.parametrize(
        ("when", "expected"),
        [
            ('{ event = "a", last = "n", gte = 5 }', True),
            ('{ event = "a", max = "n", gte = 5 }', False),
            ('{ score = { gte = 5 }, points = [{ event = "a", add = -1 }] }', True),
            ('{ score = { gte = 5 }, points = [{ event = "a", add = 1 }] }', False),
        ],
    )
    def test_a_number_that_can_fall_again(self, when: str, expected: bool) -> None:
        assert fires("L20", f"when = {when}") is expected
        assert not fires("L20", f'when = {when}\nexpires = "7d"')


class TestScoreSoup:
    def score(self, *points: str) -> str:
        return f"when = {{ score = {{ gte = 60 }}, points = [{', '.join(points)}] }}"

    @pytest.mark.parametrize(
        ("points", "expected"),
        [
            ('{ event = "a", add = 5, cap = 59 }', False),
            ('{ event = "a", add = 5, cap = 60 }', True),
            ('{ event = "a", add = 5 }', True),
            ('{ event = "a", add = -5 }', False),
            ('{ trait = "x", eq = 1, add = 60 }', True),
            ('{ trait = "x", eq = 1, add = 59 }', False),
        ],
    )
    def test_one_sort_of_points_decides(self, points: str, expected: bool) -> None:
        assert fires("L21", self.score(points)) is expected

    @pytest.mark.parametrize(("sorts", "expected"), [(10, False), (11, True)])
    def test_more_than_ten_sorts(self, sorts: int, expected: bool) -> None:
        points = [f'{{ event = "e{n}", add = 1, cap = 9 }}' for n in range(sorts)]
        assert fires("L21", self.score(*points)) is expected


class TestSensitiveTrait:
    @pytest.mark.parametrize(
        "name", ["race", "health_status", "user.ethnicity", "sexualOrientation", "diagnosis"]
    )
    def test_wherever_it_stands(self, name: str) -> None:
        test = f'{{ trait = "{name}", exists = true }}'
        assert fires("L22", f"when = {test}")
        assert fires("L22", f'when = {{ event = "a" }}\nunless = [{test}]')
        points = f'{{ trait = "{name}", exists = true, add = 5 }}'
        assert fires("L22", f"when = {{ score = {{ gte = 9 }}, points = [{points}] }}")
        inner = f'subject = "account"\nwhen = {{ users = {test}, gte = 2 }}'
        assert fires("L22", inner)

    @pytest.mark.parametrize("name", ["country", "race_car", "plan", "trace_id"])
    def test_other_traits_are_fine(self, name: str) -> None:
        assert not fires("L22", f'when = {{ trait = "{name}", exists = true }}')
