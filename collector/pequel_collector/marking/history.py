"""Histories: the facts and the state of one subject, cut into pages that can be rewound.

A page holds the state before its facts (its *base*) and the facts. All pages but the last are
sealed. The last one, the open page, also holds the state after its facts (the *head*). Say that a
page has room for three facts:

    page 1, sealed    base: nothing yet            facts at 10, 20, 30
    page 2, sealed    base: the state at 30        facts at 40, 50, 60
    page 3, open      base: the state at 60        fact at 70             head: the state at 70

A fact at 80 extends the head; no other fact is read. A fact at 55 is late. Page 3 begins after 60
and page 2 after 30, so the history rewinds to the base of page 2: it drops pages 2 and 3, and folds
40, 50, 55, 60 and 70 again. These are the steps it would have taken had 55 come in time, so the
answer is the same.

The open page is written when a page is sealed, when the history is rewound, and when it leaves the
memory. In between, the page in the store is *stale*: it lacks the messages that are later than its
head. Those are stored too, so nothing is lost in a crash.

The facts of one instant count together, so an instant is evaluated when its last fact is in. Where
a page ends within an instant, the base of the next page is not evaluated: it is the state that the
facts until then make, and which of the definitions they concern. So one more fact at 80, after
thousands that came at 80 one by one, folds the facts of the open page again and no others. It has
to be the last one by order; another one rewinds to the page where its place is.

A state with many keys (such as a distinct count of thousands of values) moves some of them out, as
*cells*. The store keeps each version of a cell with the number of the page at whose end it was
written, so rewinding restores the cells as well.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from secrets import randbits
from typing import Any, Protocol

import msgspec
from msgspec import Raw, Struct

from ..model import fact_order
from ..ports import Cell, ReadTransaction, WriteTransaction
from ..rules.engine.evaluator import Evaluator, OnQualified
from ..rules.engine.state import NEVER, Fact, Position, State, World

FACTS_PER_PAGE = 32
DECODED_FACTS = 8
"""How many facts a cached history keeps decoded. Encoded, they take a fifth of the memory."""

GROWN = 1.25
"""How many times as many facts a history has when its state is measured again."""

HISTORY_BYTES, FACT_BYTES, HEAD_FACTOR = 3_000, 700, 6
"""About how much memory is taken by a history, by each of its decoded facts, and by what is decoded
from each byte of its head."""


class PageStore(Protocol):
    """Where the sealed pages and the cells of one history are."""

    def page(self, number: int) -> bytes:
        """A sealed page."""

    def cell(self, slot: int, key: str) -> bytes | None:
        """The latest version of a cell; None if there is none."""

    def cells(self, slot: int) -> dict[str, bytes]:
        """The latest version of every cell of a slot."""

    def seal(self, number: int, page: bytes, cells: Sequence[Cell]) -> None:
        """Write a sealed page, and the cells that moved out of the state at its end."""

    def unseal(self, number: int) -> None:
        """Remove the pages from a number on, and the cell versions written with them."""


class TooManyFacts(Exception):
    """More facts would have to be folded than the caller allows."""


class _SealedPage(Struct, array_like=True):
    base: Raw
    facts: Raw


class _Time(Struct, array_like=True):
    """The first part of a state."""

    time: int


_encoder = msgspec.json.Encoder()
_decode_sealed = msgspec.json.Decoder(_SealedPage).decode
_decode_time = msgspec.json.Decoder(_Time).decode
_decode_state = msgspec.json.Decoder(State).decode
_decode_facts = msgspec.json.Decoder(list[Fact]).decode
_decode_any = msgspec.json.Decoder().decode
_EMPTY_STATE = _encoder.encode(State())
_NO_FACTS = b"[]"


class History:
    """The history of one subject. ``version`` names the evaluator that folded it.

    ``was_cached`` says that it was in memory before this transaction. ``is_stale`` says that the
    store has marked its open page as stale. ``may_go_stale`` is true while only later facts have
    come since the open page was written, so that the store can make up for what the page lacks.
    ``stamp`` is a random number that changes when facts are inserted. While it stays the same,
    facts are only added at the end.
    """

    def __init__(self, pages: PageStore, version: str, body: bytes | None = None) -> None:
        self._store = pages
        self.version = version
        self.may_go_stale, self.was_cached, self.is_stale = body is not None, False, False
        self.head, self.sealed, self.stamp = State(), 0, 0
        self._head_bytes, self._measured_at = len(_EMPTY_STATE), 0  # when it was last encoded
        self._base, self._encoded, self._count = _EMPTY_STATE, _NO_FACTS, 0
        # The newest facts of the open page, not yet in _encoded, and what to add to it for them.
        self._decoded: list[Fact] = []
        self._to_add: list[bytes] = []
        self._bytes_to_add = 0
        self._pages: dict[int, list[Fact]] = {}
        if body is not None:
            self._decode(body)

    def _decode(self, body: bytes) -> None:
        """Read an open page: a line with its version and numbers, the head, the base, the facts.

        Earlier releases did not write the stamp.
        """
        title, _, rest = body.partition(b"\n")
        version, *numbers = title.decode().split(" ")
        self.version = version
        self.sealed, self._count, head, base, *stamp = map(int, numbers)
        self.stamp = sum(stamp)
        self.head, self._head_bytes = _decode_state(rest[:head]), head
        self._base, self._encoded = rest[head : head + base], rest[head + base :]
        self._measured_at = self._number_of_facts

    def write(self) -> bytes:
        """Encode the open page."""
        head = self._encode_head()
        self._encode_facts()
        self.may_go_stale = True
        numbers = f"{self.sealed} {self._count} {len(head)} {len(self._base)}"
        stamp = f" {self.stamp}" if self.stamp else ""
        title = f"{self.version} {numbers}{stamp}\n".encode()
        return b"".join((title, head, self._base, self._encoded))

    def _encode_head(self) -> bytes:
        head = _encoder.encode(self.head)
        self._head_bytes, self._measured_at = len(head), self._number_of_facts
        return head

    @property
    def _number_of_facts(self) -> int:
        """About how many facts it has."""
        return self.sealed * FACTS_PER_PAGE + self._count + len(self._decoded)

    def _encode_facts(self) -> None:
        if self._to_add:
            before = [] if self._encoded == _NO_FACTS else [self._encoded[1:-1]]
            self._encoded = b"[%b]" % b",".join(before + self._to_add)
            self._count += len(self._decoded)
            self._decoded, self._to_add, self._bytes_to_add = [], [], 0

    def reuse(self, pages: PageStore) -> History:
        """Use the history in another transaction, which reads its pages there."""
        self._store = pages
        self.was_cached = True
        return self

    def shrink(self) -> None:
        """Free the memory of pages that were read, and encode all facts if there are many."""
        if self._pages:
            self._pages.clear()
        if len(self._decoded) > DECODED_FACTS:
            self._encode_facts()
            if self._number_of_facts > GROWN * self._measured_at:
                self._encode_head()  # to know how many bytes it has

    @property
    def size(self) -> int:
        """About how many bytes of memory it takes.

        The state grows with its facts, so it is measured when it is encoded, and when there are a
        quarter more facts than then.
        """
        state = HISTORY_BYTES + HEAD_FACTOR * self._head_bytes
        decoded = FACT_BYTES * len(self._decoded) + 2 * self._bytes_to_add
        return state + decoded + len(self._base) + len(self._encoded)

    # -- folding ---------------------------------------------------------------------------

    def extend(
        self,
        facts: list[Fact],
        evaluator: Evaluator,
        world: World,
        on_qualified: OnQualified | None,
    ) -> None:
        """Fold facts that are all later than the head, in order."""
        if self._count + len(self._decoded) + len(facts) < FACTS_PER_PAGE:
            self._fold(facts, evaluator, world, on_qualified)
            return
        start = 0
        while start < len(facts):
            stop = start + max(1, FACTS_PER_PAGE - self._count - len(self._decoded))
            goes_on = stop < len(facts) and facts[stop].time == facts[stop - 1].time
            part = facts[start:stop]
            self._fold(part, evaluator, world, on_qualified, goes_on=goes_on)
            if self._count + len(self._decoded) >= FACTS_PER_PAGE:
                self._seal(evaluator)
            start = stop

    def catch_up(self, facts: list[Fact], evaluator: Evaluator, world: World) -> None:
        """Fold facts again that a stale page lacks. They were reported as they came."""
        self.is_stale = True
        if facts:
            self._fold(facts, evaluator, world, None)

    def insert(
        self,
        facts: Sequence[Fact],
        gone: Collection[str],
        since: int,
        evaluator: Evaluator,
        world: World,
        on_qualified: OnQualified | None,
        limit: int | None = None,
    ) -> None:
        """Add facts and remove others by their ids, all at or after an instant; fold from there.

        Raises TooManyFacts if that means folding many more facts than ``limit``.
        """
        if limit is not None and len(facts) > limit:
            raise TooManyFacts
        first = None if gone else min(map(fact_order, facts), default=None)
        stay = [fact for fact in self._rewind(since, first, limit) if fact.mid not in gone]
        self.stamp = randbits(62)
        self.head = _decode_state(self._base)
        self._begin_page()
        self._pages.clear()
        self.extend(sorted((*stay, *facts), key=fact_order), evaluator, world, on_qualified)

    def _fold(
        self,
        facts: list[Fact],
        evaluator: Evaluator,
        world: World,
        on_qualified: OnQualified | None,
        *,
        goes_on: bool = False,
    ) -> None:
        first = self.sealed + 1, self._count + len(self._decoded)
        if facts:
            encoded = _encoder.encode(facts)[1:-1]
            self._to_add.append(encoded)
            self._bytes_to_add += len(encoded)
            self._decoded += facts
        open_page = self._pages.get(self.sealed + 1)
        if open_page is not None:
            open_page += facts
        evaluator.fold(self.head, self, facts, first, world, on_qualified, goes_on=goes_on)

    def _rewind(
        self, since: int, first: tuple[int, int, str] | None, limit: int | None
    ) -> list[Fact]:
        """Open the last page that begins before an instant; the facts from its beginning on.

        ``first`` is the place of the first fact that comes. If nothing else changes, the page may
        begin within the instant, before that place.
        """
        pages, sealed = [self._page(self.sealed + 1)], self.sealed
        while not self._begins_before(since, first, pages[-1]):
            if limit is not None and (sealed - self.sealed + 1) * FACTS_PER_PAGE > limit:
                raise TooManyFacts
            page = _decode_sealed(self._store.page(self.sealed))
            pages.append(_decode_facts(page.facts))
            self._base = bytes(page.base)
            self.sealed -= 1
        if self.sealed < sealed:
            self._store.unseal(self.sealed + 1)
        return [fact for page in reversed(pages) for fact in page]

    def _begins_before(
        self, since: int, first: tuple[int, int, str] | None, page: Sequence[Fact]
    ) -> bool:
        """Whether the base of a page is the state before an instant, or before a place in it."""
        time = _decode_time(self._base).time
        if time != since or first is None:
            return time < since
        is_within = _decode_state(self._base).begun is not None
        return is_within and fact_order(page[0]) < first

    def _seal(self, evaluator: Evaluator) -> None:
        number = self.sealed + 1
        cells = [
            Cell(slot, key, None if cell is None else _encoder.encode(cell))
            for slot, key, cell in evaluator.spill(self.head, number)
        ]
        self._encode_facts()
        page = _SealedPage(Raw(self._base), Raw(self._encoded))
        self._store.seal(number, _encoder.encode(page), cells)
        self.sealed = number
        self._base = self._encode_head()
        self._begin_page()

    def _begin_page(self) -> None:
        self._encoded, self._count = _NO_FACTS, 0
        self._decoded, self._to_add, self._bytes_to_add = [], [], 0
        self.may_go_stale = False

    # -- the engine's HistoryReader ---------------------------------------------------------------

    @property
    def end(self) -> Position:
        """The position after the last fact."""
        return self.sealed + 1, self._count + len(self._decoded)

    def facts(self, start: Position) -> Iterator[tuple[Position, Fact]]:
        index = start[1]
        for number in range(start[0], self.sealed + 2):
            page = self._page(number)
            for place in range(index, len(page)):
                yield (number, place), page[place]
            index = 0

    def before(self, time: int) -> Iterator[tuple[Position, Fact]]:
        for number in range(self.since(time)[0], 0, -1):
            page = self._page(number)
            for place in reversed(range(len(page))):
                if page[place].time < time:
                    yield (number, place), page[place]

    def since(self, time: int) -> Position:
        """Pages are tried from the end in growing steps, because most instants are recent."""
        pages = range(1, self.sealed + 2)
        low, high, step = self.sealed, self.sealed + 1, 1
        while low > 0 and self._begins(pages[low]) >= time:
            low, high, step = max(0, low - step), low, 2 * step
        return max(1, bisect_left(pages, time, low, high, key=self._begins)), 0

    def accumulator(self, slot: int, key: str) -> Any:
        body = self._store.cell(slot, key)
        return None if body is None else _decode_any(body)

    def accumulators(self, slot: int) -> dict[str, Any]:
        return {key: _decode_any(body) for key, body in self._store.cells(slot).items()}

    def _begins(self, number: int) -> int:
        """The time of the first fact of a page; after every time if it has none yet."""
        page = self._page(number)
        return page[0].time if page else -NEVER

    def _page(self, number: int) -> list[Fact]:
        page = self._pages.get(number)
        if page is None:
            page = self._pages[number] = self._read_page(number)
        return page

    def _read_page(self, number: int) -> list[Fact]:
        if number <= self.sealed:
            return _decode_facts(_decode_sealed(self._store.page(number)).facts)
        return [*_decode_facts(self._encoded), *self._decoded]


class HistoryCache:
    """Histories that stay in memory from one transaction to the next; the oldest used go first.

    The cache is valid only while no other process changes histories. To know that, each transaction
    leaves a random token in the store. If a transaction finds the token that this cache left, no
    other process came between, and the transaction before was not rolled back. If it finds another
    token, the cache is emptied. That is always safe: everything can be read from the store again.
    ``size`` is about how many bytes of memory the histories take.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes, self.size = max_bytes, 0
        self._token: int | None = None
        self._histories: dict[str, tuple[History, int]] = {}  # with their sizes

    def begin(self, found: int) -> None:
        """Begin a transaction that found this token in the store."""
        if found != self._token:
            self._histories.clear()
            self.size = 0
        self._token = None

    def take(self, key: str, pages: PageStore) -> History | None:
        """Take a history out of the cache, to use it in this transaction; None if not cached."""
        found = self._histories.pop(key, None)
        if found is None:
            return None
        history, size = found
        self.size -= size
        return history.reuse(pages)

    @property
    def has_stale(self) -> bool:
        """Whether the store has a stale page of any cached history."""
        return any(history.is_stale for history, _ in self._histories.values())

    def make_room(self, histories: Iterable[History | None]) -> dict[str, History]:
        """Evict the histories used longest ago, to make room for others; those evicted."""
        return self._evict(self.max_bytes - sum(h.size for h in histories if h is not None))

    def evict_all(self) -> dict[str, History]:
        return self._evict(0)

    def end(self, token: int, histories: Mapping[str, History | None]) -> None:
        """Cache the histories of a transaction that ends, and remember the token it left."""
        for key, history in histories.items():
            if history is not None:
                history.shrink()
                size = history.size
                self.size += size
                self._histories[key] = history, size
        self._evict(self.max_bytes)
        self._token = token

    def _evict(self, max_bytes: int) -> dict[str, History]:
        """Evict until the rest takes at most so many bytes."""
        evicted = {}
        while self._histories and self.size > max_bytes:
            key = next(iter(self._histories))
            evicted[key], size = self._histories.pop(key)
            self.size -= size
        return evicted


def copied(state: State) -> State:
    return _decode_state(_encoder.encode(state))


class StoredPages(PageStore):
    """The pages and cells of one subject in a store."""

    def __init__(self, tx: ReadTransaction, key: str) -> None:
        self._tx, self._key = tx, key

    def page(self, number: int) -> bytes:
        return self._tx.page(self._key, number)

    def cell(self, slot: int, key: str) -> bytes | None:
        return self._tx.cell(self._key, slot, key)

    def cells(self, slot: int) -> dict[str, bytes]:
        return self._tx.cells(self._key, slot)

    def seal(self, number: int, page: bytes, cells: Sequence[Cell]) -> None:
        self._writing.seal(self._key, number, page, cells)

    def unseal(self, number: int) -> None:
        self._writing.unseal(self._key, number)

    @property
    def _writing(self) -> WriteTransaction:
        return self._tx  # type: ignore[return-value]  # only a derivation seals
