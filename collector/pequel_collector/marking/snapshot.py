"""The states of subjects at one instant, for queries. Nothing is written."""

from __future__ import annotations

from ..ports import ReadTransaction
from ..rules.engine.state import FactList, HistoryReader, State
from ..rules.engine.view import EvalContext
from .evaluators import Evaluators
from .history import History, copied
from .loader import HistoryLoader
from .replay import Replay, SubjectReplay


class Snapshot(HistoryLoader):
    """The states of subjects at ``now`` (ms). Outdated histories are folded again, in memory.

    The clock of a subject that another one asks for runs up to ``now``, in memory too, so nothing
    needs to be written before a question is answered.
    """

    def __init__(self, tx: ReadTransaction, evaluators: Evaluators, now: int) -> None:
        super().__init__(tx, evaluators)
        self.now = now
        self._replay: Replay | None = None
        self._replayed: dict[str, SubjectReplay] = {}
        self._advanced: dict[str, State] = {}

    def history(self, key: str) -> History | None:
        """The history of a subject; None if it is outdated, or the subject has no facts."""
        return self._history(key)

    def ctx(self, key: str) -> EvalContext | None:
        """What definitions see of a subject now; None for one without facts."""
        found = self._found(key)
        return None if found is None else self._context(key, found.head, found)

    def context_of_anyone(self, key: str) -> EvalContext:
        """What definitions see of a subject now, even of one without facts."""
        return self.ctx(key) or self._context(key, State(), FactList([]))

    def state(self, key: str) -> State | None:
        """The state of a subject; None for one without facts."""
        found, evaluator = self._found(key), self.evaluators.of(key)
        if found is None or not evaluator.has_clock:
            return None if found is None else found.head
        if key not in self._advanced:
            # A copy, because a definition that qualifies drops what its progress is read from.
            state = self._advanced[key] = copied(found.head)
            evaluator.advance(state, found, self.now, self)
        return self._advanced[key]

    def _found(self, key: str) -> History | SubjectReplay | None:
        history = self._history(key)
        return self._replayed.get(key, history)

    def _context(self, key: str, state: State, memory: HistoryReader) -> EvalContext:
        time = max(self.now, state.time)
        return EvalContext(self.evaluators.of(key).kind, state, self, memory, time)

    def _refold(self, keys: list[str]) -> None:
        """Replay subjects, and those that their definitions ask for."""
        if self._replay is None:
            self._replay = Replay(self.tx, self.evaluators, self.now)
        for key in keys:
            self._histories[key] = None
            self._replayed[key] = self._replay.fold(key)
