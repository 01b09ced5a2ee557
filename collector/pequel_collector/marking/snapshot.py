"""Subjects as they stand at an instant, for those who only read."""

from __future__ import annotations

from collections.abc import Iterable

from ..model import account_key, user_key
from ..ports import ReadTransaction
from ..rules.engine.state import FactList, HistoryReader, State
from ..rules.engine.view import EvalContext
from .active import walked
from .evaluators import Evaluators
from .facts import facts_behind
from .history import History, StoredPages
from .replay import Replay


class Snapshot:
    """The states of subjects at ``now``, brought up from where their histories were left.

    A history that other definitions made, or that none has made yet, is folded anew, in memory.
    """

    def __init__(self, tx: ReadTransaction, evaluators: Evaluators, now: int) -> None:
        self._tx, self._machines, self._now = tx, evaluators, now
        self._known: dict[str, tuple[State, HistoryReader] | None] = {}
        self._walked = walked(tx, evaluators.version)
        self._recount: Replay | None = None

    def load(self, keys: Iterable[str]) -> None:
        """Read the histories of several subjects at once."""
        missing = [key for key in keys if key not in self._known]
        bodies = self._tx.histories(missing) if missing else {}
        for key in missing:
            self._known[key] = self._read(key, bodies.get(key))
        if bodies:
            self._catch_up(self._tx.stale(bodies.keys()))

    def ctx(self, key: str) -> EvalContext | None:
        """A subject now; None for one of which no definition has seen anything."""
        self.load([key])
        found = self._known[key]
        return None if found is None else self._context(key, *found)

    def context_of_anyone(self, key: str) -> EvalContext:
        """A subject now, even if no definition has seen anything of it."""
        return self.ctx(key) or self._context(key, State(), FactList([]))

    def user(self, user_id: str) -> State | None:
        """The state of a user."""
        return self._state(user_key(user_id))

    def account(self, account_id: str) -> State | None:
        """The state of an account."""
        return self._state(account_key(account_id))

    def _state(self, key: str) -> State | None:
        self.load([key])
        found = self._known[key]
        return None if found is None else found[0]

    def _context(self, key: str, state: State, memory: HistoryReader) -> EvalContext:
        time = max(self._now, state.time)
        return EvalContext(self._machines.of(key).kind, state, self, memory, time)

    def _is_ahead(self, key: str) -> bool:
        """Whether a replay of history has not come to a subject, so that it has no history yet."""
        return key > self._walked

    def _read(self, key: str, body: bytes | None) -> tuple[State, HistoryReader] | None:
        evaluator = self._machines.of(key)
        if body is None:
            return self._replayed(key) if self._is_ahead(key) else None
        history = History(StoredPages(self._tx, key), "", body)
        if history.version == evaluator.version:
            return history.head, history
        return self._replayed(key)

    def _catch_up(self, keys: Iterable[str]) -> None:
        """Fold what has come since the open pages of these subjects were written."""
        found = {key: known[1] for key in keys if (known := self._known[key]) is not None}
        lagging = {key: memory for key, memory in found.items() if isinstance(memory, History)}
        behind = facts_behind(self._tx, self._machines, lagging) if lagging else {}
        for key, facts in behind.items():
            lagging[key].catch_up(facts, self._machines.of(key), self)

    def _replayed(self, key: str) -> tuple[State, HistoryReader]:
        """A subject folded from its messages, and those whom it asks from theirs."""
        if self._recount is None:
            self._recount = Replay(self._tx, self._machines, self._now)
        telling = self._recount.telling(key)
        telling.extend(self._recount.facts(key, self._recount.messages(key)))
        return telling.state, telling.book
