"""Analysis of definitions without facts: what they read of which subject, what can change."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field

from ...model import Kind
from .absence import is_absence, met_by_missing, window_of_absence
from .addresses import EMAIL_DOMAIN
from .definition import (
    AllOf,
    AnyOf,
    AtLeast,
    Catalogue,
    Comparison,
    Customer,
    Definition,
    EventLeaf,
    EventPattern,
    EventPoints,
    GrowthLeaf,
    Guard,
    Internal,
    Leaf,
    Personal,
    PqlLeaf,
    Project,
    ScoreLeaf,
    SequenceLeaf,
    TraitLeaf,
    TraitPath,
    TraitPoints,
    UsersLeaf,
    Window,
    all_leaves,
    leaves_of,
    pattern_of,
    trait_path,
    window_of,
)
from .measures import MEASURES
from .values import satisfies, shares_in

STATIC = ("signup", "trial", "first:")


@dataclass(slots=True)
class Questions:
    """What is asked of one subject: anchors, traits by name, marks by definition, conversions."""

    anchors: set[str] = field(default_factory=set)
    traits: set[str] = field(default_factory=set)
    marks: set[str] = field(default_factory=set)
    converted: bool = False

    @property
    def any(self) -> bool:
        """Whether anything is asked."""
        return bool(self.anchors or self.traits or self.marks or self.converted)


@dataclass(slots=True)
class Asked:
    """What the definitions of a catalogue ask of users and accounts: their own, and the others."""

    own: dict[Kind, Questions] = field(
        default_factory=lambda: {"user": Questions(), "account": Questions()}
    )
    of_members: Questions = field(default_factory=Questions)
    of_first_member: Questions = field(default_factory=Questions)
    of_account: Questions = field(default_factory=Questions)

    def of(self, kind: Kind) -> Questions:
        """All that is asked of a kind of subject by others."""
        if kind == "account":
            return self.of_account
        both = (self.of_members, self.of_first_member)
        return Questions(
            both[0].anchors | both[1].anchors,
            both[0].traits | both[1].traits,
            both[0].marks | both[1].marks,
        )


def asked(catalogue: Catalogue) -> Asked:
    """Everything that the definitions of a catalogue ask for."""
    found = Asked()
    for definition in catalogue.definitions:
        for leaf in leaves_of(definition.when, *definition.unless):
            _ask(leaf, definition.subject, catalogue, found)
        _ask_guards(definition, catalogue.project, found)
    return found


def _ask(leaf: Leaf, kind: Kind, catalogue: Catalogue, found: Asked) -> None:
    """Add what one leaf of a definition asks of its subject, and of others."""
    if isinstance(leaf, UsersLeaf):
        _ask_members(leaf, found)
        for path in traits_of(leaf.comparison):
            found.own[kind].traits.add(path.path)
        return
    of = needs_of(leaf, knows_account=kind == "user")
    for path in of.traits:
        (found.of_account if path.account else found.own[kind]).traits.add(path.path)
    if of.mark is not None:
        named = catalogue.named(of.mark)
        if named is not None and named.subject != kind:
            found.of_account.marks.add(of.mark)
    if of.anchor == "signup" and kind == "account":
        found.of_first_member.anchors.add("signup")
    elif of.anchor is not None:
        found.own[kind].anchors.add(of.anchor)


def _ask_members(leaf: UsersLeaf, found: Asked) -> None:
    of = needs_of(leaf.inner, knows_account=True)
    for path in of.traits:
        (found.own["account"] if path.account else found.of_members).traits.add(path.path)
    if of.anchor is not None:
        found.of_members.anchors.add(of.anchor)
    if of.mark is not None:
        found.of_members.marks.add(of.mark)


def _ask_guards(definition: Definition, project: Project, found: Asked) -> None:
    if Customer() in definition.unless:
        found.own[definition.subject].converted = True
        if definition.subject == "user":
            found.of_account.converted = True
    if Internal() in definition.unless:
        _ask_own_and_first_member(definition.subject, project.internal.names, found)
    if Personal() in definition.unless:
        _ask_own_and_first_member(definition.subject, frozenset({EMAIL_DOMAIN}), found)


def _ask_own_and_first_member(kind: Kind, traits: frozenset[str], found: Asked) -> None:
    found.own[kind].traits |= traits
    if kind == "account":
        found.of_first_member.traits |= traits


@dataclass(slots=True)
class LeafNeeds:
    """What a leaf needs to know besides events.

    ``age`` is how old (ms) a subject must be before its absence counts; None for a leaf that asks
    for no absence. ``nothing`` says that the leaf can hold for a subject without any of its facts.
    """

    traits: set[TraitPath] = field(default_factory=set)
    anchor: str | None = None
    mark: str | None = None
    age: int | None = None
    nothing: bool = False

    @property
    def any_fact(self) -> bool:
        """Whether it needs to know a trait, an anchor or a mark."""
        return bool(self.traits or self.anchor or self.mark)


def needs_of(leaf: Leaf, knows_account: bool) -> LeafNeeds:
    """What a leaf needs to know besides events; for ``users``, ask about the leaf inside too."""
    needs = LeafNeeds(
        age=window_of_absence(leaf) if is_absence(leaf) else None, nothing=holds_of_nothing(leaf)
    )
    match leaf:
        case TraitLeaf(condition, account):
            needs.traits.add(TraitPath(condition.path, account))
            needs.traits.update(*map(traits_of, condition.comparisons))
        case PqlLeaf(name):
            needs.mark = name
        case ScoreLeaf():
            needs.traits.update(traits_of(leaf.comparison), *map(_traits_of_points, leaf.points))
        case EventLeaf():
            needs.traits.update(traits_of(leaf.comparison))
        case _:
            pass
    of = window_of(leaf).of
    if of is not None and of.startswith("trait:"):
        needs.traits.add(trait_path(of.removeprefix("trait:"), knows_account))
    else:
        needs.anchor = of
    return needs


def traits_of(comparison: Comparison) -> set[TraitPath]:
    """The traits of which a comparison takes a share."""
    return {share.trait for share in shares_in(comparison)}


def _traits_of_points(points: EventPoints | TraitPoints) -> set[TraitPath]:
    if isinstance(points, EventPoints):
        return set()
    shares = set().union(*map(traits_of, points.condition.comparisons))
    return {TraitPath(points.condition.path, points.account), *shares}


def patterns_of(definition: Definition) -> Iterator[EventPattern]:
    """The events that a definition names: those that it counts, and those of anchors."""
    for leaf in all_leaves(definition.when, *definition.unless):
        match leaf:
            case EventLeaf(events) | GrowthLeaf(events):
                yield events
            case SequenceLeaf(steps):
                yield from steps
            case ScoreLeaf(points):
                yield from (each.events for each in points if isinstance(each, EventPoints))
            case _:
                pass
        of = window_of(leaf).of or ""
        if of.startswith("first:"):
            yield pattern_of([of.removeprefix("first:")])


# -- what can change without a fact ----------------------------------------------------------------


def turns_unseen(definition: Definition, catalogue: Catalogue) -> bool:
    """Whether a definition can start to hold at a fact that it does not name.

    Its guard may end, a value may fall into its bounds, as time or others go on; or its condition
    may ask for nothing but absence.
    """
    kind = definition.subject
    if definition.clock or definition.cooldown or definition.on_change == "forward":
        return True
    if kind == "account" and any(g in definition.unless for g in (Internal(), Personal())):
        return True
    ends = any(_may_end(leaf, kind, catalogue) for leaf in leaves_of(*definition.unless))
    rises = any(_may_rise(leaf, kind, catalogue) for leaf in leaves_of(definition.when))
    return ends or rises or holds_of_nothing(definition.when)


def _may_rise(leaf: Leaf, kind: Kind, catalogue: Catalogue) -> bool:
    """Whether a leaf can come to hold without an event or a trait that it names."""
    match leaf:
        case TraitLeaf() | SequenceLeaf():
            return asks_others(leaf, kind, catalogue)
        case PqlLeaf(name):
            named = catalogue.named(name)
            by_clock = named is not None and named.clock
            return by_clock or asks_others(leaf, kind, catalogue)
        case EventLeaf():
            return is_absence(leaf) or not _only_falls(leaf) or asks_others(leaf, kind, catalogue)
        case ScoreLeaf():
            return not _only_decays(leaf) or asks_others(leaf, kind, catalogue)
        case UsersLeaf(inner):
            own = needs_of(inner, knows_account=True)
            calm = is_least(leaf.comparison) and not _may_rise(inner, "user", catalogue)
            return own.any_fact or own.nothing or not calm or is_absence(leaf)
        case GrowthLeaf():
            return True


def _may_end(leaf: Leaf, kind: Kind, catalogue: Catalogue) -> bool:
    """Whether a guard's leaf can cease to hold without an event or a trait that it names."""
    match leaf:
        case SequenceLeaf() | TraitLeaf() | PqlLeaf():
            return asks_others(leaf, kind, catalogue)
        case EventLeaf():
            rolls = leaf.window.within is not None and leaf.window.of is None
            return rolls or asks_others(leaf, kind, catalogue)
        case _:
            return True


