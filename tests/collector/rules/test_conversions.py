"""How many conversions and moves of a subject are kept, and what later ones change."""

from __future__ import annotations

from typing import Any

from pequel_collector.model import Conversion
from pequel_collector.rules.engine import conversions as module
from pequel_collector.rules.engine.conversions import MAX_KEPT, conversions_of, keep_move
from pequel_collector.rules.engine.state import State


class Accounts:
    """A world in which each account converts once, after everything else."""

    def account(self, name: str) -> State:
        state = State()
        state.conversions.append(Conversion(10 * MAX_KEPT, name))
        return state


def moved(times: int) -> State:
    """A user with a lead who has moved so often."""
    state = State()
    state.marks[0] = []
    for time in range(times):
        keep_move(state, time, f"g{time}")
    return state


def won_by(state: State) -> list[str]:
    world: Any = Accounts()
    return [each.mid for each in conversions_of(state, world)]


def test_the_account_after_as_many_moves_as_are_kept_wins() -> None:
    assert won_by(moved(MAX_KEPT)) == [f"g{MAX_KEPT - 1}"]


def test_after_one_more_move_neither_the_account_that_was_left_nor_a_later_one_wins() -> None:
    for more in (1, 2, 50):
        state = moved(MAX_KEPT + more)
        assert won_by(state) == []
        assert len(state.moves) == MAX_KEPT + 1
    assert state.moves[-1][1] == module.NOWHERE
