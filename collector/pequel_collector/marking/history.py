"""Histories: what the definitions look at, per subject, cut into pages that can be rewound.

A page holds the state before its facts, and the facts. The open page, the last one, also holds the
state after them. A fact later than that state extends it: the state is read, the facts are not. An
earlier one, however late, rewinds to the last page that began before it, and folds again from
there: the same steps, so the same answer as if it had come in time.

The open page in the store may lag: it is written when it is sealed, rewound, or goes out of memory.
What it lacks then are its subject's messages that are later than its state.

The parts of a state that are too many for a page are cells on a *shelf*. What they were at the end
of a page can be had back, so that rewinding takes them along.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from operator import attrgetter
from typing import Any, Protocol

import msgspec
from msgspec import Raw, Struct

from ..ports import Cell, ReadTransaction, WriteTransaction
from ..rules.engine.evaluator import Evaluator, OnQualified
from ..rules.engine.state import Fact, Position, State, World

FULL = 32
LOOSE = 8
"""How many facts of a history are kept as they are: as text they take a fifth of the room."""

in_order = attrgetter("time", "mid")


class PageStore(Protocol):
    """Where the sealed pages and the cells of one history are."""

    def page(self, number: int) -> bytes:
        """A sealed page."""

    def cell(self, slot: int, key: str) -> bytes | None:
        """A cell as it was put away last; None if there is none."""

    def cells(self, slot: int) -> dict[str, bytes]:
        """Every cell of a slot, as it was put away last."""

    def seal(self, number: int, page: bytes, cells: Sequence[Cell]) -> None:
        """Put a page away, and the cells that go with it."""

    def unseal(self, number: int) -> None:
        """Take back the pages from a number on, and the cells that went with them."""


class _Sealed(Struct, array_like=True):
    base: Raw
    facts: Raw


_encoder = msgspec.json.Encoder()
_sealeds = msgspec.json.Decoder(_Sealed)
_states = msgspec.json.Decoder(State)
_facts = msgspec.json.Decoder(list[Fact])
_anything = msgspec.json.Decoder()
_BLANK = _encoder.encode(State())
_NOTHING = b"[]"


class History:
    """The history of one subject. ``version`` is the evaluator's that folded it.

    It ``extends`` what was written last where only later facts have come since; ``is_kept`` where
    it was in memory before; and it is ``behind`` where the store says that its page lags.
    """

    def __init__(self, shelf: PageStore, version: str, body: bytes | None = None) -> None:
        self._shelf = shelf
        self.version = version
        self.extends, self.is_kept, self.is_behind = body is not None, False, False
        self.head, self.sealed = State(), 0
        self._base, self._written, self._count = _BLANK, _NOTHING, 0
        self._fresh: list[Fact] = []
        self._pages: dict[int, list[Fact]] = {}
        if body is not None:
            self._read(body)

    def _read(self, body: bytes) -> None:
        """An open page: a line of its version and numbers, the head, the base, the facts."""
        title, _, rest = body.partition(b"\n")
        version, *numbers = title.decode().split(" ")
        self.version = version
        self.sealed, self._count, head, base = map(int, numbers)
        self.head = _states.decode(rest[:head])
        self._base, self._written = rest[head : head + base], rest[head + base :]

    def write(self) -> bytes:
        """The open page."""
        head = _encoder.encode(self.head)
        self._bind()
        self.extends = True
        numbers = f"{self.sealed} {self._count} {len(head)} {len(self._base)}"
        title = f"{self.version} {numbers}\n".encode()
        return b"".join((title, head, self._base, self._written))

    def _bind(self) -> None:
        self._written = _joined(self._written, self._fresh)
        self._count += len(self._fresh)
        self._fresh = []

    def go_on(self, shelf: PageStore) -> History:
        """The same history in the next transaction, where its pages are on another shelf."""
        self._shelf = shelf
        self.is_kept = True
        return self

    def rest(self) -> None:
        """Let go of the pages that were read, and keep the newest facts small."""
        if self._pages:
            self._pages.clear()
        if len(self._fresh) > LOOSE:
            self._bind()

    # -- taking in -------------------------------------------------------------------------

    def extend(
        self,
        facts: list[Fact],
        evaluator: Evaluator,
        world: World,
        on_qualified: OnQualified | None,
    ) -> None:
        """Take in facts that are all later than the head, in order."""
        if self._count + len(self._fresh) + len(facts) < FULL:
            self._take_in(facts, evaluator, world, on_qualified)
            return
        start = 0
        while start < len(facts):
            stop = self._boundary(facts, start)
            self._take_in(facts[start:stop], evaluator, world, on_qualified)
            if self._count + len(self._fresh) >= FULL:
                self._seal(evaluator)
            start = stop

    def catch_up(self, facts: list[Fact], evaluator: Evaluator, world: World) -> None:
        """Take in facts that are all later than the head, as they were taken in once before."""
        if facts:
            self._take_in(facts, evaluator, world, None)

    def insert(
        self,
        facts: Sequence[Fact],
        gone: Collection[str],
        time: int,
        evaluator: Evaluator,
        world: World,
        on_qualified: OnQualified | None,
    ) -> None:
        """Take in facts of any time, and let others go by their ids, none before an instant."""
        kept = [fact for fact in self._rewound(time) if fact.mid not in gone]
        self.head = _states.decode(self._base)
        self._written, self._count, self._fresh = _NOTHING, 0, []
        self._pages.clear()
        self.extends = False
        self.extend(sorted((*kept, *facts), key=in_order), evaluator, world, on_qualified)

    def _take_in(
        self,
        facts: list[Fact],
        evaluator: Evaluator,
        world: World,
        on_qualified: OnQualified | None,
    ) -> None:
        first = self.sealed + 1, self._count + len(self._fresh)
        self._fresh += facts
        open_page = self._pages.get(self.sealed + 1)
        if open_page is not None:
            open_page += facts
        evaluator.fold(self.head, self, facts, first, world, on_qualified)

    def _rewound(self, time: int) -> list[Fact]:
        """The facts from the last page on that began before an instant, which is the open one."""
        facts, sealed = list(self._page(self.sealed + 1)), self.sealed
        while _states.decode(self._base).time >= time:
            page = _sealeds.decode(self._shelf.page(self.sealed))
            facts = _facts.decode(page.facts) + facts
            self._base = bytes(page.base)
            self.sealed -= 1
        if self.sealed < sealed:
            self._shelf.unseal(self.sealed + 1)
        return facts

    def _boundary(self, facts: list[Fact], start: int) -> int:
        """Up to where facts go into the open page: until it is full, never inside an instant."""
        stop = start + max(1, FULL - self._count - len(self._fresh))
        while stop < len(facts) and facts[stop].time == facts[stop - 1].time:
            stop += 1
        return min(stop, len(facts))

    def _seal(self, evaluator: Evaluator) -> None:
        number = self.sealed + 1
        put_away = [
            Cell(slot, key, None if cell is None else _encoder.encode(cell))
            for slot, key, cell in evaluator.spill(self.head)
        ]
        page = _Sealed(Raw(self._base), Raw(_joined(self._written, self._fresh)))
        self._shelf.seal(number, _encoder.encode(page), put_away)
        self.sealed = number
        self._base = _encoder.encode(self.head)
        self._written, self._count, self._fresh = _NOTHING, 0, []
        self.extends = False

    # -- remembering -----------------------------------------------------------------------

    def facts(self, start: Position) -> Iterator[tuple[Position, Fact]]:
        """The facts from a position on, with the position of each."""
        index = start[1]
        for number in range(start[0], self.sealed + 2):
            page = self._page(number)
            for place in range(index, len(page)):
                yield (number, place), page[place]
            index = 0

    def since(self, time: int) -> Position:
        """A position at or before that of the first fact at or after a time."""
        number = self.sealed + 1
        while number > 1:
            page = self._page(number)
            if page and page[0].time < time:
                break
            number -= 1
        return number, 0

    def accumulator(self, slot: int, key: str) -> Any:
        """The accumulator stored under a key; None if there is none."""
        body = self._shelf.cell(slot, key)
        return None if body is None else _anything.decode(body)

    def accumulators(self, slot: int) -> dict[str, Any]:
        """All accumulators of a slot that are stored apart, by key."""
        found = self._shelf.cells(slot)
        return {key: _anything.decode(body) for key, body in found.items()}

    def _page(self, number: int) -> list[Fact]:
        page = self._pages.get(number)
        if page is None:
            page = self._pages[number] = self._decoded(number)
        return page

    def _decoded(self, number: int) -> list[Fact]:
        if number <= self.sealed:
            return _facts.decode(_sealeds.decode(self._shelf.page(number)).facts)
        return [*_facts.decode(self._written), *self._fresh]


class HistoryCache:
    """Histories kept in memory from one transaction to the next, the latest used of them.

    They are good as long as nobody else changes histories. Each transaction leaves a token in the
    store; who finds there what it left itself was the last, and its transaction was not undone.
    Any of them can be forgotten at any time: the store has them, or what they come from.
    """

    def __init__(self, room: int = 8_192) -> None:
        self._room = room
        self._left: int | None = None
        self._histories: dict[str, History] = {}

    def begin(self, found: int) -> None:
        """A transaction begins, and finds a token."""
        if found != self._left:
            self._histories.clear()
        self._left = None

    def take(self, key: str, shelf: PageStore) -> History | None:
        """A history that was kept, to go on with."""
        found = self._histories.pop(key, None)
        return None if found is None else found.go_on(shelf)

    @property
    def is_behind(self) -> bool:
        """Whether the store has older pages of any of them."""
        return any(history.is_behind for history in self._histories.values())

    def make_room(self, number: int) -> dict[str, History]:
        """Let go of those used longest ago, so that there is room for some more."""
        kept = self._histories
        oldest = list(islice(kept, max(0, len(kept) + number - self._room)))
        return {key: kept.pop(key) for key in oldest}

    def let_go(self) -> dict[str, History]:
        """Let go of all of them."""
        return self.make_room(self._room)

    def end(self, left: int, histories: Mapping[str, History | None]) -> None:
        """Keep the histories of a transaction that has written them and leaves a token."""
        for key, history in histories.items():
            if history is not None:
                history.rest()
                self._histories[key] = history
        self.make_room(0)
        self._left = left


def _joined(written: bytes, fresh: list[Fact]) -> bytes:
    """A list of facts as text, with more facts at its end."""
    if not fresh:
        return written
    more = _encoder.encode(fresh)
    return more if written == _NOTHING else b"".join((written[:-1], b",", more[1:]))


class StoredPages(PageStore):
    """The pages and cells of one subject in a store."""

    def __init__(self, tx: ReadTransaction, key: str) -> None:
        self._tx, self._key = tx, key

    def page(self, number: int) -> bytes:
        """A sealed page."""
        return self._tx.page(self._key, number)

    def cell(self, slot: int, key: str) -> bytes | None:
        """A cell as it was put away last; None if there is none."""
        return self._tx.cell(self._key, slot, key)

    def cells(self, slot: int) -> dict[str, bytes]:
        """Every cell of a slot, as it was put away last."""
        return self._tx.cells(self._key, slot)

    def seal(self, number: int, page: bytes, cells: Sequence[Cell]) -> None:
        """Put a page away, and the cells that go with it."""
        self._writing.seal(self._key, number, page, cells)

    def unseal(self, number: int) -> None:
        """Take back the pages from a number on, and the cells that went with them."""
        self._writing.unseal(self._key, number)

    @property
    def _writing(self) -> WriteTransaction:
        return self._tx  # type: ignore[return-value]  # only a derivation seals
