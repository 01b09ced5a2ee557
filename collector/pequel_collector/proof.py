"""The proof of one lead: it is derived anew from the stored messages, under its own version."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from .collation import ABSENT, unlike
from .derive import Machines, machines_in_force
from .errors import DefinitionError, NotFound
from .inforce import activations
from .ledger import Verdict
from .model import JSON, Lead, id_of, iso, kind_of
from .ports import Reading, Store, Version
from .recount import Recount
from .rules.definition import Catalogue
from .rules.printer import to_toml
from .rules.reader import read_catalogue

Clock = Callable[[], int]
Answer = dict[str, JSON]


@dataclass(frozen=True, slots=True)
class Basis:
    """What a lead is proven under: machines, and the name that its definition has in them."""

    machines: Machines
    name: str


class Proofs:
    """The proofs of the leads in a store."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock

    def proof(self, lead_id: str) -> Answer:
        """What the messages give in place of a lead, and in what that differs. Raises NotFound.

        ``result`` is ``equal``, ``restated`` or ``facts_purged``; None where the version of the
        lead cannot be read any more, which the definition's ``problem`` then says.
        """
        with self._store.reading() as tx:
            lead = tx.lead(lead_id)
            if lead is None:
                raise NotFound(f"there is no lead {lead_id}", id=lead_id)
            return _Proof(tx, lead, self._clock()).answer()


class _Proof:
    def __init__(self, tx: Reading, lead: Lead, now: int) -> None:
        self._tx, self._lead, self._now = tx, lead, now

    def answer(self) -> Answer:
        lead = self._lead
        versions = self._tx.versions()
        own = (v for v in versions if (v.name, v.version) == (lead.definition, lead.version))
        version = next(own, None)
        try:
            basis = self._basis(versions, version)
        except (DefinitionError, NotFound) as error:
            definition = _definition(lead, version) | {"problem": error.message}
            return _answer(None, None, definition, 0, [])
        found, verdict = self._derive(basis)
        differences = [] if verdict is None else list(self._differences(verdict))
        derived = None if verdict is None else self._told(verdict)
        result = self._result(derived is not None and not differences)
        return _answer(result, derived, _definition(lead, version), found, differences)

    # -- under which definition ------------------------------------------------------------

    def _basis(self, versions: list[Version], version: Version | None) -> Basis:
        """Raises DefinitionError or NotFound where the lead's version cannot be read any more."""
        lead, machines = self._lead, machines_in_force(self._tx)
        if machines.versions.get(lead.definition) == lead.version:
            return Basis(machines, lead.definition)
        if version is None:
            raise NotFound(f"there is no version {lead.version} of {lead.definition}")
        catalogue, name = _beside(machines.catalogue, version)
        [hash_] = [each.hash for each in catalogue.definitions if each.name == name]
        since = {**activations(self._tx), (name, hash_): version.created_at}
        renamed = version._replace(name=name, hash=hash_)
        return Basis(Machines(catalogue, [*versions, renamed], since), name)

    # -- what the messages give ------------------------------------------------------------

    def _derive(self, basis: Basis) -> tuple[int, Verdict | None]:
        """The number of messages looked at, and why the subject qualified in the lead's cycle.

        A lead that was passed on is that of the person whose it is now.
        """
        recount = Recount(self._tx, basis.machines, self._now)
        subject = self._lead.subject
        key = recount.identities.person(subject) if kind_of(subject) == "user" else subject
        messages = list(recount.messages(key))
        telling = recount.telling(key)
        telling.extend(recount.facts(key, messages))
        telling.advance(self._now)
        rule = telling.machine.by_name[basis.name].index
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


def _beside(catalogue: Catalogue, version: Version) -> tuple[Catalogue, str]:
    """A catalogue with one more definition, which was in force once, and the name that it bears.

    What definitions share is as it is today. Raises DefinitionError.
    """
    names = {definition.name for definition in catalogue.definitions}
    name = "proven"
    while name in names:
        name += "_"
    source: dict[str, Any] = {**version.source, "name": name}
    text = f"{catalogue.text}\n\n{to_toml(source)}"
    return read_catalogue(text, f"version {version.version} of {version.name}"), name


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
