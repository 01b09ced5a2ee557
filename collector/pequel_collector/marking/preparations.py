"""Try a write transaction again after each long fold that it needs was prepared."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from typing import TypeVar

from ..leads.ledger import Effects
from ..model import Clock, Lead
from ..ports import Store
from .active import backfill_progress
from .derive import Derivation
from .evaluators import Evaluators
from .prepare import (
    LongDerivation,
    LongFold,
    OtherDefinitions,
    PreparedFold,
    TooLongForLock,
    prepare,
)

MAX_TRIES = 10
"""Preparations for one request. After that, it holds the write lock for as long as it takes."""

Result = TypeVar("Result")


class Preparations(AbstractContextManager["Preparations"]):
    """The long folds of one request. They are dropped when the request ends.

    ``leads`` are those that were opened by histories that had to be brought up to date first,
    ``effects`` what else that did.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self.leads: list[Lead] = []
        self.effects: list[Effects] = []
        self._store, self._clock = store, clock
        self._tries = 0
        self._made: list[tuple[Evaluators, PreparedFold]] = []

    def __exit__(self, *_: object) -> None:
        for evaluators, made in self._made:
            evaluators.prepared.remove(made)

    @property
    def is_brief(self) -> bool:
        """Whether the next try must be brief."""
        return self._tries < MAX_TRIES

    def run(self, attempt: Callable[[bool], Result]) -> Result:
        """Call ``attempt`` with ``is_brief``, until it does not raise TooLongForLock."""
        while True:
            try:
                return attempt(self.is_brief)
            except TooLongForLock as long:
                self.prepare(long)

    def prepare(self, long: TooLongForLock) -> None:
        """Prepare what a transaction needs, before it is tried again."""
        self._tries += 1
        if isinstance(long, OtherDefinitions):
            with self._store.reading() as view:
                long.compile(view)
        elif isinstance(long, LongDerivation):
            for fold in long.folds:
                self._fold(long.evaluators, fold)

    def _fold(self, evaluators: Evaluators, fold: LongFold) -> None:
        made = prepare(self._store, evaluators, fold, self._clock())
        if made is None:
            return
        evaluators.prepared.append(made)
        self._made.append((evaluators, made))
        if fold.stamp is None:
            with suppress(TooLongForLock):
                self._bring_up_to_date(evaluators, fold.key)

    def _bring_up_to_date(self, evaluators: Evaluators, key: str) -> None:
        """Back-fill one subject, in a transaction of its own."""
        with self._store.writing() as tx:
            progress = backfill_progress(tx)
            if progress is not None and progress.catalogue == evaluators.version:
                derivation = Derivation(tx, evaluators, self._clock(), is_brief=True)
                derivation.load([key])
                self.leads += derivation.finish()
                self.effects.append(derivation.effects)
