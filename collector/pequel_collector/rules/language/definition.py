"""A definition as data: what a ``[[pql]]`` table means once it has been read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from ...model import Kind
from .addresses import EMAIL_DOMAIN
from .alerts import MAX_AGE, Alert
from .crm import Crm
from .quantities import DAY, HOUR, Number

if TYPE_CHECKING:
    from .routing import RoutingTables

Operator = Literal[
    "gte", "gt", "lte", "lt", "eq", "ne", "between", "in", "not_in",
    "exists", "contains", "starts_with", "ends_with",
]  # fmt: skip


CLAIM = 14 * DAY
"""How long a partner's claim lasts, unless the file says otherwise (ms)."""

CONTEXT = "context."
"""How the path of a property begins that is a part of the message's context."""


@dataclass(frozen=True, slots=True)
class Share:
    """A threshold that depends on the subject: ``ratio`` times a trait, which is a number above 0.

    Without such a trait there is no threshold, and no comparison with it holds.
    """

    ratio: Number
    trait: TraitPath


@dataclass(frozen=True, slots=True, order=True)
class Date:
    """A threshold that is a date: an instant (ms). Bare dates are 00:00 in the time ``zone``."""

    time: int
    zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class TraitPath:
    """A trait, by its dotted path, of the subject or of the ``account`` of a user.

    ``@email_domain`` is derived from the trait ``email``.
    """

    path: str
    account: bool = False


@dataclass(frozen=True, slots=True)
class Comparison:
    """One operator and its operand, a plain value: a quantity such as ``10GB`` is a number.

    The operand of ``gte gt lte lt`` and each end of ``between`` may be a ``Share`` or, of a
    property or a trait, a ``Date``. Those of ``contains``, ``starts_with`` and ``ends_with`` may be
    tuples: any of them.
    """

    operator: Operator
    operand: Any
    _keys: list[frozenset[str]] = field(init=False, repr=False, compare=False, default_factory=list)

    def keys(self, key: Callable[[Any], str]) -> frozenset[str]:
        """What ``key`` makes of each value of a list, made once: a list may be long."""
        if not self._keys:
            self._keys.append(frozenset(map(key, self.operand)))
        return self._keys[0]


@dataclass(frozen=True, slots=True)
class Condition:
    """A test of a property or trait: every comparison holds, or it is missing and may be.

    A property whose path begins with ``context.`` is a part of the message's context.
    """

    path: str
    comparisons: tuple[Comparison, ...]
    or_missing: bool = False


@dataclass(frozen=True, slots=True)
class Window:
    """Which instants a leaf looks at.

    ``of`` None: rolling, (τ − within, τ], or all of the past where ``within`` is None too.
    ``of`` an anchor: [anchor + start, anchor + within), without end where ``within`` is None.
    Anchors are ``signup``, ``trial``, ``first:EVENT`` and ``trait:NAME``. Lengths are milliseconds.
    """

    within: int | None = None
    of: str | None = None
    start: int = 0


@dataclass(frozen=True, slots=True)
class EventPattern:
    """Which event names a leaf counts: exact names, prefixes, or every event."""

    names: frozenset[str] = frozenset()
    prefixes: tuple[str, ...] = ()
    any: bool = False

    def matches(self, name: str) -> bool:
        """Whether an event of this name is counted."""
        return self.any or name in self.names or name.startswith(self.prefixes)


@dataclass(frozen=True, slots=True)
class EventLeaf:
    """A number drawn from the events in a window, and one comparison.

    ``measure`` is one of ``measures.MEASURES``, ``value`` the property that it is drawn from. What
    is ``distinct`` may also be ``@day``, ``@hour``, ``@minute``, ``@user`` or ``@event``. With
    ``per``, the events are parted by the value of that property and the comparison must hold
    within one part.
    ``metric`` names the ``[[metric]]`` that the leaf was written as.
    """

    events: EventPattern
    comparison: Comparison
    where: tuple[Condition, ...] = ()
    measure: str = "count"
    value: str | None = None
    per: str | None = None
    or_missing: bool = False
    window: Window = Window()
    metric: str | None = None
    path: str = ""


@dataclass(frozen=True, slots=True)
class TraitLeaf:
    """A test of the value that a trait of the subject, or of a user's ``account``, has at τ."""

    condition: Condition
    account: bool = False
    path: str = ""


@dataclass(frozen=True, slots=True)
class UsersLeaf:
    """A number of an account's members for whom a leaf holds, and one comparison."""

    inner: Leaf
    comparison: Comparison
    path: str = ""


@dataclass(frozen=True, slots=True)
class SequenceLeaf:
    """Different events, one for each step, each at or after the one before.

    ``window.within`` is the span from the first to the last, which must be shorter; with
    ``window.of`` all of them lie in the anchored window instead.
    """

    steps: tuple[EventPattern, ...]
    where: tuple[Condition, ...] = ()
    window: Window = Window()
    path: str = ""


