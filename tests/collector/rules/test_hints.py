"""Hints: few words, the right ones, in little time."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

import pytest

from pequel_collector.errors import DefinitionError, Problem
from pequel_collector.rules.parser import hints
from pequel_collector.rules.parser.catalogue import DEFINITION, read_catalogue
from pequel_collector.rules.parser.comparisons import CONDITION
from pequel_collector.rules.parser.conditions import CONDITIONS
from pequel_collector.rules.parser.hints import FEW, meant, nearest
from pequel_collector.rules.parser.leaves import EVENT

MEANT = [
    ("count", EVENT, "gte"),
    ("unique", EVENT, "distinct"),
    ("Count-Distinct", EVENT, "distinct"),
    ("window", EVENT, "within"),
    ("lookback", EVENT, "within"),
    ("group_by", EVENT, "per"),
    ("properties", EVENT, "where"),
    ("total", EVENT, "sum"),
    ("funnel", CONDITIONS, "sequence"),
    ("cohort", CONDITIONS, "pql"),
    ("user_property", CONDITIONS, "trait"),
    ("and", CONDITIONS, "all"),
    ("or", CONDITIONS, "any"),
    ("not", DEFINITION, "unless"),
    ("not", CONDITION, "ne"),
    ("icontains", CONDITION, "contains"),
    ("startswith", CONDITION, "starts_with"),
    ("is_set", CONDITION, "exists"),
]


@pytest.mark.parametrize(("word", "known", "word_of_ours"), MEANT)
def test_a_word_of_another_tool_stands_for_one_of_ours(
    word: str, known: dict[str, object], word_of_ours: str
) -> None:
    assert meant(word, known) == word_of_ours
    assert nearest(word, known) == [word_of_ours]


@pytest.mark.parametrize("known", [EVENT, CONDITION, CONDITIONS, DEFINITION])
def test_no_more_than_a_few_words_are_listed(known: dict[str, object]) -> None:
    assert len(nearest("qqqqqq", known)) <= FEW < len(known)


def problems(text: str) -> list[Problem]:
    with pytest.raises(DefinitionError) as caught:
        read_catalogue(text)
    return caught.value.problems


def test_thousands_of_unknown_words_are_not_all_compared_with_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Comparing 49,000 keys with all that are known took 20 seconds."""
    compared = 0

    def counted(word: str, words: list[str], **options: Any) -> list[str]:
        nonlocal compared
        compared += len(words)
        return get_close_matches(word, words, **options)

    monkeypatch.setattr(hints, "get_close_matches", counted)
    keys = "".join(f"unknown_key_{n} = 1\n" for n in range(20_000))
    assert len(problems(f'{keys}[[pql]]\nname = "x"\nwhen = {{ event = "a" }}')) == 20_000
    assert compared < 5_000
    features = "".join(f'f{n} = ["a"]\n' for n in range(4_000))
    unknown = "".join(f'{{ event = {{ feature = "g{n}" }} }},\n' for n in range(2_000))
    text = f'[features]\n{features}[[pql]]\nname = "x"\nwhen.any = [{unknown}]'
    assert len(problems(text)) == 2_000
    assert compared < 100_000


BRACES = [
    '[[pql]]\nname = "x"\nwhen = {▸\n  event = "a",\n}',
    '[[pql]]\nname = "x"\nwhen = { event = "a",▸\n  gte = 3 }',
    '[[pql]]\nname = "x"\nwhen = { event = "a"▸\n}',
    '[[pql]]\nname = "x"\nwhen.all = [{ event = "a", ▸# so\n gte = 1 }]',
]


@pytest.mark.parametrize("text", BRACES)
def test_a_table_in_braces_over_several_lines_is_told_how_to_write_it(text: str) -> None:
    before, _, after = text.partition("▸")
    (problem,) = problems(before + after)
    assert problem.found.startswith(
        "a mistake: An inline table { … } that goes on in the next line"
    )
    assert "[pql.when]" in problem.found
    assert problem.line == before.count("\n") + 1


def test_a_comma_before_a_brace_is_told() -> None:
    (problem,) = problems('[[pql]]\nname = "x"\nwhen = { event = "a", }')
    assert problem.found == "a mistake: A comma before the closing brace of an inline table"


def test_other_mistakes_keep_the_words_of_the_parser() -> None:
    (problem,) = problems("[[pql]]\nname = \nwhen = 1")
    assert problem.found == "a mistake: Invalid value"