def asks_others(leaf: Leaf, kind: Kind, catalogue: Catalogue) -> bool:
    """Whether a leaf depends on another subject than its own."""
    of = needs_of(leaf, knows_account=kind == "user")
    if any(path.account for path in of.traits) or (of.anchor == "signup" and kind == "account"):
        return True
    named = catalogue.named(of.mark) if of.mark is not None else None
    return named is not None and named.subject != kind


def _only_falls(leaf: EventLeaf) -> bool:
    """Whether a leaf of events, left alone, can only cease to hold."""
    if leaf.window.within is None or leaf.window.of is not None:
        return True
    return is_least(leaf.comparison) and MEASURES[leaf.measure].is_count


def _only_decays(leaf: ScoreLeaf) -> bool:
    """Whether a score, left alone, can only fall below what it has to reach."""
    points = [p for p in leaf.points if isinstance(p, EventPoints)]
    return is_least(leaf.comparison) and all(p.add >= 0 for p in points)


def opens_with(leaf: Leaf, anchors: Collection[str]) -> bool:
    """Whether one of these anchors can make a leaf hold by itself.

    It does so where what came before it counts, or nothing at all is enough.
    """
    window = window_of(leaf)
    if window.of not in anchors:
        return False
    by_traits = isinstance(leaf, ScoreLeaf) and any(isinstance(p, TraitPoints) for p in leaf.points)
    return window.start < 0 or by_traits or holds_of_nothing(leaf)