@dataclass(frozen=True, slots=True)
class GrowthLeaf:
    """Events in (τ − over, τ]: at least ``ratio`` times those in (τ − 2·over, τ − over].

    The earlier ones must be at least ``base`` in number.
    """

    events: EventPattern
    ratio: Number
    over: int
    base: Number = 1
    where: tuple[Condition, ...] = ()
    path: str = ""


@dataclass(frozen=True, slots=True)
class EventPoints:
    """Points for each event; all of them together count no more than ``cap``."""

    events: EventPattern
    add: Number
    where: tuple[Condition, ...] = ()
    cap: Number | None = None


@dataclass(frozen=True, slots=True)
class TraitPoints:
    """Points for as long as a trait of the subject, or of a user's ``account``, meets a test."""

    condition: Condition
    add: Number
    account: bool = False


@dataclass(frozen=True, slots=True)
class ScoreLeaf:
    """The sum of points, rounded to six decimals, and one comparison.

    With ``half_life`` (milliseconds) the points of an event halve each time that passes.
    """

    points: tuple[EventPoints | TraitPoints, ...]
    comparison: Comparison
    half_life: int | None = None
    window: Window = Window()
    path: str = ""


@dataclass(frozen=True, slots=True)
class PqlLeaf:
    """Another definition was qualified at or before τ: the subject's, or the user's account's."""

    name: str
    path: str = ""


@dataclass(frozen=True, slots=True)
class AllOf:
    """Holds where every part holds, at the same τ."""

    parts: tuple[Node, ...]

    @property
    def needed(self) -> int:
        """How many parts must hold."""
        return len(self.parts)


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Holds where at least one part holds."""

    parts: tuple[Node, ...]

    @property
    def needed(self) -> int:
        """How many parts must hold."""
        return 1


@dataclass(frozen=True, slots=True)
class AtLeast:
    """Holds where at least ``needed`` of the parts hold, at the same τ."""

    needed: int
    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Internal:
    """The guard ``internal``: the subject is one of our own."""


@dataclass(frozen=True, slots=True)
class Customer:
    """The guard ``customer``: the subject, or a user's account, has converted at or before τ."""


@dataclass(frozen=True, slots=True)
class Personal:
    """The guard ``personal``: the subject's address is at a free mail provider."""


Leaf = EventLeaf | TraitLeaf | UsersLeaf | SequenceLeaf | GrowthLeaf | ScoreLeaf | PqlLeaf
Combinator = AllOf | AnyOf | AtLeast
Node = Leaf | Combinator
Guard = Node | Internal | Customer | Personal


@dataclass(frozen=True, slots=True)
class Definition:
    """One ``[[pql]]``: what must hold, for whom, and what to do with the lead that it opens.

    ``after_silence`` (of ``requalify``), ``cooldown``, ``expires`` and ``sla`` are milliseconds.
    ``clock`` lets absence qualify, at a fact's time plus the window. ``source`` is the table as
    plain data and ``text`` as it was written. ``hash`` names the content: equal content has an
    equal hash. ``accepted`` are the reasons given for what the linter finds, by its code.
    """

    name: str
    when: Node
    subject: Kind = "user"
    unless: tuple[Guard, ...] = ()
    title: str | None = None
    kind: str = "new"
    priority: str = "normal"
    sla: int | None = None
    play: str | None = None
    owner: str | None = None
    on_change: str = "retroactive"
    after_silence: int | None = None
    cooldown: int | None = None
    expires: int | None = None
    clock: bool = False
    accepted: tuple[tuple[str, str], ...] = ()
    source: dict[str, Any] = field(default_factory=dict, compare=False)
    text: str = field(default="", compare=False)
    hash: str = ""


@dataclass(frozen=True, slots=True)
class Metric:
    """A ``[[metric]]``: a number drawn from events that leaves may name.

    ``value_metric`` says that it stands for the value that customers get.
    """

    name: str
    events: EventPattern
    where: tuple[Condition, ...] = ()
    measure: str = "count"
    value: str | None = None
    value_metric: bool = False


@dataclass(frozen=True, slots=True)
class InternalRule:
    """Who is internal: a domain of the trait ``email``, or a trait with this value."""

    email_domains: frozenset[str] = frozenset()
    traits: tuple[tuple[str, Any], ...] = ()

    @property
    def names(self) -> frozenset[str]:
        """The traits that it reads."""
        email = {EMAIL_DOMAIN} if self.email_domains else set()
        return frozenset(email | {name for name, _ in self.traits})


