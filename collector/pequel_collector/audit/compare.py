"""Stored histories held against subjects that are told anew: by meaning, not by layout.

Where a page ends, and which cells were put away, may differ. What may not are the facts, what a
state says of its subject, and what each leaf of each definition observes: now, and at the beginning
of every page, from where a late fact would go on.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec
from msgspec import Raw

from ..marking.history import History, StoredPages
from ..marking.replay import ReplayMemory, SubjectReplay
from ..model import JSON, id_of, iso, kind_of
from ..ports import Cell as StoredCell
from ..ports import ReadTransaction
from ..rules.engine.aggregates import Aggregate, Distinct
from ..rules.engine.keyed import MEMBER_REGISTRY, KeyedAggregate, Members, Parts, Values
from ..rules.engine.slots import MEMBERS, KeyedAccumulator, keys_in, members_accumulator
from ..rules.engine.state import Fact, HistoryReader, Position, State, World
from ..rules.engine.view import EvalContext, View
from ..rules.engine.windows import AllTimeWindow, MemberWindow, MinimumAge, bare
from ..rules.explain.leaves import plain
from ..rules.language.definition import Leaf, leaves_of
from ..rules.language.sentence import describe_leaf
from ..rules.language.values import key as canonical

SHOWN = 200
"""Characters of a value that are shown."""

ABSENT = object()
"""In place of a value that is not there at all."""

BROKEN = (
    ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError,
    msgspec.MsgspecError,
)  # fmt: skip
"""What may come of reading something that is not what it should be."""

_TIMES = {"time": "time", "first": "first event", "last": "last event", "converted": "conversion"}
_NAMES = {"account": "account", "first_member": "first member", "accounts": "accounts"}
_TABLES = {"firsts": "first", "traits": "trait", "known": "known trait", "cooling": "ends of"}
_OF_FACTS = ("time", "name", "data", "user", "account", "traits", "late", "ended")

_sealed = msgspec.json.Decoder(tuple[State, Raw])
_states = msgspec.json.Decoder(State)
_encoder = msgspec.json.Encoder()
_anything = msgspec.json.Decoder()


class Difference(NamedTuple):
    """That something stored is not what the messages give. ``subject`` is a key, or nothing."""

    subject: str
    what: str
    stored: str
    replayed: str

    def __str__(self) -> str:
        where = f"{named(self.subject)}, {self.what}" if self.subject else self.what
        return _line(f"{where}: stored {self.stored}, replayed {self.replayed}")


Found = Iterator[Difference]
Keys = Collection[str] | None
"""Which cells are looked at; None for all."""
Unlike = tuple[tuple[str | int, ...], JSON, JSON]


def named(key: str) -> str:
    """A subject in words."""
    return f"{kind_of(key) or 'visitor'} {id_of(key)}"


def shown(value: Any) -> str:
    """A value in a line of its own."""
    if value is ABSENT:
        return "nothing"
    text = value if isinstance(value, str) else _text(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def moment(time: int | None) -> str:
    """An instant as text, as far as a calendar goes."""
    if time is None:
        return "never"
    return iso(time) if 0 <= time < 253_402_300_800_000 else f"{time} ms"


def differ(subject: str, what: str, stored: Any, replayed: Any) -> Found:
    """One difference where two values are not equal; 1 equals 1.0."""
    if not same(stored, replayed):
        yield Difference(subject, what, shown(stored), shown(replayed))


def entries(
    subject: str, what: str, stored: Mapping[Any, Any], replayed: Mapping[Any, Any]
) -> Found:
    """The entries that two tables do not share."""
    for name in {**replayed, **stored}:
        place = f"{what} {name}".strip()
        yield from differ(subject, place, stored.get(name, ABSENT), replayed.get(name, ABSENT))


def unlike(stored: JSON, told: JSON, *steps: str | int) -> Iterator[Unlike]:
    """The innermost parts in which two values differ: the steps to each, and its two values."""
    match stored, told:
        case dict(), dict():
            for name in {**told, **stored}:
                pair = stored.get(name, ABSENT), told.get(name, ABSENT)
                yield from unlike(*pair, *steps, name)
        case list(), list() if len(stored) == len(told):
            for place, pair in enumerate(zip(stored, told, strict=True)):
                yield from unlike(*pair, *steps, place)
        case _ if not same(stored, told):
            yield steps, stored, told


def same(one: Any, other: Any) -> bool:
    """Whether two values mean the same."""
    if one is ABSENT or other is ABSENT:
        return one is other
    return canonical(one) == canonical(other)


def _line(text: str) -> str:
    """A text without characters that would end its line, or change the terminal."""
    if text.isprintable():
        return text
    escaped = (c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return "".join(escaped)


def _text(value: Any) -> str:
    try:
        return _encoder.encode(plain(value)).decode()
    except (UnicodeEncodeError, TypeError):
        return ascii(value)


# -- what is stored ----------------------------------------------------------------------------


class Pages(History):
    """A stored history, page by page."""

    @property
    def last(self) -> int:
        """The number of the open page."""
        return self.sealed + 1

    @property
    def stated(self) -> int:
        """How many facts the open page says that it has."""
        return self._count

    def base(self, number: int) -> State:
        """The state before the facts of a page."""
        if number == self.last:
            return _states.decode(self._base)
        return _sealed.decode(self._shelf.page(number))[0]

    def page(self, number: int) -> Sequence[Fact]:
        """The facts of a page."""
        return self._page(number)


class Versions:
    """The cells of one slot, page by page."""

    def __init__(self, versions: Sequence[tuple[int, StoredCell]]) -> None:
        self._versions, self._place = versions, 0
        self.bodies: dict[str, bytes] = {}
        self.changed: set[str] = set()

    def turn(self, number: int) -> None:
        """Go on to the end of a page."""
        self.changed = set()
        while self._place < len(self._versions) and self._versions[self._place][0] <= number:
            page, cell = self._versions[self._place]
            self._place += 1
            if cell.body is None:
                self.bodies.pop(cell.key, None)
            else:
                self.bodies[cell.key] = cell.body
            if page == number:
                self.changed.add(cell.key)


class AsOf(HistoryReader):
    """A stored history as it was at the end of a page, and then of the next one."""

    def __init__(self, tx: ReadTransaction, key: str, pages: Pages) -> None:
        self._tx, self._key, self._pages = tx, key, pages
        self._slots: dict[int, Versions] = {}
        self._number = 0

    def turn(self, number: int) -> None:
        """Go on to the end of a page."""
        self._number = number
        for versions in self._slots.values():
            versions.turn(number)

    def changed(self, slot: int) -> Collection[str]:
        """The cells of a slot that were put away at the end of the page."""
        return self._versions(slot).changed

    def facts(self, start: Position) -> Iterator[tuple[Position, Fact]]:
        """The facts from a position on, later ones too."""
        return self._pages.facts(start)

    def since(self, time: int) -> Position:
        """A position at or before that of the first fact at or after a time."""
        return self._pages.since(time)

    def accumulator(self, slot: int, key: str) -> Any:
        """The accumulator that was stored under a key by then; None if there is none."""
        body = self._versions(slot).bodies.get(key)
        return None if body is None else _anything.decode(body)

    def accumulators(self, slot: int) -> dict[str, Any]:
        """All accumulators of a slot that were stored apart by then, by key."""
        found = self._versions(slot).bodies.items()
        return {key: _anything.decode(body) for key, body in found}

    def _versions(self, slot: int) -> Versions:
        if slot not in self._slots:
            self._slots[slot] = Versions(self._tx.cell_versions(self._key, slot))
            self._slots[slot].turn(self._number)
        return self._slots[slot]


# -- what they come to -------------------------------------------------------------------------


class Side(NamedTuple):
    """A state, and the memory that goes with it."""

    state: State
    memory: HistoryReader


class Observed(NamedTuple):
    """What a leaf says of its subject: a value, whether it holds, and what it keeps by key."""

    value: Any
    holds: Any
    kept: dict[str, Any]


class HistoryComparison:
    """The history of one subject, as it is stored, against the subject as it is told anew."""

    def __init__(self, tx: ReadTransaction, key: str, telling: SubjectReplay, world: World) -> None:
        self._tx, self._key, self._telling, self._world = tx, key, telling, world
        self._machine = telling.evaluator

    def differences(self, body: bytes, facts: Sequence[Fact], lags: bool) -> Found:
        """Tell the facts, and yield where the stored history says otherwise on the way.

        Of one that lags only those as far as it goes.
        """
        try:
            yield from self._compare(body, facts, lags)
        except BROKEN as error:
            yield Difference(self._key, "history", f"unreadable ({error!r})", "readable")

    def _compare(self, body: bytes, facts: Sequence[Fact], lags: bool) -> Found:
        pages = Pages(StoredPages(self._tx, self._key), "", body)
        if pages.version != self._machine.version:
            return
        if lags:
            facts = [fact for fact in facts if fact.time <= pages.head.time]
        yield from self._facts(pages, facts)
        told, memory = 0, AsOf(self._tx, self._key, pages)
        for number in range(1, pages.last + 1):
            yield from self._base(pages, number, memory)
            until = _end(pages, number, facts, told)
            self._telling.extend(facts[told:until])
            self._telling.put_away()
            told = until
        self._telling.advance(pages.head.time)
        yield from self._states("", Side(pages.head, pages))

    # -- facts -----------------------------------------------------------------------------

    def _facts(self, pages: Pages, facts: Sequence[Fact]) -> Found:
        stored = [fact for n in range(1, pages.last + 1) for fact in pages.page(n)]
        by_id, told = {f.mid: f for f in stored}, {f.mid: f for f in facts}
        for mid in {**told, **by_id}:
            yield from self._fact(mid, by_id.get(mid), told.get(mid))
        if by_id.keys() == told.keys():
            order = [fact.mid for fact in stored], [fact.mid for fact in facts]
            yield from differ(self._key, "order of the facts", *order)
        counted = pages.stated, len(pages.page(pages.last))
        yield from differ(self._key, "facts in the open page", *counted)

    def _fact(self, mid: str, stored: Fact | None, told: Fact | None) -> Found:
        if stored is None or told is None:
            yield Difference(self._key, f"fact {mid}", _about(stored), _about(told))
            return
        if _encoder.encode(stored) == _encoder.encode(told):
            return
        for name in _OF_FACTS:
            parts = getattr(stored, name), getattr(told, name)
            yield from differ(self._key, f"fact {mid}, {name}", *parts)

    # -- states ----------------------------------------------------------------------------

    def _base(self, pages: Pages, number: int, memory: AsOf) -> Found:
        try:
            memory.turn(number - 1)
            yield from self._states(f"before page {number}, ", Side(pages.base(number), memory))
        except BROKEN as error:
            what = f"page {number}"
            yield Difference(self._key, what, f"unreadable ({error!r})", "readable")

    def _states(self, where: str, stored: Side) -> Found:
        told = Side(_copy(self._telling.state), self._telling.book)
        yield from self._fields(where, stored.state, told.state)
        if stored.state.time == told.state.time:
            yield from self._observations(where, stored, told)

    def _fields(self, where: str, stored: State, told: State) -> Found:
        for name, word in _TIMES.items():
            times = getattr(stored, name), getattr(told, name)
            if times[0] != times[1]:
                yield Difference(self._key, where + word, moment(times[0]), moment(times[1]))
        for name, word in _NAMES.items():
            parts = getattr(stored, name), getattr(told, name)
            yield from differ(self._key, where + word, *parts)
        for name, word in _TABLES.items():
            tables = getattr(stored, name), getattr(told, name)
            yield from entries(self._key, where + word, *tables)
        for index in sorted(stored.marks.keys() | told.marks.keys()):
            of = self._definition(index)
            marks = _listed(stored, index), _listed(told, index)
            yield from differ(self._key, f"{where}{of}, marks", *marks)
        for index in sorted(stored.cycles.keys() | told.cycles.keys()):
            of = self._definition(index)
            cycles = moment(stored.cycles.get(index)), moment(told.cycles.get(index))
            yield from differ(self._key, f"{where}{of}, open cycle", *cycles)

    def _definition(self, index: int) -> str:
        rules = self._machine.rules
        return f"definition {rules[index].name if index < len(rules) else index}"

    # -- leaves ----------------------------------------------------------------------------

    def _observations(self, where: str, stored: Side, told: Side) -> Found:
        contexts = self._context(stored), self._context(told)
        for rule in self._machine.rules:
            for part in (rule.definition.when, *rule.definition.unless):
                for leaf in leaves_of(part):
                    what = f"{where}definition {rule.name}, leaf “{describe_leaf(leaf)}”"
                    keys = _changed(self._machine.window(leaf).number, stored, told)
                    yield from self._leaf(what, leaf, contexts, keys)
        keys = _changed(MEMBERS, stored, told)
        members = [_members(side, keys) for side in (stored, told)]
        yield from entries(self._key, f"{where}member", *members)

    def _leaf(
        self, what: str, leaf: Leaf, contexts: tuple[EvalContext, EvalContext], keys: Keys
    ) -> Found:
        compiled = self._machine.window(leaf)
        was, now = (observed(compiled, ctx, keys) for ctx in contexts)
        yield from differ(self._key, what, was.value, now.value)
        if same(was.value, now.value):
            yield from differ(self._key, f"{what}, whether it holds", was.holds, now.holds)
            yield from entries(self._key, f"{what}, of", was.kept, now.kept)

    def _context(self, side: Side) -> EvalContext:
        return EvalContext(
            self._machine.kind, side.state, self._world, side.memory, side.state.time
        )


def observed(compiled: AllTimeWindow, ctx: EvalContext, keys: Keys) -> Observed:
    """What a leaf says at the moment that is seen, as far as its accumulator can be read.

    Where only some keys are looked at, what takes a look at all of them is left out: it follows
    from those that changed, and all are looked at in the end.
    """
    try:
        acc = compiled.accumulator(ctx)
        kept = {} if acc is None else _kept(compiled.aggregate, acc, ctx, keys)
        if keys is not None and _looks_at_all_keys(compiled):
            return Observed(None, None, kept)
        value, holds = plain(compiled.observed(ctx)), compiled.holds(ctx)
    except BROKEN as error:
        return Observed(f"unreadable ({error!r})", None, {})
    return Observed(value, holds, kept if isinstance(kept, dict) else {})


def _looks_at_all_keys(compiled: AllTimeWindow) -> bool:
    aggregate = bare(compiled.aggregate)
    return isinstance(aggregate, Parts) or (
        isinstance(aggregate, Members) and not aggregate.independent
    )


def _kept(aggregate: Aggregate, acc: Any, view: View, keys: Keys = None) -> Any:
    """What an accumulator says, by key where there is one for each of several."""
    match aggregate:
        case MinimumAge():
            return _kept(aggregate.inner, acc, view, keys)
        case MemberWindow():
            value = plain(aggregate.observed(acc, view))
            return _kept(aggregate.inner, acc.acc, view) if acc.anchor is not None else value
        case Distinct():
            return dict(acc.by_value)
        case Values():
            return _entries(aggregate, acc, view.history, keys)
        case Parts():
            parts = _entries(aggregate, acc, view.history, keys).items()
            return {
                key: [part.events, _kept(aggregate.inner, part.acc, view)] for key, part in parts
            }
        case Members():
            return _of_members(aggregate, _entries(aggregate, acc, view.history, keys), view)
        case _:
            return plain(aggregate.observed(acc, view))


def _of_members(aggregate: Members, entries: Mapping[str, Any], view: View) -> dict[str, Any]:
    found = {}
    for user, own in entries.items():
        seen = view.member(user) if aggregate.personal and isinstance(view, EvalContext) else view
        found[user] = _kept(aggregate.inner, own, seen)
    return found


def _members(side: Side, keys: Keys) -> dict[str, Any]:
    try:
        acc = members_accumulator(side.state)
        return {} if acc is None else _entries(MEMBER_REGISTRY, acc, side.memory, keys)
    except BROKEN as error:
        return {"": f"unreadable ({error!r})"}


def _entries(
    aggregate: KeyedAggregate, acc: KeyedAccumulator, history: HistoryReader, keys: Keys
) -> dict[str, Any]:
    """The accumulators of some keys, or all there are."""
    if keys is None:
        return aggregate.all(acc, history)
    found = {key: aggregate.get(acc, key, history) for key in keys}
    return {key: entry for key, entry in found.items() if entry is not None}


def _changed(slot: int, stored: Side, told: Side) -> Keys:
    """The keys of a slot that a page has changed; None, for all, where no page has ended."""
    if not isinstance(stored.memory, AsOf) or not isinstance(told.memory, ReplayMemory):
        return None
    put_away = {*stored.memory.changed(slot), *told.memory.changed(slot)}
    keys = {key.partition("|")[2] for key in put_away}
    for side in (stored, told):
        keys |= keys_in(side.state.slots.get(slot))
    return keys


def _end(pages: Pages, number: int, facts: Sequence[Fact], told: int) -> int:
    """How many facts are not later than a page; all of them, of the open page."""
    if number == pages.last:
        return len(facts)
    page = pages.page(number)
    until = bisect_right(facts, page[-1].time, key=attrgetter("time")) if page else told
    return max(told, until)


def _listed(state: State, index: int) -> list[Any]:
    return [[moment(mark.time), mark.account] for mark in state.marks.get(index, ())]


def _about(fact: Fact | None) -> str:
    if fact is None:
        return "nothing"
    return f"{fact.name or 'a fact'} at {moment(fact.time)}"


def _copy(state: State) -> State:
    return _states.decode(_encoder.encode(state))
