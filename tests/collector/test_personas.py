"""Personas before a real collector: what they do, when it arrives, and what they are marked as."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pequel_collector.errors import BadRequest
from pequel_collector.personas import Outcome, rehearse
from pequel_collector.personas.script import EXPECTED, FACT, PERSONA
from pequel_collector.personas.stage import elapsed
from pequel_collector.rules.parser.catalogue import read_catalogue

DEFINITIONS = """\
[project]
signup = "signed_up"
conversion = "paid"

[[pql]]
name = "exports"
when = { event = "exported", gte = 2, within = "7d", of = "signup" }
unless = ["customer"]

[[pql]]
name = "team"
subject = "account"
when = { event = "message_sent", distinct = "@user", gte = 2 }

[[pql]]
name = "fit"
when = { trait = "account.employees", gte = 100 }

[[pql]]
name = "share"
when = { event = "signed_up", gte = { ratio = 0.5, of_trait = "seats" } }

[[pql]]
name = "silent"
clock = true
when.all = [{ event = "*", eq = 0, within = "14d" }, { event = "imported" }]

[[pql]]
name = "back"
when = { event = "opened" }
requalify = { after_silence = "30d" }
"""


def play(persona: str) -> Outcome:
    """What becomes of one persona."""
    toml = f'{DEFINITIONS}\n[[persona]]\nname = "ada"\n{persona}'
    [outcome] = rehearse(read_catalogue(toml), "pequel.toml")
    return outcome


def passes(persona: str) -> bool:
    return play(persona).passed


class TestFacts:
    def test_without_a_time_happen_with_the_one_before(self) -> None:
        facts = """facts = [
          { event = "signed_up" },
          { event = "exported", at = "1d 3h" },
          { event = "exported" },
        ]"""
        assert passes(facts + '\nexpect = [{ pql = "exports", at = "1d 3h" }]')

    def test_can_be_repeated(self) -> None:
        facts = 'facts = [{ event = "signed_up" }, { event = "exported", times = 2, every = "5d" }]'
        assert passes(facts + '\nexpect = [{ pql = "exports", at = "5d" }]')

    def test_that_are_late_count_at_their_own_time(self) -> None:
        facts = """facts = [
          { event = "signed_up" },
          { event = "exported", at = "3d" },
          { event = "exported", at = "1d", late = "4d" },
        ]"""
        assert passes(facts + '\nexpect = [{ pql = "exports", at = "3d" }]')

    def test_that_come_late_can_take_a_mark_away(self) -> None:
        facts = """facts = [
          { event = "signed_up" },
          { event = "exported", at = "2d", times = 2 },
          { event = "paid", at = "1d", late = "4d" },
        ]"""
        assert passes(facts + "\nexpect = []")

    def test_can_be_of_several_users_in_an_account(self) -> None:
        persona = """account = "acme"
        facts = [
          { event = "message_sent", at = "1d" },
          { group = "acme", user = "bob" },
          { event = "message_sent", user = "bob", at = "2d" },
        ]
        expect = [{ pql = "team", subject = "acme", at = "2d" }]"""
        assert passes(persona)

    def test_can_name_their_account_themselves(self) -> None:
        persona = """facts = [
          { event = "message_sent", account = "acme" },
          { event = "message_sent", account = "acme", user = "bob", at = "1d" },
        ]
        expect = ["team"]"""
        assert passes(persona)

    def test_can_set_traits_of_accounts(self) -> None:
        persona = """facts = [
          { group = "acme", traits = { employees = 120 } },
          { identify = { plan = "free" }, at = "1d" },
        ]
        expect = [{ pql = "fit", at = "0d" }]"""
        assert passes(persona)

    def test_of_a_visitor_are_the_users_once_they_are_known(self) -> None:
        persona = """facts = [
          { event = "signed_up", anonymous = "v1" },
          { event = "exported", anonymous = "v1", times = 2, every = "1h" },
          { identify = { plan = "free" }, anonymous = "v1", user = "ada", at = "3d" },
        ]
        expect = [{ pql = "exports", at = "1h" }]"""
        assert passes(persona)

    def test_of_two_users_are_one_persons_after_an_alias(self) -> None:
        persona = """facts = [
          { event = "signed_up", user = "old" },
          { event = "exported", user = "old" },
          { event = "exported", at = "1d" },
          { alias = "old", at = "2d" },
        ]
        expect = [{ pql = "exports", at = "1d" }]"""
        assert passes(persona)

    def test_have_exact_numbers(self) -> None:
        persona = """facts = [{ event = "opened", properties = { a = 0.1, b = [1, { c = true }] } }]
        expect = ["back"]"""
        assert passes(persona)

    def test_that_no_collector_takes_are_a_mistake(self) -> None:
        with pytest.raises(BadRequest, match='persona "ada": userId: found 513 characters'):
            play(f'user = "{"x" * 513}"\nfacts = [{{ event = "a" }}]\nexpect = []')


class TestTime:
    def test_goes_on_after_the_last_fact(self) -> None:
        persona = 'facts = [{ event = "imported", at = "1d" }]\nas_of = "30d"\n'
        assert passes(persona + 'expect = [{ pql = "silent", at = "15d" }]')

    def test_stops_with_the_last_fact_otherwise(self) -> None:
        assert passes('facts = [{ event = "imported", at = "1d" }]\nexpect = []')

    def test_begins_where_it_is_said_to(self) -> None:
        persona = 'start = "2026-01-05T09:00:00+01:00"\nfacts = [{ event = "opened" }]\nexpect = []'
        assert play(persona).marked[0].at == 0

    def test_makes_second_marks(self) -> None:
        persona = 'facts = [{ event = "opened", times = 2, every = "31d" }]\n'
        assert passes(persona + 'expect = ["back", { pql = "back", at = "31d" }]')
        assert not passes(persona + 'expect = ["back"]')


class TestFailures:
    def test_a_mark_that_is_missing_says_what_is_left_to_do(self) -> None:
        outcome = play('facts = [{ event = "signed_up" }]\nexpect = ["exports"]')
        [failure] = outcome.failures
        assert failure == (
            "exports (user ada) was expected; why not yet: 0% done; "
            "✗ exported at least 2 times within 7 days of sign-up: 0 of 2"
        )

    def test_a_trait_that_is_missing_is_called_so(self) -> None:
        joined = 'facts = [{ event = "signed_up", times = 4, every = "1m" }]\n'
        [fit, share] = play(joined + 'expect = ["fit", "share"]').failures
        assert fit.endswith("✗ account.employees is at least 100: missing")
        assert share.endswith("4, and its trait is missing")

    def test_and_what_blocks(self) -> None:
        persona = """facts = [
          { event = "signed_up" }, { event = "paid" }, { event = "exported", times = 2 },
        ]
        expect = ["exports"]"""
        assert play(persona).failures[0].endswith("2 of 2; blocked by customer")

    def test_of_somebody_who_does_nothing_it_says_that(self) -> None:
        outcome = play('facts = []\nexpect = [{ pql = "back", subject = "eve" }]')
        assert outcome.failures == (
            "back (user eve) was expected; why not yet: there is no user eve",
        )

    def test_a_mark_at_another_time_says_both_times(self) -> None:
        persona = (
            'facts = [{ event = "opened", at = "2d" }]\nexpect = [{ pql = "back", at = "1d" }]'
        )
        [failure] = play(persona).failures
        assert failure.startswith(
            "back (user ada) was expected at 1d, and was marked at 2d: opened"
        )

    def test_a_mark_that_is_not_expected_says_why(self) -> None:
        [failure] = play('facts = [{ event = "opened", at = "2d" }]\nexpect = []').failures
        assert failure.startswith("back (user ada) at 2d was not expected: opened")

    def test_one_failure_does_not_hide_another(self) -> None:
        outcome = play('facts = [{ event = "opened" }]\nexpect = ["exports", "silent"]')
        assert len(outcome.failures) == 3


class TestSigningUp:
    """To sign up is not enough, for none of the classic definitions."""

    CLASSIC = (Path(__file__).parent / "lint" / "classic.toml").read_text()

    def test_marks_nobody(self) -> None:
        persona = """
        [[persona]]
        name = "curious"
        account = "acme"
        facts = [
          { event = "signed_up" },
          { event = "trial_started" },
          { identify = { email = "eve@example.com", plan = "free" } },
          { event = "logged_in", at = "1h" },
        ]
        expect = []
        as_of = "90d"
        """
        [outcome] = rehearse(read_catalogue(self.CLASSIC + persona), "pequel.toml")
        assert (outcome.passed, outcome.marked) == (True, ())


class TestDocumentation:
    """``docs/guides/test-definitions.md`` shows what is said."""

    GUIDES = Path(__file__).resolve().parents[2] / "docs" / "guides"
    PAGE = (GUIDES / "test-definitions.md").read_text()
    FIRST, SECOND = re.findall(r"^```toml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)

    def test_the_answer_to_the_first_example_is_the_one_shown(self) -> None:
        outcomes = list(rehearse(read_catalogue(self.FIRST), "pequel.toml"))
        assert [outcome.passed for outcome in outcomes] == [True, False]
        assert f"✓ {outcomes[0].name}: {outcomes[0].marked[0]}\n" in self.PAGE
        assert f"✗ {outcomes[1].name}: nothing\n    {outcomes[1].failures[0]}\n" in self.PAGE

    def test_the_second_example_passes(self) -> None:
        assert all(one.passed for one in rehearse(read_catalogue(self.SECOND), "pequel.toml"))

    @pytest.mark.parametrize("key", [*PERSONA, *FACT, *EXPECTED])
    def test_every_key_is_told_of(self, key: str) -> None:
        assert f"`{key}`" in self.PAGE


@pytest.mark.parametrize(
    ("length", "text"),
    [(0, "0d"), (86_400_000, "1d"), (97_200_000, "1d 3h"), (61_001, "1m 1s 1ms")],
)
def test_lengths_are_said_as_they_are_written(length: int, text: str) -> None:
    assert elapsed(length) == text
