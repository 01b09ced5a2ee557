"""From new facts to exact leads: fold histories forward, and bring the leads in line with them.

What a definition says of one subject can depend on others: the guard ``customer`` of a user on the
account, the sign-up of an account on its first member. So a change of one subject may have to be
followed by folding others again. Say that a definition of accounts counts users who qualified for
``active``, that Ada of Acme has three of the four events that takes, and that a fourth comes in
late, at 30, when Acme is folded up to 50:

    1. What others may ask of Ada (her *exports*):              {}
    2. Ada's history is rewound to 30 and folded again.         She qualifies at 30.
    3. Her exports now:                                         {"mark active": [(30, True)]}
    4. They differ from 30 on, and Acme is folded up to 50:     Acme is folded again from 30.
    5. Acme's exports are as before, so nothing follows.        The ledger brings the leads in line.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from secrets import randbits

from ..identity.people import Move
from ..leads.ledger import Effects, ExplainedQualification, Ledger
from ..leads.transitions import LeadKey
from ..model import Conversion, Lead, Stored, account_key, fact_order, kind_of
from ..ports import WriteTransaction
from ..rules.engine.conversions import conversions_of
from ..rules.engine.evaluator import Evaluator, OnQualified
from ..rules.engine.state import Fact, Qualification, State
from .evaluators import Evaluators
from .exports import Exports, exports_of, first_difference
from .facts import facts_of
from .history import History, StoredPages, TooManyFacts
from .loader import HistoryLoader
from .moved import MovedFacts
from .prepare import START, LongDerivation, LongFold, PreparedFold, explaining


class Derivation(HistoryLoader):
    """What one write transaction derives: take facts in, then ``finish``.

    ``new`` are the ids of the messages that the transaction has stored. With ``is_brief``,
    LongDerivation is raised if it would have to fold a history that is too long for the write lock.
    """

    tx: WriteTransaction

    def __init__(
        self,
        tx: WriteTransaction,
        evaluators: Evaluators,
        now: int,
        new: Collection[str] = (),
        *,
        is_brief: bool = False,
    ) -> None:
        super().__init__(tx, evaluators, new)
        self._limit = evaluators.facts_under_lock if is_brief else None
        self.now = now
        self.effects = Effects()
        self._token = randbits(62)
        evaluators.cache.begin(tx.swap_writer_token(self._token))
        self._changed: set[str] = set()
        self._revised: set[str] = set()
        self._rebuilt: set[str] = set()
        self._to_refold: dict[str, int] = {}
        self._prefetched: dict[str, list[Fact]] = {}
        self._merged: dict[str, str] = {}
        self._moved: set[str] = set()
        self._before: dict[str, tuple[tuple[Conversion, ...], str | None]] = {}
        self._to_win: set[str] = set()
        self._qualifications: defaultdict[str, dict[LeadKey, ExplainedQualification]]
        self._qualifications = defaultdict(dict)

    # -- taking facts in -------------------------------------------------------------------

    def merge(self, old: str, person: str) -> None:
        """Pass the leads of a user on to the person that the user turned out to be."""
        self._merged[old] = person

    def move(self, moves: Sequence[Move], new: Sequence[Stored] = ()) -> None:
        """Move stored messages to the person and the account that they belong to now.

        Of the subjects that this concerns, the ``new`` messages are taken in with it, so that a
        long history is folded once. ``take`` takes in the others.
        """
        moved = MovedFacts(self.tx, self.evaluators, moves, new)
        self._moved |= moved.since.keys()
        self.load(moved.since)
        long: list[LongFold] = []
        for key in sorted(moved.since, reverse=True):
            facts, gone = moved.found[key], moved.gone[key]
            if key not in self._rebuilt and (self._history(key) or facts):
                long += self._revise_or_fold(key, facts, gone, moved.since[key])
        if long:
            raise LongDerivation(self.evaluators, *long)
        self._refold_dependents()

    def _revise_or_fold(
        self, key: str, facts: list[Fact], gone: Collection[str], since: int
    ) -> Sequence[LongFold]:
        """Revise a history; the folds that have to be prepared, if others can be found too.

        Raises LongDerivation if what the next fold asks of this subject is not known without it.
        """
        try:
            self._revise(key, facts, gone, since)
        except LongDerivation as long:
            if not self.evaluators.alone:
                raise
            return long.folds
        return ()

    def end(self, key: str, fact: Fact) -> None:
        """Take in that a lead of a subject was dismissed or lost; its history is loaded."""
        self._add(key, [fact])
        self._refold_dependents()

    def take(self, stored: Sequence[Stored]) -> None:
        """Take in new messages, and fold again those who depend on their subjects."""
        arrivals: defaultdict[str, list[Fact]] = defaultdict(list)
        for each in stored:
            for key, fact in self.evaluators.facts(each):
                if key not in self._moved:
                    arrivals[key].append(fact)
        self.load(arrivals)
        for key in sorted(arrivals, reverse=True):
            if key not in self._rebuilt:
                facts = arrivals[key]
                self._add(key, facts if len(facts) == 1 else sorted(facts, key=fact_order))
        self._refold_dependents()

    def prefetch(self, keys: Collection[str]) -> None:
        """Read the messages of several subjects at once, if that is not too long for the lock."""
        with suppress(TooManyFacts):
            self._prefetched |= facts_of(self.tx, self.evaluators, keys, limit=self._limit)

    def rebuild(self, key: str) -> None:
        """Fold the history of a subject from its stored messages, unless it is current."""
        self.load([key])
        if self._histories[key] is None:
            self._rebuild(key)
        self._refold_dependents()

    def run_clock(self, limit: int | None = None) -> None:
        """Run the clock for every subject that is due, or for so many of them."""
        while limit is None or limit > 0:
            due = [key for key in self.tx.due(self.now, limit or 200) if key not in self._changed]
            if not due:
                return
            limit = None if limit is None else limit - len(due)
            self.load(due)
            for key in due:
                history = self._history(key)
                if history is None:
                    self.tx.set_due({key: None})
                else:
                    self._advance(key, history)
            self._refold_dependents()

    # -- folding ---------------------------------------------------------------------------

    def _add(self, key: str, facts: list[Fact]) -> None:
        history = self._histories[key] or self._start(key)
        self._note(key, history.head)
        if facts[0].time <= history.head.time:
            self._revise(key, facts, (), facts[0].time)
            return
        evaluator = self.evaluators.of(key)
        before = exports_of(evaluator, history.head) if evaluator.exports.any else None
        history.extend(facts, evaluator, self, self._on_qualified(key))
        self._after_folding(key, history, before)

    def _revise(self, key: str, facts: list[Fact], gone: Collection[str], since: int) -> None:
        """Add facts and remove others, which may be earlier than what was folded."""
        history = self._history(key) or self._start(key)
        self._note(key, history.head)
        evaluator = self.evaluators.of(key)
        before = exports_of(evaluator, history.head)
        fold = LongFold(key, history.stamp, facts, gone, since)
        prepared = self._prepared(fold, history)
        if prepared is not None:
            history = self._adopt(prepared, history)
        else:
            on_qualified = self._on_qualified(key)
            try:
                history.insert(facts, gone, since, evaluator, self, on_qualified, self._limit)
            except TooManyFacts:
                raise self._too_long(fold) from None
        self._revised.add(key)
        self._after_folding(key, history, before)

    def _rebuild(self, key: str) -> None:
        evaluator, known = self.evaluators.of(key), self._histories.get(key)
        before = exports_of(evaluator, known.head if known else State())
        self._note(key, known.head if known else State())
        self._rebuilt.add(key)
        history = self._start(key)  # others that are folded meanwhile may ask for it
        prepared = None if self._new else self._prepared(LongFold(key), history)
        if prepared is not None:
            self.tx.forget_history(key)
            history = self._adopt(prepared, None)
        else:
            if key not in self._prefetched:
                self.prefetch([key])
            if key not in self._prefetched:
                raise self._too_long(LongFold(key))
            self.tx.forget_history(key)
            facts = self._prefetched.pop(key)
            history.insert(facts, (), START, evaluator, self, self._on_qualified(key))
        self._after_folding(key, history, before)

    # -- folds that were prepared ----------------------------------------------------------

    def _too_long(self, fold: LongFold) -> LongDerivation:
        found = ((key, self._histories[key]) for key in self._changed)
        states = {key: history.head for key, history in found if history is not None}
        return LongDerivation(self.evaluators, replace(fold, states=states))

    def _prepared(self, fold: LongFold, history: History) -> PreparedFold | None:
        """A prepared fold that has read what is stored now; None if there is none."""
        for prepared in list(self.evaluators.prepared):
            if prepared.is_for(history, fold) and self._fits(prepared, history):
                return prepared
        return None

    def _fits(self, prepared: PreparedFold, history: History) -> bool:
        key = prepared.fold.key
        if prepared.fold.stamp is None:
            if self.tx.histories([key]).get(key) != prepared.stored:
                return False
        elif any(
            fact.time <= prepared.time or fact.mid in prepared.fold.gone
            for _, fact in history.facts(prepared.end)
        ):
            return False
        asked = {key: self.state(key) or State() for key in prepared.asked}
        return prepared.asked_the_same(
            {key: exports_of(self.evaluators.of(key), state) for key, state in asked.items()}
        )

    def _adopt(self, prepared: PreparedFold, known: History | None) -> History:
        """Write a prepared fold, and fold the facts that came after it."""
        key = prepared.fold.key
        later = [] if known is None else [fact for _, fact in known.facts(prepared.end)]
        self.tx.unseal(key, prepared.first)
        self.tx.seal_all(key, prepared.pages)
        history = History(StoredPages(self.tx, key), "", prepared.body)
        history.may_go_stale = False
        self._histories[key] = history
        self._qualifications[key].update(prepared.explained)
        if later:
            history.extend(later, self.evaluators.of(key), self, self._on_qualified(key))
        return history

    def _after_folding(self, key: str, history: History, before: Exports | None) -> None:
        self._changed.add(key)
        if self.evaluators.has_clock:
            self._advance(key, history)
        if before is not None:
            self._schedule_dependents(key, before, history.head)

    def _advance(self, key: str, history: History) -> None:
        evaluator = self.evaluators.of(key)
        on_qualified = self._on_qualified(key)
        due = evaluator.advance(history.head, history, self.now, self, on_qualified)
        self._changed.add(key)
        self.tx.set_due({key: due})

    def _start(self, key: str) -> History:
        history = History(StoredPages(self.tx, key), self.evaluators.of(key).version)
        self._histories[key] = history
        return history

    def _on_qualified(self, key: str) -> OnQualified:
        return explaining(self.evaluators.of(key), self._qualifications[key])

    # -- who depends on whom ---------------------------------------------------------------

    def _schedule_dependents(self, key: str, before: Exports, head: State) -> None:
        evaluator = self.evaluators.of(key)
        time = first_difference(before, exports_of(evaluator, head))
        if time is None:
            return
        for other in self._dependents(key, head):
            self._to_refold[other] = min(time, self._to_refold.get(other, time))

    def _dependents(self, key: str, head: State) -> Iterable[str]:
        """The accounts of a user, or the users of an account."""
        if kind_of(key) == "user":
            return [account_key(account) for account in head.accounts]
        ids = {stored.message.subject for stored in self.tx.events([key])}
        persons = self.tx.persons(ids)
        found = {persons.get(each, each) for each in ids}
        return sorted(each for each in found if kind_of(each) == "user")

    def _refold_dependents(self) -> None:
        while self._to_refold:
            key, time = self._to_refold.popitem()
            history = self._history(key)
            if history is not None and history.head.time >= time:
                self._revise(key, [], (), time)

    # -- loading ---------------------------------------------------------------------------

    def load(self, keys: Iterable[str]) -> None:
        """Load the histories of several subjects at once, from the cache if they are in it."""
        unopened = [key for key in keys if key not in self._histories]
        super().load([key for key in unopened if not self._take_cached(key)])

    def _take_cached(self, key: str) -> bool:
        history = self.evaluators.cache.take(key, StoredPages(self.tx, key))
        if history is not None:
            self._histories[key] = history
        return history is not None

    def _refold(self, keys: list[str]) -> None:
        known = {prepared.fold.key for prepared in self.evaluators.prepared}
        missing = [key for key in keys if key not in self._prefetched and key not in known]
        if missing:
            self.prefetch(missing)
        for key in keys:
            if key not in self._histories:  # another of them may have asked for it meanwhile
                self._rebuild(key)

    # -- writing ---------------------------------------------------------------------------

    def finish(self) -> list[Lead]:
        """Write what changed, and bring the leads in line; the leads that were opened."""
        conversions = self._find_conversions()
        changed = sorted(self._changed)
        histories = {key: h for key in changed if (h := self._histories[key]) is not None}
        self._save(histories)
        opened = self._align_leads(conversions)
        self.evaluators.cache.end(self._token, self._histories)
        return opened

    def _save(self, changed: Mapping[str, History]) -> None:
        """Write changed histories. Of those that may go stale, only mark the stored page."""
        stale = {key for key, history in changed.items() if self._may_go_stale(history)}
        evicted = self.evaluators.cache.make_room(self._histories.values())
        unwritten = {key: history for key, history in evicted.items() if history.is_stale}
        save(self.tx, {k: h for k, h in changed.items() if k not in stale} | unwritten)
        newly_stale = [key for key in stale if not changed[key].is_stale]
        self.tx.mark_stale(newly_stale)
        for key in newly_stale:
            changed[key].is_stale = True

    def _may_go_stale(self, history: History) -> bool:
        """Whether a history need not be written, since the messages make up for it.

        A history that was read for this transaction may not be used again: it is written.
        """
        return self.evaluators.alone and history.was_cached and history.may_go_stale

    def _align_leads(self, conversions: Mapping[str, list[Conversion]]) -> list[Lead]:
        """Bring the leads of subjects in line, given the conversions of each."""
        found = ((key, self._histories[key]) for key in sorted(conversions))
        differing = {key: history for key, history in found if history is not None}
        if not differing and not self._merged:
            return []
        evaluators = self.evaluators
        ledger = Ledger(self.tx, evaluators.in_force, evaluators.catalogue, self.now, self._new)
        ledger.load(differing)
        ledger.merge(self._merged)
        for key, history in differing.items():
            evaluator = evaluators.of(key)
            definitions = {rule.name: rule.definition for rule in evaluator.rules}
            qualifications = self._all_qualifications(evaluator, history, self._qualifications[key])
            is_rebuilt = key in self._rebuilt
            ledger.align(key, definitions, qualifications, conversions[key], is_rebuilt)
        self.effects = ledger.effects
        return ledger.close(self.tx)

    def _leads_may_differ(self, key: str) -> bool:
        """Whether a lead was opened, moved, withdrawn or won, or may have other evidence now."""
        return (
            key in self._revised
            or key in self._rebuilt
            or bool(self._qualifications.get(key))
            or self._is_converted_otherwise(key)
        )

    # -- conversions -----------------------------------------------------------------------

    def _note(self, key: str, head: State) -> None:
        """Note the conversions and the account of a subject before this transaction."""
        if self.evaluators.has_conversions and key not in self._before:
            self._before[key] = tuple(head.conversions), head.account

    def _is_converted_otherwise(self, key: str) -> bool:
        """Whether other conversions may win the leads of a subject than before."""
        history, before = self._histories[key], self._before.get(key)
        if history is None or before is None:
            return False
        moved = bool(history.head.marks) and history.head.account != before[1]
        return moved or tuple(history.head.conversions) != before[0]

    def _find_conversions(self) -> dict[str, list[Conversion]]:
        """The conversions of every subject whose leads may differ, with those of its accounts.

        To load an account may change it, and with it the leads of others, so this goes on until
        nothing more changes.
        """
        asked: set[str] = set()
        while True:
            known = len(self._changed), len(self._to_win)
            for key in self._changed - asked:
                if kind_of(key) == "account" and self._is_converted_otherwise(key):
                    asked.add(key)
                    self._to_win |= self._users_with_leads(key)
            self.load(self._to_win)
            differing = self._to_win.union(filter(self._leads_may_differ, self._changed))
            found = {key: conversions_of(self.state(key) or State(), self) for key in differing}
            if known == (len(self._changed), len(self._to_win)):
                return found

    def _users_with_leads(self, account: str) -> set[str]:
        ids = self.tx.members(account)
        persons = self.tx.persons(ids)
        users = sorted({persons.get(id_, id_) for id_ in ids})
        leads = self.tx.leads_of([user for user in users if kind_of(user) == "user"])
        return {user for user, each in leads.items() if each}

    def _all_qualifications(
        self,
        evaluator: Evaluator,
        history: History,
        explained: Mapping[LeadKey, ExplainedQualification],
    ) -> dict[LeadKey, ExplainedQualification | Qualification]:
        """Every qualification of a subject, explained if this transaction folded its moment."""
        names = [rule.name for rule in evaluator.rules]
        found = {
            LeadKey(names[index], cycle): mark
            for index, marks in history.head.marks.items()
            for cycle, mark in enumerate(marks, 1)
        }
        return {key: explained.get(key) or mark for key, mark in found.items()}


def save(tx: WriteTransaction, histories: Mapping[str, History]) -> None:
    """Write the open pages of histories."""
    tx.save_histories({key: history.write() for key, history in histories.items()})
    for history in histories.values():
        history.is_stale = False


def save_cache(tx: WriteTransaction, evaluators: Evaluators) -> None:
    """Write the cached histories whose pages in the store are stale, and empty the cache."""
    evaluators.cache.begin(tx.swap_writer_token(randbits(62)))
    evicted = evaluators.cache.evict_all()
    save(tx, {key: history for key, history in evicted.items() if history.is_stale})
