"""``[[persona]]`` tables: every mistake is told, with its place."""

from __future__ import annotations

import pytest

from pequel_collector.errors import DefinitionError
from pequel_collector.personas.script import Persona, read_personas
from pequel_collector.rules.parser.catalogue import read_catalogue

DEFINITIONS = """\
[[pql]]
name = "exports"
when = { event = "exported" }
[[pql]]
name = "team"
subject = "account"
when = { event = "exported", gte = 5 }
[[persona]]
"""


def read(persona: str) -> Persona:
    """The persona of a file."""
    [found] = read_personas(read_catalogue(DEFINITIONS + persona), "pequel.toml")
    return found


def problems(persona: str) -> list[str]:
    """What is said of a persona that cannot be read."""
    with pytest.raises(DefinitionError) as error:
        read(persona)
    return str(error.value).splitlines()


class TestDefaults:
    PERSONA = read('name = "ada"\nfacts = [{ event = "exported" }]\nexpect = ["exports"]')

    def test_a_persona_is_a_user_of_its_name(self) -> None:
        assert self.PERSONA.acts[0].message["userId"] == "ada"
        assert self.PERSONA.expected[0].subject == "ada"

    def test_it_begins_with_the_year(self) -> None:
        assert self.PERSONA.start == 1_767_225_600_000

    def test_it_ends_with_its_last_fact(self) -> None:
        facts = '[{ event = "a", at = "1d", late = "2d" }, { event = "b", at = "2d" }]'
        assert read(f'name = "ada"\nfacts = {facts}\nexpect = []').as_of == 3 * 86_400_000


class TestFacts:
    def test_an_event_may_have_a_context(self) -> None:
        facts = '[{ event = "a", context = { campaign = { source = "ads" } } }]'
        (act,) = read(f'name = "ada"\nfacts = {facts}\nexpect = []').acts
        assert act.message["context"] == {"campaign": {"source": "ads"}}


class TestMistakes:
    @pytest.mark.parametrize(
        ("rest", "problem"),
        [
            ("facts = []", '8:1: persona[0]: found no "expect", expected the key "expect"'),
            ("expect = []", '8:1: persona[0]: found no "facts", expected the key "facts"'),
            (
                "facts = []\nexpect = []\nnever = []",
                '12:1: persona[0].never: found the unknown key "never"',
            ),
            ("facts = 1\nexpect = []", "10:9: persona[0].facts: found 1, expected a list of facts"),
            (
                "facts = [{ at = '1d' }]\nexpect = []",
                '10:10: persona[0].facts[0]: found none of them, expected exactly one of "event"',
            ),
            (
                'facts = [{ event = "a", alias = "b" }]\nexpect = []',
                'found "event" and "alias", expected exactly one of',
            ),
            (
                'facts = [{ event = "a", traits = { a = 1 } }]\nexpect = []',
                '10:25: persona[0].facts[0].traits: found "traits", expected it beside "group"',
            ),
            (
                'facts = [{ event = "a", at = "1 day" }]\nexpect = []',
                '10:30: persona[0].facts[0].at: found "1 day", expected a duration such as "7d"',
            ),
            ('facts = [{ event = "a", at = "-1d" }]\nexpect = []', "expected no time before the"),
            ('facts = [{ event = "a", every = "1d" }]\nexpect = []', 'expected also "times"'),
            (
                'facts = [{ event = "a", times = 0 }]\nexpect = []',
                "a whole number from 1 to 10,000",
            ),
            ('facts = [{ event = "a", times = true }]\nexpect = []', "a whole number from 1"),
            ('facts = [{ event = "a", evnt = 1 }]\nexpect = []', 'expected "event"'),
            (
                "facts = [{ identify = { born = 2026-01-01 } }]\nexpect = []",
                "expected a text, a number, true or false",
            ),
            ('facts = []\nexpect = ["exprts"]', '11:11: persona[0].expect[0]: found "exprts"'),
            ('facts = []\nexpect = [{ pql = "x" }]', 'persona[0].expect[0].pql: found "x"'),
            ('facts = []\nexpect = [{ subject = "x" }]', 'expected the key "pql"'),
            ('facts = []\nexpect = ["team"]', "the facts do not name just one account"),
            (
                'facts = [{ group = "a" }, { group = "b" }]\nexpect = ["team"]',
                "the facts do not name just one account",
            ),
            ('facts = []\nexpect = []\nstart = "soon"', 'expected a time such as "2026-01-01T00'),
            (
                'facts = [{ event = "a", at = "2d" }]\nexpect = []\nas_of = "1d"',
                "12:9: persona[0].as_of: found",
            ),
        ],
    )
    def test_are_told_with_their_place(self, rest: str, problem: str) -> None:
        told = problems(f'name = "ada"\n{rest}')
        assert len(told) == 1
        assert problem in told[0]

    def test_are_told_all_at_once(self) -> None:
        told = problems('name = "ada"\nfacts = [{ evnt = 1 }, { event = 2 }]\nexpect = ["no"]')
        assert len(told) == 3

    def test_of_two_personas_with_one_name(self) -> None:
        one = 'name = "ada"\nfacts = []\nexpect = []\n'
        assert "a name of its own" in problems(f"{one}[[persona]]\n{one}")[0]

    def test_stop_no_collector(self) -> None:
        assert read_catalogue(DEFINITIONS + 'name = "ada"\nfacts = "none"').personas
