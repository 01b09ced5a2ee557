"""The machine: all definitions of one kind of subject, compiled, as a fold over facts.

``fold`` takes the facts of one subject in order of (time, messageId), one instant at a time, and
notes in the state at which instant each definition first held. Folding in one go or in steps
gives the same state, as long as the later step has only later instants.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import blake2b
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple

from ..model import Kind, Message
from .definition import (
    AllOf,
    AnyOf,
    Catalogue,
    Customer,
    Definition,
    EventLeaf,
    Guard,
    Internal,
    Leaf,
    TraitLeaf,
    Window,
    leaves_of,
)
from .facts import Alone, Fact, State, World
from .leaves import EventMeasure
from .values import key, lookup, satisfies

LATE = 3_600_000
Test = Callable[[State, int, World], bool]


class Rule(NamedTuple):
    """A compiled definition: what must hold, and the guards of which none may."""

    name: str
    definition: Definition
    when: Test
    guards: tuple[Test, ...]

    def qualifies(self, state: State, time: int, world: World) -> bool:
        """Whether the condition holds at τ and no guard does."""
        return self.when(state, time, world) and not any(g(state, time, world) for g in self.guards)


class Interest(NamedTuple):
    """What an event of one name means to the machine: the leaves it feeds, the paths they read."""

    measures: tuple[EventMeasure, ...]
    rules: frozenset[int]
    paths: tuple[str, ...]
    signup: bool
    conversion: bool


class Needs:
    """What a machine must learn beyond what its own leaves name, for itself and for others.

    A user's guard ``customer`` asks about the account; an account's ``internal`` and its window
    ``of = "signup"`` ask about the first member. Whoever is asked must remember the answer.
    """

    def __init__(self, kind: Kind, catalogue: Catalogue) -> None:
        users, accounts = catalogue.of_kind("user"), catalogue.of_kind("account")
        customers = any(_asks_customer(d) for d in users)
        inherits_signup = any(_asks_signup(d) for d in accounts)
        inherits_internal = any(_asks_internal(d) for d in accounts)
        of_member = inherits_signup or inherits_internal
        own = users if kind == "user" else accounts
        internal = {p for name in catalogue.project.internal.names for p in _prefixes(name)}
        is_user = kind == "user"
        self.first_member = of_member and not is_user
        self.accounts = of_member and is_user
        self.account = is_user and (customers or of_member)
        self.conversion = customers or any(_asks_customer(d) for d in own)
        self.signup = is_user and (inherits_signup or any(_asks_signup(d) for d in users))
        self.remembered = frozenset(internal) if is_user and inherits_internal else frozenset()
        self.every_fact = self.first_member or any(_turns_unseen(d) for d in own)


class Machine:
    """The definitions of a catalogue for users, or for accounts, ready to fold facts."""

    def __init__(self, kind: Kind, catalogue: Catalogue) -> None:
        self.kind = kind
        self.catalogue = catalogue
        self.project = catalogue.project
        self.definitions = catalogue.of_kind(kind)
        self.needs = Needs(kind, catalogue)
        self._measure_of: dict[int, EventMeasure] = {}
        self._fed_by: list[tuple[EventMeasure, int]] = []
        self._read_by: dict[str, set[int]] = {}
        self.rules = [self._rule(i, d) for i, d in enumerate(self.definitions)]
        self.by_name = {rule.name: rule for rule in self.rules}
        self._always = frozenset(i for i, d in enumerate(self.definitions) if _turns_unseen(d))
        self._by_account = frozenset(i for i, d in enumerate(self.definitions) if _asks_customer(d))
        self._interests: dict[str, Interest | None] = {}
        self.version = _fingerprint(kind, catalogue)

    # -- compiling -------------------------------------------------------------------------

    def _rule(self, index: int, definition: Definition) -> Rule:
        when = self._test(definition.when, index)
        return Rule(
            definition.name,
            definition,
            when,
            tuple(self._test(g, index) for g in definition.unless),
        )

    def _test(self, node: Guard, index: int) -> Test:
        match node:
            case AllOf(parts):
                tests = [self._test(part, index) for part in parts]
                return lambda s, t, w: all(test(s, t, w) for test in tests)
            case AnyOf(parts):
                tests = [self._test(part, index) for part in parts]
                return lambda s, t, w: any(test(s, t, w) for test in tests)
            case EventLeaf():
                return self._event_test(node, index)
            case TraitLeaf(condition):
                for name in _prefixes(condition.path):
                    self._read_by.setdefault(name, set()).add(index)
                return lambda s, _t, _w: satisfies(lookup(condition.path, s.traits), condition)
            case Internal():
                return self._internal_test(index)
            case Customer():
                return self._is_customer

    def _event_test(self, leaf: EventLeaf, index: int) -> Test:
        measure = EventMeasure(leaf, len(self._fed_by), self.project.timezone)
        self._fed_by.append((measure, index))
        self._measure_of[id(leaf)] = measure
        return lambda s, t, w: measure.holds(s, t, self.anchor(measure.anchor, s, t, w))

    def _internal_test(self, index: int) -> Test:
        for name in self.project.internal.names:
            for prefix in _prefixes(name):
                self._read_by.setdefault(prefix, set()).add(index)
        return self._is_internal

    # -- what it looks at ------------------------------------------------------------------

    def fact(self, message: Message, account: str | None) -> Fact | None:
        """A message as a fact of this kind of subject; None if no definition looks at it.

        ``account`` is the account that the message is attributed to.
        """
        interest = self.interest(message.name) if message.name is not None else None
        traits = self._named_traits(message)
        if interest is None and not traits and not self._counts_as_moment(message, account):
            return None
        paths = interest.paths if interest else ()
        return Fact(
            message.time,
            message.mid,
            message.name,
            {p: v for p in paths if (v := lookup(p, message.properties)) is not None},
            message.user_id,
            account,
            traits,
            message.received - message.time > LATE,
        )

    def _counts_as_moment(self, message: Message, account: str | None) -> bool:
        if self.needs.every_fact:
            return True
        if self.kind == "account" or not (self.definitions or self.needs.accounts):
            return False
        # What names an account says where the user is from then on, whatever else it is.
        return message.account is not None or (self.needs.account and account is not None)

    def _named_traits(self, message: Message) -> dict[str, Any]:
        if message.type != ("identify" if self.kind == "user" else "group"):
            return {}
        wanted = self._read_by.keys() | self.needs.remembered
        return {n: v for n, v in message.traits.items() if n in wanted}

    def interest(self, name: str) -> Interest | None:
        """What an event of this name means; None if no definition names it."""
        if name not in self._interests:
            if len(self._interests) > 10_000:  # names are the clients' to choose
                self._interests.clear()
            self._interests[name] = self._interest(name)
        return self._interests[name]

    def _interest(self, name: str) -> Interest | None:
        fed = [(m, i) for m, i in self._fed_by if m.leaf.events.matches(name)]
        signup = self.needs.signup and self.project.signup in (None, name)
        conversion = self.needs.conversion and self.project.conversion == name
        if not fed and not signup and not conversion:
            return None
        paths = dict.fromkeys(path for m, _ in fed for path in m.paths)
        return Interest(
            tuple(m for m, _ in fed),
            frozenset(i for _, i in fed),
            tuple(paths),
            signup,
            conversion,
        )

    # -- folding ---------------------------------------------------------------------------

    def fold(self, state: State, facts: Sequence[Fact], world: World) -> None:
        """Take in facts that are all later than the state, in (time, messageId) order."""
        for time, moment in groupby(facts, key=attrgetter("time")):
            self._moment(state, time, list(moment), world)

    def _moment(self, state: State, time: int, moment: list[Fact], world: World) -> None:
        touched = set(self._always)
        for fact in moment:
            self._register(state, fact, touched)
        for fact in moment:
            if fact.name is not None and (interest := self.interest(fact.name)):
                touched |= interest.rules
                for measure in interest.measures:
                    measure.observe(state, fact, self.anchor(measure.anchor, state, time, world))
        for index in sorted(touched):
            rule = self.rules[index]
            if rule.name not in state.qualified and rule.qualifies(state, time, world):
                state.qualified[rule.name] = [(time, state.account)]
        state.time = time

    def _register(self, state: State, fact: Fact, touched: set[int]) -> None:
        if fact.account is not None and self.kind == "user":
            self._register_account(state, fact.account, touched)
        if fact.user is not None and self.needs.first_member and state.first_member is None:
            state.first_member = fact.user
        for name, value in fact.traits.items():
            self._register_trait(state, fact.time, name, value)
            touched |= self._read_by.get(name, set())
        if fact.name is not None and (interest := self.interest(fact.name)):
            if interest.signup and state.signup is None:
                state.signup = fact.time
            if interest.conversion and state.converted is None:
                state.converted = fact.time

    def _register_account(self, state: State, account: str, touched: set[int]) -> None:
        if account != state.account:
            state.account = account
            touched |= self._by_account
        if self.needs.accounts and account not in state.accounts:
            state.accounts.append(account)

    def _register_trait(self, state: State, time: int, name: str, value: Any) -> None:
        if value is None:
            state.traits.pop(name, None)
        else:
            state.traits[name] = value
        if name in self.needs.remembered:
            state.known.setdefault(name, []).append((time, value))

    # -- asking ----------------------------------------------------------------------------

    def anchor(self, of: str | None, state: State, time: int, world: World) -> int | None:
        """The instant at which an anchored window begins, as known at τ; None if not yet."""
        if of is None:
            return None
        found = state.signup
        if self.kind == "account":
            member = world.user(state.first_member) if state.first_member is not None else None
            found = member.signup if member is not None else None
        return found if found is not None and found <= time else None

    def measure(self, leaf: EventLeaf) -> EventMeasure:
        """The compiled form of a leaf of one of the definitions."""
        return self._measure_of[id(leaf)]

    def _is_customer(self, state: State, time: int, world: World) -> bool:
        since = state.converted
        if since is not None and since <= time:
            return True
        if self.kind == "account" or state.account is None:
            return False
        account = world.account(state.account)
        return account is not None and account.converted is not None and account.converted <= time

    def _is_internal(self, state: State, time: int, world: World) -> bool:
        if self._matches_internal(state.traits):
            return True
        if self.kind == "user" or state.first_member is None:
            return False
        member = world.user(state.first_member)
        return member is not None and self._matches_internal(member.known_at(time))

    def _matches_internal(self, traits: Mapping[str, Any]) -> bool:
        internal = self.project.internal
        email = traits.get("email")
        if isinstance(email, str) and email.rpartition("@")[2].lower() in internal.email_domains:
            return True
        return any(key(lookup(name, traits)) == key(value) for name, value in internal.traits)


def qualify(
    definition: Definition, facts: Iterable[Fact], catalogue: Catalogue, world: World | None = None
) -> int | None:
    """The instant at which a definition qualified, given all facts of one subject; None if never.

    This is the meaning of a definition. Live marking folds the same steps.
    """
    state = State()
    machine = Machine(definition.subject, catalogue)
    machine.fold(state, sorted(facts, key=attrgetter("time", "mid")), world or Alone())
    found = state.qualified.get(definition.name)
    return found[0][0] if found else None


def _asks_customer(definition: Definition) -> bool:
    return any(isinstance(guard, Customer) for guard in definition.unless)


def _asks_internal(definition: Definition) -> bool:
    return any(isinstance(guard, Internal) for guard in definition.unless)


def _asks_signup(definition: Definition) -> bool:
    nodes = (definition.when, *definition.unless)
    return any(
        isinstance(leaf, EventLeaf) and leaf.window.of == "signup"
        for node in nodes
        for leaf in leaves_of(node)
    )


def _turns_unseen(definition: Definition) -> bool:
    """Whether a definition can come to hold without a fact that it names.

    Its guard may end, or a count fall into its bounds, as time or others go on; or its condition
    may ask for nothing but absence.
    """
    if definition.subject == "account" and _asks_internal(definition):
        return True
    ageing = (leaf for guard in definition.unless for leaf in leaves_of(guard) if _rolls(leaf))
    capped = (leaf for leaf in leaves_of(definition.when) if _rolls(leaf) and not _is_least(leaf))
    return _holds_of_nothing(definition.when) or any(ageing) or any(capped)


def _rolls(leaf: Leaf) -> bool:
    """Whether events leave a leaf's window as time goes on."""
    window = leaf.window if isinstance(leaf, EventLeaf) else Window()
    return window.within is not None and window.of is None


