"""Aggregates that keep one accumulator for each of many keys: values, parts, members.

There may be many keys, so a state holds at most `MAX_IN_STATE` of their accumulators. When there
are more, they are *spilled*: stored apart from the state, one by one (see `KeyedAccumulator`).

For example, ``{ event = "used", per = "project", gte = 3 }``: after two events in project p1 and
one in p2 there are two parts, ``{"sp1": 2 events, "sp2": 1 event}``, and none holds. The third
event in p1 makes that part hold, so ``number`` is 1, and the leaf holds without looking at the
other parts. With 65 projects at the end of page 3, all parts are stored under ``3|sp1`` and so on;
an event then reads one of them and keeps it in ``changed`` until the next page is full.
"""

# ruff: noqa: ARG002 - methods ignore arguments that other aggregates need

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from msgspec import Struct

from ...model import is_number
from ..language.definition import Comparison
from ..language.quantities import DAY
from ..language.values import exact, key, settle, shares_in
from .aggregates import Aggregate, Calendar, ComparedAggregate, Last, Max, Test
from .slots import MEMBERS, KeyedAccumulator, MemberTimes, members_accumulator
from .state import Fact, HistoryReader
from .view import EvalContext, MemberView, View

MAX_IN_STATE = 64
"""How many accumulators of one leaf a state holds."""


class KeyedAggregate(Aggregate):
    """One accumulator for each key. ``slot`` is where they are spilled; None if they never are.

    ``has_records`` says that the accumulators of keys are records.
    """

    layout = KeyedAccumulator
    has_records = False

    def __init__(self, slot: int | None) -> None:
        self.slot = slot

    def empty(self) -> KeyedAccumulator:
        return KeyedAccumulator()

    def restored(self, plain: Any) -> KeyedAccumulator:
        found: KeyedAccumulator = self.layout(*plain)
        if self.has_records:
            changed = found.changed.items()
            found.changed = {k: v if v is None else self.restored_entry(v) for k, v in changed}
        return found

    def restored_entry(self, plain: Any) -> Any:
        """The accumulator of one key that was read from JSON."""
        return plain

    def get(self, acc: KeyedAccumulator, key: str, history: HistoryReader) -> Any:
        """The accumulator of a key, or None. To change it, ``put`` it back."""
        found, is_plain = acc.find(key, self.slot, history)
        return self.restored_entry(found) if is_plain and found is not None else found

    def put(self, acc: KeyedAccumulator, key: str, entry: Any) -> None:
        """Set the accumulator of a key; None if the key is gone."""
        if entry is None and not acc.spilled:
            acc.changed.pop(key, None)
        else:
            acc.changed[key] = entry

    def all(self, acc: KeyedAccumulator, history: HistoryReader) -> dict[str, Any]:
        """Every key that is there, with its accumulator."""
        spilled = self._spilled(acc, history) if acc.spilled else {}
        found = spilled | acc.changed
        return {key: entry for key, entry in found.items() if entry is not None}

    def _spilled(self, acc: KeyedAccumulator, history: HistoryReader) -> dict[str, Any]:
        if self.slot is None:
            return {}
        start = f"{acc.since}|"
        return {
            key.removeprefix(start): self.restored_entry(plain)
            for key, plain in history.accumulators(self.slot).items()
            if key.startswith(start)
        }


def spill(acc: KeyedAccumulator, page: int) -> Iterator[tuple[str, Any]]:
    """Take out of a state the accumulators that it has no room for, with the keys to store by.

    ``page`` is the number of the page of the history that ends.
    """
    if not acc.spilled and len(acc.changed) <= MAX_IN_STATE:
        return
    if not acc.spilled:
        acc.since, acc.spilled = page, True
    changed, acc.changed = acc.changed, {}
    for name, entry in changed.items():
        yield f"{acc.since}|{name}", entry


class Values(KeyedAggregate, ComparedAggregate):
    """How many different values the events in the window have. An entry is a number of events."""

    def __init__(
        self, test: Test, within: int | None, value: Callable[[Fact], str | None], slot: int
    ) -> None:
        KeyedAggregate.__init__(self, slot)
        ComparedAggregate.__init__(self, test, within)
        self.value = value

    def add(self, acc: KeyedAccumulator, fact: Fact, view: View) -> None:
        value = self.value(fact)
        if value is None:
            return
        events = self.get(acc, value, view.history)
        if events is None:
            acc.number += 1
            events = 0
        acc.changed[value] = events + 1

    def drop(self, acc: KeyedAccumulator, fact: Fact, view: View, span: int) -> None:
        value = self.value(fact)
        if value is None:
            return
        left = self.get(acc, value, view.history) - 1
        if not left:
            acc.number -= 1
        self.put(acc, value, left or None)

    def observed(self, acc: KeyedAccumulator, view: View) -> Any:
        return acc.number


class Part(Struct, array_like=True):
    """The events with one value of the property: their number, and their accumulator."""

    events: int
    acc: Any


