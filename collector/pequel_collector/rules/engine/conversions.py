"""Conversions: the events that win leads, and what they say of money."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from ...model import Conversion, is_number
from ..language.definition import Project
from .state import Fact, State, World

PATHS = ("mrr", "currency")
"""The properties that are read."""

MAX_KEPT = 1_000
"""Conversions, and moves to another account, that are kept of one subject. Later conversions win
no lead, and a user is in no account after the next move."""

NOWHERE = ""
"""In place of an account: the user has moved more often than is kept."""

_AMOUNT = re.compile(r"\d{1,15}(\.\d{1,6})?", re.ASCII)
_CURRENCY = re.compile("[A-Za-z]{3}", re.ASCII)


def conversion_names(project: Project) -> dict[str, bool]:
    """The names of the events that win leads; whether each stands for more from a customer."""
    named = {project.expansion: True, project.conversion: False}
    return {name: expands for name, expands in named.items() if name is not None}


def keep_conversion(state: State, fact: Fact, expands: bool) -> None:
    """Add a conversion to the state of its subject."""
    if len(state.conversions) < MAX_KEPT:
        amount, currency = amount_of(fact.data.get("mrr")), currency_of(fact.data.get("currency"))
        state.conversions.append(Conversion(fact.time, fact.mid, expands, amount, currency))


def keep_move(state: State, time: int, account: str) -> None:
    """Note that a user is in another account now. Before the first lead, only the last counts."""
    if not state.marks:
        state.moves.clear()
    if len(state.moves) <= MAX_KEPT:
        state.moves.append((time, account if len(state.moves) < MAX_KEPT else NOWHERE))


def conversions_of(state: State, world: World) -> list[Conversion]:
    """The conversions of a subject, and those of a user's account while the user was in it."""
    found = list(state.conversions)
    for name in dict.fromkeys(account for _, account in state.moves):
        account = None if name == NOWHERE else world.account(name)
        if account is not None:
            found += [c for c in account.conversions if state.account_at(c.time) == name]
    return found


def amount_of(value: Any) -> str | None:
    """An amount of money as decimal text; None for what is none, or is negative or too long."""
    if is_number(value):
        number = Decimal(str(value))
        value = format(number.normalize(), "f") if number.is_finite() else ""
    return value if isinstance(value, str) and _AMOUNT.fullmatch(value) else None


def currency_of(value: Any) -> str | None:
    """A currency as three capital letters; None for what is none."""
    return value.upper() if isinstance(value, str) and _CURRENCY.fullmatch(value) else None
