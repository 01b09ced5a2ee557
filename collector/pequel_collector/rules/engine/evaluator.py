"""The evaluator: all definitions of one kind of subject, compiled, as a fold over facts.

``fold`` takes the facts of one subject in order of (time, messageId), one instant at a time, and
notes in the state at which instants each definition qualified. Folding in one go or in steps gives
the same state, as long as the later step has only later instants.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from operator import attrgetter
from typing import Any, NamedTuple

from ...model import Kind, Message, Stored
from ..language.absence import absences, window_of_absence
from ..language.analysis import (
    Asked,
    asked,
    asks_others,
    in_order,
    is_permanent,
    names_in,
    opens_with,
    turns_unseen,
)
from ..language.content_hash import canonical
from ..language.definition import (
    AllOf,
    AnyOf,
    AtLeast,
    Catalogue,
    Customer,
    Definition,
    EventPattern,
    Guard,
    Internal,
    Leaf,
    Project,
    leaves_of,
)
from ..language.values import key, lookup, whole
from .compiler import Place, compiled, paths_of
from .keyed import REGISTER, Keyed, surplus
from .state import (
    NEVER,
    Alone,
    Fact,
    Memory,
    Position,
    Qualification,
    Sheet,
    State,
    Value,
    World,
)
from .view import BEYOND, FIRST, MEMBERS, EvalContext
from .windows import AllTimeWindow, MinimumAge

LATE = 3_600_000
CLOCKS = -2
"""Where the slots of clocks begin, downwards."""

Test = Callable[[EvalContext], bool]
OnQualified = Callable[[EvalContext, "Rule", int], None]
"""Is told that a rule qualified, at the moment that is seen, and how many times it has."""


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """A compiled definition: what must hold, and the guards of which none may.

    ``permanent`` says that it always holds once it did; ``since`` is where it begins to count.
    """

    index: int
    definition: Definition
    when: Test
    guards: tuple[Test, ...]
    leaves: tuple[AllTimeWindow, ...]
    guard_leaves: tuple[AllTimeWindow, ...]
    permanent: bool
    since: int
    clocks: tuple[tuple[int, int], ...]
    dependants: tuple[int, ...]
    silence: int | None

    @property
    def name(self) -> str:
        """The definition's name."""
        return self.definition.name

    def qualifies(self, ctx: EvalContext) -> bool:
        """Whether the condition holds at τ and no guard does."""
        return self.when(ctx) and not (self.guards and self.blocked(ctx))

    def blocked(self, ctx: EvalContext) -> bool:
        """Whether a guard holds at τ. Guards know no difference between facts and the clock."""
        was, ctx.clock_only = ctx.clock_only, False
        held = any(guard(ctx) for guard in self.guards)
        ctx.clock_only = was
        return held


class Interest(NamedTuple):
    """What an event of one name means to the evaluator: whom it feeds, and what they read of it."""

    leaves: tuple[AllTimeWindow, ...]
    rules: frozenset[int]
    paths: tuple[str, ...]
    anchors: tuple[str, ...]
    conversion: bool


