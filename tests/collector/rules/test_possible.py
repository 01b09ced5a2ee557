"""Who is left out before folding could not have qualified."""

from __future__ import annotations

import pytest

from pequel_collector.rules.language.possible import possible
from pequel_collector.rules.parser.catalogue import read_catalogue

DAY = 86_400_000


def _may(when: str, **times: list[float]) -> bool:
    text = (
        f'[project]\ntimezone = "Europe/Berlin"\n[[pql]]\nname = "p"\nclock = true\nwhen = {when}'
    )
    [definition] = read_catalogue(text).definitions
    counted = {name: [round(t * DAY) for t in found] for name, found in times.items()}
    return possible(definition.when)(counted)


@pytest.mark.parametrize(
    ("when", "times", "expected"),
    [
        ('{ event = "a", gte = 2 }', {"a": [1]}, False),
        ('{ event = "a", gte = 2 }', {"a": [1, 90]}, True),
        ('{ event = "a", gt = 2 }', {"a": [1, 2]}, False),
        ('{ event = "a", gte = 2, within = "7d" }', {"a": [1, 8, 15]}, False),
        ('{ event = "a", gte = 2, within = "7d" }', {"a": [1, 9, 15]}, True),
        ('{ event = ["a", "b"], gte = 2, within = "7d" }', {"a": [1], "b": [2]}, True),
        ('{ event = "*", gte = 3 }', {"a": [1], "b": [2]}, False),
        ('{ event = "a", distinct = "@day", gte = 2, within = "1d" }', {"a": [1, 1.9]}, True),
        (
            '{ event = "a", gte = 2, within = "7d", from = "5d", of = "signup" }',
            {"a": [1, 4]},
            False,
        ),
        ('{ event = "a", sum = "n", gte = 100 }', {"a": [1]}, True),
        ('{ event = "a", sum = "n", gte = 100 }', {}, False),
        ('{ event = "a", eq = 0, within = "7d" }', {}, True),
        ('{ trait = "plan", eq = "pro" }', {}, True),
        ('{ sequence = ["a", "b"], within = "1h" }', {"a": [1]}, False),
        ('{ all = [{ event = "a" }, { event = "b" }] }', {"a": [1]}, False),
        ('{ any = [{ event = "a" }, { event = "b" }] }', {"a": [1]}, True),
    ],
)
def test_a_condition_needs_its_events(
    when: str, times: dict[str, list[float]], expected: bool
) -> None:
    assert _may(when, **times) is expected
