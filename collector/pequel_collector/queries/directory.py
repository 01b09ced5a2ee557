"""The lists of users and accounts: those seen last first, or those that a search finds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import islice

from ..marking.snapshot import Snapshot
from ..model import JSON, OPEN_STATES, Kind, Lead, id_of, kind_of
from ..ports import ReadTransaction, SearchHit, Seen
from ..rules.language.definition import Catalogue
from .answers import ListedSubject
from .events.recent import Known, first_times, known, recently_seen
from .values import is_written_as

PERSON_TRAITS = ("name", "email", "role", "title")
"""The traits that describe a person, if ``[project]`` names none."""

MAX_TEXT = 64
"""Characters of a search text in the store."""

MAX_STEPS = 20
"""Steps that one page takes at most. So the work is bounded, and a page may be short."""

AT_ONCE = 100
"""Users or accounts that a step looks at, where only those with some traits are wanted."""

Cursor = SearchHit | Seen


def latest_page(
    snapshot: Snapshot,
    kind: Kind,
    limit: int,
    before: Seen | None,
    wanted: Mapping[str, str],
) -> tuple[list[ListedSubject], Seen | None]:
    """Those seen last, latest first, and the place where the next page begins.

    ``wanted`` are values of traits as text, by name.
    """
    shown: list[Known] = []
    place = before
    steps = recently_seen(snapshot.tx, kind, before, _at_once(limit, wanted))
    for some, after in islice(steps, MAX_STEPS):
        shown, place = shown + _with_traits(snapshot.tx, some, wanted), after
        if len(shown) >= limit or after is None:
            break
    if len(shown) > limit or (len(shown) == limit and place is not None):
        place = shown[limit - 1].place
    return listed(snapshot, shown[:limit]), place


def search_page(
    snapshot: Snapshot,
    kind: Kind,
    text: str,
    limit: int,
    after: SearchHit | None,
    wanted: Mapping[str, str],
) -> tuple[list[ListedSubject], SearchHit | None]:
    """Those with an id, e-mail address or name that begins with a text, in alphabetical order."""
    prefix, at_once = text.lower(), _at_once(limit, wanted)
    hits = snapshot.tx.search(kind, prefix, after)
    shown: list[tuple[SearchHit, Known]] = []
    for _ in range(MAX_STEPS):
        some = list(islice(hits, at_once))
        found = _checked(snapshot.tx, kind, prefix, some)
        fit = {each.key for each in _with_traits(snapshot.tx, [e for _, e in found], wanted)}
        shown += [(hit, each) for hit, each in found if each.key in fit]
        if len(some) < at_once:
            place = None
            break
        place = some[-1]
        if len(shown) >= limit:
            break
    if len(shown) > limit or (len(shown) == limit and place is not None):
        place = shown[limit - 1][0]
    return listed(snapshot, [each for _, each in shown[:limit]]), place


def _at_once(limit: int, wanted: Mapping[str, str]) -> int:
    """How many a step looks at: more than a page has, where only some are wanted."""
    return max(limit, AT_ONCE) if wanted else limit


def _with_traits(
    tx: ReadTransaction, subjects: Sequence[Known], wanted: Mapping[str, str]
) -> list[Known]:
    """Those whose traits are, as text, what is wanted."""
    if not wanted or not subjects:
        return list(subjects)
    traits = tx.traits({each.key: each.ids for each in subjects})
    return [
        each
        for each in subjects
        if all(is_written_as(traits[each.key].get(name), text) for name, text in wanted.items())
    ]


def listed(snapshot: Snapshot, subjects: Sequence[Known]) -> list[ListedSubject]:
    """Subjects as a list shows them."""
    tx, names = snapshot.tx, person_traits(snapshot.evaluators.catalogue)
    traits = tx.traits({each.key: each.ids for each in subjects})
    leads, firsts = tx.leads_of([each.key for each in subjects]), first_times(tx, subjects)
    return [
        ListedSubject(
            each.key,
            named(traits[each.key], names),
            firsts[each.key],
            each.last,
            sum(is_open(lead, snapshot.now) for lead in leads[each.key]),
        )
        for each in subjects
    ]


def person_traits(catalogue: Catalogue) -> Sequence[str]:
    """The traits that describe a person."""
    return catalogue.project.person_traits or PERSON_TRAITS


def named(traits: Mapping[str, JSON], names: Iterable[str]) -> dict[str, JSON]:
    """Those of the traits with one of these names, in the order of the names."""
    return {name: traits[name] for name in names if name in traits}


def is_open(lead: Lead, now: int) -> bool:
    """Whether a lead makes its subject a PQL."""
    is_over = lead.state == "new" and lead.expires_at is not None and lead.expires_at <= now
    return lead.state in OPEN_STATES and not is_over


def texts_of(key: str, ids: Iterable[str], traits: Mapping[str, JSON]) -> list[str]:
    """What a user or an account can be found by, in lower case."""
    names = [id_of(id_) for id_ in ids if kind_of(id_) == kind_of(key)]
    names += [value for name in ("email", "name") if isinstance(value := traits.get(name), str)]
    return [name.lower() for name in names]


def _checked(
    tx: ReadTransaction, kind: Kind, prefix: str, hits: Sequence[SearchHit]
) -> list[tuple[SearchHit, Known]]:
    """Those of the hits that are of today, each subject at the first text that it is found by."""
    subjects = known(tx, kind, {hit.subject for hit in hits})
    ids_of = dict(subjects.values())
    traits = tx.traits(ids_of)
    lasts = tx.last_times({id_ for ids in ids_of.values() for id_ in ids})
    sources = _sources(tx, [ids for ids in ids_of.values() if len(ids) > 1])
    found = []
    for hit in hits:
        key, ids = subjects.get(hit.subject, ("", ()))
        own = [lasts[id_] for id_ in ids if id_ in lasts]
        fit = [t for t in texts_of(key, ids, traits.get(key, {})) if t.startswith(prefix)]
        if not own or not fit or min(fit)[:MAX_TEXT] != hit.text:
            continue
        holders = sources.get(hit.text, set()).intersection(ids)
        if len(ids) == 1 or hit.subject == min(holders):
            last = max(own)
            found.append((hit, Known(key, ids, last, Seen(last, key))))
    return found


def _sources(tx: ReadTransaction, persons: Iterable[Sequence[str]]) -> dict[str, set[str]]:
    """The ids that have a search text, of people with several ids: each may be a hit."""
    ids: Collection[str] = {id_ for each in persons for id_ in each}
    found: dict[str, set[str]] = defaultdict(set)
    for id_ in ids:
        if kind_of(id_) == "user":
            found[id_of(id_).lower()[:MAX_TEXT]].add(id_)
    for trait in tx.trait_history(ids) if ids else ():
        if trait.name in ("email", "name") and isinstance(trait.value, str):
            found[trait.value.lower()[:MAX_TEXT]].add(trait.subject)
    return found