@dataclass(frozen=True, slots=True)
class Project:
    """The ``[project]`` table: what the definitions share.

    ``expansion`` is the event of more from a customer. ``personal_domains`` are counted as free
    mail providers. ``person_traits`` are the traits that describe a person. ``partner_traits`` are
    those that a partner sees before it has claimed a lead. ``claim`` is how long a claim lasts,
    ``due_soon`` how long before it is due a lead is due soon (ms).
    ``alert_max_age`` is the age up to which a qualification is alerted (ms).
    ``contraction`` and
    ``churn`` are the events of less, and of nothing more, from a customer. ``holdout`` is the share
    of subjects that nobody contacts, to measure what contact does.
    """

    timezone: str = "UTC"
    signup: str | None = None
    trial: str | None = None
    conversion: str | None = None
    key_events: tuple[str, ...] = ()
    internal: InternalRule = InternalRule()
    expansion: str | None = None
    personal_domains: frozenset[str] = frozenset()
    person_traits: tuple[str, ...] = ()
    partner_traits: tuple[str, ...] | None = None
    claim: int = CLAIM
    due_soon: int = HOUR
    alert_max_age: int = MAX_AGE
    contraction: str | None = None
    churn: str | None = None
    holdout: Number = 0


@dataclass(frozen=True, slots=True)
class Label:
    """How an event or a property reads to people: ``one``, and ``many`` with ``{n}`` for how many.

    ``kind`` is what its values are called.
    """

    one: str | None = None
    many: str | None = None
    kind: str | None = None


class Place(NamedTuple):
    """A definition, and its number from 0 in the file and among those of its kind."""

    definition: Definition
    in_file: int
    in_kind: int


def _no_routing() -> RoutingTables:
    from .routing import RoutingTables  # which imports the records above

    return RoutingTables()


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All that a definitions file says. ``text`` is the file as written.

    ``personas`` are its ``[[persona]]`` tables as plain data. ``routing`` says who gets a lead.
    ``crms`` may write back.
    """

    project: Project = Project()
    definitions: tuple[Definition, ...] = ()
    features: dict[str, tuple[str, ...]] = field(default_factory=dict)
    metrics: tuple[Metric, ...] = ()
    labels: dict[str, Label] = field(default_factory=dict)
    personas: tuple[dict[str, Any], ...] = ()
    text: str = ""
    routing: RoutingTables = field(default_factory=_no_routing)
    alerts: tuple[Alert, ...] = ()
    crms: Mapping[str, Crm] = field(default_factory=dict)
    _of_kind: dict[Kind, tuple[Definition, ...]] = field(init=False, repr=False, compare=False)
    _places: dict[str, Place] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index the definitions; of two with one name, the first counts."""
        of_kind: dict[Kind, list[Definition]] = {"user": [], "account": []}
        places: dict[str, Place] = {}
        for number, each in enumerate(self.definitions):
            places.setdefault(each.name, Place(each, number, len(of_kind[each.subject])))
            of_kind[each.subject].append(each)
        # A frozen dataclass can set what it derives only like this.
        object.__setattr__(self, "_of_kind", {k: tuple(found) for k, found in of_kind.items()})
        object.__setattr__(self, "_places", places)

    def of_kind(self, kind: Kind) -> tuple[Definition, ...]:
        """The definitions for users, or for accounts."""
        return self._of_kind[kind]

    def place(self, name: str) -> Place | None:
        """Where the definition of this name is, if there is one."""
        return self._places.get(name)

    def named(self, name: str) -> Definition | None:
        """The definition of this name, if there is one."""
        found = self._places.get(name)
        return None if found is None else found.definition


def leaves_of(*nodes: Guard) -> Iterator[Leaf]:
    """Every leaf below some nodes, in the order of the text; not the one inside ``users``."""
    for node in nodes:
        match node:
            case AllOf(parts) | AnyOf(parts) | AtLeast(_, parts):
                yield from leaves_of(*parts)
            case Internal() | Customer() | Personal():
                pass
            case _:
                yield node


def all_leaves(*nodes: Guard) -> Iterator[Leaf]:
    """Every leaf below some nodes, and after each ``users`` the leaf inside it."""
    for leaf in leaves_of(*nodes):
        yield leaf
        if isinstance(leaf, UsersLeaf):
            yield leaf.inner


def window_of(leaf: Leaf) -> Window:
    """The window that a leaf states; all of the past if it states none."""
    return leaf.window if isinstance(leaf, EventLeaf | SequenceLeaf | ScoreLeaf) else Window()


def pattern_of(names: Iterable[str]) -> EventPattern:
    """The pattern of several names, each of which may be a ``prefix*``, or ``*`` for all."""
    given = frozenset(names)
    if "*" in given:
        return EventPattern(any=True)
    starred = frozenset(name for name in given if name.endswith("*"))
    return EventPattern(given - starred, tuple(sorted(name[:-1] for name in starred)))


def trait_path(name: str, knows_account: bool) -> TraitPath:
    """A trait as definitions name it."""
    bare = name.removeprefix("account.") if knows_account else name
    return TraitPath(bare, account=bare != name)
