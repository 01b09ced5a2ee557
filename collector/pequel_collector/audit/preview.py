"""Who would be gained, lost and moved by other definitions, before they are in force.

Every user and account is folded from the messages, as ``verify`` does it, under the evaluators that
a change would put in force. Their leads are aligned with that, as the back-fill does it, in memory:

    the file                set_up asks for 2 projects, not for 3
    u:ada, with 2           a lead would be opened              gained
    u:bob, with 3           his lead qualified at the third     moved: earlier

Nothing is written, so the answer is what a change does to the leads and messages of this moment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic

from ..leads.ledger import Effects, Ledger
from ..marking.active import backfill_progress
from ..marking.change import NewDefinitions, Plan, plan
from ..marking.evaluators import Evaluators
from ..marking.replay import Replay
from ..model import JSON, Clock, Lead, Stored, kind_of
from ..ports import ReadTransaction, Store
from .preview_routing import RoutedGroup, preview_routing

AT_ONCE = 500
"""How many subjects one query lists."""

SECONDS_PER_VIEW = 20.0
"""How long one view of the store is used. An old view keeps the database from freeing space."""

NAMES = 20
"""How many leads of each kind of effect are named, unless somebody asks for another number."""

PREFIXES = ("g:", "u:")
"""What the keys of accounts and of users begin with."""

OnProgress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Budget:
    """How many messages a preview reads, None for all, and how many leads it names for each effect.

    Accounts may take half of the messages, and users what these leave.
    """

    messages: int | None = None
    names: int = NAMES


@dataclass(slots=True)
class PreviewedLead:
    """A lead that would be gained, lost or moved.

    ``before`` is when it qualified before it would move (ms). ``name`` is the e-mail address or the
    name of its subject. ``is_worked`` says that somebody has worked it, so it would not be voided.
    """

    subject: str
    cycle: int
    qualified_at: int
    before: int | None = None
    is_worked: bool = False
    name: str | None = None


@dataclass(slots=True)
class Group:
    """Leads with one effect: how many, and the first of them."""

    count: int = 0
    worked: int = 0
    first: list[PreviewedLead] = field(default_factory=list)

    def add(self, lead: PreviewedLead, names: int) -> None:
        """Count a lead, and keep it if it is one of the first."""
        self.count += 1
        self.worked += lead.is_worked
        if len(self.first) < names:
            self.first.append(lead)


@dataclass(slots=True)
class DefinitionPreview:
    """What a change would do to the leads of a definition.

    ``version`` is the number that would be in force, None for none. ``is_new`` says that it would
    be made, ``is_changed`` that another one or none is in force now.
    """

    name: str
    version: int | None
    is_new: bool = False
    is_changed: bool = False
    gained: Group = field(default_factory=Group)
    lost: Group = field(default_factory=Group)
    earlier: Group = field(default_factory=Group)
    later: Group = field(default_factory=Group)

    @property
    def groups(self) -> tuple[Group, Group, Group, Group]:
        """The effects, in order."""
        return self.gained, self.lost, self.earlier, self.later

    @property
    def has_effects(self) -> bool:
        """Whether a lead would be gained, lost or moved."""
        return any(group.count for group in self.groups)


@dataclass(frozen=True, slots=True)
class Preview:
    """What a change would do, by definition: those that change, or whose leads do.

    ``subjects`` is how many users and accounts were looked at; ``is_whole`` says that it was all.
    ``routing`` says where the open leads would go by the routes of the file.
    """

    data: Sequence[DefinitionPreview]
    subjects: int
    is_whole: bool
    routing: Sequence[RoutedGroup] = ()


def preview(
    store: Store,
    new: NewDefinitions,
    clock: Clock,
    on_progress: OnProgress | None = None,
    budget: Budget | None = None,
) -> Preview:
    """What putting definitions in force would do. ``on_progress`` gets the number of subjects."""
    with store.reading() as tx:
        now = clock()
        planned = plan(tx, new, now)
        progress = backfill_progress(tx)
        evaluators = planned.evaluators(new.catalogue, 0 if progress is None else progress.epoch)
        is_idle = (
            progress is not None
            and progress.is_finished
            and progress.catalogue == evaluators.version
        )
    found = _Preview(store, evaluators, now, planned, budget or Budget())
    if not is_idle:
        found.run(on_progress or (lambda _subjects: None))
    return found.result()


class _Spent(Exception):
    """The budget of messages is used up."""


class _Reading(Replay):
    """A replay that reads so many messages and no more. Raises _Spent."""

    left: int | None = None

    def stored(self, key: str) -> Iterable[Stored]:
        return self._counted(super().stored(key))

    def _counted(self, messages: Iterable[Stored]) -> Iterator[Stored]:
        for message in messages:
            if self.left is not None:
                if self.left == 0:
                    raise _Spent
                self.left -= 1
            yield message


class _Preview:
    def __init__(
        self, store: Store, evaluators: Evaluators, now: int, planned: Plan, budget: Budget
    ) -> None:
        self._store, self._evaluators, self._now = store, evaluators, now
        self._left, self._names = budget.messages, budget.names
        self._subjects, self._is_whole = 0, True
        new = {version.name for version in planned.versions}
        names = dict.fromkeys([*evaluators.versions, *planned.changes])
        self._found = {
            name: DefinitionPreview(
                name, evaluators.versions.get(name), name in new, name in planned.changes
            )
            for name in names
        }

    def run(self, on_progress: OnProgress) -> None:
        for prefix, share in zip(PREFIXES, (2, 1), strict=True):
            left = None if self._left is None else self._left // share
            spent = self._visit_all(prefix, left, on_progress)
            self._left = None if self._left is None else self._left - spent

    def result(self) -> Preview:
        with self._store.reading() as tx:
            for each in self._found.values():
                for group in each.groups:
                    _name(tx, group.first)
            routing = preview_routing(tx, self._evaluators.catalogue, self._now)
        shown = [each for each in self._found.values() if each.is_changed or each.has_effects]
        return Preview(shown, self._subjects, self._is_whole, routing)

    def _visit_all(self, prefix: str, left: int | None, on_progress: OnProgress) -> int:
        """Visit the subjects of a kind; how many messages that read."""
        after: str | None = prefix
        began = left or 0
        while after is not None:
            with self._store.reading() as tx:
                replay = _Reading(tx, self._evaluators, self._now)
                replay.left = left
                after = self._visit_some(tx, replay, after, on_progress)
                left = replay.left
        return began - (left or 0)

    def _visit_some(
        self, tx: ReadTransaction, replay: _Reading, after: str, on_progress: OnProgress
    ) -> str | None:
        """Visit subjects for a while; the key of the last one, None at the end."""
        began, kind = monotonic(), kind_of(after)
        while keys := [key for key in tx.subjects(after, AT_ONCE) if kind_of(key) == kind]:
            linked = tx.persons(keys)
            evaluators = self._evaluators
            ledger = Ledger(tx, evaluators.in_force, evaluators.catalogue, self._now)
            ledger.load([key for key in keys if key not in linked])
            for key in keys:
                if key not in linked and not self._visit(ledger, replay, key):
                    self._take(ledger.effects)
                    return None
                after = key
            self._take(ledger.effects)
            on_progress(self._subjects)
            if monotonic() - began > SECONDS_PER_VIEW:
                return after
        return None

    def _visit(self, ledger: Ledger, replay: _Reading, key: str) -> bool:
        """Align the leads of one subject in memory; False if there is no budget left for it."""
        evaluator = self._evaluators.of(key)
        try:
            folded = replay.fold(key)
            if self._evaluators.has_clock:
                folded.advance(self._now)
        except _Spent:
            self._is_whole = False
            return False
        definitions = {rule.name: rule.definition for rule in evaluator.rules}
        ledger.align(key, definitions, folded.qualifications, (), replayed=True)
        replay.trim()
        self._subjects += 1
        return True

    def _take(self, effects: Effects) -> None:
        for lead in effects.gained.values():
            self._add("gained", lead)
        for lead in effects.lost.values():
            self._add("lost", lead)
        for lead, before in effects.moved.values():
            self._add("earlier" if lead.qualified_at < before else "later", lead, before)

    def _add(self, effect: str, lead: Lead, before: int | None = None) -> None:
        found = self._found.setdefault(lead.definition, DefinitionPreview(lead.definition, None))
        is_worked = lead.state not in ("new", "voided")
        shown = PreviewedLead(lead.subject, lead.cycle, lead.qualified_at, before, is_worked)
        group: Group = getattr(found, effect)
        group.add(shown, self._names)


def _name(tx: ReadTransaction, leads: Sequence[PreviewedLead]) -> None:
    """Look up what the subjects of leads are called."""
    subjects = {lead.subject for lead in leads}
    users = tx.ids_of([each for each in subjects if kind_of(each) == "user"])
    traits = tx.traits({each: users.get(each, [each]) for each in subjects})
    for lead in leads:
        lead.name = _called(traits[lead.subject])


def _called(traits: Mapping[str, JSON]) -> str | None:
    found = (traits.get(name) for name in ("email", "name"))
    return next((each for each in found if isinstance(each, str) and each), None)