class CountedAccumulator(KeyedAccumulator):
    """``number`` is how many keys the comparison held for at ``basis``, None if never counted."""

    basis: Any = None


class Parts(KeyedAggregate):
    """The events split by a property: the comparison has to hold within one part.

    The number of parts that hold is kept, and changes with each event that is added or dropped.
    What else can change it is the *basis*: the threshold, if it is a share of a trait, and τ's day
    or hour, if the parts count days or hours. The parts are all looked at only when it changes.
    """

    has_records = True

    def __init__(
        self,
        inner: Aggregate,
        within: int | None,
        value: Callable[[Fact], str | None],
        slot: int | None,
        comparison: Comparison,
    ) -> None:
        super().__init__(slot)
        self.inner, self.value = inner, value
        self._shared = comparison if shares_in(comparison) else None
        self._calendar = inner if isinstance(inner, Calendar) else None
        self._latest = inner if isinstance(inner, Max | Last) and not inner.steady else None
        if not (inner.steady or self._calendar or self._latest):
            raise TypeError(f"per does not know when {type(inner).__name__} changes")
        self.steady = inner.steady and self._shared is None
        self.advances = not self.steady
        self.layout = KeyedAccumulator if self.steady else CountedAccumulator
        if within is not None:
            # A day of the calendar may have begun earlier than a window of its length.
            self.spans = (within + DAY if self._calendar else within,)

    def empty(self) -> KeyedAccumulator:
        return KeyedAccumulator() if self.steady else CountedAccumulator()

    def restored_entry(self, plain: Any) -> Part:
        events, acc = plain
        return Part(events, self.inner.restored(acc))

    def add(self, acc: KeyedAccumulator, fact: Fact, view: View) -> None:
        name = self.value(fact)
        if name is None:
            return
        if self.advances:
            self.advance(acc, view)
        part = self.get(acc, name, view.history)
        if part is None:
            part = Part(0, self.inner.empty())
        else:
            acc.number -= self._is_counted(part, view)
        part.events += 1
        self.inner.add(part.acc, fact, view)
        acc.number += self._is_counted(part, view)
        self.put(acc, name, part)

    def drop(self, acc: KeyedAccumulator, fact: Fact, view: View, span: int) -> None:
        name = self.value(fact)
        if name is None:
            return
        if self.advances:
            self.advance(acc, view)
        part = self.get(acc, name, view.history)
        acc.number -= self._is_counted(part, view)
        part.events -= 1
        if self._latest is not None:
            self._latest.forget(part.acc, fact.time)
        elif self.inner.spans:
            self.inner.drop(part.acc, fact, view, span)
        if part.events:
            acc.number += self._is_counted(part, view)
        self.put(acc, name, part if part.events else None)

    def advance(self, acc: Any, view: View) -> None:
        """Count the parts that hold again, if what they are counted by has changed."""
        basis = self._basis(view)
        if acc.basis == basis:
            return
        acc.number, acc.basis = 0, basis
        for name, part in self.all(acc, view.history).items():
            # A state of an earlier version may still have values of dropped events.
            if self._latest is not None and self._latest.forget_left(part.acc, view.time):
                self.put(acc, name, part)
            acc.number += self._is_counted(part, view)

    def best(self, acc: KeyedAccumulator, view: View) -> tuple[str, Any] | None:
        """The part nearest to what is needed: one that holds, then the largest, then by key."""
        parts = self._there(acc, view)
        ranked = [(self._rank(part.acc, view), name) for name, part in parts.items()]
        if not ranked:
            return None
        _, name = min(ranked)
        return name, parts[name].acc

    def observed(self, acc: KeyedAccumulator, view: View) -> Any:
        best = self.best(acc, view)
        return None if best is None else self.inner.observed(best[1], view)

    def holds(self, acc: Any, view: View) -> bool:
        if self.steady or acc.basis == self._basis(view):
            return bool(acc.number)
        parts = self._there(acc, view).values()
        return any(self.inner.holds(part.acc, view) for part in parts)

    def _basis(self, view: View) -> list[Any]:
        threshold = None
        if self._shared is not None:
            settled = settle(self._shared, view.trait)
            threshold = None if settled is None else key(settled.operand)
        return [threshold, None if self._calendar is None else self._calendar.unit(view.time)]

    def _is_counted(self, part: Part, view: View) -> bool:
        """Whether a part holds, as of the events that were not dropped yet.

        Between two events of the part that depends on the basis, and on nothing else.
        """
        if self._latest is not None:
            return self._latest.test(self._latest.current(part.acc), view)
        if self._calendar is not None and not self._calendar.observed(part.acc, view):
            return False
        return self.inner.holds(part.acc, view)

    def _there(self, acc: KeyedAccumulator, view: View) -> dict[str, Part]:
        """The parts that have an event in the window; days and hours leave it without a drop."""
        parts = self.all(acc, view.history)
        if self._calendar is None:
            return parts
        return {name: part for name, part in parts.items() if self.inner.observed(part.acc, view)}

    def _rank(self, acc: Any, view: View) -> tuple[bool, bool, int | Decimal]:
        found = self.inner.observed(acc, view)
        size = Decimal(exact(found)).copy_negate() if is_number(found) else None
        return not self.inner.holds(acc, view), size is None, 0 if size is None else size


