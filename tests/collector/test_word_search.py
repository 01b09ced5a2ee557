"""What a search for leads finds in a text."""

from __future__ import annotations

import pytest

from pequel_collector.queries.word_search import MAX_WORDS, finds


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        ("ada", "Ada Byron"),
        ("BYR", "Ada Byron"),
        ("ada byr", "Ada Byron"),
        ("byron of", "Ada Byron of Lovelace"),
        ("acme.example", "ada@acme.example"),
        ("@acme", "ada@acme.example"),
        ("lovelace", "ada.lovelace@acme.example"),
        ("42", "user_42"),
        ("42", "user-42"),
        ("ös", "Ada Öström"),
        ("", "anything"),
    ],
)
def test_finds_the_beginning_of_any_word(wanted: str, text: str) -> None:
    assert finds(wanted, text)


@pytest.mark.parametrize(
    ("wanted", "text"),
    [("yron", "Ada Byron"), ("byron ada", "Ada Byron"), ("@", "Ada"), ("cme", "ada@acme.example")],
)
def test_finds_nothing_within_a_word_or_in_another_order(wanted: str, text: str) -> None:
    assert not finds(wanted, text)


def test_looks_at_the_first_words_only() -> None:
    text = " ".join(f"w{number}x" for number in range(20))
    assert finds(f"w{MAX_WORDS - 1}x", text)
    assert not finds(f"w{MAX_WORDS}x", text)
