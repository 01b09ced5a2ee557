"""How the events, properties, traits and definitions of a catalogue read to people."""

from __future__ import annotations

from ...model import Kind
from ..language.definition import (
    CONTEXT,
    Catalogue,
    Comparison,
    Condition,
    Definition,
    EventPattern,
    Label,
    Share,
    pattern_of,
)
from ..language.values import dates_in
from . import figures
from .words import NUMBER, Action, action_of, is_plural, listed, plural, spoken

MAX_NAMED = 4
"""Events that a phrase names one by one."""

_ANYTHING = Action("did something", f"did {NUMBER} things")
_NO_LABEL = Label()

_TESTS = {
    "gte": "at least {}",
    "gt": "over {}",
    "lte": "at most {}",
    "lt": "under {}",
    "ne": "other than {}",
    "not_in": "other than {}",
    "contains": "containing {}",
    "starts_with": "starting with {}",
    "ends_with": "ending with {}",
}
_OF_DATES = {"gte": "on or after {}", "gt": "after {}", "lte": "on or before {}", "lt": "before {}"}


class Vocabulary:
    """The words of a catalogue: its labels first, then what the names themselves say."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._labels = catalogue.labels

    # -- definitions and features ----------------------------------------------------------

    def title(self, name: str) -> str:
        """What a definition is called."""
        found = self._catalogue.named(name)
        return (found and found.title) or title_of(name)

    def definition(self, name: str) -> Definition | None:
        """The definition of this name."""
        return self._catalogue.named(name)

    def subject_of(self, name: str) -> Kind | None:
        """The kind of subject of a definition."""
        found = self._catalogue.named(name)
        return None if found is None else found.subject

    def _feature(self, pattern: EventPattern) -> str | None:
        """The feature whose events these are, where it has several."""
        several = len(pattern.names) + len(pattern.prefixes) > 1
        named = self._catalogue.features.items() if several else ()
        return next((name for name, events in named if pattern_of(events) == pattern), None)

    # -- events ----------------------------------------------------------------------------

    def action(self, pattern: EventPattern) -> Action:
        """What somebody did who sent an event of this pattern."""
        if pattern.any:
            return _ANYTHING
        each = self.actions(pattern)
        if len(each) == 1:
            return each[0]
        feature = self._feature(pattern)
        return _used(spoken(feature)) if feature is not None else _one_of(each)

    def actions(self, pattern: EventPattern) -> list[Action]:
        """What each name of a pattern says, in the order of the names."""
        found = [self._named(name) for name in sorted(pattern.names)]
        return found + [_beginning_with(prefix) for prefix in pattern.prefixes]

    def is_labelled(self, pattern: EventPattern) -> bool:
        """Whether words for several of these events are given."""
        names = [*pattern.names, *pattern.prefixes]
        return len(names) == 1 and self._labels.get(names[0], _NO_LABEL).many is not None

    def _named(self, name: str) -> Action:
        label, usual = self._labels.get(name, _NO_LABEL), action_of(name)
        if label.one is None and label.many is None:
            return usual
        once = usual.once if label.one is None else _line(label.one)
        many = f"{once} {NUMBER} times" if label.many is None else _line(label.many)
        return Action(once, many, usual.noun if label.kind is None else _line(label.kind))

    # -- properties and traits -------------------------------------------------------------

    def noun(self, path: str) -> str:
        """What a property or trait is called; empty where its name is only a unit."""
        label = self._labels.get(path, _NO_LABEL)
        given = label.kind or label.one
        if given is not None:
            return _line(given)
        return figures.measured(path.removeprefix(CONTEXT).removeprefix("@"))

    def nouns(self, path: str) -> str:
        """The same for several."""
        label = self._labels.get(path, _NO_LABEL)
        if label.kind is None and label.many is not None:
            return _line(label.many.replace(NUMBER, ""))
        noun = self.noun(path)
        return plural(noun) if noun else figures.unit_of(path)

    def amount(self, path: str, value: object, text: str) -> str:
        """A value of a property, as text, with its name: *25 parts*, *theme dark*, *8 GB*."""
        noun = self.noun(path)
        if not noun:
            return text
        is_several = is_plural(noun) and isinstance(value, int | float)
        return f"{text} {noun}" if is_several else f"{noun} {text}"

    # -- conditions ------------------------------------------------------------------------

    def where(self, conditions: tuple[Condition, ...]) -> str:
        """What is asked of the properties of events: *with status success*."""
        return "".join(f" {self._with(condition)}" for condition in conditions)

    def _with(self, condition: Condition) -> str:
        noun = self.noun(condition.path) or figures.unit_of(condition.path)
        tests = [self._test(noun, condition.path, test) for test in condition.comparisons]
        missing = " or none" if condition.or_missing else ""
        return f"{listed(tests, 'and')}{missing}"

    def _test(self, noun: str, path: str, test: Comparison) -> str:
        operand = test.operand
        match test.operator:
            case "exists":
                return f"with a known {noun}" if operand else f"without {noun}"
            case "eq" if isinstance(operand, bool):
                return f"that {'were' if operand else 'were not'} {noun.removeprefix('is ')}"
            case _:
                return f"with {noun} {self.wanted(path, test)}"

    def wanted(self, path: str, test: Comparison) -> str:
        """What a comparison asks for: *at least 20*, *free or pro*, *between 1 and 5*."""
        match test.operator:
            case "exists":
                return "known" if test.operand else "unknown"
            case "between":
                low, high = (self._operand(path, end) for end in test.operand)
                return f"between {low} and {high}"
            case "eq":
                return self._operand(path, test.operand)
            case "in":
                return self._any_of(path, test.operand)
            case operator:
                words = _OF_DATES if dates_in(test) else _TESTS
                return words[operator].format(self._any_of(path, test.operand))

    def _any_of(self, path: str, operand: object) -> str:
        several = operand if isinstance(operand, tuple) else (operand,)
        return listed([self._operand(path, one) for one in several], "or") if several else "nothing"

    def _operand(self, path: str, value: object) -> str:
        if isinstance(value, Share):
            return f"{figures.percent(value.ratio)} of their {self.noun(value.trait.path)}"
        return figures.quantity(path, value)


def title_of(name: str) -> str:
    """The name of a definition as a title: ``set_up`` is *Set up*."""
    text = spoken(name)
    return text[:1].upper() + text[1:]


def _used(feature: str) -> Action:
    noun = (
        feature
        if feature.rsplit(maxsplit=1)[-1] in ("feature", "features")
        else f"{feature} features"
    )
    return Action(f"used {noun}", f"used {noun} {NUMBER} times")


def _beginning_with(prefix: str) -> Action:
    words = spoken(prefix)
    return Action(f"did something in {words}", f"did {NUMBER} things in {words}")


def _one_of(each: list[Action]) -> Action:
    """Any of several actions."""
    named = [action.once for action in each[:MAX_NAMED]]
    if left := len(each) - len(named):
        named.append(f"did one of {left} other things")
    once = listed(named, "or")
    return Action(once, f"{once} {NUMBER} times")


def _line(text: str) -> str:
    """A label on one line."""
    return " ".join(text.split())
