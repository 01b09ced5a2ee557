"""Definitions as written, with metrics put in, inheritance written out, `where` laid flat."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from .values import (
    COMPARISONS,
    Comparisons,
    Scale,
    canonical,
    duration,
    exact_sum,
    number,
    numbers,
    satisfies,
)

Table = Mapping[str, Any]
Where = tuple[tuple[str, Comparisons], ...]

MEASURES = ("trait", "users", "sequence", "growth", "score", "pql", "event")
WITHOUT_INHERITANCE = ("trait", "growth", "pql")

# What is drawn from the values that a property has in the events, in their order.
DRAWN: dict[str, Callable[[list[Any]], Any]] = {
    "distinct": lambda values: len({canonical(value) for value in values}),
    "sum": lambda values: exact_sum(numbers(values)),
    "min": lambda values: min(numbers(values), default=None),
    "max": lambda values: max(numbers(values), default=None),
    "last": lambda values: values[-1] if values else None,
}


@dataclass(frozen=True)
class Leaf:
    """One measure and one comparison."""

    measure: str
    body: Table  # as written, with the metric put in
    where: Where = ()
    compare: Comparisons = field(default_factory=dict)
    within: int | None = None
    of: str | None = None
    start: int = 0  # `from`
    inner: Condition | None = None  # of `users`
    points: tuple[Point, ...] = ()  # of `score`


@dataclass(frozen=True)
class Point:
    """Points of a score: for each event, or once for a trait."""

    leaf: Leaf
    add: Decimal
    cap: Decimal | None


@dataclass(frozen=True)
class Branches:
    """`all` needs every branch, `any` one, `at_least = n` n of them."""

    needed: int
    conditions: tuple[Condition, ...]


Condition = Leaf | Branches


@dataclass(frozen=True)
class Definition:
    name: str
    subject: str
    when: Condition
    guards: tuple[str | Condition, ...]
    silence: int | None  # of `requalify`
    cooldown: int | None
    clock: bool


def definitions_of(catalogue: Table) -> dict[str, Definition]:
    metrics = {metric["name"]: metric for metric in catalogue.get("metric", [])}
    return {table["name"]: read(table, metrics) for table in catalogue.get("pql", [])}


def read(table: Table, metrics: Mapping[str, Table]) -> Definition:
    inherited = {key: table[key] for key in ("within", "of") if key in table}
    silence = table.get("requalify", {}).get("after_silence")
    return Definition(
        name=table["name"],
        subject=table.get("subject", "user"),
        when=condition(table["when"], inherited, metrics),
        guards=tuple(
            guard if isinstance(guard, str) else condition(guard, {}, metrics)
            for guard in table.get("unless", [])
        ),
        silence=duration(silence) if silence else None,
        cooldown=duration(table["cooldown"]) if "cooldown" in table else None,
        clock=table.get("clock", False),
    )


def condition(table: Table, inherited: Table, metrics: Mapping[str, Table]) -> Condition:
    for key in ("all", "any", "of_these"):
        if key in table:
            parts = tuple(condition(each, inherited, metrics) for each in table[key])
            needed = {"all": len(parts), "any": 1}.get(key) or table["at_least"]
            return Branches(needed, parts)
    return leaf(table, inherited, metrics)


def leaf(table: Table, inherited: Table, metrics: Mapping[str, Table]) -> Leaf:
    metric = metrics[table["metric"]] if "metric" in table else {}
    body = {**metric, **table}
    measure = next(name for name in MEASURES if name in body)
    # Reading: `from` alone does not keep a leaf from inheriting `within` and `of`.
    if "within" not in body and "of" not in body and measure not in WITHOUT_INHERITANCE:
        body.update(inherited)
    window: Table = {key: body[key] for key in ("within", "of") if key in body}
    return Leaf(
        measure=measure,
        body=body,
        where=flat_where(metric.get("where", {})) + flat_where(table.get("where", {})),
        compare=comparisons_of(measure, body),
        within=duration(body["within"]) if "within" in body else None,
        of=body.get("of"),
        start=duration(body["from"]) if "from" in body else 0,
        # Reading: a window written on the `users` leaf itself is inherited by the leaf inside.
        inner=condition(body["users"], window, metrics) if measure == "users" else None,
        points=tuple(point(each, metrics) for each in body.get("points", [])),
    )


def point(table: Table, metrics: Mapping[str, Table]) -> Point:
    cap = number(table["cap"]) if "cap" in table else None
    return Point(leaf(table, {}, metrics), number(table["add"]), cap)


def comparisons_of(measure: str, body: Table) -> Comparisons:
    """The comparison of a leaf; counts default to `gte = 1`."""
    written = body["score"] if measure == "score" else body
    compare = {key: written[key] for key in (*COMPARISONS, "or_missing") if key in written}
    if not compare.keys() & COMPARISONS.keys() and measure in ("event", "users"):
        # Reading: `distinct` is a count too, and defaults like one.
        compare["gte"] = 1
    return compare


def flat_where(table: Table, prefix: str = "") -> Where:
    """`x = v` is eq, a list is in, a table of comparisons is that, and any other is a path.

    Reading: a table is a path as soon as one of its keys is no comparison.
    """
    flat: list[tuple[str, Comparisons]] = []
    for key, wanted in table.items():
        name = prefix + key
        if isinstance(wanted, Mapping) and not wanted.keys() <= {*COMPARISONS, "or_missing"}:
            flat.extend(flat_where(wanted, name + "."))
        else:
            flat.append((name, as_comparisons(wanted)))
    return tuple(flat)


def as_comparisons(wanted: Any) -> Comparisons:
    if isinstance(wanted, Mapping):
        return wanted
    return {"in": wanted} if isinstance(wanted, list) else {"eq": wanted}


def leaves(part: Condition) -> Iterator[Leaf]:
    """The leaves of a condition, from first to last; one inside `users` is not among them."""
    if isinstance(part, Leaf):
        yield part
    else:
        for each in part.conditions:
            yield from leaves(each)


def is_absence(part: Leaf) -> bool:
    """Whether a count, sum or score of 0 satisfies it."""
    if part.measure not in ("event", "users", "score") or is_missing_without_events(part.body):
        return False
    any_number_above_0 = Scale(trait=lambda _name: 1, unit=1, names=1)
    return satisfies(0, part.compare, any_number_above_0)


def is_missing_without_events(body: Table) -> bool:
    """Whether what is drawn from no events is no number, not even 0."""
    return any(draw([]) is None for name, draw in DRAWN.items() if name in body)


def absence_window(part: Leaf) -> int:
    """How old a subject must be for its absence to mean something; 0 without a window.

    Reading: the window of `users` is that of the leaf inside, and the span of a sequence is none.
    """
    if isinstance(part.inner, Leaf):
        return absence_window(part.inner)
    if part.measure == "sequence" and part.of is None:
        return 0
    return part.within or 0


def absences(part: Condition) -> Iterator[Leaf]:
    """Every leaf of absence, also inside `users`."""
    for each in leaves(part):
        if is_absence(each):
            yield each
        if each.inner is not None:
            yield from absences(each.inner)
