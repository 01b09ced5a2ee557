"""Who is left out before folding could not have qualified, and nobody qualifies too early."""

from __future__ import annotations

import pytest

from pequel_collector.rules.language.possible import anchors_of, earliest, is_exact, reach
from pequel_collector.rules.parser.catalogue import read_catalogue

DAY = 86_400_000


def _may(when: str, **times: list[float]) -> bool:
    text = (
        f'[project]\ntimezone = "Europe/Berlin"\n[[pql]]\nname = "p"\nclock = true\nwhen = {when}'
    )
    [definition] = read_catalogue(text).definitions
    counted = {name: [round(t * DAY) for t in found] for name, found in times.items()}
    return earliest(definition.when, {})(counted) is not None


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


SIGNUP = '[project]\nsignup = "s"\nconversion = "c"\n'


@pytest.mark.parametrize(
    ("when", "times", "expected"),
    [
        ('{ event = "a", gte = 2 }', {"a": [1, 3, 5]}, 3),
        ('{ event = "a", gte = 2, within = "2d" }', {"a": [1, 3, 4]}, 4),
        ('{ event = ["a", "b"], gte = 2 }', {"a": [1, 5], "b": [2]}, 2),
        ('{ event = "a", gte = 2, within = "7d", of = "signup" }', {"s": [2], "a": [1, 3, 4]}, 4),
        ('{ event = "a", gte = 2, within = "2d", of = "signup" }', {"s": [2], "a": [3, 4]}, None),
        ('{ event = "a", within = "2d", of = "signup" }', {"a": [3]}, None),
        ('{ all = [{ event = "a" }, { event = "b" }] }', {"a": [4], "b": [2]}, 4),
        ('{ any = [{ event = "a" }, { event = "b" }] }', {"a": [4], "b": [2]}, 2),
    ],
)
def test_a_count_qualifies_at_the_earliest_instant(
    when: str, times: dict[str, list[float]], expected: float | None
) -> None:
    catalogue = read_catalogue(f'{SIGNUP}[[pql]]\nname = "p"\nwhen = {when}')
    anchors, [definition] = anchors_of(catalogue.project), catalogue.definitions
    counted = {name: [round(t * DAY) for t in found] for name, found in times.items()}
    assert is_exact(definition, anchors)
    found = earliest(definition.when, anchors)(counted)
    assert found == (None if expected is None else expected * DAY)


@pytest.mark.parametrize(
    "body",
    [
        'when = { event = "a", distinct = "x", gte = 2 }',
        'when = { event = "a", sum = "x", gte = 2 }',
        'when = { event = "a", where = { x = 1 } }',
        'when = { event = "a", per = "x", gte = 2 }',
        'when = { event = "*", gte = 2 }',
        'when = { event = "a", eq = 2 }',
        'when = { event = "a", lt = 2 }\nclock = true',
        'when = { event = "a", gte = 2, within = "7d", of = "trait:began" }',
        'when = { event = "a" }\nunless = ["customer"]',
        'when = { trait = "plan", eq = "pro" }',
        'when.all = [{ event = "a", within = "7d" }, { event = "b" }]',
    ],
)
def test_where_more_than_counts_matters_the_evaluator_decides(body: str) -> None:
    catalogue = read_catalogue(f'{SIGNUP}[[pql]]\nname = "p"\n{body}')
    assert not is_exact(catalogue.definitions[0], anchors_of(catalogue.project))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('when = { event = "a", gte = 2, within = "7d" }', 7),
        ('when.any = [{ event = "a", within = "7d" }, { event = "b", within = "9d" }]', 9),
        ('when = { event = "a", distinct = "@day", gte = 2, within = "7d" }', 9),
        ('when = { event = "a", gte = 2 }', None),
        ('when = { event = "a", within = "7d", of = "signup" }', None),
        ('when = { event = "a", eq = 0, within = "7d" }\nclock = true', None),
        ('when = { event = "a", within = "7d" }\nunless = ["customer"]', None),
        ('when.all = [{ event = "a", within = "7d" }, { trait = "b", eq = 1 }]', None),
    ],
)
def test_only_rolling_windows_end(body: str, expected: int | None) -> None:
    [definition] = read_catalogue(f'{SIGNUP}[[pql]]\nname = "p"\n{body}').definitions
    assert reach(definition) == (None if expected is None else expected * DAY)
