"""What the data says about definitions: L02, L05, L07, L09 to L12, L14, L16, L18 and L19."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from ..insights.lift import HORIZON, LANDMARK
from ..insights.sample import ENOUGH, Sample, SampledSubject
from ..model import Kind, is_number
from ..rules.language.addresses import SOURCE, domain_of
from ..rules.language.definition import (
    Catalogue,
    Definition,
    EventLeaf,
    EventPattern,
    Internal,
    InternalRule,
    Leaf,
    TraitLeaf,
    leaves_of,
)
from ..rules.language.measures import MEASURES
from ..rules.language.quantities import DAY, WEEK, many
from ..rules.language.sentence import describe_leaf
from ..rules.language.values import key, lookup
from .case import Case, Found, names_in, patterns, shown
from .shape import FREQUENT, least
from .vocabulary import is_id

ALMOST_ALL = 0.9
REPEATED = 0.1
HOMELESS = 0.1
TEAMWORK = 0.5
AFTERWARDS = 0.8
WEEKS = 4
OVERLAP = 0.95
OUTCOMES = 100


def nearly_everybody(case: Case, sample: Sample) -> Iterator[Found]:
    """L02: nearly all who sign up qualify."""
    kind = case.definition.subject
    everybody = sample.signed_up(kind)
    marked = sum(1 for _ in sample.lives(kind, case.definition.name))
    if everybody >= ENOUGH and marked > ALMOST_ALL * everybody:
        yield Found(
            f"{marked:,} of {everybody:,} {_kind(case)} who signed up qualify, which is nearly all "
            "of them: ask for more"
        )


def once_is_not_enough(case: Case, sample: Sample) -> Iterator[Found]:
    """L05: one event is enough, and most have one."""
    for leaf in case.counted:
        share = sample.share(case.definition.subject, leaf.events)
        one = leaf.measure == "count" and least(leaf.comparison) == 1 and not leaf.where
        if share and one and share > FREQUENT:
            yield Found(
                f"one {shown([leaf.events])} is enough, and {share:.0%} of {_kind(case)} did it: "
                "ask for more events (gte), or for different values (distinct)",
                leaf.path,
            )


def beyond_all_data(case: Case, sample: Sample) -> Iterator[Found]:
    """L07: a number is higher than anything in the data."""
    for leaf in leaves_of(case.when):
        most, wanted = _most_seen(leaf, case.definition.subject, sample), _wanted(leaf)
        if most is not None and wanted > most > 0:
            yield Found(
                f"no {case.definition.subject} meets {describe_leaf(leaf)}: the highest value in "
                f"the data is {most:,}. Ask for less",
                leaf.path,
                "warning",
            )


def _most_seen(leaf: Leaf, kind: Kind, sample: Sample) -> float | Decimal | None:
    """The most of a count, or the largest value of a trait; None where that is not known."""
    match leaf:
        case EventLeaf() if MEASURES[leaf.measure].is_count:
            return sample.doers(kind, leaf.events).most if len(sample.of(kind)) >= ENOUGH else None
        case TraitLeaf(condition, account) if not account:
            values = sample.traits(kind, condition.path)
            return values.highest if values.types["a number"] >= ENOUGH else None
        case _:
            return None


def _wanted(leaf: Leaf) -> float:
    match leaf:
        case EventLeaf():
            return float(least(leaf.comparison))
        case TraitLeaf(condition):
            numbers = [c for c in condition.comparisons if is_number(c.operand)]
            return max((float(least(c)) for c in numbers), default=0)
        case _:
            return 0


def count_of_the_same(case: Case, sample: Sample) -> Iterator[Found]:
    """L09: the same thing is counted several times."""
    for leaf in case.counted:
        if leaf.measure == "count" and least(leaf.comparison) > 1:
            path = _repeated([leaf.events], sample)
            if path is not None:
                yield Found(
                    f"many {shown([leaf.events])} events repeat a {path} that was counted before: "
                    f"to count each once, add distinct = '{path}'",
                    leaf.path,
                )


def _repeated(events: Sequence[EventPattern], sample: Sample) -> str | None:
    """An id that the same subject gives repeatedly."""
    for arrivals in sample.arrivals(events):
        for path, found in arrivals.properties.items():
            again = found.count - len(found.given)
            if is_id(path) and found.count >= ENOUGH and again > REPEATED * found.count:
                return path
    return None


def team_behaviour(case: Case, sample: Sample) -> Iterator[Found]:
    """L10: a definition of users asks for what teams do."""
    if case.definition.subject != "user":
        return
    for leaf in case.counted:
        for name in names_in([leaf.events]):
            found = sample.events.get(name)
            sizes = [len(users) for users in found.teams.values()] if found else []
            together = sum(size > 1 for size in sizes)
            if len(sizes) >= ENOUGH and together > TEAMWORK * len(sizes):
                yield Found(
                    f"in {together:,} of {len(sizes):,} accounts several users did {name}: should "
                    "the account be the lead (subject = 'account')?",
                    leaf.path,
                )


def without_account(case: Case, sample: Sample) -> Iterator[Found]:
    """L11: a definition for accounts misses events without an account."""
    if case.definition.subject != "account":
        return
    for leaf in case.counted:
        found = list(sample.arrivals([leaf.events]))
        count = sum(each.count - each.anonymous for each in found)
        homeless = sum(each.homeless for each in found)
        if count >= ENOUGH and homeless > HOMELESS * count:
            yield Found(
                f"{homeless:,} of {count:,} {shown([leaf.events])} events of users belong to no "
                "account and do not count: call group after login, or send context.groupId",
                leaf.path,
            )


def no_internal_guard(catalogue: Catalogue, sample: Sample) -> Iterator[tuple[str, Found]]:
    """L12: internal users qualify."""
    rule = catalogue.project.internal
    own = sum(_is_internal(user, rule) for user in sample.users) if rule != InternalRule() else 0
    for definition in catalogue.definitions if own else ():
        if Internal() not in definition.unless:
            yield (
                definition.name,
                Found(f"{many(own, 'internal user')} can qualify: add unless = ['internal']"),
            )


def _is_internal(user: SampledSubject, rule: InternalRule) -> bool:
    return domain_of(user.traits.get(SOURCE)) in rule.email_domains or any(
        key(lookup(name, user.traits)) == key(value) for name, value in rule.traits
    )


def follows_conversion(case: Case, sample: Sample) -> Iterator[Found]:
    """L14: most subjects converted before they did it."""
    if not case.sells:
        return
    for leaf in case.leaves:
        for pattern in patterns(leaf):
            done = sample.doers(case.definition.subject, pattern)
            mostly = done.converted > AFTERWARDS * done.count
            if done.count >= ENOUGH and mostly and not pattern.any:
                yield Found(
                    f"{shown([pattern])} follows the purchase and does not predict it: "
                    f"{done.converted:,} of the {done.count:,} {_kind(case)} who did it had "
                    "converted before. Use an event from before the purchase",
                    leaf.path,
                )


def too_many_or_too_few(case: Case, sample: Sample) -> Iterator[Found]:
    """L16: more leads than anybody can follow up, or none."""
    capacity = case.capacity
    if capacity is None or len(sample.of(case.definition.subject)) < ENOUGH:
        return
    weekly = _weekly(case.definition, sample)
    if weekly > capacity:
        least_known = "" if sample.is_whole else "at least "
        yield Found(
            f"{least_known}{weekly:,.1f} leads a week, but you can follow up {capacity:,}: "
            "ask for more"
        )
    elif not weekly:
        yield Found(f"no lead in the last {WEEKS} weeks of the data: ask for less")


def _weekly(definition: Definition, sample: Sample) -> float:
    since = sample.until - WEEKS * WEEK
    times = [time for times in sample.marks.get(definition.name, {}).values() for time in times]
    return sum(time > since for time in times) / WEEKS


def near_duplicate(case: Case, sample: Sample) -> Iterator[Found]:
    """L18: another definition finds the same subjects."""
    own = sample.bits(case.definition.name)
    for other in _earlier(case) if own.bit_count() >= ENOUGH else ():
        same = sample.bits(other.name)
        shared, either = (own & same).bit_count(), (own | same).bit_count()
        if shared >= ENOUGH and shared > OVERLAP * either:
            yield Found(
                f"{shared:,} of {either:,} {_kind(case)} that this or {other.name} finds are found "
                "by both: keep one of the two definitions"
            )
            break


def _earlier(case: Case) -> Iterator[Definition]:
    for other in case.catalogue.definitions:
        if other.name == case.definition.name:
            return
        if other.subject == case.definition.subject:
            yield other


def predicts_nothing(case: Case, sample: Sample) -> Iterator[Found]:
    """L19: subjects that qualify become customers no more often than the others."""
    if not case.sells:
        return
    counts = sample.table(case.definition.subject, case.definition.name)
    interval = counts.interval()
    if counts.outcomes >= OUTCOMES and interval is not None and interval.includes(1):
        yield Found(
            f"predicts nothing: of {counts.population:,} {_kind(case)}, those who qualified "
            f"within {LANDMARK // DAY} days of sign-up became customers in the next "
            f"{HORIZON // DAY} days {counts.lift:.2f} times as often as all of them (95 % interval "
            f"{interval.low:.2f} to {interval.high:.2f}, {counts.outcomes:,} customers)"
        )


def _kind(case: Case) -> str:
    return f"{case.definition.subject}s"
