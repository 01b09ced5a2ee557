"""The operators: what each leaf observes at a moment, and whether it holds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from typing import Any

from .definitions import DRAWN, Branches, Condition, Leaf, Point, absence_window, is_absence
from .history import Fact, Subject
from .moment import Moment
from .values import (
    DAY,
    EXACT,
    HOUR,
    MINUTE,
    ORDERS,
    Scale,
    canonical,
    duration,
    is_number,
    number,
    satisfies,
    threshold_number,
)
from .windows import Inside, day, hour, window_of

UNIT_OF = {"@minute": MINUTE, "@hour": HOUR, "@day": DAY}
SIX_DECIMALS = Decimal("0.000001")


@dataclass(frozen=True)
class Reading:
    """What a leaf observes. `needed` is its threshold as a number, where it has just one."""

    leaf: Mapping[str, Any]
    observed: Any
    holds: bool
    needed: Any = None


def holds(condition: Condition, moment: Moment) -> bool:
    """All branches are looked at at the same tau."""
    if isinstance(condition, Branches):
        return sum(holds(each, moment) for each in condition.conditions) >= condition.needed
    return read(condition, moment).holds


def read(leaf: Leaf, moment: Moment) -> Reading:
    reading = READERS[leaf.measure](leaf, moment)
    if is_absence(leaf) and not moment.guard and not old_enough(leaf, moment):
        return replace(reading, holds=False)
    # Reading: growth and score do not hold at a moment that only the clock adds; a guard is
    # looked at whenever the definition is.
    if leaf.measure in ("growth", "score") and moment.clock_only:
        return replace(reading, holds=False)
    return reading


def old_enough(leaf: Leaf, moment: Moment) -> bool:
    """Absence needs a subject at least as old as the window, since its first event.

    Reading: that holds for anchored windows too, and a member's age counts from their first
    event in the account.
    """
    events = moment.events_of_all_cycles
    return bool(events) and moment.tau - events[0].time >= absence_window(leaf)


def compared(leaf: Leaf, observed: Any, moment: Moment) -> Reading:
    scale = scale_of(leaf, moment)
    return Reading(
        leaf.body, observed, satisfies(observed, leaf.compare, scale), needed_by(leaf, scale)
    )


def scale_of(leaf: Leaf, moment: Moment) -> Scale:
    distinct = leaf.body.get("distinct")
    names = moment.world.names_in(leaf.body["event"]) if distinct == "@event" else None
    zone = moment.world.timezone
    return Scale(moment.trait, UNIT_OF.get(str(distinct)), names, zone)


def needed_by(leaf: Leaf, scale: Scale) -> Any:
    bounds = [threshold for name, threshold in leaf.compare.items() if name in ORDERS]
    return threshold_number(bounds[0], scale) if len(bounds) == 1 else None


# --- events ---------------------------------------------------------------------------------


def read_event(leaf: Leaf, moment: Moment) -> Reading:
    window = window_of(leaf, moment)
    if window is None:
        return Reading(leaf.body, None, False)
    events = matching(leaf.body["event"], leaf, moment, window)
    if "per" in leaf.body:
        return read_per(leaf, events, moment)
    return compared(leaf, measured(leaf, events, moment), moment)


def matching(event: Any, leaf: Leaf, moment: Moment, window: Inside) -> list[Fact]:
    """The events that count, match the name and the `where`, and are in the window."""
    wanted = moment.world.event_matches
    names = {name for name in {fact.event for fact in moment.events} if wanted(event, name)}
    found = [fact for fact in moment.events if fact.event in names and window(fact.time)]
    if not leaf.where:
        return found
    scale = Scale(trait=moment.trait, timezone=moment.world.timezone)
    return [fact for fact in found if where_holds(leaf, fact, scale)]


def where_holds(leaf: Leaf, fact: Fact, scale: Scale) -> bool:
    return all(satisfies(fact.value(name), comparisons, scale) for name, comparisons in leaf.where)


def measured(leaf: Leaf, events: list[Fact], moment: Moment) -> Any:
    """The count, or what is asked about a property. Events without it are passed over."""
    for name, draw in DRAWN.items():
        if name in leaf.body:
            return draw(values_of(leaf.body[name], events, moment))
    return len(events)


def values_of(name: str, events: list[Fact], moment: Moment) -> list[Any]:
    """The values there are, in the order of the events."""
    found = [value_of(name, fact, moment) for fact in events]
    return [value for value in found if value is not None]


def value_of(name: str, fact: Fact, moment: Moment) -> Any:
    match name:
        case "@day":
            return day(fact.time, moment.world.timezone)
        case "@hour":
            return hour(fact.time, moment.world.timezone)
        case "@minute":
            return fact.time // MINUTE
        case "@user":
            return fact.user_id
        case "@event":
            return fact.event
    return fact.value(name)


def read_per(leaf: Leaf, events: list[Fact], moment: Moment) -> Reading:
    """For some value of the property the comparison holds.

    Reading: only values that a matching event in the window has, so never a count of 0. The
    reading shown is the largest of those that hold, else the largest.
    """
    groups: dict[Any, list[Fact]] = defaultdict(list)
    for fact in events:
        value = value_of(leaf.body["per"], fact, moment)
        if value is not None:
            groups[canonical(value)].append(fact)
    readings = [compared(leaf, measured(leaf, group, moment), moment) for group in groups.values()]
    held = [reading for reading in readings if reading.holds]
    nothing = Reading(leaf.body, None, False, needed_by(leaf, scale_of(leaf, moment)))
    return max(held or readings, key=by_size, default=nothing)


def by_size(reading: Reading) -> tuple[bool, Decimal]:
    known = is_number(reading.observed)
    return known, number(reading.observed) if known else Decimal(0)


# --- traits, marks, members -----------------------------------------------------------------


def read_trait(leaf: Leaf, moment: Moment) -> Reading:
    return compared(leaf, moment.trait(leaf.body["trait"]), moment)


def read_pql(leaf: Leaf, moment: Moment) -> Reading:
    """That definition was qualified at or before tau."""
    name = leaf.body["pql"]
    marks = [
        time
        for subject in marked_subjects(moment.world.definitions[name].subject, moment)
        for time in moment.world.qualified_at(name, subject)
        if time <= moment.tau
    ]
    return Reading(leaf.body, min(marks, default=None), bool(marks))


def marked_subjects(kind: str, moment: Moment) -> list[Subject]:
    """The subject itself; for a user and an account definition, the user's account at tau.

    Reading: for an account and a user definition, any of its members at tau.
    """
    if kind == moment.kind:
        return [moment.subject]
    if kind == "account":
        return [moment.account.subject] if moment.account else []
    return [("user", user) for user in moment.members]


def read_users(leaf: Leaf, moment: Moment) -> Reading:
    """How many members the leaf inside holds for."""
    assert leaf.inner is not None
    inner = leaf.inner
    held = sum(holds(inner, moment.as_member(user)) for user in moment.members)
    return compared(leaf, held, moment)


# --- sequences, growth, scores --------------------------------------------------------------


def read_sequence(leaf: Leaf, moment: Moment) -> Reading:
    """Different events, each at or after the one before, from first to last less than `within`.

    What is observed is how many steps, from the first, were made.
    """
    window = window_of(leaf, moment)
    if window is None:
        return Reading(leaf.body, None, False, len(leaf.body["sequence"]))
    steps = [matching(step, leaf, moment, window) for step in leaf.body["sequence"]]
    span = leaf.within if leaf.of is None else None
    made = max(n for n in range(len(steps) + 1) if can_be_made(steps[:n], span, []))
    return Reading(leaf.body, made, made == len(steps), len(steps))


def can_be_made(steps: list[list[Fact]], span: int | None, taken: list[Fact]) -> bool:
    """Whether the steps left can follow those taken: every choice is tried."""
    if not steps:
        return True
    return any(
        can_be_made(steps[1:], span, [*taken, fact])
        for fact in steps[0]
        if not taken
        or (
            all(fact is not other for other in taken)
            and fact.time >= taken[-1].time
            and (span is None or fact.time - taken[0].time < span)
        )
    )


def read_growth(leaf: Leaf, moment: Moment) -> Reading:
    """What is observed: cur in (tau - P, tau] and prev in (tau - 2P, tau - P]."""
    period = duration(leaf.body["over"])
    base = leaf.body.get("base", 1)
    now = count_in(leaf, moment, moment.tau - period, moment.tau)
    before = count_in(leaf, moment, moment.tau - 2 * period, moment.tau - period)
    needed = EXACT.multiply(number(leaf.body["growth"]), Decimal(before))
    return Reading(leaf.body, (now, before), before >= base and now >= needed, needed)


def count_in(leaf: Leaf, moment: Moment, after: int, until: int) -> int:
    return len(matching(leaf.body["event"], leaf, moment, lambda time: after < time <= until))


def read_score(leaf: Leaf, moment: Moment) -> Reading:
    window = window_of(leaf, moment)
    if window is None:
        return Reading(leaf.body, None, False)
    half_life = duration(leaf.body["half_life"]) if "half_life" in leaf.body else None
    with localcontext(Context(prec=60)):
        total = sum((points(each, moment, window, half_life) for each in leaf.points), Decimal(0))
        rounded = total.quantize(SIX_DECIMALS, rounding=ROUND_HALF_EVEN)
    return compared(leaf, rounded, moment)


def points(point: Point, moment: Moment, window: Inside, half_life: int | None) -> Decimal:
    """min(cap, sum of add * 2^(-(tau - t) / half_life)) for events; `add` for a trait."""
    if point.leaf.measure == "trait":
        return point.add if read_trait(point.leaf, moment).holds else Decimal(0)
    events = matching(point.leaf.body["event"], point.leaf, moment, window)
    total = sum(
        (point.add * decay(moment.tau - fact.time, half_life) for fact in events), Decimal(0)
    )
    return total if point.cap is None else min(point.cap, total)


def decay(age: int, half_life: int | None) -> Decimal:
    return Decimal(1) if half_life is None else Decimal(2) ** (Decimal(-age) / Decimal(half_life))


READERS: dict[str, Callable[[Leaf, Moment], Reading]] = {
    "event": read_event,
    "trait": read_trait,
    "pql": read_pql,
    "users": read_users,
    "sequence": read_sequence,
    "growth": read_growth,
    "score": read_score,
}
