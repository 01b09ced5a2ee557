"""Aggregates that part the events by a key and keep one cell for each: values, parts, members.

There may be many keys, so their cells need not all stand in the state. The cell of such an
aggregate is ``[number, since, put away, cells by key]``: the number of keys that count, when it was
begun, and the cells that have changed since the others were put away under ``since|key``. A key
that is gone is None there.
"""

# ruff: noqa: ARG002 - `Aggregate` says what each method promises

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from ..language.quantities import DAY
from ..language.values import exact, is_number
from .aggregates import Aggregate, Calendar, Cell, Measured, Test
from .state import Fact, Memory
from .view import MEMBERS, EvalContext, Member, View, keyed

ROOM = 64
"""How many cells may stand in the state."""


class Keyed(Aggregate):
    """Cells by key. ``slot`` is where they are put away; None where they always stay."""

    def __init__(self, slot: int | None) -> None:
        self.slot = slot

    def empty(self) -> Cell:
        return [0, None, False, {}]

    def get(self, cells: Cell, key: str, memory: Memory) -> Any:
        """The cell of a key, or None."""
        return keyed(cells, key, self.slot, memory)

    def put(self, cells: Cell, key: str, cell: Any) -> None:
        """Set the cell of a key; None where the key is gone."""
        if cell is None and not cells[2]:
            cells[3].pop(key, None)
        else:
            cells[3][key] = cell

    def all(self, cells: Cell, memory: Memory) -> dict[str, Any]:
        """Every key that is there, with its cell."""
        found = put_away(cells, self.slot, memory) if cells[2] else {}
        found |= cells[3]
        return {key: cell for key, cell in found.items() if cell is not None}


def put_away(cells: Cell, slot: int | None, memory: Memory) -> dict[str, Any]:
    """The cells that do not stand in the state, by key."""
    if slot is None:
        return {}
    begun = f"{cells[1]}|"
    found = memory.cells(slot).items()
    return {key.removeprefix(begun): cell for key, cell in found if key.startswith(begun)}


def surplus(cells: Cell, time: int) -> Iterator[tuple[str, Any]]:
    """The cells that have no room in the state any more, which are then to be put away."""
    if not cells[2] and len(cells[3]) <= ROOM:
        return
    if not cells[2]:
        cells[1], cells[2] = time, True
    changed, cells[3] = cells[3], {}
    for key, cell in changed.items():
        yield f"{cells[1]}|{key}", cell


class Values(Keyed, Measured):
    """How many different values the events in the window have."""

    def __init__(
        self, test: Test, within: int | None, value: Callable[[Fact], str | None], slot: int
    ) -> None:
        Keyed.__init__(self, slot)
        Measured.__init__(self, test, within)
        self.value = value

    def add(self, cell: Cell, fact: Fact, view: View) -> None:
        value = self.value(fact)
        if value is None:
            return
        had = self.get(cell, value, view.memory)
        if had is None:
            cell[0] += 1
            had = 0
        cell[3][value] = had + 1

    def drop(self, cell: Cell, fact: Fact, view: View, span: int) -> None:
        value = self.value(fact)
        if value is None:
            return
        left = self.get(cell, value, view.memory) - 1
        if not left:
            cell[0] -= 1
        self.put(cell, value, left or None)

    def observed(self, cell: Cell, view: View) -> Any:
        return cell[0]


class Parts(Keyed):
    """The events parted by a property: for some value of it the comparison holds.

    The cell of a part is ``[number of events, the cell of its aggregate]``.
    """

    def __init__(
        self,
        inner: Aggregate,
        within: int | None,
        value: Callable[[Fact], str | None],
        slot: int | None,
        shared: bool,
    ) -> None:
        super().__init__(slot)
        self.inner, self.value = inner, value
        self.steady = inner.steady and not shared
        if within is not None:
            # A day of the calendar may have begun earlier than a window of its length.
            self.spans = (within + DAY if isinstance(inner, Calendar) else within,)

    def add(self, cell: Cell, fact: Fact, view: View) -> None:
        key = self.value(fact)
        if key is None:
            return
        part = self.get(cell, key, view.memory)
        if part is None:
            part = [0, self.inner.empty()]
        elif self.steady:
            cell[0] -= self.inner.holds(part[1], view)
        part[0] += 1
        self.inner.add(part[1], fact, view)
        self._keep(cell, key, part, view)

    def drop(self, cell: Cell, fact: Fact, view: View, span: int) -> None:
        key = self.value(fact)
        if key is None:
            return
        part = self.get(cell, key, view.memory)
        if self.steady:
            cell[0] -= self.inner.holds(part[1], view)
        part[0] -= 1
        if self.inner.spans:
            self.inner.drop(part[1], fact, view, span)
        self._keep(cell, key, part if part[0] else None, view)

    def _keep(self, cell: Cell, key: str, part: Any, view: View) -> None:
        if part is not None and self.steady:
            cell[0] += self.inner.holds(part[1], view)
        self.put(cell, key, part)

    def best(self, cell: Cell, view: View) -> tuple[str, Any] | None:
        """The part nearest to what is asked: one for which it holds, then the largest, by key."""
        parts = self._there(cell, view)
        ranked = [(self._rank(part[1], view), key) for key, part in parts.items()]
        if not ranked:
            return None
        _, key = min(ranked)
        return key, parts[key][1]

    def observed(self, cell: Cell, view: View) -> Any:
        best = self.best(cell, view)
        return None if best is None else self.inner.observed(best[1], view)

    def holds(self, cell: Cell, view: View) -> bool:
        if self.steady:
            return bool(cell[0])
        parts = self._there(cell, view).values()
        return any(self.inner.holds(part[1], view) for part in parts)

    def _there(self, cell: Cell, view: View) -> dict[str, Any]:
        """The parts that have an event in the window; days and hours leave it by themselves."""
        parts = self.all(cell, view.memory)
        if not isinstance(self.inner, Calendar):
            return parts
        return {key: part for key, part in parts.items() if self.inner.observed(part[1], view)}

    def _rank(self, cell: Cell, view: View) -> tuple[bool, bool, int | Decimal]:
        found = self.inner.observed(cell, view)
        size = exact(found) if is_number(found) else None
        return not self.inner.holds(cell, view), size is None, 0 if size is None else -size