def is_least(comparison: Comparison) -> bool:
    """Whether a comparison asks for no more than a minimum."""
    return comparison.operator in {"gte", "gt"}


def holds_of_nothing(node: Guard) -> bool:
    """Whether a condition can hold for a subject without any fact that the condition names."""
    match node:
        case AllOf(parts) | AnyOf(parts) | AtLeast(_, parts):
            return sum(map(holds_of_nothing, parts)) >= node.needed
        case TraitLeaf(condition):
            return satisfies(None, condition)
        case EventLeaf():
            return is_absence(node) or met_by_missing(node)
        case UsersLeaf(inner):
            return is_absence(node) or holds_of_nothing(inner)
        case ScoreLeaf(points):
            missing = (p for p in points if isinstance(p, TraitPoints))
            return is_absence(node) or any(satisfies(None, p.condition) for p in missing)
        case GrowthLeaf():
            return node.base <= 0
        case _:
            return False


def is_permanent(node: Guard) -> bool:
    """Whether a condition that holds once holds forever, whatever facts come later."""
    match node:
        case AllOf(parts) | AnyOf(parts) | AtLeast(_, parts):
            return all(map(is_permanent, parts))
        case PqlLeaf():
            return True
        case SequenceLeaf():
            return not _moves(node.window)
        case EventLeaf(comparison=comparison, window=window):
            rolls = window.within is not None and window.of is None
            kept = comparison.operator in MEASURES[node.measure].kept_by and not node.or_missing
            return kept and not rolls and not _moves(window) and not shares_in(comparison)
        case _:
            return False


def _moves(window: Window) -> bool:
    """Whether the anchor of a window can change with a trait."""
    return (window.of or "").startswith("trait:")


def in_order(definitions: Iterable[Definition]) -> Iterator[int]:
    """The places of definitions in a list, each after those of the definitions that it names.

    A chain of definitions may be longer than Python can recurse.
    """
    listed = list(definitions)
    places = {definition.name: place for place, definition in enumerate(listed)}
    named = [[places[name] for name in names_in(each) if name in places] for each in listed]
    begun: set[int] = set()
    for place in range(len(listed)):
        path = [] if place in begun else [place]
        begun.add(place)
        while path:
            below = next((each for each in named[path[-1]] if each not in begun), None)
            if below is None:
                yield path.pop()
            else:
                begun.add(below)
                path.append(below)


def names_in(definition: Definition) -> Iterator[str]:
    """The definitions that a definition names."""
    for leaf in all_leaves(definition.when, *definition.unless):
        if isinstance(leaf, PqlLeaf):
            yield leaf.name