class Evaluator:
    """The definitions of a catalogue for users, or for accounts, ready to fold facts.

    ``activated`` says from when on a definition counts that looks forward only, by name.
    """

    def __init__(
        self, kind: Kind, catalogue: Catalogue, activated: Mapping[str, int] | None = None
    ) -> None:
        self.kind, self.catalogue, self.project = kind, catalogue, catalogue.project
        self.definitions = catalogue.of_kind(kind)
        self.asked = asked(catalogue)
        self._activated = activated or {}
        self._leaf_of: dict[int, AllTimeWindow] = {}
        self._by_trait: dict[str, set[int]] = {}
        self._paths: list[tuple[AllTimeWindow, Leaf]] = []
        self._next_clock = CLOCKS
        self.rules = [self._rule(index, d) for index, d in enumerate(self.definitions)]
        self.by_name = {rule.name: rule for rule in self.rules}
        self._in_order = [self.rules[index] for index in in_order(self.definitions)]
        self._watch()
        self._interests: dict[str, Interest | None] = {}
        self.version = _fingerprint(kind, catalogue, self._activated)

    # -- compiling -------------------------------------------------------------------------

    def _rule(self, index: int, definition: Definition) -> Rule:
        since = self._activated.get(definition.name, NEVER)
        leaves: list[AllTimeWindow] = []
        guarding: list[AllTimeWindow] = []
        when = self._test(definition.when, index, since, leaves)
        guards = tuple(self._test(g, index, None, guarding) for g in definition.unless)
        silence = definition.after_silence
        permanent = silence is None and self._is_permanent(definition.when)
        for leaf in leaves:
            leaf.begins, leaf.ends = since, permanent
        for leaf in guarding:
            leaf.ends = silence is None
        return Rule(
            index,
            definition,
            when,
            guards,
            tuple(leaves),
            tuple(guarding),
            permanent,
            since,
            tuple(self._clocks(definition)),
            tuple(i for i, d in enumerate(self.definitions) if definition.name in names_in(d)),
            silence,
        )

    def _test(self, node: Guard, index: int, since: int | None, into: list[AllTimeWindow]) -> Test:
        match node:
            case AllOf(parts):
                return _all([self._test(part, index, since, into) for part in parts])
            case AnyOf(parts):
                return _any([self._test(part, index, since, into) for part in parts])
            case AtLeast(needed, parts):
                tests = [self._test(part, index, since, into) for part in parts]
                return lambda ctx: sum(test(ctx) for test in tests) >= needed
            case Internal():
                return self._is_internal
            case Customer():
                return EvalContext.has_converted
            case leaf:
                place = Place(self.kind, len(self._paths), index, self.catalogue, since)
                found = compiled(leaf, place)
                self._leaf_of[id(leaf)] = found
                self._paths.append((found, leaf))
                into.append(found)
                return found.holds

    def _is_permanent(self, node: Guard) -> bool:
        others = (asks_others(leaf, self.kind, self.catalogue) for leaf in _plain_leaves(node))
        return is_permanent(node) and not any(others)

    def _clocks(self, definition: Definition) -> Iterator[tuple[int, int]]:
        """A slot and a length for each window of absence that the clock watches."""
        if definition.clock:
            for length in sorted({window_of_absence(leaf) for leaf in absences(definition.when)}):
                if length:
                    yield self._next_clock, length
                    self._next_clock -= 1

    def _watch(self) -> None:
        """Note what must be learnt of facts: for the definitions' own sake, and for others'."""
        mine, others = self.asked.own[self.kind], self.asked.of(self.kind)
        is_user = self.kind == "user"
        self.exports = others
        self.anchors = _anchors(sorted(mine.anchors | others.anchors), self.project)
        self._conversion = self.project.conversion if mine.converted or others.converted else None
        self._keeps = {name for path in others.traits for name in _names(path)}
        for name in mine.traits:
            for part in _names(name):
                self._by_trait.setdefault(part, set())
        for rule in self.rules:
            for name in self._traits_of(rule.definition):
                self._by_trait.setdefault(name, set()).add(rule.index)
        self._always = frozenset(
            r.index for r in self.rules if turns_unseen(r.definition, self.catalogue)
        )
        self._by_account = frozenset(
            r.index for r in self.rules if is_user and self._asks_account(r.definition)
        )
        self._silent = tuple(r for r in self.rules if r.definition.after_silence is not None)
        self._clocked = tuple(r for r in self.rules if r.clocks)
        asks_members = self.asked.of_members.any
        self.keeps_first_member = not is_user and self.asked.of_first_member.any
        self.keeps_members = not is_user and self._has_idle_members()
        self.keeps_accounts = is_user and (asks_members or self.asked.of_first_member.any)
        self.follows_account = is_user and (self.asked.of_account.any or self.keeps_accounts)
        self._hears_accounts = is_user and bool(self.rules or self.keeps_accounts)
        self.every_fact = bool(
            self._always or self._silent or self._clocked
            or self.keeps_first_member or self.keeps_members
        )  # fmt: skip

    def _traits_of(self, definition: Definition) -> set[str]:
        """The traits of its own subject that a definition looks at."""
        alone = Catalogue(self.project, (definition,), self.catalogue.features)
        found: Asked = asked(alone)
        return {part for name in found.own[self.kind].traits for part in _names(name)}

    def _asks_account(self, definition: Definition) -> bool:
        parts = (definition.when, *definition.unless)
        leaves = (leaf for part in parts for leaf in _plain_leaves(part))
        return Customer() in definition.unless or any(
            asks_others(leaf, self.kind, self.catalogue) for leaf in leaves
        )

    def _has_idle_members(self) -> bool:
        aggregates = (_bare(leaf.aggregate) for leaf, _ in self._paths)
        return any(getattr(m, "idle", False) or getattr(m, "personal", False) for m in aggregates)

    # -- what it looks at ------------------------------------------------------------------

    def fact(self, stored: Stored) -> Fact | None:
        """A message as a fact of this kind of subject; None if no definition looks at it."""
        message, account, person = stored
        name = message.name
        interest = self.interest(name) if name is not None else None
        traits = self._named_traits(message) if message.traits else {}
        if interest is None and not traits and not self._counts_as_moment(stored):
            return None
        data: dict[str, Any] = {}
        if interest is not None:
            properties = message.properties
            for path in interest.paths:
                if (value := lookup(path, properties)) is not None:
                    data[path] = whole(value)
        return Fact(
            message.time,
            message.mid,
            name,
            data,
            person[2:] if person is not None else None,
            account,
            traits,
            message.received - message.time > LATE,
        )

    def _counts_as_moment(self, stored: Stored) -> bool:
        if self.every_fact or not self._hears_accounts:
            return self.every_fact
        # What names an account says where the user is from then on, whatever else it is.
        return stored.message.account is not None or (
            self.follows_account and stored.account is not None
        )

    def _named_traits(self, message: Message) -> dict[str, Any]:
        if message.type != ("identify" if self.kind == "user" else "group"):
            return {}
        wanted = self._by_trait
        named = message.traits.items()
        return {n: whole(v) for n, v in named if n in wanted or n in self._keeps}

    def interest(self, name: str) -> Interest | None:
        """What an event of this name means; None if no definition names it."""
        if name in self._interests:
            return self._interests[name]
        if len(self._interests) > 10_000:  # names are the clients' to choose
            self._interests = {}
        found = self._interests[name] = self._interest(name)
        return found

    def _interest(self, name: str) -> Interest | None:
        fed = [(found, leaf) for found, leaf in self._paths if found.names(name)]
        anchors = tuple(of for of, pattern in self.anchors if pattern.matches(name))
        conversion = self._conversion == name
        if not fed and not anchors and not conversion:
            return None
        paths = dict.fromkeys(path for _, leaf in fed for path in paths_of(leaf, name))
        leaves = tuple(found for found, _ in fed)
        touched = [leaf.rule for leaf in leaves] + self._opened_by(anchors)
        return Interest(leaves, frozenset(touched), tuple(paths), anchors, conversion)

    def _opened_by(self, anchors: Collection[str]) -> list[int]:
        """The rules of which one of these anchors can make a leaf hold by itself."""
        return [found.rule for found, leaf in self._paths if opens_with(leaf, anchors)]

    # -- folding ---------------------------------------------------------------------------

    def fold(
        self,
        state: State,
        memory: Memory,
        facts: Sequence[Fact],
        start: Position,
        world: World,
        on_qualified: OnQualified | None = None,
    ) -> None:
        """Take in facts, in order and all later than the state.

        They stand in the memory already, on one page, the first of them at ``start``; no fact that
        is not yet taken in stands behind them.
        """
        ctx = EvalContext(self.kind, state, world, memory, state.time)
        if len(facts) == 1:
            self._moment(ctx, facts, start, BEYOND, on_qualified)
            return
        page, index = start
        begin = 0
        for place, fact in enumerate(facts):
            if fact.time != facts[begin].time:
                limit = page, index + place
                self._moment(ctx, facts[begin:place], (page, index + begin), limit, on_qualified)
                begin = place
        if facts:
            self._moment(ctx, facts[begin:], (page, index + begin), BEYOND, on_qualified)

    def advance(
        self,
        state: State,
        memory: Memory,
        now: int,
        world: World,
        on_qualified: OnQualified | None = None,
    ) -> int | None:
        """Let the clock run up to an instant, and including it; when its next moment is due."""
        ctx = EvalContext(self.kind, state, world, memory, state.time)
        self._run_clock(ctx, now + 1, on_qualified)
        return self._next_due(state)

    def _moment(
        self,
        ctx: EvalContext,
        moment: Sequence[Fact],
        begin: Position,
        limit: Position,
        on_qualified: OnQualified | None,
    ) -> None:
        state, time = ctx.state, moment[0].time
        if self._clocked:
            ctx.limit = begin
            self._run_clock(ctx, time, on_qualified)
        ctx.time, ctx.limit = time, limit
        touched = set(self._always)
        acted = told = False
        for fact in moment:
            told = told or fact.ended is None
            acted = self._register(ctx, fact, touched) or acted
        if acted:
            if self._silent:
                touched |= self._open_cycles(state, time)
            self._feed(ctx, moment, begin)
            state.last = time
            if state.first is None:
                state.first = time
        state.time = time
        if told:
            self._judge(ctx, touched, on_qualified)
            if self._clocked:
                self._set_clocks(state, begin, time)

    def _feed(self, ctx: EvalContext, moment: Sequence[Fact], begin: Position) -> None:
        """Let the events of a moment into the leaves that they concern."""
        page, index = begin
        marks = ctx.state.marks
        for place, fact in enumerate(moment, index):
            interest = None if fact.name is None else self.interest(fact.name)
            if interest is None:
                continue
            position = page, place
            for leaf in interest.leaves:
                if leaf.begins <= fact.time and not (leaf.ends and leaf.rule in marks):
                    leaf.feed(ctx, fact, position)

    def _judge(self, ctx: EvalContext, touched: set[int], on_qualified: OnQualified | None) -> None:
        state = ctx.state
        for rule in self._in_order:
            if rule.index not in touched or self._has_qualified(state, rule):
                continue
            if self._may_qualify(state, rule, ctx.time) and rule.qualifies(ctx):
                self._mark(ctx, rule, on_qualified)
                if not ctx.clock_only:
                    touched.update(rule.dependants)

    def _may_qualify(self, state: State, rule: Rule, time: int) -> bool:
        """Whether a definition has begun to count, and nothing cools down."""
        return rule.since <= time and not (state.cooling and self._cools(state, rule, time))

    def _has_qualified(self, state: State, rule: Rule) -> bool:
        """Whether a definition has qualified in the cycle that is open."""
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
            over = rule.guard_leaves + (rule.leaves if rule.permanent else ())
            for leaf in over:
                state.slots.pop(leaf.number, None)

    def _open_cycles(self, state: State, time: int) -> set[int]:
        """Begin a new cycle where an event comes after a silence, once the last has qualified."""
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

    # -- learning --------------------------------------------------------------------------

    def _register(self, ctx: EvalContext, fact: Fact, touched: set[int]) -> bool:
        """Learn what a fact says of the subject itself; whether it is an event."""
        state = ctx.state
        if fact.ended is not None:
            state.cooling.setdefault(fact.ended, []).append(fact.time)
            return False
        if fact.account is not None and self.kind == "user":
            self._register_account(state, fact.account, touched)
        if self.keeps_first_member and state.first_member is None:
            state.first_member = fact.user
        if self.keeps_members:
            REGISTER.note(ctx, fact)
        if fact.traits:
            for name, value in fact.traits.items():
                self._register_trait(state, fact, name, value)
                touched |= self._by_trait.get(name, set())
        if fact.name is None:
            return False
        interest = self.interest(fact.name)
        if interest is not None:
            self._register_event(state, fact.time, interest, touched)
        return True

    def _register_event(
        self, state: State, time: int, interest: Interest, touched: set[int]
    ) -> None:
        touched |= interest.rules
        for anchor in interest.anchors:
            state.firsts.setdefault(anchor, time)
        if interest.conversion and state.converted is None:
            state.converted = time

    def _register_account(self, state: State, account: str, touched: set[int]) -> None:
        if account != state.account:
            state.account = account
            touched |= self._by_account
        if self.keeps_accounts and account not in state.accounts:
            state.accounts.append(account)

    def _register_trait(self, state: State, fact: Fact, name: str, value: Any) -> None:
        if value is None:
            state.traits.pop(name, None)
        else:
            state.traits[name] = Value(value, fact.time, fact.mid)
        if name in self._keeps:
            known = state.known.setdefault(name, [])
            if known and known[-1][0] == fact.time:
                known.pop()
            if not known or key(known[-1][1]) != key(value):
                known.append((fact.time, value))

    # -- the clock -------------------------------------------------------------------------

    def _set_clocks(self, state: State, begin: Position, time: int) -> None:
        for rule in self._clocked:
            for slot, _ in rule.clocks:
                state.slots.setdefault(slot, [*begin, time])

    def _run_clock(self, ctx: EvalContext, until: int, on_qualified: OnQualified | None) -> None:
        """Test what the clock watches at each fact's time plus the window, before an instant."""
        state = ctx.state
        while True:
            pending = [
                (state.slots[slot][2] + length, slot, rule)
                for rule in self._clocked
                for slot, length in rule.clocks
                if slot in state.slots
            ]
            time, slot, rule = min(pending, key=lambda p: (p[0], -p[1]), default=(until, 0, None))
            if rule is None or time >= until:
                return
            if time > state.time:
                at_once = {r.index for t, _, r in pending if t == time}
                self._tick(ctx, time, at_once, on_qualified)
            self._next_fact(ctx, slot)

    def _tick(
        self, ctx: EvalContext, time: int, rules: set[int], on_qualified: OnQualified | None
    ) -> None:
        """A moment that only the clock adds."""
        ctx.time = ctx.state.time = time
        ctx.clock_only = True
        self._judge(ctx, rules, on_qualified)
        ctx.clock_only = False

    def _next_fact(self, ctx: EvalContext, slot: int) -> None:
        """Move a clock on to the next fact of another time."""
        page, index, time = ctx.state.slots[slot]
        for position, fact in ctx.memory.facts((page, index)):
            if position >= ctx.limit:
                break
            if fact.time > time and fact.ended is None:
                ctx.state.slots[slot] = [*position, fact.time]
                return
        del ctx.state.slots[slot]

    def _next_due(self, state: State) -> int | None:
        due = (
            state.slots[slot][2] + length
            for rule in self._clocked
            if not self._has_qualified(state, rule)
            for slot, length in rule.clocks
            if slot in state.slots
        )
        return min(due, default=None)

    @property
    def has_clock(self) -> bool:
        """Whether a definition can qualify without a fact, as time goes by."""
        return bool(self._clocked)

    # -- asking ----------------------------------------------------------------------------

    def leaf(self, leaf: Leaf) -> AllTimeWindow:
        """The compiled form of a leaf of one of the definitions."""
        return self._leaf_of[id(leaf)]

    def surplus(self, state: State) -> Iterator[tuple[int, str, Any]]:
        """The cells, by slot and key, that have no room in a state; they are taken out of it."""
        for leaf, _ in self._paths:
            if isinstance(_bare(leaf.aggregate), Keyed) and leaf.number in state.slots:
                for name, cell in surplus(state.slots[leaf.number][0], state.time):
                    yield leaf.number, name, cell
        if MEMBERS in state.slots:
            for name, cell in surplus(state.slots[MEMBERS], state.time):
                yield MEMBERS, name, cell

    def _is_internal(self, ctx: EvalContext) -> bool:
        held = ctx.state.traits
        if self._matches_internal(lambda name: v.value if (v := held.get(name)) else None):
            return True
        member = ctx.first_member() if self.kind == "account" else None
        return member is not None and self._matches_internal(
            lambda name: member.known_at(name, ctx.time)
        )

    def _matches_internal(self, trait: Callable[[str], Any]) -> bool:
        internal = self.project.internal
        email = trait("email") if internal.email_domains else None
        domain = email.rpartition("@")[2].lower() if isinstance(email, str) else None
        if domain != email and domain in internal.email_domains:
            return True
        return any(
            key(lookup(name, {n: trait(n) for n in _names(name)})) == key(value)
            for name, value in internal.traits
        )


