"""Load the histories of subjects, for marking (``derive``) and for reading (``snapshot``)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable

from ..model import account_key, user_key
from ..ports import ReadTransaction
from ..rules.engine.state import State
from .active import backfilled_up_to
from .evaluators import Evaluators
from .facts import facts_since
from .history import History, StoredPages


class HistoryLoader(ABC):
    """The histories of subjects in one transaction. Each is loaded once.

    A stored history is *current* if the definitions in force made it. It is *outdated* if other
    definitions made it, or if the back-fill has not reached the subject yet. A current history is
    *stale* if messages that came after its open page was written are not in it: those are folded
    in when it is loaded. What becomes of an outdated history is up to the subclass.

    The loader is also the ``World`` of the definitions: they ask it for other subjects' states.
    ``new`` are the ids of the messages that this transaction brought; they count as not yet there.
    """

    def __init__(
        self, tx: ReadTransaction, evaluators: Evaluators, new: Collection[str] = ()
    ) -> None:
        self.tx, self.evaluators, self._new = tx, evaluators, frozenset(new)
        self._histories: dict[str, History | None] = {}
        self._backfilled_up_to: str | None = None

    def load(self, keys: Iterable[str]) -> None:
        """Load the histories of several subjects at once."""
        missing = [key for key in keys if key not in self._histories]
        if not missing:
            return
        bodies = self.tx.histories(missing)
        outdated = [key for key in missing if not self._open(key, bodies.get(key))]
        self._catch_up(bodies.keys() - outdated)
        if outdated:
            self._refold(outdated)

    def user(self, user_id: str) -> State | None:
        """The state of a user, for a definition of an account."""
        return self.state(user_key(user_id))

    def account(self, account_id: str) -> State | None:
        """The state of an account, for a definition of a user."""
        return self.state(account_key(account_id))

    def state(self, key: str) -> State | None:
        """The state of a subject; None for one without facts."""
        history = self._history(key)
        return None if history is None else history.head

    @abstractmethod
    def _refold(self, keys: list[str]) -> None:
        """Fold subjects whose histories are outdated from their messages."""

    def _history(self, key: str) -> History | None:
        if key not in self._histories:
            self.load([key])
        return self._histories[key]

    def _open(self, key: str, body: bytes | None) -> bool:
        """Open the history of a subject; whether it is current."""
        if body is None:
            if self._awaits_backfill(key):
                return False
            self._histories[key] = None
            return True
        history = History(StoredPages(self.tx, key), "", body)
        if history.version != self.evaluators.of(key).version:
            return False
        self._histories[key] = history
        return True

    def _awaits_backfill(self, key: str) -> bool:
        """Whether a subject has no history because the back-fill has not reached it yet."""
        if self._backfilled_up_to is None:
            self._backfilled_up_to = backfilled_up_to(self.tx, self.evaluators.version)
        return key > self._backfilled_up_to

    def _catch_up(self, keys: Collection[str]) -> None:
        """Fold into stale histories the messages that came after they were written."""
        stale = sorted(self.tx.stale(keys)) if keys else []
        histories = {key: h for key in stale if (h := self._histories[key]) is not None}
        missed = facts_since(self.tx, self.evaluators, histories) if histories else {}
        for key, history in histories.items():
            facts = [fact for fact in missed[key] if fact.mid not in self._new]
            history.catch_up(facts, self.evaluators.of(key), self)
