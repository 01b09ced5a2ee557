"""From new facts to exact marks: folds histories forward and brings the leads in line.

What a subject's definitions say can depend on others: a user's guard ``customer`` on the account,
an account's clock on its first member. When what others may ask of a subject changes, those that
have already looked past that instant are folded again from there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from operator import attrgetter

from .history import History, Sealed, in_order, read_history, read_page, write
from .model import Lead, Stored, account_key, kind_of, lead_id, user_key
from .ports import Version, Writing
from .rules.definition import Catalogue
from .rules.explain import Explainer
from .rules.facts import Fact, State
from .rules.machine import Machine

Arrivals = Mapping[str, Iterable[Fact]]
START = -(2**62) + 1
Qualified = dict[str, list[tuple[int, str | None]]]


class Machines:
    """The two machines of a catalogue, and the version number of each definition in force."""

    def __init__(self, catalogue: Catalogue, versions: Iterable[Version]) -> None:
        self.catalogue = catalogue
        numbers = {(version.name, version.hash): version.version for version in versions}
        self.versions = {d.name: numbers.get((d.name, d.hash), 0) for d in catalogue.definitions}
        self._by_prefix = {
            user_key(""): Machine("user", catalogue),
            account_key(""): Machine("account", catalogue),
        }

    @property
    def version(self) -> str:
        """What the leads of a store follow: equal for catalogues that mean the same."""
        return "-".join(machine.version for machine in self._by_prefix.values())

    def of(self, key: str) -> Machine:
        """The machine for a subject."""
        return self._by_prefix[key[:2]]

    def facts(self, stored: Stored) -> list[tuple[str, Fact]]:
        """A message as a fact of its user and of its account, where some definition looks at it."""
        message, account = stored
        keys = [message.subject] if message.user_id is not None else []
        keys += [account_key(account)] if account is not None else []
        found = ((key, self.of(key).fact(message, account)) for key in keys)
        return [(key, fact) for key, fact in found if fact is not None]


class Derivation:
    """The deriving of one transaction: take facts in, then ``finish``."""

    def __init__(self, tx: Writing, machines: Machines, now: int, backfill: bool = False) -> None:
        self.tx, self.machines, self.now, self.backfill = tx, machines, now, backfill
        self._open: dict[str, History | None] = {}
        self._before: dict[str, Qualified | None] = {}
        self._changed: set[str] = set()
        self._again: dict[str, int] = {}
        self._revised: dict[str, int] = {}
        self._rebuilt: set[str] = set()

    # -- taking in -------------------------------------------------------------------------

    def take(self, arrivals: Arrivals) -> None:
        """Take in new facts, by subject, and whatever follows from them for others."""
        self._load(arrivals.keys())
        for key in sorted(arrivals, reverse=True):
            self._add(key, sorted(arrivals[key], key=in_order))
        self._settle()

    def rebuild(self, key: str) -> None:
        """Fold a subject's history anew from its stored messages."""
        self._load([key])  # what others were told before
        if key not in self._rebuilt:
            self._before[key] = None
            self._rebuild(key)
        self._settle()

    def _settle(self) -> None:
        while self._again:
            key, time = self._again.popitem()
            self._fold_again(key, time)

    def _add(self, key: str, facts: list[Fact]) -> None:
        history = self._history(key) or self._start(key)
        asked = _exports(history.head)
        if facts[0].time > history.head.time:
            self._seal(key, history, history.extend(facts, self.machines.of(key), self))
        else:
            self._insert(key, history, facts, facts[0].time)
        self._changed.add(key)
        self._tell(key, asked, history.head)

    def _fold_again(self, key: str, time: int) -> None:
        history = self._history(key)
        if history is None or history.head.time < time:
            return
        asked = _exports(history.head)
        self._insert(key, history, [], time)
        self._changed.add(key)
        self._tell(key, asked, history.head)

    def _insert(self, key: str, history: History, facts: list[Fact], time: int) -> None:
        self._revised[key] = min(time, self._revised.get(key, time))
        if time <= history.base.time:
            pages = [read_page(body) for body in self.tx.sealed(key)[: history.sealed]]
            history.rewind(pages, time)
        self._seal(key, history, history.insert(facts, self.machines.of(key), self))

    def _rebuild(self, key: str) -> History:
        machine = self.machines.of(key)
        found = (machine.fact(message, account) for message, account in self.tx.events(key))
        facts = sorted((fact for fact in found if fact is not None), key=in_order)
        before = self._open.get(key)
        asked = _exports(before.head if before else State())
        self._rebuilt.add(key)
        self.tx.forget_history(key)
        history = self._start(key)
        self._insert(key, history, facts, START)
        self._changed.add(key)
        self._tell(key, asked, history.head)
        return history

    def _start(self, key: str) -> History:
        history = History(self.machines.of(key).version)
        self._open[key] = history
        self._before.setdefault(key, {})
        return history

    def _seal(self, key: str, history: History, full: list[Sealed]) -> None:
        if full:
            first = history.sealed + 1
            self.tx.seal(key, [(first + i, write(page)) for i, page in enumerate(full)])
            history.sealed += len(full)

    # -- who asks whom ---------------------------------------------------------------------

    def user(self, user_id: str) -> State | None:
        """The state of a user, for a definition of an account."""
        history = self._history(user_key(user_id))
        return None if history is None else history.head

    def account(self, account_id: str) -> State | None:
        """The state of an account, for a definition of a user."""
        history = self._history(account_key(account_id))
        return None if history is None else history.head

    def _tell(self, key: str, asked: Exports, head: State) -> None:
        time = _first_difference(asked, _exports(head))
        if time is None:
            return
        for other in self._askers(key, head):
            self._again[other] = min(time, self._again.get(other, time))

    def _askers(self, key: str, head: State) -> Iterable[str]:
        if kind_of(key) == "user":
            return [account_key(account) for account in head.accounts]
        return {s.message.subject for s in self.tx.events(key) if s.message.user_id is not None}

    # -- pages -----------------------------------------------------------------------------

    def _load(self, keys: Iterable[str]) -> None:
        missing = [key for key in keys if key not in self._open]
        bodies = self.tx.histories(missing)
        for key in missing:
            self._open[key] = None
            if (body := bodies.get(key)) is not None:
                self._accept(key, read_history(body))

    def _accept(self, key: str, history: History) -> None:
        if history.version == self.machines.of(key).version:
            self._open[key] = history
            self._before[key] = {n: list(i) for n, i in history.head.qualified.items()}
        else:
            self._before[key] = None
            self._rebuild(key)

    def _history(self, key: str) -> History | None:
        if key not in self._open:
            self._load([key])
        return self._open[key]

    # -- leads -----------------------------------------------------------------------------

    def finish(self) -> list[Lead]:
        """Write what changed, and bring the leads in line; the leads that were opened."""
        histories = {key: h for key in sorted(self._changed) if (h := self._open[key]) is not None}
        self.tx.save_histories({key: write(history) for key, history in histories.items()})
        differing = [key for key, h in histories.items() if self._verdicts_differ(key, h)]
        ledgers = self.tx.leads_of(differing)
        opened, changed = [], []
        for key in differing:
            new, moved = self._align(key, histories[key], ledgers[key])
            opened += new
            changed += moved
        self.tx.save_leads([*opened, *changed])
        return sorted(opened, key=attrgetter("qualified_at", "definition", "subject"))

    def _verdicts_differ(self, key: str, history: History) -> bool:
        """Whether a lead was opened, moved or withdrawn, or may rest on other evidence now."""
        qualified = history.head.qualified
        if qualified != self._before[key]:
            return True
        since = self._revised.get(key)
        return since is not None and any(since <= q[0][0] for q in qualified.values())

    def _align(
        self, key: str, history: History, leads: list[Lead]
    ) -> tuple[list[Lead], list[Lead]]:
        """The leads that a history opens, and those that it changes."""
        ledger = {lead.definition: lead for lead in leads}
        opened, changed = [], []
        for name, [(time, account), *_] in history.head.qualified.items():
            lead = ledger.get(name)
            if lead is None or lead.state == "voided":
                opened.append(self._lead(key, history, name, time, account))
            elif self._is_current(lead):
                changed += self._restated(lead, history, time, account)
        for name, lead in ledger.items():
            if name not in history.head.qualified and self._is_current(lead):
                changed.append(_withdrawn(lead))
        return opened, changed

    def _is_current(self, lead: Lead) -> bool:
        """Whether a lead rests on a definition that is in force, as it now stands."""
        return self.machines.versions.get(lead.definition) == lead.version

    def _lead(self, key: str, history: History, name: str, time: int, account: str | None) -> Lead:
        definition = self.machines.of(key).by_name[name].definition
        evidence, late = self._evidence(key, history, name, time)
        flags = [flag for flag, on in (("backfilled", self.backfill), ("late", late)) if on]
        return Lead(
            id=lead_id(name, key, 1),
            definition=name,
            version=self.machines.versions[name],
            subject=key,
            cycle=1,
            qualified_at=time,
            marked_at=self.now,
            kind=definition.kind,
            priority=definition.priority,
            owner=definition.owner,
            due_at=None if definition.sla is None else self.now + definition.sla,
            account=account,
            flags=flags,
            evidence=evidence,
        )

    def _restated(self, lead: Lead, history: History, time: int, account: str | None) -> list[Lead]:
        """The lead as it stands now, if anything about it is different."""
        evidence, _ = self._evidence(lead.subject, history, lead.definition, time)
        if (lead.qualified_at, lead.account, lead.evidence) == (time, account, evidence):
            return []
        lead.qualified_at, lead.account, lead.evidence = time, account, evidence
        return [lead]

    def _evidence(
        self, key: str, history: History, name: str, time: int
    ) -> tuple[dict[str, object], bool]:
        machine = self.machines.of(key)
        rule = machine.by_name[name]
        facts = all_facts(self.tx.sealed(key) if history.sealed else (), history)
        late = any(fact.late for fact in facts if fact.time == time)
        return Explainer(machine, rule, facts, time, self).evidence(), late