def qualify(
    definition: Definition, facts: Iterable[Fact], catalogue: Catalogue, world: World | None = None
) -> int | None:
    """The instant at which a definition qualified, given all facts of one subject; None if never.

    This is the meaning of a definition. Live marking folds the same steps.
    """
    state = State()
    evaluator = Evaluator(definition.subject, catalogue)
    ordered = sorted(facts, key=attrgetter("time", "mid"))
    evaluator.fold(state, Sheet(ordered), ordered, FIRST, world or Alone())
    found = state.marks.get(evaluator.by_name[definition.name].index)
    return found[0].time if found else None


def _all(tests: Sequence[Test]) -> Test:
    if len(tests) == 1:
        return tests[0]

    def test(ctx: EvalContext) -> bool:
        for part in tests:  # noqa: SIM110 - at every moment: a generator takes three times as long
            if not part(ctx):
                return False
        return True

    return test


def _any(tests: Sequence[Test]) -> Test:
    return tests[0] if len(tests) == 1 else lambda ctx: any(test(ctx) for test in tests)


def _bare(aggregate: Any) -> Any:
    return aggregate.inner if isinstance(aggregate, MinimumAge) else aggregate


def _plain_leaves(node: Guard) -> Sequence[Leaf]:
    return list(leaves_of(node))


def _anchors(wanted: Iterable[str], project: Project) -> list[tuple[str, EventPattern]]:
    """The events that each anchor waits for."""
    events = {"signup": project.signup or "*", "trial": project.trial}
    named = ((of, events.get(of, of.removeprefix("first:"))) for of in wanted)
    return [(of, _pattern(name)) for of, name in named if name is not None]


def _pattern(name: str) -> EventPattern:
    if name == "*":
        return EventPattern(any=True)
    if name.endswith("*"):
        return EventPattern(prefixes=(name[:-1],))
    return EventPattern(frozenset({name}))


def _names(path: str) -> set[str]:
    """The traits in which a path may begin: ``a.b`` is the trait ``a.b``, or in ``a``."""
    return {path, path.partition(".")[0]}


def _fingerprint(kind: Kind, catalogue: Catalogue, activated: Mapping[str, int]) -> str:
    """What histories depend on: another catalogue with the same one can go on with them."""
    project = json.dumps(canonical(catalogue.project), sort_keys=True)
    parts = [kind, project]
    others = [d.name + d.hash + d.subject for d in catalogue.definitions]
    parts += [*others, repr(sorted(activated.items()))]
    return blake2b("\0".join(parts).encode(), digest_size=8).hexdigest()
