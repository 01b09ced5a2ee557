"""What was observed of a leaf, as a phrase of the sentence of a lead.

A phrase continues *they*: *created 3 projects (3 needed)*, *plan is free*. Its window stands apart,
so that leaves that share one can name it once: *in the last 7 days*.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from ...model import JSON, Kind, is_number
from ..language.dates import instant_of
from ..language.definition import (
    Comparison,
    Condition,
    Date,
    EventLeaf,
    EventPoints,
    Leaf,
    TraitLeaf,
)
from ..language.sentence import length
from ..language.values import compare, dates_in, exact, settle
from . import figures, limits
from .asked import asked, needed_of
from .description import Phrases
from .leaf import LeafExplanation
from .leaf_of_events import EventExplanation
from .leaves import (
    GrowthExplanation,
    PqlExplanation,
    ScoreExplanation,
    SequenceExplanation,
    TraitExplanation,
    UsersExplanation,
)
from .spans import rolling, span_of
from .vocabulary import Vocabulary
from .words import Action, is_plural, listed, spoken

SHOWN_POINTS = 3
"""Components of a score that a sentence names."""

_UNITS = {"@day": "on {} different days", "@hour": "in {} different hours",
          "@minute": "in {} different minutes"}  # fmt: skip


class Phrase(NamedTuple):
    """A part of a sentence, and the window in which it was observed; empty for all of the past."""

    text: str
    span: str = ""


def sentence(phrases: Sequence[Phrase]) -> str:
    """Phrases as one sentence, in which neighbours with the same window name it once."""
    groups: list[tuple[str, list[str]]] = []
    for text, span in phrases:
        if not groups or groups[-1][0] != span:
            groups.append((span, []))
        groups[-1][1].append(text)
    return ", and ".join(f"{listed(texts, 'and')}{span}" for span, texts in groups)


def phrase_of(explanation: LeafExplanation, vocabulary: Vocabulary, kind: Kind) -> Phrase:
    """What was observed of a leaf that holds, for a definition of a kind of subject."""
    return _PHRASES[type(explanation)](explanation, vocabulary, kind)


# -- events --------------------------------------------------------------------------------


def _event(found: EventExplanation, words: Vocabulary, _: Kind) -> Phrase:
    leaf = found.leaf
    if phrase := _of_limit(found, words):
        return phrase
    text = _MEASURED[leaf.measure](found, words)
    text += _where_and_part(leaf, words)
    if leaf.measure != "count" or found.observed != 0:
        text += needed_of(found, words)
    return Phrase(text, span_of(found, words))


def _of_limit(found: EventExplanation, words: Vocabulary) -> Phrase | None:
    """What is used of a limit, or how many people fill the seats; None for another leaf."""
    leaf, kind, observed = found.leaf, found.ctx.kind, found.observed
    share = limits.usage_of(leaf) or limits.people_in(leaf)
    limit = None if share is None else found.ctx.trait(share.trait)
    part = limits.part_of(observed, limit)
    if share is None or part is None:
        return None
    of, span = limits.of_limit(limit, share, words, kind), span_of(found, words)
    if leaf.measure == "last":
        return Phrase(f"uses {figures.quantity(leaf.value or '', observed)} of {of} ({part})", span)
    people = f"{_distinct(found, words)}{_where_and_part(leaf, words)}"
    return Phrase(f"{people}{span}, {part} of {of}")


def _where_and_part(leaf: EventLeaf, words: Vocabulary) -> str:
    part = "" if leaf.per is None else f" within one {words.noun(leaf.per)}"
    return f"{words.where(leaf.where)}{part}"


def _counted(action: Action, count: Any) -> str:
    """How often something was done."""
    if count == 0:
        return action.never
    return action.once if count == 1 else action.times(figures.number(count))


def _count(found: EventExplanation, words: Vocabulary) -> str:
    if found.leaf.events.any and found.observed == 0:
        return "did nothing"
    return _counted(words.action(found.leaf.events), found.observed)


def _distinct(found: EventExplanation, words: Vocabulary) -> str:
    leaf, count = found.leaf, found.observed
    value, action = leaf.value or "", words.action(leaf.events)
    match value:
        case "@user":
            if leaf.events.any:
                return f"had {_people(count, 'active ')}"
            return f"had {_people(count)} who {action.once}"
        case "@event":
            return _different_events(found, words)
        case "@minute" if leaf.events.any and count:
            return f"was active for {figures.minutes(int(count))} in total"
        case "@day" | "@hour" | "@minute":
            when = _UNITS[value].format(figures.number(count))
            when = when.replace("different ", "").removesuffix("s") if count == 1 else when
            return f"{'was active' if leaf.events.any else action.usual} {when}"
        case _ if count in (0, 1) or words.is_labelled(leaf.events):
            return _counted(action, count)
        case _:
            return _different(action, figures.number(count), value, words)


def _people(count: Any, active: str = "") -> str:
    if count == 1:
        return f"1 {active}person"
    return f"{figures.number(count) if count else 'no'} {active}people"


def _different(action: Action, count: str, path: str, words: Vocabulary) -> str:
    """Different values of a property: *created 3 different projects*."""
    noun = words.noun(path)
    if not action.noun:
        return f"{action.usual} with {count} different {words.nouns(path)}"
    is_same = path == "id" or noun.split()[-1:] == action.noun.split()[-1:]
    return action.times(f"{count} different") + ("" if is_same or not noun else f" by {noun}")


def _different_events(found: EventExplanation, words: Vocabulary) -> str:
    pattern, count = found.leaf.events, found.observed
    if pattern.any or pattern.prefixes or not pattern.names:
        return words.action(pattern).times(f"{figures.number(count)} different")
    each = [action.once for action in words.actions(pattern)]
    if count == len(each) and len(each) > 1:
        return listed(each, "and")
    return f"did {figures.number(count)} of these {len(each)}: {listed(each, 'or')}"


def _sum(found: EventExplanation, words: Vocabulary) -> str:
    path = found.leaf.value or ""
    noun, total = words.noun(path), figures.quantity(path, found.observed)
    return f"{_usual(found, words)} with a total {noun + ' ' if noun else ''}of {total}"


def _largest(found: EventExplanation, words: Vocabulary) -> str:
    return _extreme(found, words, "largest", "up to")


def _smallest(found: EventExplanation, words: Vocabulary) -> str:
    return _extreme(found, words, "smallest", "as few as")


def _extreme(found: EventExplanation, words: Vocabulary, extreme: str, reaching: str) -> str:
    path = found.leaf.value or ""
    noun, usual = words.noun(path), _usual(found, words)
    if found.observed is None:
        return f"{usual} without any {noun or 'value'}"
    text = figures.quantity(path, found.observed)
    if noun and is_plural(noun):
        return f"{usual} with {reaching} {text} {noun}"
    return f"{usual} with a {extreme} {noun or 'value'} of {text}"


def _last(found: EventExplanation, words: Vocabulary) -> str:
    path = found.leaf.value or ""
    if found.observed is None:
        return f"{_usual(found, words)} without any {words.noun(path) or 'value'}"
    text = _value(path, found.observed, [found.leaf.comparison])
    return f"{_usual(found, words)}, most recently {words.amount(path, found.observed, text)}"


def _value(path: str, value: JSON, tests: Iterable[Comparison]) -> str:
    """A value as text; a date where it is compared as one."""
    dates = [date for test in tests for date in dates_in(test)]
    time = instant_of(value, dates[0].zone) if dates else None
    if time is None:
        return figures.quantity(path, value)
    return figures.quantity(path, Date(time, dates[0].zone))


def _usual(found: EventExplanation, words: Vocabulary) -> str:
    return words.action(found.leaf.events).usual


_MEASURED: dict[str, Callable[[EventExplanation, Vocabulary], str]] = {
    "count": _count,
    "distinct": _distinct,
    "sum": _sum,
    "max": _largest,
    "min": _smallest,
    "last": _last,
}


# -- the other sorts of leaves -------------------------------------------------------------


def _trait(found: TraitExplanation, words: Vocabulary, _: Kind) -> Phrase:
    condition = found.leaf.condition
    has, owner = "has", ""
    if found.leaf.account:
        has, owner = "belongs to an account that has", "the account's "
    noun, value = words.noun(condition.path), found.observed
    if value is None:
        return Phrase(f"{owner}{noun or condition.path} is unknown")
    needed = _needed_of_trait(found)
    if isinstance(value, bool) and (first := noun.partition(" "))[0] in ("is", "has"):
        return Phrase(f"{_flag(first[0], first[2], value)}")
    text = _value(condition.path, value, condition.comparisons)
    if noun and is_plural(noun) and is_number(value):
        return Phrase(f"{has} {text} {noun}{needed}")
    return Phrase(f"{owner}{noun or spoken(condition.path)} is {text}{needed}")


def _flag(verb: str, rest: str, value: bool) -> str:
    if verb == "is":
        return f"is {'' if value else 'not '}{rest}"
    return f"has {'' if value else 'no '}{rest}"


def _needed_of_trait(found: TraitExplanation) -> str:
    condition = found.leaf.condition
    settled = [settle(test, found.ctx.trait) for test in condition.comparisons]
    return "".join(asked(test, condition.path) for test in settled if test is not None)


def _users(found: UsersExplanation, words: Vocabulary, _: Kind) -> Phrase:
    leaf, inner = found.leaf, found.leaf.inner
    settled = settle(leaf.comparison, found.ctx.trait)
    needed = "" if settled is None else asked(settled, whole=True)
    who = f"has {_people(found.observed)}{'' if found.observed == 1 else needed}"
    span = rolling(inner.window) if isinstance(inner, EventLeaf) and _is_plain(inner) else ""
    each = _each(inner, words)
    each = each.replace("who each ", "who ", 1) if found.observed == 1 else each
    return Phrase(f"{who} {each}", span)


def _is_plain(inner: EventLeaf) -> bool:
    """Whether a leaf is about a minimum of events, at any time or in a rolling window."""
    operator, operand = inner.comparison.operator, inner.comparison.operand
    is_minimum = operator == "gte" and is_number(operand) and inner.per is None
    return inner.measure == "count" and is_minimum and inner.window.of is None


def _each(inner: Leaf, words: Vocabulary) -> str:
    """What each of several people did or is."""
    match inner:
        case EventLeaf(comparison=Comparison(_, count)) if _is_plain(inner):
            action = words.action(inner.events)
            many = action.times(f"at least {figures.number(count)}")
            done = action.once if count == 1 else many
            return f"who each {done}{_where_and_part(inner, words)}"
        case TraitLeaf():
            return f"whose {_asked_of_trait(inner.condition, words)}"
        case _:
            return f"who each {Phrases('user', words).of(inner)}"


def _asked_of_trait(condition: Condition, words: Vocabulary) -> str:
    noun = words.noun(condition.path) or spoken(condition.path)
    tests = [words.wanted(condition.path, test) for test in condition.comparisons]
    return f"{noun} is {listed(tests, 'and')}{' or unknown' if condition.or_missing else ''}"


def _sequence(found: SequenceExplanation, words: Vocabulary, _: Kind) -> Phrase:
    leaf = found.leaf
    *first, last = (words.action(step).once for step in leaf.steps)
    done = f"{', then '.join(first)} and then {last}" if first else last
    span = "" if leaf.window.of is None else span_of(found, words)
    return Phrase(f"{done}{words.where(leaf.where)}{_took(found)}", span)


def _took(found: SequenceExplanation) -> str:
    """How long the steps took, of what was allowed."""
    window, times = found.leaf.window, [fact.time for fact in found.counted]
    allowed = window.of is None and window.within is not None
    limit = f" ({length(window.within)} allowed)" if allowed and window.within else ""
    if len(times) < len(found.leaf.steps):
        return f" within {length(window.within)}" if allowed and window.within else ""
    took = max(times) - min(times)
    return f" within {figures.duration(took) if took >= 1000 else 'a second'}{limit}"


def _growth(found: GrowthExplanation, words: Vocabulary, _: Kind) -> Phrase:
    leaf, over = found.leaf, length(found.leaf.over)
    done = _counted(words.action(leaf.events), found.latest) + words.where(leaf.where)
    if not found.before:
        return Phrase(f"{done} in the last {over}, after none in the {over} before")
    times = figures.times(Decimal(exact(found.latest)) / Decimal(exact(found.before)))
    before = f"in the {over} before ({figures.number(found.before)})"
    return Phrase(f"{done} in the last {over}, {figures.ratio(times)} as often as {before}")


def _score(found: ScoreExplanation, words: Vocabulary, _: Kind) -> Phrase:
    settled = settle(found.leaf.comparison, found.ctx.trait)
    observed = _score_of(found.observed, settled) if is_number(found.observed) else "no"
    needed = "" if settled is None else asked(settled).strip(" ()")
    main = _contributions(found, words)
    details = "; ".join(filter(None, (needed, ", ".join(main))))
    points = "point" if observed == "1" else "points"
    text = f"reached {observed} {points}" + (f" ({details})" if details else "")
    return Phrase(text, span_of(found, words))


def _score_of(observed: Any, asked_for: Comparison | None) -> str:
    """A score as a whole number, where that still satisfies what was asked for."""
    whole = figures.whole(observed)
    stays_true = whole is not None and asked_for is not None and compare(whole, asked_for)
    return figures.number(whole if stays_true else observed)


def _contributions(found: ScoreExplanation, words: Vocabulary) -> list[str]:
    """The components that add most: *30 for created projects*."""
    added: dict[str, Any] = {}
    for each, part in zip(found.points(), found.leaf.points, strict=False):
        if is_number(each["points"]):
            name = _component(part, words)
            added[name] = added.get(name, 0) + each["points"]
    main = sorted(added.items(), key=lambda pair: pair[1], reverse=True)[:SHOWN_POINTS]
    return [
        f"{figures.number(figures.whole(points) or points)} for {name}"
        for name, points in main
        if points > 0
    ]


def _component(part: Any, words: Vocabulary) -> str:
    if isinstance(part, EventPoints):
        return f"“{words.action(part.events).usual}”{words.where(part.where)}"
    return words.noun(part.condition.path) or spoken(part.condition.path)


def _pql(found: PqlExplanation, words: Vocabulary, kind: Kind) -> Phrase:
    return Phrase(Phrases(kind, words).qualified(found.leaf.name))


_PHRASES: dict[type, Callable[[Any, Vocabulary, Kind], Phrase]] = {
    EventExplanation: _event,
    TraitExplanation: _trait,
    UsersExplanation: _users,
    SequenceExplanation: _sequence,
    GrowthExplanation: _growth,
    ScoreExplanation: _score,
    PqlExplanation: _pql,
}