def _is_least(leaf: Leaf) -> bool:
    """Whether a leaf asks for no more than a minimum, which fewer events never reach."""
    return isinstance(leaf, EventLeaf) and leaf.comparison.operator in ("gte", "gt")


def _holds_of_nothing(node: Guard) -> bool:
    """Whether a condition can hold for a subject of which it has seen nothing."""
    match node:
        case AllOf(parts):
            return all(_holds_of_nothing(part) for part in parts)
        case AnyOf(parts):
            return any(_holds_of_nothing(part) for part in parts)
        case TraitLeaf(condition):
            return satisfies(None, condition)
        case _:
            return False


def _prefixes(path: str) -> list[str]:
    """The names under which a dotted path may begin: ``a.b`` is the trait ``a.b`` or in ``a``."""
    parts = path.split(".")
    return [".".join(parts[: i + 1]) for i in range(len(parts))]


def _fingerprint(kind: Kind, catalogue: Catalogue) -> str:
    """What histories depend on: another catalogue with the same one can go on with them."""
    project = catalogue.project
    internal = sorted(project.internal.email_domains), sorted(map(repr, project.internal.traits))
    parts = [kind, repr((project.timezone, project.signup, project.conversion, internal))]
    parts += [d.name + d.hash for d in catalogue.definitions]
    return blake2b("\0".join(parts).encode(), digest_size=8).hexdigest()