class Members(KeyedAggregate, ComparedAggregate):
    """How many members of an account a leaf holds for.

    With ``independent``, what holds for a member changes only with the member's events in the
    account, so the number is kept. If members' days or hours are counted, it is kept for τ's day or
    hour. Otherwise each member is looked at, at every moment. With ``idle`` the leaf may hold for a
    member without any event that counts. With ``personal`` it reads more of them than events.
    """

    has_records = True

    def __init__(
        self,
        inner: Aggregate,
        test: Test,
        slot: int,
        *,
        independent: bool,
        idle: bool,
        personal: bool,
    ) -> None:
        KeyedAggregate.__init__(self, slot)
        ComparedAggregate.__init__(self, test)
        self.inner, self.independent = inner, independent
        self.idle, self.personal = idle, personal
        self.spans = inner.spans
        self.steady = independent
        self.looks_back = inner.looks_back
        alone = isinstance(inner, Calendar) and not (personal or idle)
        self._calendar = inner if alone and isinstance(inner, Calendar) else None
        self.advances = self._calendar is not None
        self.layout = CountedAccumulator if self.advances else KeyedAccumulator

    def empty(self) -> KeyedAccumulator:
        return CountedAccumulator() if self.advances else KeyedAccumulator()

    def restored_entry(self, plain: Any) -> Any:
        return self.inner.restored(plain)

    def add(self, acc: KeyedAccumulator, fact: Fact, view: View) -> None:
        if fact.user is not None:
            self._change(acc, fact, fact.user, view, None)

    def drop(self, acc: KeyedAccumulator, fact: Fact, view: View, span: int) -> None:
        if fact.user is not None:
            self._change(acc, fact, fact.user, view, span)

    def advance(self, acc: Any, view: View) -> None:
        """Count the members again, if another day or hour has begun."""
        if self._calendar is not None and acc.basis != self._calendar.unit(view.time):
            acc.number = sum(1 for _ in self.holding(acc, view))
            acc.basis = self._calendar.unit(view.time)

    def observed(self, acc: Any, view: View) -> Any:
        if self.independent:
            return acc.number
        if self._calendar is not None and acc.basis == self._calendar.unit(view.time):
            return acc.number
        return sum(1 for _ in self.holding(acc, view))

    def holding(self, acc: KeyedAccumulator, view: View) -> Iterator[str]:
        """The members for whom the leaf holds."""
        own = self.all(acc, view.history)
        for user in members(view) if self.idle else own:
            if self.inner.holds(own.get(user) or self.inner.empty(), self._member(user, view)):
                yield user

    def _change(
        self, acc: KeyedAccumulator, fact: Fact, user: str, view: View, span: int | None
    ) -> None:
        if self.advances:
            self.advance(acc, view)
        own, member = self.get(acc, user, view.history), self._member(user, view)
        is_counted = self.independent or self.advances
        if is_counted:
            acc.number -= own is not None and self.inner.holds(own, member)
        if own is None:
            own = self.inner.empty()
        if span is None:
            self.inner.add(own, fact, member)
        else:
            self.inner.drop(own, fact, member, span)
        if is_counted:
            acc.number += self.inner.holds(own, member)
        self.put(acc, user, own)

    def _member(self, user: str, view: View) -> View:
        return MemberView(view, user) if self.personal and isinstance(view, EvalContext) else view


class MemberRegistry(KeyedAggregate):
    """The members of an account: when each was first seen in it, and first had an event there."""

    has_records = True

    def __init__(self) -> None:
        super().__init__(MEMBERS)

    def restored_entry(self, plain: Any) -> MemberTimes:
        return MemberTimes(*plain)

    def record(self, ctx: EvalContext, fact: Fact) -> None:
        """Record whose fact of the account this is."""
        if fact.user is None:
            return
        acc = members_accumulator(ctx.state)
        if acc is None:
            acc = ctx.state.slots[MEMBERS] = self.empty()
        times = self.get(acc, fact.user, ctx.history)
        first_event = fact.time if fact.name is not None else None
        if times is None:
            acc.number += 1
            self.put(acc, fact.user, MemberTimes(fact.time, first_event))
        elif times.first_event is None and first_event is not None:
            self.put(acc, fact.user, MemberTimes(times.first_seen, first_event))


MEMBER_REGISTRY = MemberRegistry()


def members(view: View) -> list[str]:
    """The members of the account, in the order in which they were first seen."""
    assert isinstance(view, EvalContext)  # noqa: S101 - only accounts have members
    acc = members_accumulator(view.state)
    if acc is None:
        return []
    seen = MEMBER_REGISTRY.all(acc, view.history)
    return sorted(seen, key=lambda user: (seen[user].first_seen, user))
