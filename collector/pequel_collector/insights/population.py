"""Of whom a backtest asks whether they converted: who signed up, or who had a trait at sign-up."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ..errors import BadRequest
from ..model import JSON, Kind, is_number
from ..ports import ReadTransaction, Trait
from ..rules.language.values import lookup

SIGNUP, TRAIT = "signup", "trait:"
EXPECTED = '"signup" or "trait:NAME=VALUE"'

MAX_NUMBER = 64
"""Characters of a number."""

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,4})?")


@dataclass(frozen=True, slots=True)
class Population:
    """Who is looked at. Without a trait, everybody who signed up.

    With one, those whose value was this at sign-up. Of somebody who had no value then, or did not
    sign up, the first value counts.
    """

    trait: str | None = None
    value: str = ""

    def __str__(self) -> str:
        return self.text

    @property
    def text(self) -> str:
        """As it is written in a request."""
        return SIGNUP if self.trait is None else f"{TRAIT}{self.trait}={self.value}"


EVERYBODY = Population()


def population_of(text: str) -> Population:
    """The population that a text names. Raises BadRequest."""
    if text == SIGNUP:
        return Population()
    name, sign, value = text.removeprefix(TRAIT).partition("=")
    if not text.startswith(TRAIT) or not sign or not name.strip():
        raise BadRequest(
            f"population: found {text[:200]!r}, expected {EXPECTED}",
            "bad_field",
            field="population",
            expected=EXPECTED,
        )
    return Population(name.strip(), value.strip())


def members(
    tx: ReadTransaction, kind: Kind, wanted: Population, signups: Mapping[str, int]
) -> Iterator[str]:
    """The subjects of a population, by key. ``signups`` is when each signed up (ms)."""
    if wanted.trait is None:
        yield from signups
        return
    names = {wanted.trait, wanted.trait.partition(".")[0]}
    for key, values in _values(tx.trait_values(kind, names), wanted.trait):
        if _is_written_as(_at(values, signups.get(key)), wanted.value):
            yield key


def _values(
    subjects: Iterator[tuple[str, list[Trait]]], path: str
) -> Iterator[tuple[str, list[tuple[int, JSON]]]]:
    """The values at a path of traits, with the time since when each holds."""
    for key, traits in subjects:
        known: dict[str, JSON] = {}
        values: list[tuple[int, JSON]] = []
        for trait in traits:
            known[trait.name] = trait.value
            values.append((trait.time, lookup(path, known)))
        yield key, values


def _at(values: Sequence[tuple[int, JSON]], start: int | None) -> JSON:
    """The value at an instant, or the first one after it."""
    found = None
    for time, value in values:
        if start is not None and time > start and found is not None:
            break
        found = value
        if start is None and found is not None:
            break
    return found


def _is_written_as(value: Any, text: str) -> bool:
    """Whether a value is this text, or the number or the truth value that the text stands for."""
    if isinstance(value, bool):
        return text == ("true" if value else "false")
    if is_number(value):
        return len(text) <= MAX_NUMBER and _number(text) == Decimal(str(value))
    return bool(value == text)


def _number(text: str) -> Decimal | None:
    """The number that a text is in JSON."""
    return Decimal(text) if _NUMBER.fullmatch(text) else None
