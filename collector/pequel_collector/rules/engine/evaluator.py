"""The evaluator: folds the facts of one subject, and marks when each definition qualified.

``fold`` takes facts in the order of facts, one instant at a time. Folding them at once or
in steps gives the same state, as long as each step has only later facts than the one before. A step
may end within an instant if it says so: the instant is evaluated when the last of its facts is in.

For example, with ``when = { event = "used", gte = 2 }`` as definition 0: a fact *used* at 12:00
goes to the window of leaf 0, whose count becomes 1. Rule 0 is evaluated, since the event concerns
it, and does not hold. After a second one at 12:05 the rule holds: ``marks`` is now ``{0: [(
12:05, …)]}``. The rule is *permanent*: its slot is deleted, and later events pass it by.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b
from heapq import heapify, heappop, heappush
from typing import Any

from ...model import Kind, fact_order
from ..language.analysis import in_order
from ..language.content_hash import canonical
from ..language.definition import Catalogue, Definition, Leaf, Project
from ..language.values import key
from .clock import Clock
from .conversions import keep_conversion, keep_move
from .keyed import MEMBER_REGISTRY, KeyedAggregate, spill
from .rules import CompiledRules, Rule
from .selection import EventRoute, FactScope, FactSelection
from .slots import MEMBERS, members_accumulator
from .state import (
    NEVER,
    BegunInstant,
    EmptyWorld,
    Fact,
    FactList,
    HistoryReader,
    Position,
    Qualification,
    State,
    TraitValue,
    World,
)
from .view import BEYOND, FIRST, EvalContext
from .windows import AllTimeWindow, bare

MEANING = "3"
"""Changes where a release reads the same definition otherwise, so that histories are made anew."""

OnQualified = Callable[[EvalContext, Rule, int], None]
"""Called at the moment at which a rule qualifies, with the number of the cycle."""


class Evaluator:
    """The definitions of a catalogue for users, or for accounts, ready to fold facts.

    ``activated`` is when each definition with ``on_change = "forward"`` begins to count, by name.
    ``exports`` is what other subjects' definitions read. States with another ``version`` cannot be
    continued.
    """

    def __init__(
        self, kind: Kind, catalogue: Catalogue, activated: Mapping[str, int] | None = None
    ) -> None:
        self.kind, self.catalogue = kind, catalogue
        self.definitions = catalogue.of_kind(kind)
        compiled = CompiledRules(kind, catalogue, activated or {})
        self.rules = compiled.rules
        self.by_name = {rule.name: rule for rule in self.rules}
        self._windows, self._window_of = compiled.windows, compiled.window_of
        self._in_order = [self.rules[index] for index in in_order(self.definitions)]
        self._ranks = {rule.index: rank for rank, rule in enumerate(self._in_order)}
        self._silent = tuple(rule for rule in self.rules if rule.silence is not None)
        self._clock = Clock(self.rules)
        self.has_clock = bool(self._clock.rules)
        """Whether a definition can qualify without a fact, as time passes."""
        self._selection = FactSelection(kind, catalogue, compiled)
        self.exports = self._selection.exports
        self.fact, self.route = self._selection.fact, self._selection.route
        self.version = _fingerprint(kind, catalogue, activated or {})

    @property
    def scope(self) -> FactScope:
        """Which messages ``fact`` may need."""
        return self._selection.scope

    def window(self, leaf: Leaf) -> AllTimeWindow:
        """The window of a leaf of one of the definitions."""
        return self._window_of[id(leaf)]

    # -- folding ---------------------------------------------------------------------------

    def fold(
        self,
        state: State,
        history: HistoryReader,
        facts: Sequence[Fact],
        start: Position,
        world: World,
        on_qualified: OnQualified | None = None,
        earliest: int = NEVER,
        *,
        goes_on: bool = False,
    ) -> None:
        """Take in facts, in order and all later than the state.

        They are already in the history, on one page, the first at ``start``; the history has no
        facts after them. The caller knows that no definition can qualify before ``earliest``, so
        none is evaluated until then. With ``goes_on``, the last instant has more facts, which the
        next call takes in.
        """
        ctx = EvalContext(self.kind, state, world, history, state.time)
        ctx.earliest = earliest
        if len(facts) == 1:
            self._moment(ctx, facts, start, BEYOND, on_qualified, goes_on=goes_on)
            return
        page, index = start
        begin = 0
        for place, fact in enumerate(facts):
            if fact.time != facts[begin].time:
                limit = page, index + place
                self._moment(ctx, facts[begin:place], (page, index + begin), limit, on_qualified)
                begin = place
        if facts:
            first = page, index + begin
            self._moment(ctx, facts[begin:], first, BEYOND, on_qualified, goes_on=goes_on)

    def advance(
        self,
        state: State,
        history: HistoryReader,
        now: int,
        world: World,
        on_qualified: OnQualified | None = None,
    ) -> int | None:
        """Run the clock up to and including an instant; when it is due next."""
        ctx = EvalContext(self.kind, state, world, history, state.time)
        self._run_clock(ctx, now + 1, on_qualified)
        waiting = (rule for rule in self._clock.rules if not self._has_qualified(state, rule))
        return min((due.time for due in self._clock.pending(state, waiting)), default=None)

    def _moment(
        self,
        ctx: EvalContext,
        moment: Sequence[Fact],
        begin: Position,
        limit: Position,
        on_qualified: OnQualified | None,
        *,
        goes_on: bool = False,
    ) -> None:
        """Take in facts of one instant, and evaluate what they concern when the last one is in."""
        state, time, begun = ctx.state, moment[0].time, ctx.state.begun
        if begun is not None:
            concerned, has_message = set(begun.concerned), begun.has_message
        else:
            if self.has_clock:
                ctx.limit = begin
                self._run_clock(ctx, time, on_qualified)
            concerned, has_message = set(self._selection.always), False
        ctx.time, ctx.limit = time, limit
        has_event = False
        for fact in moment:
            has_message = has_message or fact.ended is None
            has_event = self._learn(ctx, fact, concerned) or has_event
        if has_event:
            if self._silent:
                concerned |= self._open_cycles(state, time)
            self._take_events(ctx, moment, begin)
            state.last = time
            if state.first is None:
                state.first = time
        state.time = time
        first = begin if begun is None else (begun.page, begun.index)
        if goes_on:
            state.begun = BegunInstant(*first, has_message, sorted(concerned))
            return
        if has_message and time >= ctx.earliest:
            self._evaluate(ctx, concerned, on_qualified)
            if self.has_clock:
                self._clock.start(state, first, time)
        state.begun = None

    def _take_events(self, ctx: EvalContext, moment: Sequence[Fact], begin: Position) -> None:
        page, index = begin
        marks = ctx.state.marks
        for place, fact in enumerate(moment, index):
            route = None if fact.name is None else self.route(fact.name)
            if route is None:
                continue
            position = page, place
            for window in route.windows:
                is_over = window.stops_when_qualified and window.rule in marks
                if window.counts_from <= fact.time and not is_over:
                    window.take(ctx, fact, position)

    def _run_clock(self, ctx: EvalContext, until: int, on_qualified: OnQualified | None) -> None:
        self._clock.run(
            ctx, until, lambda ctx, concerned: self._evaluate(ctx, concerned, on_qualified)
        )

    # -- qualifying ------------------------------------------------------------------------

    def _evaluate(
        self, ctx: EvalContext, concerned: set[int], on_qualified: OnQualified | None
    ) -> None:
        """Evaluate some rules at τ, and those that name a rule that qualifies."""
        state = ctx.state
        waiting = [self._ranks[index] for index in concerned]
        heapify(waiting)
        while waiting:
            rule = self._in_order[heappop(waiting)]
            if self._has_qualified(state, rule) or not self._may_qualify(state, rule, ctx.time):
                continue
            if rule.qualifies(ctx):
                self._mark(ctx, rule, on_qualified)
                for index in () if ctx.clock_only else rule.dependants:
                    if index not in concerned:
                        concerned.add(index)
                        heappush(waiting, self._ranks[index])

    def _may_qualify(self, state: State, rule: Rule, time: int) -> bool:
        """Whether a definition has begun to count, and does not cool down."""
        return rule.since <= time and not (state.cooling and self._cools(state, rule, time))

    def _has_qualified(self, state: State, rule: Rule) -> bool:
        """Whether a definition has qualified in the open cycle."""
        marks = state.marks.get(rule.index)
        if marks is None or rule.silence is None:
            return marks is not None
        return state.cycles.get(rule.index, NEVER) <= marks[-1].time

    def _cools(self, state: State, rule: Rule, time: int) -> bool:
        cooldown = rule.definition.cooldown
        ends = state.cooling.get(rule.name, ()) if cooldown is not None else ()
        return any(end <= time < end + (cooldown or 0) for end in ends)

    def _mark(self, ctx: EvalContext, rule: Rule, on_qualified: OnQualified | None) -> None:
        state = ctx.state
        marks = state.marks.setdefault(rule.index, [])
        marks.append(Qualification(ctx.time, state.account))
        if on_qualified is not None:
            on_qualified(ctx, rule, len(marks))
        if rule.silence is None:
            not_needed = rule.guard_leaves + (rule.leaves if rule.permanent else ())
            for leaf in not_needed:
                state.slots.pop(leaf.number, None)

    def _open_cycles(self, state: State, time: int) -> set[int]:
        """Open a cycle for each rule that has qualified, if an event comes after a silence."""
        opened = set()
        for rule in self._silent:
            marks, silence = state.marks.get(rule.index), rule.silence or 0
            if marks is None or state.cycles.get(rule.index, NEVER) > marks[-1].time:
                continue
            if time > marks[-1].time and state.last is not None and time - state.last >= silence:
                state.cycles[rule.index] = time
                opened.add(rule.index)
                for leaf in rule.leaves:
                    state.slots.pop(leaf.number, None)
        return opened

    # -- what is known of the subject ------------------------------------------------------

    def _learn(self, ctx: EvalContext, fact: Fact, concerned: set[int]) -> bool:
        """Take what a fact says of the subject into the state; whether it is an event."""
        state, selection = ctx.state, self._selection
        if fact.ended is not None:
            state.cooling.setdefault(fact.ended, []).append(fact.time)
            return False
        if fact.account is not None and self.kind == "user":
            self._learn_account(state, fact, fact.account, concerned)
        if selection.keeps_first_member and state.first_member is None:
            state.first_member = fact.user
        if selection.keeps_members:
            MEMBER_REGISTRY.record(ctx, fact)
        if fact.traits:
            for name, value in fact.traits.items():
                self._learn_trait(state, fact, name, value)
                concerned |= selection.rules_by_trait.get(name, set())
        if fact.name is None:
            return False
        route = self.route(fact.name)
        if route is not None:
            self._learn_event(state, fact, route, concerned)
        return True

    def _learn_event(
        self, state: State, fact: Fact, route: EventRoute, concerned: set[int]
    ) -> None:
        concerned |= route.rules
        for anchor in route.anchors:
            state.firsts.setdefault(anchor, fact.time)
        if route.is_conversion and state.converted is None:
            state.converted = fact.time
        if route.expands is not None:
            keep_conversion(state, fact, route.expands)

    def _learn_account(self, state: State, fact: Fact, account: str, concerned: set[int]) -> None:
        if account != state.account:
            state.account = account
            if self._selection.keeps_moves:
                keep_move(state, fact.time, account)
            concerned |= self._selection.rules_by_account
            if self._selection.keeps_accounts and account not in state.accounts:
                state.accounts.append(account)

    def _learn_trait(self, state: State, fact: Fact, name: str, value: Any) -> None:
        if value is None:
            state.traits.pop(name, None)
        else:
            state.traits[name] = TraitValue(value, fact.time, fact.mid)
        if name in self._selection.traits_to_keep:
            known = state.known.setdefault(name, [])
            if known and known[-1][0] == fact.time:
                known.pop()
            if not known or key(known[-1][1]) != key(value):
                known.append((fact.time, value))

    # -- storing ---------------------------------------------------------------------------

    def spill(self, state: State, page: int) -> Iterator[tuple[int, str, Any]]:
        """Take out of a state the accumulators that it has no room for: slot, key, accumulator.

        ``page`` is the number of the page that ends.
        """
        for window, _ in self._windows:
            if isinstance(bare(window.aggregate), KeyedAggregate) and window.number in state.slots:
                for name, entry in spill(window.slot(state).acc, page):
                    yield window.number, name, entry
        registered = members_accumulator(state)
        if registered is not None:
            for name, entry in spill(registered, page):
                yield MEMBERS, name, entry


def qualify(
    definition: Definition, facts: Iterable[Fact], catalogue: Catalogue, world: World | None = None
) -> int | None:
    """When a definition first qualified, given all facts of one subject; None if it never did.

    This is the meaning of a definition. Ingestion folds the same steps.
    """
    state = State()
    evaluator = Evaluator(definition.subject, catalogue)
    ordered = sorted(facts, key=fact_order)
    evaluator.fold(state, FactList(ordered), ordered, FIRST, world or EmptyWorld())
    found = state.marks.get(evaluator.by_name[definition.name].index)
    return found[0].time if found else None


WITHOUT_MARKS = (
    "personal_domains", "person_traits", "partner_traits", "claim", "due_soon", "alert_max_age",
)  # fmt: skip
"""Keys of ``[project]`` that decide no mark by themselves."""


def _fingerprint(kind: Kind, catalogue: Catalogue, activated: Mapping[str, int]) -> str:
    """What states depend on: a catalogue with the same fingerprint can continue them."""
    # What only some definitions use is in their hashes, and what no definition uses is left out.
    unused = {name: getattr(Project(), name) for name in WITHOUT_MARKS}
    project = replace(catalogue.project, **unused)
    parts = [MEANING, kind, json.dumps(canonical(project), sort_keys=True)]
    others = [d.name + d.hash + d.subject for d in catalogue.definitions]
    parts += [*others, repr(sorted(activated.items()))]
    parts.append("superseded")  # earlier releases left the leads of older versions as they were
    return blake2b("\0".join(parts).encode(), digest_size=8).hexdigest()