def all_facts(sealed: Iterable[str], history: History) -> list[Fact]:
    """Every fact of a history, in order."""
    pages = [read_page(body) for body in sealed][: history.sealed]
    return [fact for page in pages for fact in page.facts] + history.facts


def _withdrawn(lead: Lead) -> Lead:
    """A lead whose basis is gone: voided while nobody has worked it, else only flagged."""
    if lead.state == "new":
        lead.state = "voided"
    elif "restated" not in lead.flags:
        lead.flags.append("restated")
    return lead


Exports = dict[str, list[tuple[int, object]]]


def _exports(state: State) -> Exports:
    """What others may ask of a subject, each with its times."""
    told: Exports = {name: list(values) for name, values in state.known.items()}
    if state.signup is not None:
        told["signup\0"] = [(state.signup, True)]
    if state.converted is not None:
        told["converted\0"] = [(state.converted, True)]
    return told


def _first_difference(before: Exports, after: Exports) -> int | None:
    """The earliest instant from which two answers differ; None if they never do."""
    if before == after:
        return None
    changed = []
    for name in before.keys() | after.keys():
        old, new = before.get(name, []), after.get(name, [])
        changed += [time for time, _ in [*old, *new] if _at(old, time) != _at(new, time)]
    return min(changed, default=None)


def _at(values: list[tuple[int, object]], time: int) -> object:
    return next((value for since, value in reversed(values) if since <= time), None)
