"""The read path: who is a PQL, since when and why; who is not yet, and what is missing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from difflib import get_close_matches

from ..errors import BadRequest, NotFound
from ..identity.conflicts import conflicts_of
from ..identity.subject import Subject
from ..insights.likelihood.scores import Scores
from ..leads.states import contacts_of, is_claimed, is_overdue, state_at
from ..leads.transitions import LeadKey, transitions_of
from ..marking.active import active_definitions, backfill_progress
from ..marking.evaluators import Evaluators
from ..marking.snapshot import Snapshot
from ..model import JSON, Key, Kind, Lead, Stored, account_key, fact_order, id_of, kind_of, lead_id
from ..ports import (
    AuditEntry,
    Change,
    DefinitionEntry,
    LeadCursor,
    LeadFilter,
    ReadTransaction,
    RejectedCursor,
    RejectedFilter,
    Store,
    StoredRejectedEvent,
    Version,
)
from ..rules.explain.evidence import Explainer
from ..rules.parser.printer import shared_tables
from ..rules.parser.table_changes import what_changed
from ..usage import balance_of, balances
from .answers import (
    ClaimAnswer,
    ContactAnswer,
    DefinitionAnswer,
    Definitions,
    KeyUsage,
    LeadAnswer,
    LedgerAnswer,
    LikelyPage,
    Page,
    Profile,
    Status,
    Total,
    UsageAnswer,
    VersionAnswer,
)
from .briefs import Briefs, features_used, with_users
from .cursors import (
    decode_change_cursor,
    decode_fact_cursor,
    decode_lead_cursor,
    decode_likely_cursor,
    decode_number_cursor,
    decode_time_cursor,
    encode,
    list_id,
)
from .events.rejected import rejected_page
from .lead_tests import AT_ONCE, MAX_TESTED, NO_TESTS, LeadTests, of_partner
from .likely import SET, likely
from .partner_reads import changes_of, history_of, lead_seen_by, seen_by
from .partner_view import changes_for_partner

Clock = Callable[[], int]

LOOKED_AT = 64
"""Facts at either end of a window among which progress looks for the events that were counted."""

MAX_COUNTED = 10_000
"""Leads that are counted; if there are more, the number says so."""

MAX_LOOKED_BACK = 10_000
"""Entries of the ledger that one page of what somebody did looks at."""

MAX_NAMED = 20
"""Definitions that an error names."""


class Queries:
    """Every question that the query API answers, over one store.

    ``evaluators_in`` returns the evaluators of the definitions that are active in a transaction,
    so that a question reads the leads and the definitions of one moment.
    """

    def __init__(
        self, store: Store, evaluators_in: Callable[[ReadTransaction], Evaluators], clock: Clock
    ) -> None:
        self.store, self.clock = store, clock
        self._evaluators_in = evaluators_in

    def pqls(
        self,
        wanted: LeadFilter,
        limit: int,
        cursor: str | None = None,
        tests: LeadTests = NO_TESTS,
        partner: str | None = None,
    ) -> Page[LeadAnswer]:
        """Leads in the order of the filter: by priority, then the latest mark first, or by a time.

        With a ``partner``, they are those of the partner, and as it sees them.

        With tests the work of a page is bounded: it may be short, and still have a next one.
        Raises BadRequest for a definition that is not known, or a cursor of other filters.
        """
        if _is_of_another(wanted, partner):
            return Page([])
        if partner is not None:
            wanted, tests = of_partner(partner, wanted, tests)
        of = list_id("pqls", wanted, *tests.parts)
        after, wanted = decode_lead_cursor(of, cursor), replace(wanted, now=self.clock())
        with self.store.reading() as tx:
            if wanted.definition is not None:
                self._require_definition(tx, wanted.definition)
            leads, last = self._tested(tx, wanted, tests, limit, after, partner)
        return Page(leads, last and encode(of, *last))

    def likely_pqls(
        self, wanted: LeadFilter, limit: int, cursor: str | None, tests: LeadTests = NO_TESTS
    ) -> LikelyPage:
        """Leads by the likelihood that their subject converts, set by set.

        Raises BadRequest without a model, or as ``pqls``.
        """
        wanted = replace(wanted, sort="-marked_at")
        of = list_id("likely", wanted, *tests.parts)
        after, wanted = decode_likely_cursor(of, cursor), replace(wanted, now=self.clock())
        with self.store.reading() as tx:
            if wanted.definition is not None:
                self._require_definition(tx, wanted.definition)
            scores = Scores(tx)
            scores.require(wanted.subject_kind)
            found = likely(
                scores,
                lambda start: self._tested(tx, wanted, tests, SET, start, None),
                limit,
                after,
            )
        place = found.next and (*found.next.start[1:], *found.next[1:])
        return LikelyPage(
            found.data, found.looked_at, found.is_complete, place and encode(of, *place)
        )

    def count_pqls(
        self,
        wanted: LeadFilter,
        tests: LeadTests = NO_TESTS,
        partner: str | None = None,
        up_to: int = MAX_COUNTED,
    ) -> Total:
        """How many leads there are; at least how many, where that would be too much work."""
        if _is_of_another(wanted, partner):
            return Total(0, is_exact=True)
        if partner is not None:
            wanted, tests = of_partner(partner, wanted, tests)
        wanted = replace(wanted, now=self.clock())
        with self.store.reading() as tx:
            if tests:
                leads, last = self._tested(tx, wanted, tests, MAX_TESTED, None, partner)
                return Total(len(leads), last is None)
            number = tx.count_leads(wanted, up_to + 1)
            return Total(min(number, up_to), number <= up_to)

    def all_pqls(
        self, wanted: LeadFilter, tests: LeadTests = NO_TESTS, partner: str | None = None
    ) -> Iterator[LeadAnswer]:
        """Every lead, page by page; each page is as of the moment when it is read.

        Raises BadRequest at once for a definition that is not known.
        """
        page = self.pqls(wanted, AT_ONCE, None, tests, partner)
        return self._pages_from(page, wanted, tests, partner)

    def _pages_from(
        self, page: Page[LeadAnswer], wanted: LeadFilter, tests: LeadTests, partner: str | None
    ) -> Iterator[LeadAnswer]:
        yield from page.data
        while page.next_cursor is not None:
            page = self.pqls(wanted, AT_ONCE, page.next_cursor, tests, partner)
            yield from page.data

    def _tested(
        self,
        tx: ReadTransaction,
        wanted: LeadFilter,
        tests: LeadTests,
        limit: int,
        after: LeadCursor | None,
        partner: str | None,
    ) -> tuple[list[LeadAnswer], LeadCursor | None]:
        """The leads after a cursor that pass tests, and where the next page begins.

        What a partner does not see of a lead is not tested either.
        """
        passed: list[LeadAnswer] = []
        at_once = AT_ONCE if tests else limit
        for _ in range(MAX_TESTED // AT_ONCE):
            found = tx.leads(wanted, at_once + 1, after)
            is_more, found = len(found) > at_once, found[:at_once]
            snapshot = self._snapshot(tx)
            answers = _answers(snapshot, [lead for lead, _ in found])
            answers = seen_by(partner, answers, snapshot)
            for answer, (_, place) in zip(answers, found, strict=True):
                if tests.passes(answer):
                    passed.append(answer)
                after = place
                if len(passed) == limit:
                    is_last = answer is answers[-1] and not is_more
                    return passed, None if is_last else after
            if not is_more:
                return passed, None
        return passed, after

    def pql(self, lead_id: str, partner: str | None = None) -> LeadAnswer:
        """One lead, with its history and its contacts. Raises NotFound.

        With a ``partner``, the lead must be the partner's, and is as it sees it.
        """
        with self.store.reading() as tx:
            lead = lead_seen_by(tx, partner, lead_id)
            snapshot = self._snapshot(tx)
            [answer] = _answers(snapshot, [lead])
            history, total = history_of(tx, lead, partner)
            ids = Subject.of(tx, kind_of(lead.subject) or "user", id_of(lead.subject)).ids
            answer = answer._replace(
                history=history,
                history_total=total,
                revision=tx.count_changes(lead_id),
                contacts=_contacts(tx, lead),
                features=features_used(snapshot.evaluators.catalogue, tx.counts(ids)),
            )
            if partner is None and (score := Scores(tx).of([lead.subject]).get(lead.subject)):
                answer = answer._replace(
                    likelihood=score.probability, likelihood_reasons=score.reasons
                )
            return seen_by(partner, [answer], snapshot)[0]

    def require_lead(self, lead_id: str, partner: str | None) -> Lead:
        """A lead as it is stored; of a ``partner``, its own. Raises NotFound.

        Who asks to change a lead of others is told before anything waits for a writer.
        """
        with self.store.reading() as tx:
            return lead_seen_by(tx, partner, lead_id)

    def changes(
        self, limit: int, after: str | None = None, partner: str | None = None
    ) -> Page[LedgerAnswer]:
        """The ledger of all leads after a place in it. It always has a next cursor.

        With a ``partner``, of the leads that were the partner's then, and still are.
        """
        if partner is not None:
            return self._changes_of_partner(partner, limit, after)
        of = list_id("changes")
        number = decode_number_cursor(of, after)
        with self.store.reading() as tx:
            found = tx.changes_after(number, limit)
            data = _entries(self._snapshot(tx), found)
        return Page(data, encode(of, found[-1].number if found else number))

    def changes_by(self, actor: str, limit: int, cursor: str | None = None) -> Page[LedgerAnswer]:
        """What somebody did with leads, newest first.

        A page looks at a part of the ledger: it may be short, and still have a next one. Raises
        BadRequest for a cursor of another list.
        """
        of = list_id("changes by", actor)
        place = None if cursor is None else decode_number_cursor(of, cursor)
        with self.store.reading() as tx:
            before = tx.last_change() + 1 if place is None else place
            start = max(0, before - 1 - MAX_LOOKED_BACK)
            found = tx.changes_by(actor, start, before, limit)
            data = _entries(self._snapshot(tx), found)
        place = found[-1].number if len(found) == limit else start + 1
        return Page(data, encode(of, place) if place > 1 else None)

    def _changes_of_partner(
        self, partner: str, limit: int, after: str | None
    ) -> Page[LedgerAnswer]:
        of = list_id("changes of a partner", partner)
        place = decode_change_cursor(of, after)
        with self.store.reading() as tx:
            found, place = changes_of(tx, partner, place, limit)
            snapshot = self._snapshot(tx)
            entries = _entries(snapshot, found)
        own = [e for e in entries if e.lead_now and e.lead_now.lead.partner == partner]
        catalogue = snapshot.evaluators.catalogue
        data = [changes_for_partner(entry, partner, catalogue) for entry in own]
        return Page(data, encode(of, *place))

    def profile(self, kind: Kind, identifier: str) -> Profile:
        """A user or an account. Raises NotFound for one never seen."""
        with self.store.reading() as tx:
            subject = Subject.of(tx, kind, identifier)
            first_seen, last_seen = subject.span()
            snapshot, counts = self._snapshot(tx), tx.counts(subject.ids)
            profile = Profile(
                key=subject.key,
                traits=tx.traits({subject.key: subject.ids})[subject.key],
                first_seen=first_seen,
                last_seen=last_seen,
                event_counts=dict(sorted(counts.items())),
                features=features_used(snapshot.evaluators.catalogue, counts),
                leads=self._leads_of(snapshot, subject.key),
            )
            if kind == "account":
                return profile
            conflicts = conflicts_of(tx, subject.ids) or None
            return profile._replace(account=subject.account(), ids=subject.ids, conflicts=conflicts)

    def status(self, kind: Kind, identifier: str) -> Status:
        """Whether a user or an account is a PQL. Raises NotFound for one never seen."""
        with self.store.reading() as tx:
            subject = Subject.of(tx, kind, identifier)
            subject.require_messages()
            account = subject.account() if kind == "user" else None
            snapshot = self._snapshot(tx)
            own = self._leads_of(snapshot, subject.key)
            inherited = [] if account is None else self._leads_of(snapshot, account_key(account))
            leads = own + [answer._replace(via="account") for answer in inherited]
            qualified = {answer.lead.definition for answer in own}
            progress = _progress(snapshot, subject.key, qualified)
            return Status(subject.key, account, leads, progress)

    def timeline(
        self, kind: Kind, identifier: str, limit: int, cursor: str | None = None
    ) -> Page[Stored]:
        """The messages of a user or an account, latest first. Raises NotFound or BadRequest."""
        of = list_id("timeline", kind, identifier)
        after = decode_fact_cursor(of, cursor)
        with self.store.reading() as tx:
            subject = Subject.of(tx, kind, identifier)
            found = tx.latest_of(subject.ids, limit + 1, after)
            if not found:
                subject.require_messages()
        last = encode(of, *fact_order(found[limit - 1].message)) if len(found) > limit else None
        return Page(found[:limit], last)

    def definitions(self) -> Definitions:
        """The active definitions, each with its versions."""
        with self.store.reading() as tx:
            evaluators, versions = self._evaluators_in(tx), tx.versions()
            active, backfill = active_definitions(tx), backfill_progress(tx)
            log = tx.definition_log()
        latest = {(each.name, each.version): each for each in log if each.changed is None}
        logs: defaultdict[str, list[DefinitionEntry]] = defaultdict(list)
        for entry in log:
            logs[entry.name].append(entry)
        own: defaultdict[str, list[VersionAnswer]] = defaultdict(list)
        for version in versions:
            before = own[version.name][-1:]
            changed = next((what_changed(b.version.source, version.source) for b in before), None)
            own[version.name].append(VersionAnswer(version, _latest(version, latest), changed))
        since = {} if active is None else {n: v.since for n, v in active.versions.items()}
        data = [
            DefinitionAnswer(
                definition=definition,
                description=evaluators.descriptions[definition.name],
                version=evaluators.versions.get(definition.name),
                in_force_since=since.get(definition.name),
                versions=own[definition.name],
                log=logs[definition.name],
            )
            for definition in evaluators.catalogue.definitions
        ]
        tables = shared_tables(evaluators.catalogue.text)
        return Definitions(
            data,
            active,
            backfill,
            project=tables.get("project", {}),
            features=tables.get("features", {}),
            metrics=tables.get("metric", []),
            labels=tables.get("labels", {}),
        )

    def events(self, limit: int) -> Page[Stored]:
        """The messages that arrived last, latest first."""
        with self.store.reading() as tx:
            return Page(tx.latest(limit))

    def event(self, mid: str) -> Stored:
        """One message. Raises NotFound for an id that is not stored."""
        with self.store.reading() as tx:
            found = tx.message(mid)
        if found is None:
            raise NotFound(f"there is no event {mid}", id=mid)
        return found

    def rejected(
        self, wanted: RejectedFilter, limit: int, cursor: str | None = None
    ) -> Page[StoredRejectedEvent]:
        """Rejected events, latest first; fewer than ``limit`` where their texts are long."""
        of = list_id("rejected", wanted)
        after = decode_time_cursor(of, cursor)
        with self.store.reading() as tx:
            found, is_more = rejected_page(tx, wanted, limit, after and RejectedCursor(*after))
        last = found[-1] if is_more else None
        return Page(found, last and encode(of, last.received_at, last.id))

    def usage(self, keys: Iterable[Key]) -> UsageAnswer:
        """How many events came in, by key and month, latest month first."""
        with self.store.reading() as tx:
            usages = tx.usage()
        labels = {key.id: key.label for key in keys}
        data = [
            KeyUsage(key or None, labels.get(key), month, balance)
            for (month, key), balance in sorted(balances(usages).items(), reverse=True)
        ]
        return UsageAnswer(data, balance_of(usages))

    def audit(self, limit: int, cursor: str | None = None) -> Page[AuditEntry]:
        """Administrative acts, latest first."""
        of = list_id("audit")
        before = decode_number_cursor(of, cursor) or None
        with self.store.reading() as tx:
            found = tx.audit(limit + 1, before)
        more = len(found) > limit
        return Page(found[:limit], encode(of, found[limit - 1].number) if more else None)

    def answers_in(self, tx: ReadTransaction, leads: Collection[Lead]) -> list[LeadAnswer]:
        """Leads as answers, in a transaction of the caller."""
        return _answers(self._snapshot(tx), leads)

    # -- parts -----------------------------------------------------------------------------

    def _snapshot(self, tx: ReadTransaction) -> Snapshot:
        return Snapshot(tx, self._evaluators_in(tx), self.clock())

    def _leads_of(self, snapshot: Snapshot, key: str) -> list[LeadAnswer]:
        found = snapshot.tx.leads_of([key])[key]
        return _answers(snapshot, [lead for lead in found if lead.state != "voided"])

    def _require_definition(self, tx: ReadTransaction, name: str) -> None:
        """Raises BadRequest for a definition that neither is nor was in force."""
        active = self._evaluators_in(tx).catalogue.definitions
        known = [definition.name for definition in active]
        if name not in known and name not in (v.name for v in tx.versions()):
            closest = get_close_matches(name, known, n=1) or known[:MAX_NAMED]
            expected = " or ".join(map(ascii, closest)) or "none, as no definition is in force"
            raise BadRequest(
                f"definition: found the unknown definition {name!a}, expected {expected}",
                "bad_parameter",
                field="definition",
                found=ascii(name),
                expected=expected,
            )


def _latest(
    version: Version, latest: Mapping[tuple[str, int | None], DefinitionEntry]
) -> DefinitionEntry:
    """When a version last came in force; one that was never logged, when it was recorded."""
    recorded = DefinitionEntry(version.name, version.version, version.created_at)
    return latest.get((version.name, version.version), recorded)


def _answers(snapshot: Snapshot, leads: Collection[Lead]) -> list[LeadAnswer]:
    """Leads as they are at the instant of a snapshot."""
    tx, keys = snapshot.tx, {lead.subject for lead in leads}
    users = tx.ids_of([key for key in keys if kind_of(key) == "user"])
    traits = tx.traits({key: users.get(key, [key]) for key in keys})
    snapshot.load(keys)
    briefs = Briefs(snapshot, leads, traits)
    return [
        LeadAnswer(
            _with_heir(tx, lead),
            state_at(lead, snapshot.now),
            _holds(lead, snapshot),
            traits[lead.subject],
            briefs.of(lead),
            is_overdue(lead, snapshot.now),
            claim=_claim(lead, snapshot.now),
        )
        for lead in leads
    ]


def _is_of_another(wanted: LeadFilter, partner: str | None) -> bool:
    """Whether a partner asks for the leads of another one, of which it sees none."""
    return partner is not None and wanted.partner not in (None, partner)


def _entries(snapshot: Snapshot, changes: Collection[Change]) -> list[LedgerAnswer]:
    """Entries of the ledger, each with its lead as it is now."""
    named = snapshot.tx.leads_by_id({change.lead for change in changes})
    now = {answer.lead.id: answer for answer in _answers(snapshot, list(named.values()))}
    return [LedgerAnswer(*change[:7], now.get(change.lead)) for change in changes]


def _claim(lead: Lead, now: int) -> ClaimAnswer | None:
    """The claim that holds a lead at an instant."""
    at, until, partner = lead.claimed_at, lead.claimed_until, lead.partner
    if at is None or until is None or partner is None or not is_claimed(lead, now):
        return None
    return ClaimAnswer(partner, at, until)


def _progress(snapshot: Snapshot, key: str, qualified: Collection[str]) -> list[dict[str, JSON]]:
    evaluator, ctx = snapshot.evaluators.of(key), snapshot.context_of_anyone(key)
    return [
        with_users(Explainer(evaluator, rule, ctx, LOOKED_AT).progress(), key)
        for rule in evaluator.rules
        if rule.name not in qualified
    ]


def _with_heir(tx: ReadTransaction, lead: Lead) -> Lead:
    """A merged lead names the lead of the person who has it now, after further merges too."""
    if lead.merged_into is None:
        return lead
    person = tx.persons([lead.subject]).get(lead.subject, lead.subject)
    heir = lead_id(lead.definition, person, lead.cycle)
    is_other = heir != lead.id and tx.lead(heir) is not None
    return replace(lead, merged_into=heir) if is_other else lead


def _holds(lead: Lead, snapshot: Snapshot) -> bool:
    rule = snapshot.evaluators.of(lead.subject).by_name.get(lead.definition)
    ctx = snapshot.ctx(lead.subject)
    if rule is None or ctx is None:
        return False
    return (rule.permanent and rule.index in ctx.state.marks) or rule.when(ctx)


def _contacts(tx: ReadTransaction, lead: Lead) -> list[ContactAnswer]:
    """The contacts of somebody with a lead, earliest first."""
    done = transitions_of(tx, [lead.subject])[lead.subject]
    found = [
        ContactAnswer(contact.at, contact.channel, contact.note, transition.actor)
        for transition in done.get(LeadKey(lead.definition, lead.cycle), ())
        for contact in contacts_of(transition)
    ]
    return sorted(found, key=lambda contact: contact.at or 0)
