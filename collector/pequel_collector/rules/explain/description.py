"""Who a definition marks, in one sentence for people, with the words of the catalogue.

It reads like the sentence of a lead, before anybody has qualified: *A user who created at least 3
projects within 14 days after sign-up*. ``language.sentence`` has the exact form for developers.

Every part is a phrase that continues *who*: *created a project*, *has at least 50 employees*.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from ..language.definition import (
    AllOf,
    AnyOf,
    AtLeast,
    Comparison,
    Condition,
    Customer,
    Definition,
    EventLeaf,
    EventPoints,
    GrowthLeaf,
    Guard,
    Internal,
    Leaf,
    Node,
    Personal,
    PqlLeaf,
    ScoreLeaf,
    SequenceLeaf,
    Share,
    TraitLeaf,
    TraitPoints,
    UsersLeaf,
    Window,
    leaves_of,
)
from ..language.sentence import describe_leaf, length
from . import figures
from .spans import shifted, since
from .vocabulary import Vocabulary
from .words import Action, is_plural, listed, spoken

_SUBJECTS = {"user": "A user who", "account": "An account that"}
_TIMES = {
    "gte": "at least {}",
    "gt": "more than {}",
    "lte": "at most {}",
    "lt": "fewer than {}",
    "eq": "exactly {}",
    "ne": "any number but {}",
    "between": "{} to {}",
}
_NONE = (("eq", 0), ("lt", 1), ("lte", 0))


def description_of(definition: Definition, words: Vocabulary) -> str:
    """Who qualifies, as one sentence without its full stop."""
    phrases = Phrases(definition, words)
    main = f"{_SUBJECTS[definition.subject]} {phrases.of(definition.when)}"
    guards = [phrases.guard(guard) for guard in definition.unless]
    except_ = f", except {listed(guards, 'and')}" if guards else ""
    return "; ".join((f"{main}{except_}", *_options(definition)))


def parts_of(definition: Definition, words: Vocabulary) -> Mapping[str, str]:
    """The leaves of a definition as phrases, by their exact form, which evidence has."""
    phrases = Phrases(definition, words)
    return {describe_leaf(leaf): phrases.of(leaf) for leaf in leaves_of(definition.when)}


def _options(definition: Definition) -> Iterator[str]:
    if definition.clock:
        yield "as time passes, also without a new event"
    if definition.after_silence is not None:
        yield f"again after {length(definition.after_silence)} without an event"
    if definition.cooldown is not None:
        yield f"not within {length(definition.cooldown)} after a lead was dismissed or lost"
    if definition.on_change == "forward":
        yield "a changed definition counts only what happens after the change"


class Phrases:
    """The phrases of one definition."""

    def __init__(self, definition: Definition, words: Vocabulary) -> None:
        self._subject, self._words = definition.subject, words
        self._pronoun = {"user": "they", "account": "it"}[definition.subject]

    # -- trees -----------------------------------------------------------------------------

    def of(self, node: Node) -> str:
        """What a condition asks for."""
        match node:
            case AllOf(parts):
                return self._several(parts, "and")
            case AnyOf(parts):
                return listed([self._inner(part) for part in parts], "or")
            case AtLeast():
                each = "; ".join(f"({i}) {self.of(p)}" for i, p in enumerate(node.parts, 1))
                return f"matches at least {node.needed} of these: {each}"
            case _:
                text, span = self._leaf(node)
                return text + span

    def guard(self, guard: Guard) -> str:
        """Whom a guard leaves out."""
        match guard:
            case Internal():
                return f"internal {self._subject}s"
            case Customer():
                return "customers"
            case Personal():
                return f"{self._subject}s with a personal email address"
            case _:
                who = {"user": "who", "account": "that"}[self._subject]
                return f"{self._subject}s {who} {_of_several(self.of(guard))}"

    def _several(self, parts: Sequence[Node], word: str) -> str:
        """Parts that must all hold. Neighbours with the same window name it once."""
        groups: list[tuple[str, list[str]]] = []
        for part in parts:
            if isinstance(part, AllOf | AnyOf | AtLeast):
                text, span = self._inner(part), ""
            else:
                text, span = self._leaf(part)
            if not groups or groups[-1][0] != span:
                groups.append((span, []))
            groups[-1][1].append(text)
        return f", {word} ".join(_with_span(texts, span, word) for span, texts in groups)

    def _inner(self, node: Node) -> str:
        text = self.of(node)
        return f"({text})" if isinstance(node, AllOf | AnyOf | AtLeast) else text

    def _leaf(self, leaf: Leaf) -> tuple[str, str]:
        """A leaf, and its window."""
        match leaf:
            case EventLeaf():
                return self._event(leaf), self._span(leaf.window)
            case TraitLeaf():
                owner = "belongs to an account that " if leaf.account else ""
                return owner + self.has(leaf.condition), ""
            case UsersLeaf():
                who = "person who" if _is_one(leaf.comparison) else "people who each"
                return f"has {self._amount(leaf.comparison)} {who} {self.of(leaf.inner)}", ""
            case SequenceLeaf():
                return self._sequence(leaf)
            case GrowthLeaf():
                return self._growth(leaf), ""
            case ScoreLeaf():
                return self._score(leaf), self._span(leaf.window)
            case PqlLeaf(name):
                of_account = self._subject == "user" and self._words.subject_of(name) == "account"
                who = "belongs to an account that " if of_account else ""
                return f"{who}was already qualified as “{self._words.title(name)}”", ""

    # -- events ----------------------------------------------------------------------------

    def _event(self, leaf: EventLeaf) -> str:
        part = "" if leaf.per is None else f" within one {self._words.noun(leaf.per)}"
        where = f"{self._words.where(leaf.where)}{part}"
        if leaf.measure == "count" and _is_none(leaf.comparison):
            never = "did nothing" if leaf.events.any else self._action(leaf).never
            return f"{never}{where}"
        if isinstance(leaf.comparison.operand, Share) and leaf.measure in ("count", "distinct"):
            did = self._people_who(leaf) if leaf.value == "@user" else self._usual(leaf)
            return f"{did}{where}, {self._amount(leaf.comparison)}"
        return f"{self._measured(leaf)}{where}"

    def _measured(self, leaf: EventLeaf) -> str:
        match leaf.measure:
            case "count":
                action = self._action(leaf)
                return self._times(action, leaf.comparison)
            case "distinct":
                return self._distinct(leaf)
            case measure:
                missing = " or none" if leaf.or_missing else ""
                return f"{self._usual(leaf)}{self._drawn(leaf, measure)}{missing}"

    def _distinct(self, leaf: EventLeaf) -> str:
        path, comparison = leaf.value or "", leaf.comparison
        action, many = self._action(leaf), self._amount(comparison)
        match path:
            case "@user":
                return self._people_who(leaf, many)
            case "@event":
                return self._different_events(leaf, many)
            case "@day" | "@hour" | "@minute":
                on = "on" if path == "@day" else "in"
                unit = path[1:] + ("" if _is_one(comparison) else "s")
                return f"{self._usual(leaf)} {on} {many} different {unit}"
            case _ if _is_one(comparison) or self._words.is_labelled(leaf.events):
                return self._times(action, comparison)
            case _ if not action.noun:
                return f"{action.usual} with {many} different {self._words.nouns(path)}"
            case _:
                noun = self._words.noun(path)
                is_same = path == "id" or noun.split()[-1:] == action.noun.split()[-1:]
                by = "" if is_same or not noun else f" by {noun}"
                return action.times(f"{many} different") + by

    def _people_who(self, leaf: EventLeaf, many: str = "") -> str:
        did = "were active" if leaf.events.any else self._action(leaf).once
        return f"had {many} people who {did}".replace("  ", " ")

    def _different_events(self, leaf: EventLeaf, many: str) -> str:
        each = [action.once for action in self._words.actions(leaf.events)]
        if leaf.events.any or leaf.events.prefixes or not each:
            return self._action(leaf).times(f"{many} different")
        if leaf.comparison == Comparison("gte", len(each)):
            return listed(each, "and")
        return f"did {many} of these {len(each)}: {listed(each, 'or')}"

    def _drawn(self, leaf: EventLeaf, measure: str) -> str:
        """A value that is drawn from the events."""
        path = leaf.value or ""
        noun, wanted = self._words.noun(path), self._words.wanted(path, leaf.comparison)
        name = f"{noun} " if noun else ""
        if measure == "sum":
            return f" with a total {name}of {wanted}"
        if measure == "last":
            several = noun and is_plural(noun)
            return f", most recently {f'{wanted} {noun}' if several else f'{name}{wanted}'}"
        if noun and is_plural(noun):
            return f" with {wanted} {noun}{' at once' if measure == 'max' else ' every time'}"
        return (
            f" with a {'largest' if measure == 'max' else 'smallest'} {name or 'value '}of {wanted}"
        )

    def _times(self, action: Action, comparison: Comparison) -> str:
        return action.once if _is_one(comparison) else action.times(self._amount(comparison))

    def _amount(self, comparison: Comparison) -> str:
        """How many there must be: *at least 3*."""
        operand = comparison.operand
        several = operand if comparison.operator == "between" else (operand,)
        texts = [
            f"{figures.percent(one.ratio)} of their {self._words.noun(one.trait.path) or 'limit'}"
            if isinstance(one, Share)
            else figures.number(one)
            for one in several
        ]
        return _TIMES[comparison.operator].format(*texts)

    def _action(self, leaf: EventLeaf) -> Action:
        return self._words.action(leaf.events)

    def _usual(self, leaf: EventLeaf) -> str:
        return "was active" if leaf.events.any else self._action(leaf).usual

    def _span(self, window: Window) -> str:
        if window.of is None:
            return "" if window.within is None else f" within {length(window.within)}"
        anchor = since(window.of, self._words)
        if window.start:
            return shifted(window, anchor)
        if window.within is None:
            return f" since {anchor}"
        return f" within {length(window.within)} after {anchor}"

    # -- the other sorts of leaves ---------------------------------------------------------

    def has(self, condition: Condition) -> str:
        """What a trait must be: *has at least 50 employees*, *is admin*."""
        path, tests = condition.path, condition.comparisons
        noun = self._words.noun(path) or spoken(path)
        missing = f" (or no known {noun})" if condition.or_missing else ""
        first, _, rest = noun.partition(" ")
        if len(tests) == 1 and rest and first in ("is", "has") and _is_flag(tests[0]):
            no = (
                ""
                if tests[0].operand == (tests[0].operator == "eq")
                else {"is": "not ", "has": "no "}[first]
            )
            return f"{first} {no}{rest}{missing}"
        return f"has {self._tested(noun, path, tests)}{missing}"

    def _tested(self, noun: str, path: str, tests: Iterable[Comparison]) -> str:
        found = []
        for test in tests:
            wanted = self._words.wanted(path, test)
            if test.operator == "exists":
                found.append(f"{'a known' if test.operand else 'no known'} {noun}")
            elif is_plural(noun) and test.operator not in ("in", "not_in", "contains"):
                found.append(f"{wanted} {noun}")
            else:
                found.append(f"the {noun} {wanted}")
        return listed(found, "and")

    def _sequence(self, leaf: SequenceLeaf) -> tuple[str, str]:
        *first, last = (self._words.action(step).once for step in leaf.steps)
        done = f"{', then '.join(first)} and then {last}" if first else last
        text = f"{done}{self._words.where(leaf.where)}"
        if leaf.window.of is not None or leaf.window.within is None:
            return text, self._span(leaf.window)
        return f"{text}, all within {length(leaf.window.within)}", ""

    def _growth(self, leaf: GrowthLeaf) -> str:
        over = length(leaf.over)
        usual = self._words.action(leaf.events).usual + self._words.where(leaf.where)
        least = f"at least {figures.number(leaf.base)} then"
        ratio = figures.number(leaf.ratio)
        return (
            f"{usual} at least {ratio} times as often in {over} as in the {over} before ({least})"
        )

    def _score(self, leaf: ScoreLeaf) -> str:
        each = ", ".join(map(self._points, leaf.points))
        halves = (
            f"; points for events halve every {length(leaf.half_life)}" if leaf.half_life else ""
        )
        return f"reached {self._amount(leaf.comparison)} points ({each}{halves})"

    def _points(self, points: EventPoints | TraitPoints) -> str:
        add = figures.number(points.add)
        if isinstance(points, TraitPoints):
            has = self.has(points.condition)
            has = _of_several(has) if self._subject == "user" else has
            return f"{add} if {self._pronoun} {has}"
        cap = "" if points.cap is None else f", up to {figures.number(points.cap)}"
        done = (
            "event"
            if points.events.any
            else f"time {self._pronoun} {self._words.action(points.events).once}"
        )
        return f"{add} for each {done}{self._words.where(points.where)}{cap}"


def _with_span(texts: Sequence[str], span: str, word: str) -> str:
    """Phrases, and the window that they share."""
    if not span or len(texts) == 1:
        return f"{listed(texts, word)}{span}"
    return f"{listed(texts, word)}, {'both' if len(texts) == 2 else 'all'}{span}"


_PLURALS = (("has ", "have "), ("is ", "are "), ("was ", "were "), ("belongs ", "belong "))


def _of_several(phrase: str) -> str:
    """A phrase about several: *have at least 50 employees*."""
    for one, many in _PLURALS:
        if phrase.startswith(one):
            return many + phrase.removeprefix(one)
    return phrase


def _is_none(comparison: Comparison) -> bool:
    return (comparison.operator, comparison.operand) in _NONE


def _is_one(comparison: Comparison) -> bool:
    return comparison == Comparison("gte", 1)


def _is_flag(test: Comparison) -> bool:
    return test.operator in ("eq", "ne") and isinstance(test.operand, bool)
