"""The proof of one lead: it is derived anew from the stored messages, under its own version."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from ..errors import DefinitionError, NotFound, PequelError
from ..leads.ledger import Verdict
from ..marking.active import activations
from ..marking.evaluators import Evaluators, active_evaluators
from ..marking.replay import Replay
from ..model import JSON, Lead, id_of, iso, kind_of
from ..ports import ReadTransaction, Store, Version
from ..rules.language.definition import Catalogue
from ..rules.parser.catalogue import read_catalogue
from ..rules.parser.printer import to_file, to_toml
from ..rules.parser.toml import parse
from .compare import ABSENT, unlike

SHARED = ("project", "features", "metric")
"""The tables of a file that definitions share."""

Clock = Callable[[], int]
Answer = dict[str, JSON]


class Proofs:
    """The proofs of the leads in a store."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock

    def proof(self, lead_id: str) -> Answer:
        """What the messages give in place of a lead, and in what that differs. Raises NotFound.

        ``result`` is ``equal``, ``restated`` or ``facts_purged``; None where the version of the
        lead cannot be read any more as it was meant, which the definition's ``problem`` then says.
        """
        with self._store.reading() as tx:
            lead = tx.lead(lead_id)
            if lead is None:
                raise NotFound(f"there is no lead {lead_id}", id=lead_id)
            return _Proof(tx, lead, self._clock()).answer()


class _Proof:
    def __init__(self, tx: ReadTransaction, lead: Lead, now: int) -> None:
        self._tx, self._lead, self._now = tx, lead, now

    def answer(self) -> Answer:
        lead = self._lead
        versions = self._tx.versions()
        own = (v for v in versions if (v.name, v.version) == (lead.definition, lead.version))
        version = next(own, None)
        try:
            evaluators = self._machines(versions, version)
        except (DefinitionError, NotFound) as error:
            definition = _definition(lead, version) | {"problem": error.message}
            return _answer(None, None, definition, 0, [])
        found, verdict = self._derive(evaluators)
        differences = [] if verdict is None else list(self._differences(verdict))
        derived = None if verdict is None else self._told(verdict)
        result = self._result(derived is not None and not differences)
        return _answer(result, derived, _definition(lead, version), found, differences)

    # -- under which definition ------------------------------------------------------------

    def _machines(self, versions: list[Version], version: Version | None) -> Evaluators:
        """Raises DefinitionError or NotFound where the lead's version cannot be read any more."""
        lead, evaluators = self._lead, active_evaluators(self._tx)
        if evaluators.versions.get(lead.definition) == lead.version:
            return evaluators
        if version is None:
            raise NotFound(f"there is no version {lead.version} of {lead.definition}")
        catalogue = _as_it_was(version, versions, evaluators.catalogue)
        since = {**activations(self._tx), (version.name, version.hash): version.created_at}
        return Evaluators(catalogue, versions, since)

    # -- what the messages give ------------------------------------------------------------

    def _derive(self, evaluators: Evaluators) -> tuple[int, Verdict | None]:
        """The number of messages looked at, and why the subject qualified in the lead's cycle.

        A lead that was passed on is that of the person whose it is now.
        """
        recount = Replay(self._tx, evaluators, self._now)
        subject = self._lead.subject
        key = recount.identities.person(subject) if kind_of(subject) == "user" else subject
        messages = list(recount.messages(key))
        telling = recount.telling(key)
        telling.extend(recount.facts(key, messages))
        telling.advance(self._now)
        rule = telling.evaluator.by_name[self._lead.definition].index
        return len(messages), telling.verdicts.get((rule, self._lead.cycle))

    def _told(self, verdict: Verdict) -> Answer:
        return {
            "qualified_at": iso(verdict.time),
            "account": self._account(verdict.account),
            "evidence": verdict.evidence,
        }

    def _account(self, account: str | None) -> str | None:
        subject = self._lead.subject
        return id_of(subject) if kind_of(subject) == "account" else account

    # -- against what is stored ------------------------------------------------------------

    def _differences(self, verdict: Verdict) -> Iterator[Answer]:
        lead = self._lead
        stored = {
            "qualified_at": iso(lead.qualified_at),
            "account": self._account(lead.account),
            "evidence": lead.evidence,
        }
        for steps, was, now in unlike(stored, self._told(verdict)):
            yield {
                "field": ".".join(map(str, steps)),
                "stored": _plain(was),
                "derived": _plain(now),
            }

    def _result(self, is_equal: bool) -> str:
        mids = _named_in(self._lead.evidence)
        if mids - self._tx.known(mids):
            return "facts_purged"
        return "equal" if is_equal else "restated"


def _as_it_was(version: Version, versions: list[Version], today: Catalogue) -> Catalogue:
    """A version of a definition with those that it names, each as it meant them.

    What else they name is as it is today. Raises DefinitionError where that cannot be read, and
    NotFound where it means something else.
    """
    shared = {key: part for key, part in parse(today.text).data.items() if key in SHARED}
    file = f"version {version.version} of {version.name}"
    problems: list[PequelError] = []
    for named in _with_named(version, versions):
        try:
            found = read_catalogue(to_file(shared, (each.source for each in named)), file)
        except DefinitionError as error:
            problems.append(error)
            continue
        meant = found.named(version.name)
        if meant is not None and meant.hash == version.hash:
            return found
        problems.append(_changed(file))
    raise problems[0]


def _changed(file: str) -> NotFound:
    return NotFound(
        f"what {file} names has changed since: a definition, a feature, a metric or the project"
    )


def _with_named(version: Version, versions: list[Version]) -> Iterator[list[Version]]:
    """A version and those that it names, as they stood after each record, the latest first.

    Each constellation comes once.
    """
    found: dict[frozenset[tuple[str, int]], list[Version]] = {}
    then = {each.name: each for each in reversed(versions)}
    for each in versions:
        then[each.name] = each
        named = _reached(version, then)
        found.setdefault(frozenset((one.name, one.version) for one in named), named)
    return reversed(found.values())


def _reached(version: Version, then: Mapping[str, Version]) -> list[Version]:
    """A version, what it names, what that names, and so on."""
    found = {version.name: version}
    left = [version]
    while left:
        for name in _names_in(left.pop().source):
            if name in then and name not in found:
                found[name] = then[name]
                left.append(then[name])
    return list(found.values())


def _names_in(source: JSON) -> Iterator[str]:
    """The definitions that a part of a definition names."""
    match source:
        case {"pql": str(name)}:
            yield name
        case dict():
            for part in source.values():
                yield from _names_in(part)
        case list():
            for part in source:
                yield from _names_in(part)


def _definition(lead: Lead, version: Version | None) -> Answer:
    return {
        "name": lead.definition,
        "version": lead.version,
        "hash": None if version is None else version.hash,
        "text": None if version is None else version.text or to_toml(version.source),
    }


def _answer(
    result: str | None,
    derived: Answer | None,
    definition: Answer,
    facts: int,
    differences: list[Answer],
) -> Answer:
    return {
        "result": result,
        "derived": derived,
        "definition": definition,
        "facts": facts,
        "differences": differences,
    }


def _named_in(evidence: dict[str, JSON]) -> set[str]:
    """The messages that evidence names."""
    leaves = evidence.get("leaves", [])
    return {mid for leaf in leaves for mid in leaf.get("events", [])}


def _plain(value: JSON) -> JSON:
    return None if value is ABSENT else value
