"""Compare a stored history with a replay of its subject: by meaning, not by layout.

Where a page ends, and which cells moved out of the state, may differ. What must be equal are the
facts, what a state says of its subject, and what each leaf of each definition observes: at the end,
and at the beginning of every page, since a late fact is folded from there. For a history of three
pages with the last facts at 30, 60 and 70:

    page 1    compare its base with the empty replay           replay the facts up to 30
    page 2    compare its base with the replay at 30           replay the facts up to 60
    page 3    compare its base with the replay at 60           replay the fact at 70
    head      compare it with the replay at 70

Comparing each leaf of a state with thousands of cells at every page would be slow, so before a page
only the cells that changed on the page before are compared.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec
from msgspec import Raw

from ..marking.history import History, StoredPages
from ..marking.replay import SubjectReplay
from ..model import JSON, fact_order, id_of, iso, kind_of
from ..ports import Cell as StoredCell
from ..ports import ReadTransaction
from ..rules.engine.aggregates import Aggregate, Distinct
from ..rules.engine.keyed import MEMBER_REGISTRY, KeyedAggregate, Members, Parts, Values
from ..rules.engine.slots import MEMBERS, KeyedAccumulator, keys_in, members_accumulator
from ..rules.engine.state import Fact, HistoryReader, Position, State, World
from ..rules.engine.view import EvalContext, View
from ..rules.engine.windows import AllTimeWindow, MemberWindow, MinimumAge, bare
from ..rules.explain.plain import plain
from ..rules.language.definition import Leaf, leaves_of
from ..rules.language.sentence import describe_leaf
from ..rules.language.values import key as canonical

MAX_SHOWN = 200
"""How many characters of a value are shown."""

WORDING = {"sentence", "measure"}
"""The parts of evidence that are words. A release may change them; what they say stands beside."""

OLD_SHOWN = 10
"""How many ids of messages evidence had before it had events."""

ABSENT = object()
"""Stands for a value that is missing."""

BROKEN = (
    ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError,
    msgspec.MsgspecError,
)  # fmt: skip
"""What reading damaged data may raise."""

_TIMES = {"time": "time", "first": "first event", "last": "last event", "converted": "conversion"}
_NAMES = {
    "account": "account", "first_member": "first member", "accounts": "accounts",
    "conversions": "conversions", "moves": "moves",
}  # fmt: skip
_TABLES = {"firsts": "first", "traits": "trait", "known": "known trait", "cooling": "ends of"}
_FACT_FIELDS = ("time", "name", "data", "user", "account", "traits", "late", "ended")

_decode_sealed = msgspec.json.Decoder(tuple[State, Raw]).decode
_decode_state = msgspec.json.Decoder(State).decode
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


class Difference(NamedTuple):
    """Something stored that is not what the messages give. ``subject`` is a key, or empty."""

    subject: str
    what: str
    stored: str
    replayed: str

    def __str__(self) -> str:
        where = f"{named(self.subject)}, {self.what}" if self.subject else self.what
        return _line(f"{where}: stored {self.stored}, replayed {self.replayed}")


Found = Iterator[Difference]
Keys = Collection[str] | None
"""Which cells to compare; None for all."""


class Unlike(NamedTuple):
    """Two JSON values that differ, and where: the names and indexes that lead to them."""

    path: tuple[str | int, ...]
    stored: JSON
    replayed: JSON


def named(key: str) -> str:
    """A subject in words."""
    return f"{kind_of(key) or 'visitor'} {id_of(key)}"


def shown(value: Any) -> str:
    """A value as text, cut off if it is long."""
    if value is ABSENT:
        return "nothing"
    text = value if isinstance(value, str) else _text(value)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"


def moment(time: int | None) -> str:
    """An instant as text."""
    if time is None:
        return "never"
    return iso(time) if 0 <= time < 253_402_300_800_000 else f"{time} ms"


def differ(subject: str, what: str, stored: Any, replayed: Any) -> Found:
    """A difference, if two values are not equal; 1 equals 1.0."""
    if not same(stored, replayed):
        yield Difference(subject, what, shown(stored), shown(replayed))


def entries(
    subject: str, what: str, stored: Mapping[Any, Any], replayed: Mapping[Any, Any]
) -> Found:
    """A difference for each entry of two tables that is not equal."""
    for name in {**replayed, **stored}:
        place = f"{what} {name}".strip()
        yield from differ(subject, place, stored.get(name, ABSENT), replayed.get(name, ABSENT))


def unlike(stored: JSON, replayed: JSON, *path: str | int) -> Iterator[Unlike]:
    """The innermost parts in which two values differ, without the words of evidence."""
    match stored, replayed:
        case {"events": [str(), *_] as mids, **leaf}, {"events": [*_] as events, **other}:
            yield from _unlike_mids(mids, events, *path, "events")
            yield from unlike(leaf, other, *path)
        case dict(), dict():
            for name in _compared(stored, replayed):
                pair = stored.get(name, ABSENT), replayed.get(name, ABSENT)
                yield from unlike(*pair, *path, name)
        case list(), list() if len(stored) == len(replayed):
            for place, pair in enumerate(zip(stored, replayed, strict=True)):
                yield from unlike(*pair, *path, place)
        case _ if not same(stored, replayed):
            yield Unlike(path, stored, replayed)


def _compared(stored: dict[str, JSON], replayed: dict[str, JSON]) -> list[str]:
    """The names of the parts that are compared. Old evidence does not count its other events."""
    names = [name for name in {**replayed, **stored} if name not in WORDING]
    return names if "more_events" in stored else [n for n in names if n != "more_events"]


def _unlike_mids(stored: list[JSON], replayed: list[JSON], *path: str | int) -> Iterator[Unlike]:
    """The events of evidence from before they had times: up to ten ids, the latest last.

    Of more than ten there were the first five and the last five.
    """
    latest = stored[::-1] if len(stored) < OLD_SHOWN else stored[: OLD_SHOWN // 2 - 1 : -1]
    now = [event.get("message_id", ABSENT) for event in replayed[: len(latest)]]
    if set(latest) != set(now):
        yield Unlike(path, latest, now)


def same(one: Any, other: Any) -> bool:
    """Whether two values mean the same."""
    if one is ABSENT or other is ABSENT:
        return one is other
    return canonical(one) == canonical(other)


def _line(text: str) -> str:
    """A text with its control characters escaped, so that it stays on one line."""
    if text.isprintable():
        return text
    escaped = (c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return "".join(escaped)


def _text(value: Any) -> str:
    try:
        return _encode(plain(value)).decode()
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
    def stated_count(self) -> int:
        """How many facts the open page claims to have."""
        return self._count

    def base(self, number: int) -> State:
        """The state before the facts of a page."""
        if number == self.last:
            return _decode_state(self._base)
        return _decode_sealed(self._store.page(number))[0]

    def page(self, number: int) -> Sequence[Fact]:
        """The facts of a page."""
        return self._page(number)


class CellVersions:
    """The cells of one slot as they were at the end of a page, going forward page by page."""

    def __init__(self, versions: Sequence[tuple[int, StoredCell]]) -> None:
        self._versions, self._next = versions, 0
        self.bodies: dict[str, bytes] = {}
        self.changed: set[str] = set()

    def go_to(self, number: int) -> None:
        """Go to the end of a page."""
        self.changed = set()
        while self._next < len(self._versions) and self._versions[self._next][0] <= number:
            page, cell = self._versions[self._next]
            self._next += 1
            if cell.body is None:
                self.bodies.pop(cell.key, None)
            else:
                self.bodies[cell.key] = cell.body
            if page == number:
                self.changed.add(cell.key)


class PastMemory(HistoryReader):
    """The memory of a stored history as it was at the end of a page, going forward."""

    def __init__(self, tx: ReadTransaction, key: str, pages: Pages) -> None:
        self._tx, self._key, self._pages = tx, key, pages
        self._slots: dict[int, CellVersions] = {}
        self._number = 0

    def go_to(self, number: int) -> None:
        """Go to the end of a page."""
        self._number = number
        for versions in self._slots.values():
            versions.go_to(number)

    def changed(self, slot: int) -> Collection[str]:
        """The keys of the cells of a slot that were written at the end of the page."""
        return self._versions(slot).changed

    def facts(self, start: Position) -> Iterator[tuple[Position, Fact]]:
        return self._pages.facts(start)  # later ones too: no context looks beyond its time

    def before(self, time: int) -> Iterator[tuple[Position, Fact]]:
        return self._pages.before(time)

    def since(self, time: int) -> Position:
        return self._pages.since(time)

    def accumulator(self, slot: int, key: str) -> Any:
        body = self._versions(slot).bodies.get(key)
        return None if body is None else _decode(body)

    def accumulators(self, slot: int) -> dict[str, Any]:
        return {key: _decode(body) for key, body in self._versions(slot).bodies.items()}

    def _versions(self, slot: int) -> CellVersions:
        if slot not in self._slots:
            self._slots[slot] = CellVersions(self._tx.cell_versions(self._key, slot))
            self._slots[slot].go_to(self._number)
        return self._slots[slot]


# -- the comparison ----------------------------------------------------------------------------


class Side(NamedTuple):
    """One side of the comparison: a state, and the memory that goes with it."""

    state: State
    memory: HistoryReader


class Observed(NamedTuple):
    """What a leaf observes: a value, whether it holds, and what its accumulator has by key."""

    value: Any
    holds: Any
    by_key: dict[str, Any]


class HistoryComparison:
    """Compares the stored history of one subject with a replay that has no facts yet."""

    def __init__(self, tx: ReadTransaction, key: str, replay: SubjectReplay, world: World) -> None:
        self._tx, self._key, self._replay, self._world = tx, key, replay, world
        self._evaluator = replay.evaluator

    def differences(self, body: bytes, facts: Sequence[Fact], is_stale: bool) -> Found:
        """Replay the facts, and yield where the stored history differs on the way.

        A stale history is compared as far as it goes.
        """
        try:
            yield from self._compare(body, facts, is_stale)
        except BROKEN as error:
            yield Difference(self._key, "history", f"unreadable ({error!r})", "readable")

    def _compare(self, body: bytes, facts: Sequence[Fact], is_stale: bool) -> Found:
        pages = Pages(StoredPages(self._tx, self._key), "", body)
        if pages.version != self._evaluator.version:
            return
        if is_stale:
            facts = [fact for fact in facts if fact.time <= pages.head.time]
        yield from self._facts(pages, facts)
        replayed, memory = 0, PastMemory(self._tx, self._key, pages)
        for number in range(1, pages.last + 1):
            yield from self._base(pages, number, memory)
            goes_on = _goes_on(pages, number)
            until = _end(pages, number, facts, replayed, goes_on)
            self._replay.extend(facts[replayed:until], goes_on=goes_on)
            self._replay.end_page()
            replayed = until
        self._replay.advance(pages.head.time)
        yield from self._states("", Side(pages.head, pages))

    # -- facts -----------------------------------------------------------------------------

    def _facts(self, pages: Pages, facts: Sequence[Fact]) -> Found:
        stored = [fact for n in range(1, pages.last + 1) for fact in pages.page(n)]
        stored_by_id, by_id = {f.mid: f for f in stored}, {f.mid: f for f in facts}
        for mid in {**by_id, **stored_by_id}:
            yield from self._fact(mid, stored_by_id.get(mid), by_id.get(mid))
        if stored_by_id.keys() == by_id.keys():
            order = [fact.mid for fact in stored], [fact.mid for fact in facts]
            yield from differ(self._key, "order of the facts", *order)
        counts = pages.stated_count, len(pages.page(pages.last))
        yield from differ(self._key, "facts in the open page", *counts)

    def _fact(self, mid: str, stored: Fact | None, replayed: Fact | None) -> Found:
        if stored is None or replayed is None:
            yield Difference(self._key, f"fact {mid}", _about(stored), _about(replayed))
            return
        if _encode(stored) == _encode(replayed):
            return
        for name in _FACT_FIELDS:
            parts = getattr(stored, name), getattr(replayed, name)
            yield from differ(self._key, f"fact {mid}, {name}", *parts)

    # -- states ----------------------------------------------------------------------------

    def _base(self, pages: Pages, number: int, memory: PastMemory) -> Found:
        try:
            memory.go_to(number - 1)
            yield from self._states(f"before page {number}, ", Side(pages.base(number), memory))
        except BROKEN as error:
            what = f"page {number}"
            yield Difference(self._key, what, f"unreadable ({error!r})", "readable")

    def _states(self, where: str, stored: Side) -> Found:
        replayed = Side(_copy(self._replay.head), self._replay)
        yield from self._fields(where, stored.state, replayed.state)
        yield from self._qualifications(where, stored.state, replayed.state)
        if stored.state.time == replayed.state.time:
            yield from self._observations(where, stored, replayed)

    def _fields(self, where: str, stored: State, replayed: State) -> Found:
        for name, word in _TIMES.items():
            times = getattr(stored, name), getattr(replayed, name)
            if times[0] != times[1]:
                yield Difference(self._key, where + word, moment(times[0]), moment(times[1]))
        for name, word in _NAMES.items():
            parts = getattr(stored, name), getattr(replayed, name)
            yield from differ(self._key, where + word, *parts)
        for name, word in _TABLES.items():
            tables = getattr(stored, name), getattr(replayed, name)
            yield from entries(self._key, where + word, *tables)

    def _qualifications(self, where: str, stored: State, replayed: State) -> Found:
        for index in sorted(stored.marks.keys() | replayed.marks.keys()):
            of = self._definition(index)
            marks = _marks(stored, index), _marks(replayed, index)
            yield from differ(self._key, f"{where}{of}, marks", *marks)
        for index in sorted(stored.cycles.keys() | replayed.cycles.keys()):
            of = self._definition(index)
            cycles = moment(stored.cycles.get(index)), moment(replayed.cycles.get(index))
            yield from differ(self._key, f"{where}{of}, open cycle", *cycles)

    def _definition(self, index: int) -> str:
        rules = self._evaluator.rules
        return f"definition {rules[index].name if index < len(rules) else index}"

    # -- leaves ----------------------------------------------------------------------------

    def _observations(self, where: str, stored: Side, replayed: Side) -> Found:
        contexts = self._context(stored), self._context(replayed)
        for rule in self._evaluator.rules:
            for part in (rule.definition.when, *rule.definition.unless):
                for leaf in leaves_of(part):
                    what = f"{where}definition {rule.name}, leaf “{describe_leaf(leaf)}”"
                    keys = _changed(self._evaluator.window(leaf).number, stored, replayed)
                    yield from self._leaf(what, leaf, contexts, keys)
        keys = _changed(MEMBERS, stored, replayed)
        members = [_members(side, keys) for side in (stored, replayed)]
        yield from entries(self._key, f"{where}member", *members)

    def _leaf(
        self, what: str, leaf: Leaf, contexts: tuple[EvalContext, EvalContext], keys: Keys
    ) -> Found:
        compiled = self._evaluator.window(leaf)
        stored, replayed = (observed(compiled, ctx, keys) for ctx in contexts)
        yield from differ(self._key, what, stored.value, replayed.value)
        if same(stored.value, replayed.value):
            holds = stored.holds, replayed.holds
            yield from differ(self._key, f"{what}, whether it holds", *holds)
            yield from entries(self._key, f"{what}, of", stored.by_key, replayed.by_key)

    def _context(self, side: Side) -> EvalContext:
        state = side.state
        return EvalContext(self._evaluator.kind, state, self._world, side.memory, state.time)


def observed(compiled: AllTimeWindow, ctx: EvalContext, keys: Keys) -> Observed:
    """What a leaf observes in a context, if its accumulator can be read.

    With ``keys``, an aggregate that reads all of its keys is not evaluated: its value follows from
    the keys that changed, and the head is compared with all keys.
    """
    try:
        acc = compiled.accumulator(ctx)
        found = {} if acc is None else _content(compiled.aggregate, acc, ctx, keys)
        if keys is not None and _reads_all_keys(compiled):
            return Observed(None, None, found)
        value, holds = plain(compiled.observed(ctx)), compiled.holds(ctx)
    except BROKEN as error:
        return Observed(f"unreadable ({error!r})", None, {})
    return Observed(value, holds, found if isinstance(found, dict) else {})


def _reads_all_keys(compiled: AllTimeWindow) -> bool:
    aggregate = bare(compiled.aggregate)
    return isinstance(aggregate, Parts) or (
        isinstance(aggregate, Members) and not aggregate.independent
    )


def _content(aggregate: Aggregate, acc: Any, view: View, keys: Keys = None) -> Any:
    """What an accumulator says; by key, if the aggregate counts by key."""
    match aggregate:
        case MinimumAge():
            return _content(aggregate.inner, acc, view, keys)
        case MemberWindow():
            value = plain(aggregate.observed(acc, view))
            return _content(aggregate.inner, acc.acc, view) if acc.anchor is not None else value
        case Distinct():
            return dict(acc.by_value)
        case Values():
            return _entries(aggregate, acc, view.history, keys)
        case Parts():
            parts = _entries(aggregate, acc, view.history, keys).items()
            return {
                key: [part.events, _content(aggregate.inner, part.acc, view)] for key, part in parts
            }
        case Members():
            return _of_members(aggregate, _entries(aggregate, acc, view.history, keys), view)
        case _:
            return plain(aggregate.observed(acc, view))


def _of_members(aggregate: Members, entries: Mapping[str, Any], view: View) -> dict[str, Any]:
    found = {}
    for user, own in entries.items():
        seen = view.member(user) if aggregate.personal and isinstance(view, EvalContext) else view
        found[user] = _content(aggregate.inner, own, seen)
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
    """The accumulators of some keys, or of all."""
    if keys is None:
        return aggregate.all(acc, history)
    found = {key: aggregate.get(acc, key, history) for key in keys}
    return {key: entry for key, entry in found.items() if entry is not None}


def _changed(slot: int, stored: Side, replayed: Side) -> Keys:
    """The keys of a slot that may have changed on the page before; None, for all, at the head."""
    if not isinstance(stored.memory, PastMemory) or not isinstance(replayed.memory, SubjectReplay):
        return None
    moved_out = {*stored.memory.changed(slot), *replayed.memory.changed(slot)}
    keys = {key.partition("|")[2] for key in moved_out}
    for side in (stored, replayed):
        keys |= keys_in(side.state.slots.get(slot))
    return keys


def _goes_on(pages: Pages, number: int) -> bool:
    """Whether the last instant of a page has more facts on the next one."""
    return number < pages.last and pages.base(number + 1).begun is not None


def _end(pages: Pages, number: int, facts: Sequence[Fact], replayed: int, goes_on: bool) -> int:
    """How many facts are on a page and those before; all of them, for the open page."""
    page = pages.page(number)
    if number == pages.last or not page:
        return len(facts) if number == pages.last else replayed
    if goes_on:
        until = bisect_right(facts, fact_order(page[-1]), key=fact_order)
    else:
        until = bisect_right(facts, page[-1].time, key=attrgetter("time"))
    return max(replayed, until)


def _marks(state: State, index: int) -> list[Any]:
    return [[moment(mark.time), mark.account] for mark in state.marks.get(index, ())]


def _about(fact: Fact | None) -> str:
    if fact is None:
        return "nothing"
    return f"{fact.name or 'a fact'} at {moment(fact.time)}"


def _copy(state: State) -> State:
    return _decode_state(_encode(state))
