"""Long folds, done before the write lock is taken.

A late fact far back, or a merge, may mean folding a history of 200,000 facts again. The write
transaction that finds this out is undone. The history is folded on a read transaction, into memory,
while others write. The next write transaction checks that the fold has read what is stored now:

    a batch for u:ada       a fact at 10; her history has 200,000 facts after it: LongDerivation
    prepare, no lock        folds them with the fact at 10      had read: stamp 7, 200,000 facts
    another batch           a fact of ada, at the end           stamp 7, 200,001 facts are stored
    the batch again         stamp 7: takes the pages, and folds the last fact

Facts are only ever added at the end of a history, unless it is rewound, which changes its stamp. If
the stamp is the same, the facts that were read are unchanged. What the fold asked
of other subjects is compared too. A fold that does not fit is not used, so the answer never depends
on it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..leads.ledger import ExplainedQualification
from ..leads.transitions import LeadKey
from ..model import account_key, user_key
from ..ports import Cell, ReadTransaction, SealedPage, Store
from ..rules.engine.evaluator import Evaluator, OnQualified
from ..rules.engine.rules import Rule
from ..rules.engine.state import NEVER, Fact, Position, State
from ..rules.engine.view import EvalContext
from ..rules.explain.evidence import Explainer
from .exports import Exports, exports_of, first_difference
from .facts import facts_of
from .history import History, PageStore
from .snapshot import Snapshot

if TYPE_CHECKING:
    from .evaluators import Evaluators

START = NEVER + 1

Explained = dict[LeadKey, ExplainedQualification]


@dataclass(frozen=True, slots=True)
class LongFold:
    """A fold that is too long for the write lock.

    ``stamp`` is that of the history; None if it is outdated, and is to be folded from the stored
    messages. ``facts`` are added, those with the ids ``gone`` removed, all
    at or after ``since``. ``states`` are those that the transaction had changed by then.
    """

    key: str
    stamp: int | None = None
    facts: Sequence[Fact] = ()
    gone: Collection[str] = ()
    since: int = START
    states: Mapping[str, State] = field(default_factory=dict)


class TooLongForLock(Exception):
    """A write transaction would hold the lock for too long. Prepare, and try again."""


class OtherDefinitions(TooLongForLock):
    """Other definitions came in force, and have to be compiled. ``compile`` does that."""

    def __init__(self, compile_: Callable[[ReadTransaction], object]) -> None:
        super().__init__("other definitions came in force")
        self.compile = compile_


class LongDerivation(TooLongForLock):
    """Histories are long. Prepare the folds."""

    def __init__(self, evaluators: Evaluators, *folds: LongFold) -> None:
        super().__init__("long: " + ", ".join(repr(fold.key) for fold in folds))
        self.evaluators, self.folds = evaluators, folds


@dataclass(frozen=True, slots=True)
class PreparedFold:
    """A long fold that was done, and what it had read.

    ``stored`` is the open page that an outdated history had. ``end`` is the position after the last
    fact that was read, ``time`` that of the last fact folded. ``first`` is the number of the first
    page that the fold has written, ``stamp`` the new stamp. ``asked`` are the exports of other
    subjects, as they were.
    """

    fold: LongFold
    version: str
    stored: bytes | None
    end: Position
    time: int
    first: int
    stamp: int
    pages: Sequence[SealedPage]
    body: bytes
    explained: Explained
    asked: Mapping[str, Exports]

    def is_for(self, history: History, fold: LongFold) -> bool:
        """Whether it is this fold, of a history with the facts that were read."""
        own = self.fold
        return (
            (own.key, own.stamp, own.since) == (fold.key, fold.stamp, fold.since)
            and self.version == history.version
            and own.gone == fold.gone
            and own.facts == fold.facts
        )

    def asked_the_same(self, exports: Mapping[str, Exports]) -> bool:
        """Whether other subjects still answer the same, up to the last fact folded."""
        changes = (first_difference(self.asked[key], exports[key]) for key in self.asked)
        return all(time is None or time > self.time for time in changes)


def prepare(store: Store, evaluators: Evaluators, fold: LongFold, now: int) -> PreparedFold | None:
    """Do a long fold without the write lock; None if the history has changed meanwhile.

    It may continue a fold of the same history that was prepared before.
    """
    with store.reading() as tx:
        return _Preparation(tx, evaluators, fold, now).run()


class _Preparation:
    def __init__(
        self, tx: ReadTransaction, evaluators: Evaluators, fold: LongFold, now: int
    ) -> None:
        self._tx, self._evaluators, self._fold = tx, evaluators, fold
        self._snapshot = Snapshot(tx, evaluators, now)
        self._evaluator = evaluators.of(fold.key)
        self._asked: dict[str, State | None] = {}
        self._explained: Explained = {}

    def run(self) -> PreparedFold | None:
        fold, pages = self._fold, _BufferedPages(self._tx, self._fold.key)
        stored, facts = None, fold.facts
        if fold.stamp is None:
            stored = self._tx.histories([fold.key]).get(fold.key)
            facts = facts_of(self._tx, self._evaluators, [fold.key])[fold.key]
            history: History | None = History(pages, self._evaluator.version)
            pages.unseal(1)
        else:
            history = self._history(pages, fold.stamp)
        if history is None:
            return None
        end = history.end
        history.insert(facts, fold.gone, fold.since, self._evaluator, self, self._on_qualified)
        body = history.write()
        return PreparedFold(
            fold=fold,
            version=history.version,
            stored=stored,
            end=end,
            time=history.head.time,
            first=pages.first,
            stamp=history.stamp,
            pages=pages.sealed,
            body=body,
            explained=self._explained,
            asked={key: self._exports(key, state) for key, state in self._asked.items()},
        )

    def _history(self, pages: _BufferedPages, stamp: int) -> History | None:
        """The history with a stamp: the stored one, one that was prepared before, or a new one.

        A new one has no stamp yet, as one that was never rewound. So if somebody else begins it
        meanwhile, their facts must all come after the fold, or it is not used.
        """
        key = self._fold.key
        for earlier in list(self._evaluators.prepared):
            if earlier.fold.key == key and earlier.stamp == stamp:
                pages.begin_with(earlier.first, earlier.pages)
                return History(pages, "", earlier.body)
        history = self._snapshot.history(key)
        if history is None and stamp == 0 and not self._tx.histories([key]):
            return History(pages, self._evaluator.version)
        if history is None or history.stamp != stamp:
            return None
        pages.first = history.sealed + 1
        return history.reuse(pages)

    def _exports(self, key: str, state: State | None) -> Exports:
        return exports_of(self._evaluators.of(key), state or State())

    # -- the engine's World, which notes what it is asked for --------------------------------

    def user(self, user_id: str) -> State | None:
        return self._state(user_key(user_id))

    def account(self, account_id: str) -> State | None:
        return self._state(account_key(account_id))

    def _state(self, key: str) -> State | None:
        if key not in self._asked:
            changed = self._fold.states.get(key)
            self._asked[key] = self._snapshot.state(key) if changed is None else changed
        return self._asked[key]

    @property
    def _on_qualified(self) -> OnQualified:
        return explaining(self._evaluator, self._explained)


def explaining(evaluator: Evaluator, explained: Explained) -> OnQualified:
    """The callback that records why a definition qualified, while its context is at hand."""

    def on_qualified(ctx: EvalContext, rule: Rule, cycle: int) -> None:
        found = Explainer(evaluator, rule, ctx)
        deciding = found.deciding()
        explained[LeadKey(rule.name, cycle)] = ExplainedQualification(
            time=ctx.time,
            account=ctx.state.account,
            evidence=found.evidence(),
            late=any(fact.late for fact in deciding),
            deciding=frozenset(fact.mid for fact in deciding),
        )

    return on_qualified


class _BufferedPages(PageStore):
    """The pages of one subject: those before ``first`` are stored, the others are in memory."""

    def __init__(self, tx: ReadTransaction, key: str) -> None:
        self._tx, self._key = tx, key
        self.first = 1
        self.sealed: list[SealedPage] = []
        self._cells: dict[int, dict[str, bytes]] = {}

    def begin_with(self, first: int, sealed: Sequence[SealedPage]) -> None:
        """Continue with pages that were written before."""
        self.first, self.sealed = first, list(sealed)

    def page(self, number: int) -> bytes:
        if number < self.first:
            return self._tx.page(self._key, number)
        return self.sealed[number - self.first].body

    def cell(self, slot: int, key: str) -> bytes | None:
        return self.cells(slot).get(key)

    def cells(self, slot: int) -> dict[str, bytes]:
        if slot not in self._cells:
            found = self._cells[slot] = {}
            for page, cell in self._tx.cell_versions(self._key, slot):
                if page < self.first:
                    _set(found, cell)
            for sealed in self.sealed:
                for cell in sealed.cells:
                    if cell.slot == slot:
                        _set(found, cell)
        return self._cells[slot]

    def seal(self, number: int, page: bytes, cells: Sequence[Cell]) -> None:
        self.sealed.append(SealedPage(number, page, cells))
        for cell in cells:
            if cell.slot in self._cells:
                _set(self._cells[cell.slot], cell)

    def unseal(self, number: int) -> None:
        self.first = min(self.first, number)
        del self.sealed[number - self.first :]
        self._cells.clear()


def _set(cells: dict[str, bytes], cell: Cell) -> None:
    if cell.body is None:
        cells.pop(cell.key, None)
    else:
        cells[cell.key] = cell.body