class Members(Keyed, Measured):
    """How many members of an account a leaf holds for.

    ``alone`` says that what holds for a member follows from their events in the account, one by
    one; else all members are asked at every moment. ``idle`` says that it may hold for a member
    without any event that counts.
    """

    def __init__(
        self, inner: Aggregate, test: Test, slot: int, *, alone: bool, idle: bool, personal: bool
    ) -> None:
        Keyed.__init__(self, slot)
        Measured.__init__(self, test)
        self.inner, self.alone, self.idle, self.personal = inner, alone, idle, personal
        self.spans = inner.spans
        self.steady = alone
        self.looks_back = inner.looks_back

    def add(self, cell: Cell, fact: Fact, view: View) -> None:
        if fact.user is not None:
            self._change(cell, fact, fact.user, view, None)

    def drop(self, cell: Cell, fact: Fact, view: View, span: int) -> None:
        if fact.user is not None:
            self._change(cell, fact, fact.user, view, span)

    def observed(self, cell: Cell, view: View) -> Any:
        return cell[0] if self.alone else sum(1 for _ in self.holding(cell, view))

    def holding(self, cell: Cell, view: View) -> Iterator[str]:
        """The members for whom it holds."""
        own = self.all(cell, view.memory)
        for user in members(view) if self.idle else own:
            if self.inner.holds(own.get(user) or self.inner.empty(), self._member(user, view)):
                yield user

    def cell_of(self, cell: Cell, user: str, view: View) -> Cell:
        """The cell of one member."""
        found: Cell = self.get(cell, user, view.memory) or self.inner.empty()
        return found

    def _change(self, cell: Cell, fact: Fact, user: str, view: View, span: int | None) -> None:
        own, member = self.cell_of(cell, user, view), self._member(user, view)
        if self.alone:
            cell[0] -= self.inner.holds(own, member)
        if span is None:
            self.inner.add(own, fact, member)
        else:
            self.inner.drop(own, fact, member, span)
        if self.alone:
            cell[0] += self.inner.holds(own, member)
        self.put(cell, user, own)

    def _member(self, user: str, view: View) -> View:
        return Member(view, user) if self.personal and isinstance(view, EvalContext) else view


class Register(Keyed):
    """The members of an account: when each was first seen in it, and when they first acted."""

    def __init__(self) -> None:
        super().__init__(MEMBERS)

    def note(self, ctx: EvalContext, fact: Fact) -> None:
        """Take in a fact of an account."""
        if fact.user is None:
            return
        cells = ctx.state.slots.get(MEMBERS)
        if cells is None:
            cells = ctx.state.slots[MEMBERS] = self.empty()
        seen = self.get(cells, fact.user, ctx.memory)
        acted = fact.time if fact.name is not None else None
        if seen is None:
            cells[0] += 1
            self.put(cells, fact.user, [fact.time, acted])
        elif seen[1] is None and acted is not None:
            self.put(cells, fact.user, [seen[0], acted])


REGISTER = Register()


def members(view: View) -> list[str]:
    """The members of the account that is looked at, the one seen first first."""
    assert isinstance(view, EvalContext)  # noqa: S101 - only accounts have members
    cells = view.state.slots.get(MEMBERS)
    if cells is None:
        return []
    seen = REGISTER.all(cells, view.memory)
    return sorted(seen, key=lambda user: (seen[user][0], user))
