"""From new facts to exact marks: folds histories forward and brings the leads in line.

What a subject's definitions say can depend on others: a user's guard ``customer`` on the account,
an account's clock on its first member, a count of users on each of them. When what others may ask
of a subject changes, those that have already looked past that instant are folded again from there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from secrets import randbits
from typing import Any

from ..leads.ledger import Ledger, Verdict
from ..model import Lead, Stored, account_key, kind_of, user_key
from ..ports import WriteTransaction
from ..rules.engine.evaluator import Evaluator, OnQualified
from ..rules.engine.rules import Rule
from ..rules.engine.state import NEVER, Fact, Mark, State
from ..rules.engine.view import EvalContext
from ..rules.explain.evidence import Explainer
from ..rules.language.values import key as key_of
from .active import walked
from .evaluators import Evaluators
from .facts import facts_behind, facts_of
from .history import History, StoredPages, in_order

START = NEVER + 1

Exports = dict[str, list[tuple[int, Any]]]


class Derivation:
    """The deriving of one transaction: take facts in, then ``finish``.

    ``fresh`` are the ids of the messages that the transaction has brought.
    """

    def __init__(
        self, tx: WriteTransaction, evaluators: Evaluators, now: int, fresh: Collection[str] = ()
    ) -> None:
        self.tx, self.evaluators, self.now, self._fresh = tx, evaluators, now, set(fresh)
        self._token = randbits(62)
        evaluators.cache.begin(tx.swap_writer_token(self._token))
        self._walked: str | None = None
        self._open: dict[str, History | None] = {}
        self._revised: set[str] = set()
        self._changed: set[str] = set()
        self._again: dict[str, int] = {}
        self._rebuilt: set[str] = set()
        self._read: dict[str, list[Fact]] = {}
        self._merged: list[tuple[str, str]] = []
        self._verdicts: defaultdict[str, dict[tuple[int, int], Verdict]] = defaultdict(dict)

    # -- taking in -------------------------------------------------------------------------

    def merge(self, old: str, person: str) -> None:
        """A user turned out to be another: what was theirs is the other's from now on."""
        self._merged.append((old, person))

    def move(self, pairs: Sequence[tuple[Stored, Stored]]) -> None:
        """Messages stored before are of another person or account now."""
        gone: defaultdict[str, set[str]] = defaultdict(set)
        found: defaultdict[str, list[Fact]] = defaultdict(list)
        since: dict[str, int] = {}
        for before, after in pairs:
            time = before.message.time
            for key in {*_keys(before), *_keys(after)}:
                since[key] = min(time, since.get(key, time))
                gone[key].add(before.message.mid)
            for key, fact in self.evaluators.facts(after):
                found[key].append(fact)
        self._load(since)
        for key in sorted(since, reverse=True):
            if key not in self._rebuilt and (self._history(key) or found[key]):
                self._revise(key, found[key], gone[key], since[key])
        self._settle()

    def take(self, stored: Sequence[Stored]) -> None:
        """Take in new messages, and whatever follows from them for others."""
        arrivals: defaultdict[str, list[Fact]] = defaultdict(list)
        for each in stored:
            for key, fact in self.evaluators.facts(each):
                arrivals[key].append(fact)
        self._load(arrivals)
        for key in sorted(arrivals, reverse=True):
            if key not in self._rebuilt:
                facts = arrivals[key]
                self._add(key, facts if len(facts) == 1 else sorted(facts, key=in_order))
        self._settle()

    def read_ahead(self, keys: Collection[str]) -> None:
        """Read the messages of several subjects at once: they are about to be folded anew."""
        self._read |= facts_of(self.tx, self.evaluators, keys)

    def rebuild(self, key: str) -> None:
        """Fold a subject's history anew from its stored messages."""
        self._load([key])  # what others were told before
        if key not in self._rebuilt:
            self._rebuild(key)
        self._settle()

    def tick(self) -> None:
        """Let the clock run for every subject that is due."""
        while due := [key for key in self.tx.due(self.now, 200) if key not in self._changed]:
            self._load(due)
            for key in due:
                history = self._history(key)
                if history is None:
                    self.tx.set_due({key: None})
                else:
                    self._advance(key, history)
            self._settle()

    def _settle(self) -> None:
        while self._again:
            key, time = self._again.popitem()
            history = self._history(key)
            if history is not None and history.head.time >= time:
                self._revise(key, [], (), time)

    def _add(self, key: str, facts: list[Fact]) -> None:
        history = self._open[key] or self._start(key)
        if facts[0].time <= history.head.time:
            self._revise(key, facts, (), facts[0].time)
            return
        evaluator = self.evaluators.of(key)
        told = _exports(evaluator, history.head) if evaluator.exports.any else None
        history.extend(facts, evaluator, self, self._on_qualified(key))
        self._changed.add(key)
        self._go_on(key, history, told)

    def _revise(self, key: str, facts: list[Fact], gone: Collection[str], time: int) -> None:
        """Take facts in, and let others go, that are not all later than what was folded."""
        history = self._history(key) or self._start(key)
        evaluator = self.evaluators.of(key)
        told = _exports(evaluator, history.head)
        on_qualified = self._on_qualified(key)
        history.insert(facts, gone, time, evaluator, self, on_qualified)
        self._changed.add(key)
        self._revised.add(key)
        self._go_on(key, history, told)

    def _rebuild(self, key: str) -> None:
        before = self._open.get(key)
        evaluator = self.evaluators.of(key)
        told = _exports(evaluator, before.head if before else State())
        self._rebuilt.add(key)
        self.tx.forget_history(key)
        history = self._start(key)
        if key not in self._read:
            self.read_ahead([key])
        facts = self._read.pop(key)
        history.insert(facts, (), START, evaluator, self, self._on_qualified(key))
        self._changed.add(key)
        self._go_on(key, history, told)

    def _go_on(self, key: str, history: History, told: Exports | None) -> None:
        if self.evaluators.has_clock:
            self._advance(key, history)
        if told is not None:
            self._tell(key, told, history.head)

    def _advance(self, key: str, history: History) -> None:
        evaluator = self.evaluators.of(key)
        on_qualified = self._on_qualified(key)
        due = evaluator.advance(history.head, history, self.now, self, on_qualified)
        self._changed.add(key)
        self.tx.set_due({key: due})

    def _start(self, key: str) -> History:
        history = History(StoredPages(self.tx, key), self.evaluators.of(key).version)
        self._open[key] = history
        return history

    def _on_qualified(self, key: str) -> OnQualified:
        """What writes down why a definition qualified, at the moment when it does."""

        def saw(ctx: EvalContext, rule: Rule, cycle: int) -> None:
            explained = Explainer(self.evaluators.of(key), rule, ctx)
            deciding = explained.deciding()
            self._verdicts[key][rule.index, cycle] = Verdict(
                time=ctx.time,
                account=ctx.state.account,
                evidence=explained.evidence(),
                late=any(fact.late for fact in deciding),
                deciding=frozenset(fact.mid for fact in deciding),
            )

        return saw

    # -- who asks whom ---------------------------------------------------------------------

    def user(self, user_id: str) -> State | None:
        """The state of a user, for a definition of an account."""
        history = self._history(user_key(user_id))
        return None if history is None else history.head

    def account(self, account_id: str) -> State | None:
        """The state of an account, for a definition of a user."""
        history = self._history(account_key(account_id))
        return None if history is None else history.head

    def _tell(self, key: str, told: Exports, head: State) -> None:
        evaluator = self.evaluators.of(key)
        time = _first_difference(told, _exports(evaluator, head))
        if time is None:
            return
        for other in self._askers(key, head):
            self._again[other] = min(time, self._again.get(other, time))

    def _askers(self, key: str, head: State) -> Iterable[str]:
        if kind_of(key) == "user":
            return [account_key(account) for account in head.accounts]
        ids = {stored.message.subject for stored in self.tx.events([key])}
        persons = self.tx.persons(ids)
        found = {persons.get(each, each) for each in ids}
        return sorted(each for each in found if kind_of(each) == "user")

    # -- pages -----------------------------------------------------------------------------

    def _load(self, keys: Iterable[str]) -> None:
        unopened = [key for key in keys if key not in self._open]
        missing = [key for key in unopened if not self._take_kept(key)]
        bodies = self.tx.histories(missing) if missing else {}
        stale = [key for key in missing if not self._is_good(key, bodies.get(key))]
        if stale:
            self.read_ahead([key for key in stale if key not in self._read])
        self._catch_up(bodies.keys() - stale)
        for key in stale:
            if key not in self._open:  # or it was asked for on the way to another
                self._rebuild(key)

    def _catch_up(self, keys: Collection[str]) -> None:
        """Bring histories that lag up to where they were in memory."""
        lagging = sorted(self.tx.stale(keys)) if keys else []
        histories = {key: h for key in lagging if (h := self._open[key]) is not None}
        behind = facts_behind(self.tx, self.evaluators, histories) if histories else {}
        for key, history in histories.items():
            seen = [fact for fact in behind[key] if fact.mid not in self._fresh]
            history.catch_up(seen, self.evaluators.of(key), self)
            history.is_behind = True

    def _is_good(self, key: str, body: bytes | None) -> bool:
        """Open a history that these definitions have made; whether that is so."""
        if body is None:
            if self._is_ahead(key):
                return False
            self._open[key] = None
            return True
        history = History(StoredPages(self.tx, key), "", body)
        if history.version != self.evaluators.of(key).version:
            return False
        self._open[key] = history
        return True

    def _is_ahead(self, key: str) -> bool:
        """Whether a replay of history has not come to a subject, so that it has no history yet."""
        if self._walked is None:
            self._walked = walked(self.tx, self.evaluators.version)
        return key > self._walked

    def _take_kept(self, key: str) -> bool:
        history = self.evaluators.cache.take(key, StoredPages(self.tx, key))
        if history is not None:
            self._open[key] = history
        return history is not None

    def _history(self, key: str) -> History | None:
        if key not in self._open:
            self._load([key])
        return self._open[key]

    # -- leads -----------------------------------------------------------------------------

    def finish(self) -> list[Lead]:
        """Write what changed, and bring the leads in line; the leads that were opened."""
        histories = {key: h for key in sorted(self._changed) if (h := self._open[key]) is not None}
        self._save(histories)
        opened = self._settle_leads(histories)
        self.evaluators.cache.end(self._token, self._open)
        return opened

    def _save(self, changed: Mapping[str, History]) -> None:
        """Write what changed; of what stays in memory and went on only, note that it lags."""
        lagging = {key for key, history in changed.items() if self._may_lag(history)}
        leaving = self.evaluators.cache.make_room(len(self._open))
        behind = {key: history for key, history in leaving.items() if history.is_behind}
        save(self.tx, {k: h for k, h in changed.items() if k not in lagging} | behind)
        late = [key for key in lagging if not changed[key].is_behind]
        self.tx.mark_stale(late)
        for key in late:
            changed[key].is_behind = True

    def _may_lag(self, history: History) -> bool:
        """Whether a history can be had back from the store without being written.

        One that was read for this transaction may not be asked for again: it is not worth a mark.
        """
        return self.evaluators.alone and history.is_kept and history.extends

    def _settle_leads(self, histories: Mapping[str, History]) -> list[Lead]:
        differing = {key: h for key, h in histories.items() if self._may_differ(key)}
        if not differing and not self._merged:
            return []
        evaluators = self.evaluators
        ledger = Ledger(self.tx, evaluators.versions, self.now, self._fresh, evaluators.activated)
        ledger.load(differing)
        ledger.merge(self._merged)
        for key, history in differing.items():
            definitions = self.evaluators.of(key).definitions
            marks = self._whole(history, self._verdicts[key])
            ledger.align(key, definitions, marks, key in self._rebuilt)
        return ledger.close()

    def _may_differ(self, key: str) -> bool:
        """Whether a lead was opened, moved or withdrawn, or may rest on other evidence now."""
        return key in self._revised or key in self._rebuilt or bool(self._verdicts.get(key))

    def _whole(
        self, history: History, seen: Mapping[tuple[int, int], Verdict]
    ) -> dict[tuple[int, int], Verdict | Mark]:
        """What each mark rests on; of marks that were not folded anew only the mark itself."""
        return {
            (rule, cycle): seen.get((rule, cycle)) or mark
            for rule, marks in history.head.marks.items()
            for cycle, mark in enumerate(marks, 1)
        }


