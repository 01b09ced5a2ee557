"""The proof of one lead: derive it again from the stored messages, under its own version."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from ..errors import DefinitionError, NotFound
from ..leads.basis import DEFINITION_CHANGED
from ..leads.ledger import ExplainedQualification
from ..leads.states import outcome, winning
from ..leads.transitions import LeadKey, transitions_of
from ..marking.active import activations, active_definitions
from ..marking.evaluators import Evaluators, active_evaluators
from ..marking.replay import Replay
from ..marking.versions import as_it_was
from ..model import JSON, Conversion, Lead, LeadState, id_of, iso, kind_of
from ..ports import ReadTransaction, Store, Version
from ..rules.parser.printer import to_toml
from .compare import ABSENT, unlike

Clock = Callable[[], int]


class Derived(NamedTuple):
    """What the messages give for a lead, with what people did. ``qualified_at`` is in ms."""

    state: LeadState
    qualified_at: int
    account: str | None
    evidence: JSON


class Proven(NamedTuple):
    """The version of a lead's definition. ``problem`` says why it cannot be evaluated."""

    name: str
    version: int
    hash: str | None
    text: str | None
    problem: str | None = None


class Difference(NamedTuple):
    """A part of a lead that differs; ``field`` has dots down to the innermost part."""

    field: str
    stored: JSON
    derived: JSON


class Proof(NamedTuple):
    """What the messages give for a lead, and how that differs from it.

    ``result`` is ``equal``, ``restated`` or ``facts_purged``. It is None if the version of the lead
    cannot be read any more as it was meant: then the definition's ``problem`` says why. ``facts``
    is how many messages were read.
    """

    result: str | None
    derived: Derived | None
    definition: Proven
    facts: int = 0
    differences: Sequence[Difference] = ()


class Proofs:
    """The proofs of the leads in a store."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock

    def proof(self, lead_id: str) -> Proof:
        """What the messages give for a lead, and how that differs from it. Raises NotFound."""
        with self._store.reading() as tx:
            lead = tx.lead(lead_id)
            if lead is None:
                raise NotFound(f"there is no lead {lead_id}", id=lead_id)
            return _Derivation(tx, lead, self._clock()).proof()


class _Derivation:
    def __init__(self, tx: ReadTransaction, lead: Lead, now: int) -> None:
        self._tx, self._lead, self._now = tx, lead, now

    def proof(self) -> Proof:
        lead = self._lead
        versions = self._tx.versions()
        own = (v for v in versions if (v.name, v.version) == (lead.definition, lead.version))
        version = next(own, None)
        try:
            evaluators = self._evaluators(versions, version)
        except (DefinitionError, NotFound) as error:
            return Proof(None, None, _proven(lead, version, error.message))
        facts, qualification, state = self._derive(evaluators)
        derived = None if qualification is None else self._shown(qualification, state)
        differences = [] if derived is None else list(self._differences(derived))
        result = self._result(derived is not None and not differences)
        return Proof(result, derived, _proven(lead, version), facts, differences)

    # -- under which definition ------------------------------------------------------------

    def _evaluators(self, versions: list[Version], version: Version | None) -> Evaluators:
        """Raises DefinitionError or NotFound if the lead's version cannot be read any more."""
        lead, evaluators = self._lead, active_evaluators(self._tx)
        if evaluators.versions.get(lead.definition) == lead.version:
            return evaluators
        if version is None:
            raise NotFound(f"there is no version {lead.version} of {lead.definition}")
        catalogue = as_it_was(version, versions, evaluators.catalogue)
        since = {**activations(active_definitions(self._tx))}
        since[version.name, version.hash] = version.created_at
        return Evaluators(catalogue, versions, since)

    # -- what the messages give ------------------------------------------------------------

    def _derive(
        self, evaluators: Evaluators
    ) -> tuple[int, ExplainedQualification | None, LeadState]:
        """The number of messages, the qualification in the lead's cycle, and the lead's state.

        If the lead was passed on, the subject is the person who has it now.
        """
        replay = Replay(self._tx, evaluators, self._now)
        subject = self._lead.subject
        key = replay.identities.person(subject) if kind_of(subject) == "user" else subject
        messages = list(replay.messages(key))
        folded = replay.fold(key, messages)
        folded.advance(self._now)
        lead_key = LeadKey(self._lead.definition, self._lead.cycle)
        qualification = folded.qualifications.get(lead_key)
        following = folded.qualifications.get(lead_key._replace(cycle=lead_key.cycle + 1))
        until = None if following is None else following.time
        state = self._state(key, qualification, replay.conversions(folded.head), until)
        return len(messages), qualification, state

    def _state(
        self,
        key: str,
        qualification: ExplainedQualification | None,
        conversions: list[Conversion],
        until: int | None,
    ) -> LeadState:
        """The state that the messages and the transitions of people give."""
        lead = self._lead
        if qualification is not None:
            # Its own version gives it; that another one is in force since is no other fact.
            changed = lead.withdrawn if lead.withdrawn == DEFINITION_CHANGED else None
            lead = replace(lead, qualified_at=qualification.time, withdrawn=changed)
        lead = replace(lead, conversion=winning(lead, conversions, until))
        done = transitions_of(self._tx, [key])[key]
        return outcome(lead, done.get(LeadKey(lead.definition, lead.cycle), ())).state

    def _shown(self, qualification: ExplainedQualification, state: LeadState) -> Derived:
        account = self._account(qualification.account)
        return Derived(state, qualification.time, account, qualification.evidence)

    def _account(self, account: str | None) -> str | None:
        subject = self._lead.subject
        return id_of(subject) if kind_of(subject) == "account" else account

    # -- compared with what is stored ------------------------------------------------------

    def _differences(self, derived: Derived) -> Iterator[Difference]:
        lead = self._lead
        account = self._account(lead.account)
        stored = Derived(lead.state, lead.qualified_at, account, lead.evidence)
        for path, was, now in unlike(_compared(stored), _compared(derived)):
            yield Difference(".".join(map(str, path)), _plain(was), _plain(now))

    def _result(self, is_equal: bool) -> str:
        mids = _named_in(self._lead.evidence)
        if mids - self._tx.known(mids):
            return "facts_purged"
        return "equal" if is_equal else "restated"


def _proven(lead: Lead, version: Version | None, problem: str | None = None) -> Proven:
    if version is None:
        return Proven(lead.definition, lead.version, None, None, problem)
    text = version.text or to_toml(version.source)
    return Proven(lead.definition, lead.version, version.hash, text, problem)


def _compared(derived: Derived) -> dict[str, JSON]:
    """What is compared, as it is shown: a time as text."""
    return derived._asdict() | {"qualified_at": iso(derived.qualified_at)}


def _named_in(evidence: dict[str, JSON]) -> set[str]:
    """The messages that evidence names."""
    events = [event for leaf in evidence.get("leaves", []) for event in leaf.get("events", [])]
    return {event if isinstance(event, str) else event["message_id"] for event in events}


def _plain(value: JSON) -> JSON:
    return None if value is ABSENT else value
