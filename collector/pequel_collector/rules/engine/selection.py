"""Which messages an evaluator needs, and what it keeps of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from ...model import Kind, Message, Stored
from ..language.addresses import EMAIL_DOMAIN, SOURCE, domain_of
from ..language.analysis import asked, asks_others, opens_with, patterns_of, turns_unseen
from ..language.definition import (
    CONTEXT,
    Catalogue,
    Customer,
    Definition,
    EventPattern,
    Project,
    leaves_of,
    pattern_of,
)
from ..language.values import lookup, whole
from .compiler import all_paths_of, paths_of
from .conversions import PATHS, conversion_names
from .keyed import Members
from .rules import CompiledRules, root_names
from .state import Fact
from .windows import AllTimeWindow, bare

LATE = 3_600_000
"""Milliseconds after its time from which a message counts as received late."""

MAX_ROUTES = 10_000
"""How many event names are remembered: clients choose them."""


class EventRoute(NamedTuple):
    """Where an event of one name goes.

    ``windows`` take it in; ``rules`` have to be evaluated at it; ``paths`` are the properties that
    they read, and ``in_context`` the paths into the message's context; ``anchors`` are those that
    it may be the first event of. ``expands`` is whether it stands for more from a customer; None if
    it is no conversion.
    """

    windows: tuple[AllTimeWindow, ...]
    rules: frozenset[int]
    paths: tuple[str, ...]
    in_context: tuple[str, ...]
    anchors: tuple[str, ...]
    is_conversion: bool
    expands: bool | None = None


class FactScope(NamedTuple):
    """Which messages ``FactSelection.fact`` can need, for a reader that leaves out the others.

    ``names`` are the names of events; None means every message. ``traits`` says that it needs calls
    that set traits, ``accounts`` that a message may be needed because it has an account. The other
    two say which parts of events it reads.
    """

    names: frozenset[str] | None
    traits: bool
    accounts: bool
    properties: bool
    context: bool


class FactSelection:
    """What the definitions for one kind of subject read of messages.

    ``exports`` is what other subjects' definitions read of this kind. ``traits_to_keep`` are the
    traits among it. ``rules_by_trait`` are the rules to evaluate when a trait changes,
    ``rules_by_account`` those to evaluate when a user's account does, ``always`` those to evaluate
    at every fact. ``keeps_moves`` says that the accounts of a user matter to their leads.
    """

    def __init__(self, kind: Kind, catalogue: Catalogue, compiled: CompiledRules) -> None:
        self._kind, self._catalogue = kind, catalogue
        self._windows, self._rules = compiled.windows, compiled.rules
        self._routes: dict[str, EventRoute | None] = {}
        needs, is_user = asked(catalogue), kind == "user"
        own, self.exports = needs.own[kind], needs.of(kind)
        known = {"trial"} if catalogue.project.trial is not None and self._rules else set()
        wanted = sorted(own.anchors | self.exports.anchors | known)
        self._anchors = _anchors(wanted, catalogue.project)
        reads_conversion = own.converted or self.exports.converted
        self._conversion = catalogue.project.conversion if reads_conversion else None
        has_leads = bool(self._rules) or (not is_user and bool(catalogue.definitions))
        self._conversions = conversion_names(catalogue.project) if has_leads else {}
        self.keeps_moves = is_user and bool(self._conversions)
        self.traits_to_keep = {name for path in self.exports.traits for name in root_names(path)}
        self.rules_by_trait = self._by_trait(own.traits)
        self._derives_domain = EMAIL_DOMAIN in self.rules_by_trait.keys() | self.traits_to_keep
        self.always = self._indexes(lambda d: turns_unseen(d, catalogue))
        self.rules_by_account = self._indexes(lambda d: is_user and self._reads_account(d))
        self.keeps_first_member = not is_user and needs.of_first_member.any
        self.keeps_members = not is_user and self._has_idle_members()
        self.keeps_accounts = is_user and (needs.of_members.any or needs.of_first_member.any)
        self._follows_account = is_user and (needs.of_account.any or self.keeps_accounts)
        self._reads_accounts = is_user and bool(self._rules or self.keeps_accounts)
        self._takes_every_fact = bool(
            self.always or any(r.silence is not None or r.clocks for r in self._rules)
            or self.keeps_first_member or self.keeps_members
        )  # fmt: skip

    def fact(self, stored: Stored) -> Fact | None:
        """A message as a fact of this kind of subject; None if no definition needs it."""
        message, account, person = stored
        name = message.name
        route = self.route(name) if name is not None else None
        traits = self._needed_traits(message) if message.traits else {}
        if route is None and not traits and not self._is_needed(stored):
            return None
        data: dict[str, Any] = {}
        if route is not None:
            properties = message.properties
            for path in route.paths:
                if (value := lookup(path, properties)) is not None:
                    data[path] = whole(value)
            for path in route.in_context:
                if (value := lookup(path[len(CONTEXT) :], message.context)) is not None:
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
            position=message.position,
        )

    def route(self, name: str) -> EventRoute | None:
        """Where an event of this name goes; None if no definition names it."""
        if name in self._routes:
            return self._routes[name]
        if len(self._routes) > MAX_ROUTES:
            self._routes = {}
        found = self._routes[name] = self._route(name)
        return found

    @property
    def scope(self) -> FactScope:
        """Which messages may be needed."""
        patterns = [p for rule in self._rules for p in patterns_of(rule.definition)]
        patterns += [pattern for _, pattern in self._anchors]
        names = set(self._conversions).union(*(pattern.names for pattern in patterns))
        if self._conversion is not None:
            names.add(self._conversion)
        is_open = any(p.any or p.prefixes for p in patterns) or self._takes_every_fact
        paths = {path for _, leaf in self._windows for path in all_paths_of(leaf)}
        return FactScope(
            None if is_open else frozenset(names),
            traits=bool(self.rules_by_trait or self.traits_to_keep),
            accounts=bool(self.rules_by_account or self._follows_account or self.keeps_accounts),
            properties=any(not path.startswith(CONTEXT) for path in paths),
            context=any(path.startswith(CONTEXT) for path in paths),
        )

    def _route(self, name: str) -> EventRoute | None:
        taking = [(window, leaf) for window, leaf in self._windows if window.names(name)]
        anchors = tuple(of for of, pattern in self._anchors if pattern.matches(name))
        is_conversion, expands = self._conversion == name, self._conversions.get(name)
        if not taking and not anchors and not is_conversion and expands is None:
            return None
        paths = dict.fromkeys(path for _, leaf in taking for path in paths_of(leaf, name))
        if expands is not None:
            paths |= dict.fromkeys(PATHS)
        windows = tuple(window for window, _ in taking)
        opened = [window.rule for window, leaf in self._windows if opens_with(leaf, anchors)]
        rules = frozenset([*(window.rule for window in windows), *opened])
        in_context = tuple(path for path in paths if path.startswith(CONTEXT))
        own = tuple(path for path in paths if not path.startswith(CONTEXT))
        return EventRoute(windows, rules, own, in_context, anchors, is_conversion, expands)

    def _needed_traits(self, message: Message) -> dict[str, Any]:
        if message.type != ("identify" if self._kind == "user" else "group"):
            return {}
        by_trait, kept = self.rules_by_trait, self.traits_to_keep
        traits = message.traits_set
        found = {n: whole(v) for n, v in traits.items() if n in by_trait or n in kept}
        return _derived(found, traits) if self._derives_domain else found

    def _is_needed(self, stored: Stored) -> bool:
        """Whether a message is needed of which no definition reads a name, property or trait."""
        if self._takes_every_fact or not self._reads_accounts:
            return self._takes_every_fact
        # A message that names an account moves the user to it, whatever else it is.
        return stored.message.account is not None or (
            self._follows_account and stored.account is not None
        )

    def _indexes(self, wanted: Callable[[Definition], bool]) -> frozenset[int]:
        return frozenset(rule.index for rule in self._rules if wanted(rule.definition))

    def _by_trait(self, read: Iterable[str]) -> dict[str, set[int]]:
        found: dict[str, set[int]] = {part: set() for name in read for part in root_names(name)}
        for rule in self._rules:
            for name in self._traits_of(rule.definition):
                found.setdefault(name, set()).add(rule.index)
        return found

    def _traits_of(self, definition: Definition) -> set[str]:
        """The traits of its own subject that a definition reads."""
        alone = Catalogue(self._catalogue.project, (definition,), self._catalogue.features)
        own = asked(alone).own[self._kind]
        return {part for name in own.traits for part in root_names(name)}

    def _reads_account(self, definition: Definition) -> bool:
        return Customer() in definition.unless or any(
            asks_others(leaf, self._kind, self._catalogue)
            for leaf in leaves_of(definition.when, *definition.unless)
        )

    def _has_idle_members(self) -> bool:
        aggregates = (bare(window.aggregate) for window, _ in self._windows)
        return any(isinstance(m, Members) and (m.idle or m.personal) for m in aggregates)


def _derived(found: dict[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Traits with what is derived from those that a message gives; nobody can send such a trait."""
    found.pop(EMAIL_DOMAIN, None)
    if SOURCE in given:
        found[EMAIL_DOMAIN] = whole(domain_of(given[SOURCE]))
    return found


def _anchors(wanted: Iterable[str], project: Project) -> list[tuple[str, EventPattern]]:
    """The events that each anchor is the first of."""
    events = {"signup": project.signup or "*", "trial": project.trial}
    named = ((of, events.get(of, of.removeprefix("first:"))) for of in wanted)
    return [(of, pattern_of([name])) for of, name in named if name is not None]