def save(tx: WriteTransaction, histories: Mapping[str, History]) -> None:
    """Write the open pages of histories."""
    tx.save_histories({key: history.write() for key, history in histories.items()})
    for history in histories.values():
        history.is_behind = False


def settle(tx: WriteTransaction, evaluators: Evaluators) -> None:
    """Write the histories in memory of which the open pages in the store lag."""
    token = randbits(62)
    evaluators.cache.begin(tx.swap_writer_token(token))
    leaving = evaluators.cache.let_go()
    save(tx, {key: history for key, history in leaving.items() if history.is_behind})


def _keys(stored: Stored) -> list[str]:
    """The subjects that a message is a fact of."""
    account = [] if stored.account is None else [account_key(stored.account)]
    return account if stored.person is None else [stored.person, *account]


def _exports(evaluator: Evaluator, state: State) -> Exports:
    """What others may ask of a subject, each with its times."""
    asked = evaluator.exports
    if not asked.any:
        return {}
    told: Exports = {f"trait {name}": list(values) for name, values in state.known.items()}
    for anchor in asked.anchors:
        if anchor in state.firsts:
            told[f"first {anchor}"] = [(state.firsts[anchor], True)]
    if asked.converted and state.converted is not None:
        told["converted"] = [(state.converted, True)]
    for name in asked.marks:
        rule = evaluator.by_name.get(name)
        if rule is not None and rule.index in state.marks:
            told[f"mark {name}"] = [(state.marks[rule.index][0].time, True)]
    return told


def _first_difference(before: Exports, after: Exports) -> int | None:
    """The earliest instant from which two answers differ; None if they never do."""
    if not before and not after:
        return None
    changed = []
    for name in before.keys() | after.keys():
        old, new = before.get(name, []), after.get(name, [])
        changed += [time for time, _ in [*old, *new] if not _same(_at(old, time), _at(new, time))]
    return min(changed, default=None)


def _same(one: Any, other: Any) -> bool:
    """Whether two answers are one to a definition, to which 1 and true are different."""
    return one is other or key_of(one) == key_of(other)


def _at(values: list[tuple[int, Any]], time: int) -> Any:
    return next((value for since, value in reversed(values) if since <= time), None)
