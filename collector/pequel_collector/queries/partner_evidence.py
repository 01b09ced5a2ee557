"""The evidence of a lead as a partner sees it before the claim.

It shows what was done, in numbers, and of traits only what the project shares. A leaf tells more
than its ``observed``: what a share of a limit needs tells the limit, and a window that begins at a
trait tells the trait. So each leaf is looked up in its definition, which says what it depends on.

    used with at least 3 events          all of it, without the properties of its events
    employees is at least 50             all of it, if ``employees`` is shared
    salary is at least 50,000            that there is such a leaf
    used with at least 80% of seats      how often it was used; not what was needed
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ..model import JSON, is_number
from ..rules.language.addresses import EMAIL_DOMAIN, SOURCE
from ..rules.language.analysis import needs_of
from ..rules.language.definition import Definition, Leaf, ScoreLeaf, TraitLeaf, UsersLeaf, leaves_of
from ..rules.language.sentence import describe_leaf
from .masking import masked

HIDDEN = "shown once the lead is claimed"
"""The measure of a leaf whose text may tell something."""


def reduced_evidence(
    evidence: Mapping[str, JSON], definition: Definition | None, shared: Collection[str]
) -> dict[str, JSON]:
    """Evidence without properties, and without traits but the ``shared`` ones.

    The sentence names what all leaves observed and need, so it goes with the first that is reduced.
    Of a leaf that the definition has no more, it is not known what it tells.
    """
    known = {} if definition is None else {describe_leaf(x): x for x in leaves_of(definition.when)}
    told = evidence.get("leaves", [])
    leaves = [_reduced(each, known.get(each.get("measure")), shared) for each in told]
    sentence = {"sentence": evidence["sentence"]} if "sentence" in evidence else {}
    shown = {**(sentence if leaves == told else {}), "leaves": leaves, "guards": []}
    found: dict[str, JSON] = masked(shown)
    return {**found, "leaves": [_without_properties(each) for each in found["leaves"]]}


def _reduced(
    told: Mapping[str, JSON], leaf: Leaf | None, shared: Collection[str]
) -> Mapping[str, JSON]:
    is_shared = leaf is not None and _is_shared(leaf, shared)
    hidden: dict[str, JSON] = {} if is_shared else {"needed": None, "window": None}
    if not is_shared:
        hidden |= {name: [] for name in ("points", "users") if name in told}
    if leaf is None or (isinstance(leaf, TraitLeaf) and not is_shared):
        hidden["measure"] = HIDDEN
    tells_traits = leaf is None or isinstance(leaf, TraitLeaf | ScoreLeaf)
    is_told = is_shared if tells_traits else _is_figure(told.get("observed"))
    return {**told, **hidden} if is_told else {**told, **hidden, "observed": None}


def _is_shared(leaf: Leaf, shared: Collection[str]) -> bool:
    """Whether all traits on which a leaf depends are shown anyway."""
    inner = [leaf.inner] if isinstance(leaf, UsersLeaf) else []
    traits = {path.path for each in (leaf, *inner) for path in needs_of(each, True).traits}
    names = {path if path in shared else path.partition(".")[0] for path in traits}
    return SOURCE not in names and names <= {*shared, EMAIL_DOMAIN}


def _is_figure(observed: JSON) -> bool:
    """Whether what was observed is a number, or the two of ``growth``: no text of somebody."""
    if isinstance(observed, Mapping):
        return observed.keys() == {"latest", "before"}
    return observed is None or isinstance(observed, bool) or is_number(observed)


def _without_properties(leaf: Mapping[str, JSON]) -> dict[str, JSON]:
    events = [
        {**each, "properties": {}} if isinstance(each, Mapping) else each
        for each in leaf.get("events", ())
    ]
    return {**leaf, "events": events}
