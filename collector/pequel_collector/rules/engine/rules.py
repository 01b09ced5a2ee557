"""Compiles the definitions of one kind of subject to rules: tests of a subject at one moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...model import Kind
from ..language.absence import absences, window_of_absence
from ..language.addresses import EMAIL_DOMAIN
from ..language.analysis import asks_others, is_permanent, names_in
from ..language.definition import (
    AllOf,
    AnyOf,
    AtLeast,
    Catalogue,
    Customer,
    Definition,
    Guard,
    Internal,
    Leaf,
    Personal,
    Project,
    leaves_of,
)
from ..language.personal import personal_domains
from ..language.values import key, lookup
from .compiler import compiled
from .state import NEVER
from .view import EvalContext
from .windows import AllTimeWindow, LeafContext

FIRST_CLOCK = -2
"""The slot of the first clock; those of the others are the numbers below it."""

Test = Callable[[EvalContext], bool]
TestOfTraits = Callable[[Callable[[str], Any]], bool]
"""A test of a subject's traits, given a function that gives them by name."""


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """A compiled definition: what must hold, and the guards of which none may hold.

    ``permanent`` means that it always holds once it has held. ``since`` is when it begins to
    count. ``clocks`` has a slot and a length (ms) for each window of absence that a clock watches.
    ``dependants`` are the indexes of the rules that name this one. ``silence`` is the length (ms)
    of ``requalify``.
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
        """Whether a guard holds at τ. For guards a moment of the clock is like any other."""
        was, ctx.clock_only = ctx.clock_only, False
        held = any(guard(ctx) for guard in self.guards)
        ctx.clock_only = was
        return held


class CompiledRules:
    """The rules of a catalogue for one kind of subject, with the window of each leaf.

    ``windows`` lists each window with its leaf, in order of their numbers.
    """

    def __init__(self, kind: Kind, catalogue: Catalogue, activated: Mapping[str, int]) -> None:
        self._kind, self._catalogue = kind, catalogue
        self._definitions = catalogue.of_kind(kind)
        self._dependants = _dependants(self._definitions)
        self._next_clock = FIRST_CLOCK
        self.windows: list[tuple[AllTimeWindow, Leaf]] = []
        self.rules = [
            self._rule(index, d, activated.get(d.name, NEVER))
            for index, d in enumerate(self._definitions)
        ]
        self.window_of = {id(leaf): window for window, leaf in self.windows}

    def _rule(self, index: int, definition: Definition, since: int) -> Rule:
        leaves: list[AllTimeWindow] = []
        guard_leaves: list[AllTimeWindow] = []
        when = self._test(definition.when, index, since, leaves)
        guards = tuple(self._test(g, index, None, guard_leaves) for g in definition.unless)
        silence = definition.after_silence
        permanent = silence is None and self._is_permanent(definition.when)
        for leaf in leaves:
            leaf.counts_from, leaf.stops_when_qualified = since, permanent
        for leaf in guard_leaves:
            leaf.stops_when_qualified = silence is None
        return Rule(
            index,
            definition,
            when,
            guards,
            tuple(leaves),
            tuple(guard_leaves),
            permanent,
            since,
            tuple(self._clocks(definition)),
            self._dependants.get(definition.name, ()),
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
                return _own_test(self._kind, _is_internal(self._catalogue.project))
            case Personal():
                return _own_test(self._kind, _is_personal(self._catalogue.project))
            case Customer():
                return EvalContext.has_converted
            case leaf:
                context = LeafContext(self._kind, len(self.windows), index, self._catalogue, since)
                window = compiled(leaf, context)
                self.windows.append((window, leaf))
                into.append(window)
                return window.holds

    def _is_permanent(self, node: Guard) -> bool:
        others = (asks_others(leaf, self._kind, self._catalogue) for leaf in leaves_of(node))
        return is_permanent(node) and not any(others)

    def _clocks(self, definition: Definition) -> Iterator[tuple[int, int]]:
        if definition.clock:
            for length in sorted({window_of_absence(leaf) for leaf in absences(definition.when)}):
                if length:
                    yield self._next_clock, length
                    self._next_clock -= 1


def _dependants(definitions: Sequence[Definition]) -> dict[str, tuple[int, ...]]:
    """The places of the definitions that name each definition."""
    found: dict[str, dict[int, None]] = {}
    for place, definition in enumerate(definitions):
        for name in names_in(definition):
            found.setdefault(name, {})[place] = None
    return {name: tuple(places) for name, places in found.items()}


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


def _own_test(kind: Kind, is_one: TestOfTraits) -> Test:
    """A test of the subject's own traits; of an account, also of those of its first member."""

    def test(ctx: EvalContext) -> bool:
        held = ctx.state.traits
        if is_one(lambda name: v.value if (v := held.get(name)) else None):
            return True
        member = ctx.first_member() if kind == "account" else None
        return member is not None and is_one(lambda name: member.known_at(name, ctx.time))

    return test


def _is_internal(project: Project) -> TestOfTraits:
    """Whether an address or another trait is one of our own."""
    internal = project.internal

    def test(trait: Callable[[str], Any]) -> bool:
        if internal.email_domains and trait(EMAIL_DOMAIN) in internal.email_domains:
            return True
        return any(
            key(lookup(name, {n: trait(n) for n in root_names(name)})) == key(value)
            for name, value in internal.traits
        )

    return test


def _is_personal(project: Project) -> TestOfTraits:
    """Whether an address is at a free mail provider."""
    domains = personal_domains(project.personal_domains)
    return lambda trait: trait(EMAIL_DOMAIN) in domains


def root_names(path: str) -> set[str]:
    """The traits that a path may begin in: ``a.b`` is the trait ``a.b``, or in the trait ``a``."""
    return {path, path.partition(".")[0]}
