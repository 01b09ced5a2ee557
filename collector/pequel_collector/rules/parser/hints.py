"""Hints: the word of the language that was probably meant by another."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from itertools import islice
from typing import Any, get_args

from ...model import is_number
from ..language.definition import Operator

FEW = 9
"""The most known words that are all listed where none of them is near."""

_NEAREST, _ENOUGH = 5, 3
_OPERATORS = frozenset(get_args(Operator))  # "gte" stands for all of them where keys are listed
_MOST_COMPARED = 500  # known words; each takes some microseconds
_LONGEST = 64
_SHARED = ("gte", "gt", "lte", "lt")

# What other tools, and SQL, call it: Segment, Mixpanel, PostHog, Amplitude. Without case and
# underscores. Where a word stands for several, the first that is known in its place is meant.
_WORDS = {
    "gte": "count times min minimum atleast threshold greaterthanorequal",
    "lte": "max maximum atmost lessthanorequal",
    "gt": "morethan greaterthan over above exceeds",
    "lt": "lessthan fewerthan under below",
    "eq": "equals equal is exact exactly value",
    "unless": "not except exclude excluding guards",
    "ne": "not isnot notequal notequals neq",
    "in": "oneof anyof isin",
    "not_in": "noneof notoneof notin isnotin",
    "exists": "isset notnull isnotnull known present",
    "contains": "like ilike icontains includes has",
    "starts_with": "startswith beginswith prefix",
    "ends_with": "endswith suffix",
    "between": "range",
    "or_missing": "ornull orunset ormissing",
    "all": "and every allof must",
    "any": "or some anyof should",
    "distinct": "unique uniq uniques countdistinct differentvalues dau",
    "sum": "total add",
    "last": "latest newest",
    "within": "window period timeframe timewindow lookback daterange interval last during",
    "of": "since after anchor start startingat",
    "where": "filter filters properties props conditions having wherein",
    "per": "groupby breakdown partitionby by",
    "event": "events eventname eventtype action track",
    "trait": "property userproperty attribute personproperty profile traits",
    "sequence": "funnel steps then followedby",
    "users": "members people persons",
    "pql": "cohort audience segment definition",
    "metric": "measure formula",
    "when": "if condition conditions rule rules criteria",
    "name": "id key slug",
    "title": "label description displayname",
    "subject": "type entity level",
    "cooldown": "debounce throttle",
    "expires": "ttl expiry expiresafter",
    "timezone": "tz timezones",
    "conversion": "converted paid purchase",
    "internal": "employees staff testusers",
    "half_life": "decay halflife",
    "points": "weights scores",
    "add": "weight points score",
    "cap": "limit max maximum",
}
_NO_SUCH = frozenset(("@week", "@month", "@quarter", "@year", "average", "avg", "mean", "median"))
_NEGATIONS = frozenset(("not", "none", "except", "exclude"))


def _by_word() -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for known, words in _WORDS.items():
        for word in words.split():
            found[word] = (*found.get(word, ()), known)
    return found


_MEANT = _by_word()


def meant(word: str, known: Collection[str]) -> str | None:
    """The known word that another tool's word stands for; None if there is none."""
    plain = word.casefold().replace("_", "").replace("-", "").replace(" ", "")
    return next((each for each in _MEANT.get(plain, ()) if each in known), None)


def nearest(word: str, known: Collection[str]) -> list[str]:
    """The known word that was probably meant, by meaning or by spelling; else the nearest few."""
    if found := meant(word, known):
        return [found]
    compared = list(islice(known, _MOST_COMPARED))
    if len(word) > _LONGEST:
        return compared[:FEW]
    if word not in _NO_SUCH and (close := get_close_matches(word, compared, n=1)):
        return close
    if len(compared) <= FEW:
        return compared
    listed = [each for each in compared if each == "gte" or each not in _OPERATORS]
    if _ENOUGH <= len(listed) <= FEW:
        return listed
    return get_close_matches(word, compared, n=_NEAREST, cutoff=0.0)


def phrase(key: str, table: Mapping[str, Any], known: Collection[str]) -> str | None:
    """What to write where one other word is not enough; None if a word is."""
    if key in ("ratio", "of_trait") and "gte" in known:
        return _share(table)
    if key in _NEGATIONS and "all" in known:
        return 'what must not hold in "unless", beside "when"'
    return None


def _share(table: Mapping[str, Any]) -> str:
    """The share of a trait that keys of a leaf were meant to be."""
    operator = next((each for each in _SHARED if each in table), "gte")
    ratio = table.get("ratio", table.get(operator))
    trait = table.get("of_trait")
    stated = ratio if is_number(ratio) else 0.8
    named = trait if isinstance(trait, str) and len(trait) <= _LONGEST else "…"
    return f'{operator} = {{ ratio = {stated}, of_trait = "{named}" }}'
