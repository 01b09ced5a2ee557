"""The read transaction of ``ports``, in shared SQL."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from itertools import islice

from ..model import JSON, Key, Kind, Lead, Stored, Transition, bucket_of, fact_order
from ..ports import (
    ANY_REJECTED,
    Activity,
    Arrival,
    AuditEntry,
    Cell,
    Change,
    DefinitionEntry,
    FirstEvent,
    ImportRun,
    LeadCursor,
    LeadFilter,
    Link,
    Membership,
    Outline,
    ReadTransaction,
    RejectedCursor,
    RejectedFilter,
    SearchHit,
    Seen,
    StoredRejectedEvent,
    Trait,
    Usage,
    Version,
)
from . import rows
from . import statements as sql
from .encoding import unescape
from .metrics.reads import MetricReads
from .parts.account_lists import AccountListReads
from .parts.activity import ActivityIndex
from .parts.arrivals import arrivals_after, last_arrival
from .parts.bulk_reads import BulkReads
from .parts.console import SqlConsoleReads
from .parts.lead_list import lead_count, lead_page
from .parts.message_index import MessageIndex
from .parts.message_log import block_starts, messages_in
from .parts.outbox import OutboxReads
from .parts.recent import recently_seen
from .parts.references import ReferenceReads
from .parts.routing import RoutingReads
from .parts.subject_search import SubjectSearch
from .parts.traits import current_traits
from .sections import Sections
from .session import Row, Session

MESSAGES_AT_ONCE = 500
"""Messages that one statement reads."""

PAIRS_AT_ONCE = 8
"""Links that one statement looks up. It tries each id with each user."""

AFTER_ALL = 2**62
"""Later than any time."""


class SqlReadTransaction(
    BulkReads,
    MetricReads,
    OutboxReads,
    ReferenceReads,
    RoutingReads,
    AccountListReads,
    SqlConsoleReads,
    ReadTransaction,
):
    """A consistent view of a database. ``ports`` documents the methods."""

    def __init__(self, session: Session, section_blocks: int, *, is_fixed: bool = True) -> None:
        self._session, self._section_blocks = session, section_blocks
        self._index = MessageIndex(session, section_blocks, is_fixed=is_fixed)
        self._activity = ActivityIndex(session, self._index)
        self._has_persons: bool | None = None

    # -- messages --------------------------------------------------------------------------

    def events(
        self, subjects: Collection[str], since: int | None = None, until: int | None = None
    ) -> Iterator[Stored]:
        refs = self._index.of(subjects, since, until)
        while mids := [mid for _, _, mid in islice(refs, MESSAGES_AT_ONCE)]:
            yield from self._messages(mids)

    def outlines(
        self, subjects: Collection[str], since: int | None = None, until: int | None = None
    ) -> Iterator[Outline]:
        return self._activity.outlines(subjects, since, until)

    def latest_of(
        self, subjects: Collection[str], limit: int, before: tuple[int, int, str] | None = None
    ) -> list[Stored]:
        refs = self._index.latest(subjects, limit, before)
        return self._messages([mid for _, _, mid in refs])

    def latest_named(self, subjects: Collection[str]) -> str | None:
        return self._index.latest_named(subjects)

    def latest(self, limit: int, name: str | None = None) -> list[Stored]:
        found: list[Stored] = []
        block = self._index.open_block
        while limit > 0 and block > 0:
            arrivals = self._latest_in(block, limit, name)
            found += map(rows.to_message, arrivals)
            limit -= len(arrivals) if name is None else self.messages_in_block(block)
            block -= 1
        return found

    def _latest_in(self, block: int, limit: int, name: str | None) -> list[Row]:
        if name is None:
            return self._session.run(sql.ARRIVALS, block=block, limit=limit)
        return self._session.run(sql.ARRIVALS_NAMED, block=block, limit=limit, name=name)

    def message(self, mid: str) -> Stored | None:
        found = self._session.run(sql.MESSAGES, mids=[mid])
        return rows.to_message(found[0]) if found else None

    def messages(self, mids: Collection[str]) -> dict[str, Stored]:
        found = self._session.run(sql.MESSAGES, mids=list(mids)) if mids else []
        return {stored.message.mid: stored for stored in map(rows.to_message, found)}

    def known(self, mids: Collection[str]) -> set[str]:
        if not mids:
            return set()
        return {unescape(mid) for (mid,) in self._session.run(sql.KNOWN, mids=list(mids))}

    def newest(self) -> int | None:
        [(time,)] = self._session.run(sql.NEWEST, block=self._index.open_block)
        newest: int | None = time
        return newest

    def block_starts(self, since: int) -> dict[int, int]:
        return block_starts(self._session, since)

    def messages_in(
        self, block: int, after: tuple[int, int, str], until: int, limit: int
    ) -> list[Stored]:
        return messages_in(self._session, block, after, until, limit)

    def counts(self, subjects: Collection[str]) -> dict[str, int]:
        counts: Counter[str] = Counter()
        for name, number in self._index.names(subjects):
            counts[name] += number
        return dict(+counts)

    def span(self, subjects: Collection[str]) -> tuple[int, int] | None:
        return self._index.span(subjects)

    def subjects(self, after: str = "", limit: int | None = None) -> list[str]:
        return self._index.subjects(after, limit)

    def visitors(self, after: str = "", limit: int | None = None) -> list[str]:
        return self._index.visitors(after, limit)

    def has_messages_to_index(self) -> bool:
        return self._sections().is_behind

    def _sections(self) -> Sections:
        return Sections(self._session, self._section_blocks, self._index.open_block)

    def _messages(self, mids: list[str]) -> list[Stored]:
        """These messages, in this order."""
        by_id = self.messages(mids)
        return [by_id[mid] for mid in mids]

    # -- lists of subjects -----------------------------------------------------------------

    def search(
        self, kind: Kind, prefix: str, after: SearchHit | None = None
    ) -> Iterator[SearchHit]:
        return SubjectSearch(self._session, self._index).hits(kind, prefix, after)

    def recently_seen(self, kind: Kind, before: Seen | None, limit: int) -> tuple[list[Seen], bool]:
        return recently_seen(self._session, kind, before, limit)

    def first_seen(self, ids: Collection[str]) -> dict[str, int]:
        return self._index.first_seen(ids)

    def last_times(self, ids: Collection[str], since: int | None = None) -> dict[str, int]:
        return self._index.last_times(ids, since)

    def activity_in(self, account: str, since: int, limit: int) -> tuple[dict[str, Activity], bool]:
        return self._activity.of_account(account, since, limit)

    def first_events(
        self, ids: Collection[str], names: Collection[str], limit: int
    ) -> list[FirstEvent]:
        return self._activity.firsts(ids, names, limit)

    def names_of(self, ids: Collection[str]) -> dict[str, Counter[str]]:
        return self._activity.names(ids)

    # -- who is who ------------------------------------------------------------------------

    def persons(self, ids: Collection[str]) -> dict[str, str]:
        if not self._any_is_linked():
            return {}
        return {
            unescape(id_): unescape(person)
            for id_, person in self._session.run_for(sql.PERSONS, ids)
        }

    def ids_of(self, persons: Collection[str]) -> dict[str, list[str]]:
        linked: dict[str, list[str]] = {person: [] for person in persons}
        found = self._session.run_for(sql.IDS_OF, linked) if self._any_is_linked() else ()
        for person, id_ in found:
            linked[unescape(person)].append(unescape(id_))
        return {person: [person, *sorted(ids)] for person, ids in linked.items()}

    def _any_is_linked(self) -> bool:
        """Whether any id is linked. If none is, no other query is needed."""
        if self._has_persons is None:
            [(found,)] = self._session.run(sql.ANY_PERSON)
            self._has_persons = bool(found)
        return self._has_persons

    def links(self, ids: Collection[str], limit: int | None = None) -> list[Link]:
        if limit is None:
            read = self._session.run_for(sql.LINKS, ids)
        else:
            read = self._session.run(sql.FIRST_LINKS, subjects=sorted(ids), limit=limit)
        found = map(rows.to_link, read)
        return sorted(found, key=lambda link: (*fact_order(link), link.id, link.user))[:limit]

    def links_between(self, pairs: Collection[tuple[str, str]]) -> list[Link]:
        wanted = sorted(pairs)
        found: list[Link] = []
        for start in range(0, len(wanted), PAIRS_AT_ONCE):
            some = wanted[start : start + PAIRS_AT_ONCE]
            ids, users = ({pair[side] for pair in some} for side in (0, 1))
            rows_ = self._session.run(sql.LINKS_BETWEEN, ids=sorted(ids), users=sorted(users))
            found += [link for link in map(rows.to_link, rows_) if (link.id, link.user) in pairs]
        return found

    # -- what is known of subjects ---------------------------------------------------------

    def traits(self, subjects: Mapping[str, Collection[str]]) -> dict[str, dict[str, JSON]]:
        return current_traits(self._session, subjects)

    def trait_history(self, ids: Collection[str]) -> list[Trait]:
        found = map(rows.to_trait, self._session.run_for(sql.TRAIT_HISTORY, ids))
        return sorted(found, key=lambda trait: (trait.subject, trait.name, *fact_order(trait)))

    def memberships(self, ids: Collection[str]) -> dict[str, list[Membership]]:
        found: dict[str, list[Membership]] = {id_: [] for id_ in ids}
        for row in self._session.run_for(sql.MEMBERSHIPS, found):
            membership = rows.to_membership(row)
            found[membership.subject].append(membership)
        for calls in found.values():
            if len(calls) > 1:
                calls.sort(key=fact_order)
        return found

    def histories(self, subjects: Collection[str]) -> dict[str, bytes]:
        return {unescape(key): body for key, body in self._session.run_for(sql.HISTORIES, subjects)}

    def stale(self, subjects: Collection[str]) -> set[str]:
        return {unescape(subject) for (subject,) in self._session.run_for(sql.STALE, subjects)}

    def page(self, subject: str, number: int) -> bytes:
        found = self._session.run(
            sql.PAGE, subject=subject, number=number, bucket=bucket_of(subject)
        )
        if not found:
            raise LookupError(f"{subject!r} has no page {number}")
        body: bytes = found[0][0]
        return body

    def cell(self, subject: str, slot: int, key: str) -> bytes | None:
        found = self._session.run(
            sql.CELL, subject=subject, slot=slot, key=key, bucket=bucket_of(subject)
        )
        return found[0][0] if found else None

    def cell_versions(self, subject: str, slot: int) -> list[tuple[int, Cell]]:
        found = self._session.run(
            sql.CELL_VERSIONS, subject=subject, slot=slot, bucket=bucket_of(subject)
        )
        return [(page, Cell(slot, unescape(key), body)) for page, key, body in found]

    def cells(self, subject: str, slot: int) -> dict[str, bytes]:
        found = self._session.run(sql.CELLS, subject=subject, slot=slot, bucket=bucket_of(subject))
        latest = {unescape(key): body for key, body in found}
        return {key: body for key, body in latest.items() if body is not None}

    def due(self, until: int, limit: int) -> list[str]:
        found = self._session.run(sql.DUE, until=until, limit=limit)
        return [unescape(subject) for (subject,) in found]

    # -- leads -----------------------------------------------------------------------------

    def lead(self, lead_id: str) -> Lead | None:
        return self.leads_by_id([lead_id]).get(lead_id)

    def leads_by_id(self, ids: Collection[str]) -> dict[str, Lead]:
        found = self._session.run(sql.LEADS_BY_ID, ids=sorted(ids)) if ids else []
        return {lead.id: lead for lead in map(rows.to_lead, found)}

    def lead_ids(self, prefix: str, limit: int) -> list[str]:
        values = {"first": prefix, "last": prefix + "~", "limit": limit}
        return [id_ for (id_,) in self._session.run(sql.LEAD_IDS, **values)]

    def leads(
        self, wanted: LeadFilter, limit: int, after: LeadCursor | None = None
    ) -> list[tuple[Lead, LeadCursor]]:
        return lead_page(self._session, wanted, limit, after)

    def count_leads(self, wanted: LeadFilter, limit: int) -> int:
        return lead_count(self._session, wanted, limit)

    def leads_of(self, subjects: Collection[str]) -> dict[str, list[Lead]]:
        found: dict[str, list[Lead]] = {subject: [] for subject in subjects}
        for row in self._session.run_for(sql.LEADS_OF, found):
            lead = rows.to_lead(row)
            found[lead.subject].append(lead)
        return found

    def transitions_of(self, subjects: Collection[str]) -> list[Transition]:
        return [
            rows.to_transition(row) for row in self._session.run_for(sql.TRANSITIONS_OF, subjects)
        ]

    def changes(self, lead_id: str) -> list[Change]:
        return [rows.to_change(row) for row in self._session.run(sql.CHANGES, lead=lead_id)]

    def latest_changes(self, lead_id: str, limit: int) -> list[Change]:
        found = self._session.run(sql.LATEST_CHANGES, lead=lead_id, limit=limit)
        return [rows.to_change(row) for row in reversed(found)]

    def count_changes(self, lead_id: str) -> int:
        [(number,)] = self._session.run(sql.COUNT_CHANGES, lead=lead_id)
        return int(number)

    def changes_after(self, number: int, limit: int) -> list[Change]:
        found = self._session.run(sql.CHANGES_AFTER, number=number, limit=limit)
        return [rows.to_change(row) for row in found]

    def members(self, account: str) -> list[str]:
        return sorted(self._index.members(account))

    # -- what people decide, and the rest --------------------------------------------------

    def versions(self) -> list[Version]:
        return [rows.to_version(row) for row in self._session.run(sql.VERSIONS)]

    def definition_log(self) -> list[DefinitionEntry]:
        return [rows.to_definition_entry(row) for row in self._session.run(sql.DEFINITION_LOG)]

    def keys(self) -> list[Key]:
        return [rows.to_key(row) for row in self._session.run(sql.KEYS)]

    def audit(self, limit: int, before: int | None = None) -> list[AuditEntry]:
        found = self._session.run(sql.AUDIT, limit=limit, before=before or AFTER_ALL)
        return [rows.to_audit(row) for row in found]

    def rejected(
        self, limit: int, wanted: RejectedFilter = ANY_REJECTED, after: RejectedCursor | None = None
    ) -> list[StoredRejectedEvent]:
        before, id_ = after or (AFTER_ALL, "")
        values = {name: value for name, value in wanted._asdict().items() if value is not None}
        statement = sql.REJECTED["code" in values, "key" in values]
        found = self._session.run(statement, limit=limit, before=before, id=id_, **values)
        return [rows.to_rejected(row) for row in found]

    def rejected_by_id(self, ids: Collection[str]) -> dict[str, StoredRejectedEvent]:
        found = self._session.run_for(sql.REJECTED_BY_ID, ids)
        return {rejected.id: rejected for rejected in map(rows.to_rejected, found)}

    def last_arrival(self) -> int:
        return last_arrival(self._session)

    def arrivals_after(self, number: int, limit: int) -> list[Arrival]:
        return arrivals_after(self._session, number, limit)

    def usage(self) -> list[Usage]:
        return [rows.to_usage(row) for row in self._session.run(sql.USAGE)]

    def meta(self, name: str) -> str | None:
        return next((unescape(text) for (text,) in self._session.run(sql.META, name=name)), None)

    # -- imports ---------------------------------------------------------------------------

    def imports(self) -> list[ImportRun]:
        return [rows.to_import(row) for row in self._session.run(sql.IMPORTS)]

    def import_run(self, number: int) -> ImportRun | None:
        found = self._session.run(sql.IMPORT, number=number)
        return rows.to_import(found[0]) if found else None

    def imported(self, number: int, limit: int) -> list[Stored]:
        found = self._session.run(sql.IMPORTED, number=number, limit=limit)
        return [rows.to_message(row) for row in found]

    def imported_messages(self) -> dict[int, int]:
        return {number: int(n) for number, n in self._session.run(sql.IMPORTED_MESSAGES)}

    def standing(self, lead_ids: Collection[str]) -> set[str]:
        asked = {id_: {id_} for id_ in lead_ids}  # by the lead that each is now
        standing: set[str] = set()
        while asked:
            heirs: defaultdict[str, set[str]] = defaultdict(set)
            for id_, state, merged_into in self._session.run(sql.STANDING, ids=sorted(asked)):
                origins = asked[unescape(id_)]
                if state != "voided":
                    standing |= origins
                elif merged_into is not None:
                    heirs[unescape(merged_into)] |= origins
            asked = heirs
        return standing

    def totals(self) -> dict[str, int]:
        [(messages, leads, rejected)] = self._session.run(sql.TOTALS, block=self._index.open_block)
        tallies = {unescape(name): number for name, number in self._session.run(sql.TALLIES)}
        return tallies | {"messages": int(messages), "leads": leads, "rejected": rejected}
