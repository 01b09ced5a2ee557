"""Who a definition marks, in one sentence for people, with the words of the catalogue.

It reads like the sentence of a lead, before anybody has qualified: *A user who created at least 3
projects within 14 days after sign-up*. ``language.sentence`` has the exact form for developers.

Every part is a phrase that continues *who*: *created a project*, *has at least 50 employees*.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from ...model import Kind, is_number
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
from . import figures, limits
from .spans import shifted, since
from .vocabulary import Vocabulary
from .words import Action, is_plural, listed, spoken, with_article

_SUBJECTS = {"user": ("A user", "who"), "account": ("An account", "that")}
_MINUTES = {"gte": "for at least {}", "gt": "for more than {}", "lte": "for at most {}",
            "lt": "for less than {}", "eq": "for exactly {}"}  # fmt: skip
_TIMES = {
    "gte": "at least {}",
    "gt": "more than {}",
    "lte": "at most {}",
    "lt": "fewer than {}",
    "eq": "exactly {}",
    "ne": "any number but {}",
    "between": "{} to {}",
}
_AFFIXES = (("containing", "contains"), ("starting", "starts"), ("ending", "ends"))
MAX_ASKED = 300
"""Characters of what another definition asks; of a longer one only the title is said."""
_NONE = (("eq", 0), ("lt", 1), ("lte", 0))


def description_of(definition: Definition, words: Vocabulary) -> str:
    """Who qualifies, as one sentence without its full stop."""
    phrases = Phrases(definition.subject, words)
    what, details = phrases.whole(definition.when)
    guards = [phrases.guard(guard) for guard in definition.unless]
    except_ = f", except {listed(guards, 'and')}" if guards else ""
    return "; ".join((f"{what}{except_}{details}", *_options(definition)))


def parts_of(definition: Definition, words: Vocabulary) -> Mapping[str, str]:
    """The leaves of a definition as phrases, by their exact form, which evidence has."""
    phrases = Phrases(definition.subject, words)
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
    """The phrases of definitions for one kind of subject."""

    def __init__(self, subject: Kind, words: Vocabulary, is_inner: bool = False) -> None:
        self._subject, self._words, self._is_inner = subject, words, is_inner
        self._pronoun = {"user": "they", "account": "it"}[subject]

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

    def whole(self, node: Node) -> tuple[str, str]:
        """A subject with its whole condition, and the details of a score, which come last."""
        subject, who = _SUBJECTS[self._subject]
        if isinstance(node, ScoreLeaf):
            text, details = self._score(node)
            return f"{subject} {who} {text}{self._span(node.window)}", f": {details}"
        if isinstance(node, TraitLeaf) and (whose := self._whose(node)):
            return f"{subject} {whose}", ""
        if isinstance(node, AllOf) and any(map(self._whose, node.parts)):
            return f"{subject} {self._with_traits(node.parts, who)}", ""
        return f"{subject} {who} {self.of(node)}", ""

    def _with_traits(self, parts: Sequence[Node], who: str) -> str:
        """Parts that must all hold: what they did or have, then *whose plan is free*."""
        done = [part for part in parts if not self._whose(part)]
        whose = [text for part in parts if (text := self._whose(part))]
        first = [f"{who} {self._several(done, 'and')}"] if done else []
        return ", and ".join((*first, *whose))

    def _whose(self, node: Guard) -> str:
        """A trait of the subject that reads better so: *whose plan is free*; empty for another."""
        if not isinstance(node, TraitLeaf) or node.account or len(node.condition.comparisons) != 1:
            return ""
        [test], noun = node.condition.comparisons, self._words.noun(node.condition.path)
        is_spoken = self.has(node.condition).startswith("has the ")
        missing = " or unknown" if node.condition.or_missing else ""
        wanted = self._words.wanted(node.condition.path, test)
        form, is_ = next(
            ((form, verb) for form, verb in _AFFIXES if wanted.startswith(f"{form} ")), ("", "is ")
        )
        wanted = f"{is_}{wanted.removeprefix(form)}{missing}"
        return f"whose {noun or spoken(node.condition.path)} {wanted}" if is_spoken else ""

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
                if whose := self._whose(guard):
                    return f"{self._subject}s {whose}"
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
                if share := limits.people_in(leaf):
                    return self._filled(leaf, share), ""
                return self._event(leaf), self._span(leaf.window)
            case TraitLeaf():
                return self._trait(leaf), ""
            case UsersLeaf():
                return self._members(leaf), ""
            case SequenceLeaf():
                return self._sequence(leaf)
            case GrowthLeaf():
                return self._growth(leaf), ""
            case ScoreLeaf():
                text, details = self._score(leaf)
                return f"{text} ({details})", self._span(leaf.window)
            case PqlLeaf(name):
                return self.qualified(name), ""

    def _trait(self, leaf: TraitLeaf) -> str:
        if not leaf.account:
            return self.has(leaf.condition)
        if whose := self._whose(TraitLeaf(leaf.condition)):
            return f"belongs to an account {whose}"
        return f"belongs to an account that {self.has(leaf.condition)}"

    def _members(self, leaf: UsersLeaf) -> str:
        """How many people of an account did something or are something."""
        person, who = ("person", "who") if _is_one(leaf.comparison) else ("people", "who each")
        each = self._whose(leaf.inner) or f"{who} {Phrases('user', self._words).of(leaf.inner)}"
        return f"has {self._amount(leaf.comparison)} {person} {each}"

    def qualified(self, name: str) -> str:
        """What another definition asks. One that builds on a third names that by its title."""
        definition, title = self._words.definition(name), f"“{self._words.title(name)}”"
        of_account = self._subject == "user" and self._words.subject_of(name) == "account"
        who = "belongs to an account that " if of_account else ""
        qualified = f"{who}was already qualified as {title}"
        if definition is None or self._is_inner:
            return qualified
        when = definition.when
        asks = Phrases(definition.subject, self._words, is_inner=True).of(when)
        if len(asks) > MAX_ASKED:
            return qualified
        if isinstance(when, AllOf | AnyOf | AtLeast | ScoreLeaf | PqlLeaf):
            return f"{qualified} ({asks})"
        return f"{who}{asks} ({title})"

    # -- events ----------------------------------------------------------------------------

    def _event(self, leaf: EventLeaf) -> str:
        part = "" if leaf.per is None else f" within one {self._words.noun(leaf.per)}"
        where = f"{self._words.where(leaf.where)}{part}"
        if leaf.measure == "count" and _is_none(leaf.comparison):
            never = "did nothing" if leaf.events.any else self._action(leaf).never
            return f"{never}{where}"
        if share := limits.usage_of(leaf):
            return f"uses {self._part(leaf, share)}"
        if isinstance(leaf.comparison.operand, Share) and leaf.measure in ("count", "distinct"):
            return f"{self._usual(leaf)}{where}, {self._amount(leaf.comparison)}"
        return f"{self._measured(leaf)}{where}"

    def _filled(self, leaf: EventLeaf, share: Share) -> str:
        """How many of the seats people fill."""
        people = self._people_who(leaf).removeprefix("had ")
        inside = "" if leaf.per is None else f" within one {self._words.noun(leaf.per)}"
        did = f"{people}{self._words.where(leaf.where)}{inside}{self._span(leaf.window)}"
        if leaf.comparison.operator in ("gte", "gt"):
            return f"had enough {did} to fill {self._part(leaf, share)}"
        return f"had {did}, {self._part(leaf, share)}"

    def _part(self, leaf: EventLeaf, share: Share) -> str:
        """The part of a limit: *at least 80% of its storage limit*."""
        limit = limits.limit_of(share, self._words, self._subject)
        part = f"{figures.percent(share.ratio)} of {limit}"
        return _TIMES[leaf.comparison.operator].format(part)

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
            case "@minute" if leaf.events.any and (total := _minutes(comparison)):
                return f"was active {total} in total"
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
        people = "person" if _is_one(leaf.comparison) else "people"
        amount = f"had {many} ".replace("  ", " ")
        if leaf.events.any:
            return f"{amount}active {people}"
        return f"{amount}{people} who {self._action(leaf).once}"

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
        all_ = ", all" if len(leaf.steps) > 2 or leaf.where else ""
        return f"{text}{all_} within {length(leaf.window.within)}", ""

    def _growth(self, leaf: GrowthLeaf) -> str:
        over = length(leaf.over)
        usual = self._words.action(leaf.events).usual + self._words.where(leaf.where)
        least = f"which had at least {figures.number(leaf.base)}"
        ratio = figures.ratio(figures.number(leaf.ratio))
        return f"{usual} at least {ratio} as often in {over} as in the {over} before, {least}"

    def _score(self, leaf: ScoreLeaf) -> tuple[str, str]:
        """The score that is needed, and what gives points."""
        each = ", ".join(map(self._points, leaf.points))
        halves = (
            f"; points for actions halve every {length(leaf.half_life)}" if leaf.half_life else ""
        )
        return f"reached a score of {self._amount(leaf.comparison)}", f"{each}{halves}"

    def _points(self, points: EventPoints | TraitPoints) -> str:
        unit = "point" if abs(points.add) == 1 else "points"
        add = f"{figures.number(abs(points.add))} {unit}{' less' if points.add < 0 else ''}"
        if isinstance(points, TraitPoints):
            if whose := self._whose(TraitLeaf(points.condition)):
                owner = limits.OWNERS[self._subject]
                return f"{add} if {owner} {whose.removeprefix('whose ')}"
            has = self.has(points.condition)
            has = _of_several(has) if self._subject == "user" else has
            return f"{add} if {self._pronoun} {has}"
        cap = "" if points.cap is None else f" ({figures.number(points.cap)} at most)"
        return f"{add} for each {self._done(points)}{self._words.where(points.where)}{cap}"

    def _done(self, points: EventPoints) -> str:
        """What gives points each time: *project created*, *time it called the API*."""
        if points.events.any:
            return "action"
        action = self._words.action(points.events)
        verb = action.once.removesuffix(f" {with_article(action.noun)}") if action.noun else ""
        if verb and verb != action.once and " " not in verb:
            return f"{action.noun} {verb}"
        return f"time {self._pronoun} {action.once}"


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


def _minutes(comparison: Comparison) -> str:
    """How long a number of active minutes is; empty where it is not a whole number of them."""
    form, operand = _MINUTES.get(comparison.operator, ""), comparison.operand
    if not form or not is_number(operand) or operand != int(operand) or operand < 1:
        return ""
    return form.format(figures.minutes(int(operand)))


def _is_none(comparison: Comparison) -> bool:
    return (comparison.operator, comparison.operand) in _NONE


def _is_one(comparison: Comparison) -> bool:
    return comparison == Comparison("gte", 1)


def _is_flag(test: Comparison) -> bool:
    return test.operator in ("eq", "ne") and isinstance(test.operand, bool)
