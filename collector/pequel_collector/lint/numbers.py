"""What the data says about definitions: L02, L05, L07, L09 to L12, L14, L16, L18 and L19."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from ..insights.lift import HORIZON, LANDMARK, table
from ..insights.sample import ENOUGH, Sample, SampledSubject
from ..model import is_number
from ..rules.language.addresses import SOURCE, domain_of
from ..rules.language.definition import (
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
from ..rules.language.quantities import DAY, WEEK
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
    lives = list(sample.lives(case.definition.subject, case.definition.name))
    marked = sum(life.qualified is not None for life in lives)
    if len(lives) >= ENOUGH and marked > ALMOST_ALL * len(lives):
        yield Found(
            f"{marked:,} of {len(lives):,} who signed up qualify, which is nearly everyone: ask "
            "for more"
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
    subjects = sample.of(case.definition.subject)
    if len(subjects) < ENOUGH:
        return
    for leaf in leaves_of(case.when):
        most, wanted = _most_seen(leaf, subjects), _wanted(leaf)
        if most is not None and wanted > most > 0:
            yield Found(
                f"nobody meets {describe_leaf(leaf)}: the highest value in the data is {most:,}",
                leaf.path,
                "warning",
            )


def _most_seen(leaf: Leaf, subjects: Sequence[SampledSubject]) -> float | Decimal | None:
    """The most of a count, or the largest value of a trait; None where that is not known."""
    match leaf:
        case EventLeaf() if MEASURES[leaf.measure].is_count:
            return max(subject.count(leaf.events) for subject in subjects)
        case TraitLeaf(condition, account) if not account:
            values = [lookup(condition.path, subject.traits) for subject in subjects]
            return max((value for value in values if is_number(value)), default=None)
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
            if is_id(path) and arrivals.count >= ENOUGH and again > REPEATED * found.count:
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
            if len(sizes) >= ENOUGH // 2 and together > TEAMWORK * len(sizes):
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
        count, homeless = sum(f.count for f in found), sum(f.homeless for f in found)
        if count >= ENOUGH and homeless > HOMELESS * count:
            yield Found(
                f"{homeless / count:.0%} of {shown([leaf.events])} belong to no account and do not "
                "count: call group after login, or send context.groupId",
                leaf.path,
            )


def no_internal_guard(case: Case, sample: Sample) -> Iterator[Found]:
    """L12: internal users qualify."""
    rule = case.catalogue.project.internal
    own = sum(_is_internal(user, rule) for user in sample.users)
    if own and Internal() not in case.definition.unless:
        yield Found(f"{own:,} internal users are in the data: add unless = ['internal']")


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
            done, after = _around_conversion(pattern, sample.of(case.definition.subject))
            if done >= ENOUGH and after > AFTERWARDS * done and not pattern.any:
                yield Found(
                    f"{after:,} of the {done:,} who did {shown([pattern])} first did it after they "
                    "had converted: it follows the purchase and does not predict it",
                    leaf.path,
                )


def _around_conversion(
    pattern: EventPattern, subjects: Sequence[SampledSubject]
) -> tuple[int, int]:
    """How many did something at all, and how many of them only once they were customers."""
    pairs = [(first, s.converted) for s in subjects if (first := s.first(pattern)) is not None]
    return len(pairs), sum(sold is not None and sold <= first for first, sold in pairs)


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
    own = sample.marked(case.definition.name)
    for other in _earlier(case):
        same = sample.marked(other.name)
        shared = len(own & same)
        if shared >= ENOUGH and shared > OVERLAP * len(own | same):
            yield Found(
                f"{shared:,} of {len(own | same):,} {_kind(case)} that this or {other.name} finds "
                "are found by both: keep one"
            )


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
    lives = sample.lives(case.definition.subject, case.definition.name)
    counts = table(lives, sample.until)
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
