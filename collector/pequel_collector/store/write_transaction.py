"""The write transaction of ``ports``, in shared SQL."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from operator import attrgetter

from ..model import Key, Lead, Stored, Transition, account_key, bucket_of, fact_order
from ..ports import (
    AuditEntry,
    Cell,
    Change,
    DefinitionEntry,
    ImportRun,
    Link,
    Membership,
    SealedPage,
    StoredRejectedEvent,
    Trait,
    Usage,
    Version,
    WriteTransaction,
)
from . import rows
from . import statements as sql
from .blocks import BlockFill, OpenBlock
from .encoding import escape, unescape
from .metrics.writes import MetricWrites
from .migrations.reads import LISTED_TRAITS
from .parts.account_lists import AccountListWrites
from .parts.arrivals import Arriving
from .parts.console import SqlConsoleWrites
from .parts.event_counts import Move, move_counts
from .parts.outbox import OutboxWrites
from .parts.routing import RoutingWrites
from .parts.subject_search import ADD, rows_of_traits
from .read_transaction import SqlReadTransaction
from .sections import blocks_of, section_of
from .session import Session


class SqlWriteTransaction(
    MetricWrites,
    OutboxWrites,
    RoutingWrites,
    AccountListWrites,
    SqlConsoleWrites,
    SqlReadTransaction,
    WriteTransaction,
):
    """The only write transaction at a time: an id that is new stays new until it ends."""

    def __init__(self, session: Session, fill: BlockFill, section_blocks: int) -> None:
        super().__init__(session, section_blocks, is_fixed=False)
        self._fill = fill
        self._open_block: OpenBlock | None = None
        self._is_known: dict[str, bool] = {}
        self._retraited: set[str] = set()
        self._arriving = Arriving()

    def finish(self) -> None:
        """Write what depends on the whole transaction. Must be the last call before the commit."""
        if self._retraited:
            self._refresh_listed_traits()
        if not self._session.has_failed:  # the commit will be refused
            self._arriving.save(self._session)
        if self._open_block is not None:
            self._open_block.remember()

    def _refresh_listed_traits(self) -> None:
        """Update the leads whose listed traits changed. That moves them in nearly every index."""
        subjects = self._retraited.union(self.persons(self._retraited).values())
        outdated = self._session.run_for(sql.OUTDATED_LISTED_TRAITS, subjects)
        self._session.run_for(
            sql.REFRESH_LISTED_TRAITS, [unescape(subject) for (subject,) in outdated]
        )

    def known(self, mids: Collection[str]) -> set[str]:
        asked = [mid for mid in mids if mid not in self._is_known]
        found = super().known(asked)
        self._is_known.update((mid, mid in found) for mid in asked)
        return {mid for mid in mids if self._is_known[mid]}

    # -- messages --------------------------------------------------------------------------

    def append(
        self, messages: Sequence[Stored], imports: Mapping[str, int] | None = None
    ) -> set[str]:
        known = self.known([stored.message.mid for stored in messages])
        new = {s.message.mid: s for s in messages if s.message.mid not in known}
        if new:
            self._append([new[mid] for mid in sorted(new)], imports or {})
            self._is_known.update(dict.fromkeys(new, True))
            self._arriving.add_messages(new, imports or ())
        return set(new)

    def _append(self, messages: list[Stored], imports: Mapping[str, int]) -> None:
        block = self._open_block = self._open_block or OpenBlock(self._session, self._fill)
        while messages:
            taken, messages = messages[: block.room], messages[block.room :]
            added = [rows.from_message(stored, block.number) for stored in taken]
            if imports:
                numbers = [imports.get(stored.message.mid) for stored in taken]
                numbered = [(*row, number) for row, number in zip(added, numbers, strict=True)]
                self._session.insert(sql.APPEND_IMPORTED, numbered)
            else:
                self._session.insert(sql.APPEND, added)
            block.added(len(taken))
        self._index.refresh()

    def remove(self, messages: Sequence[Stored]) -> None:
        mids = [stored.message.mid for stored in messages]
        blocks = {
            unescape(mid): block for mid, block in self._session.run(sql.BLOCKS_OF, mids=mids)
        }
        self._session.run(sql.REMOVE, mids=mids)
        self.note_stale_milestones(stored.message.subject for stored in messages)
        self._is_known.update(dict.fromkeys(mids, False))
        sealed: defaultdict[int, list[Stored]] = defaultdict(list)
        for stored in messages:
            block = blocks.get(stored.message.mid)
            if block is not None and block < self._index.open_block:
                sealed[block].append(stored)
        for block in sorted(sealed):
            self._removed_from(block, sealed[block])
        if sealed:
            removed = max(stored.message.time for each in sealed.values() for stored in each)
            self._session.run(sql.LOWER_NEWEST, block=self._index.open_block, removed=removed)

    def _removed_from(self, block: int, messages: Sequence[Stored]) -> None:
        """Bring what is kept of the messages of a sealed block in line with those that are left."""
        mids = [stored.message.mid for stored in messages]
        subjects = {stored.message.subject for stored in messages}
        accounts = {account_key(s.account) for s in messages if s.account is not None}
        named = {s.message.subject for s in messages if s.message.account is not None}
        run = self._session.run
        concerned = sorted(subjects | accounts)
        section = section_of(block, self._section_blocks)
        run(sql.REMOVE_POSTINGS, section=section, subjects=concerned, mids=mids)
        for statement, place in zip(sql.REMOVE_COUNTS, (block, section), strict=True):
            run(statement, place=place, subjects=concerned)  # counted when somebody asks
        run(sql.HAS_FEWER_MESSAGES, block=block, fewer=len(messages))
        if named:
            blocks = blocks_of(section, self._section_blocks)
            run(sql.REMOVE_NAMINGS, section=section, subjects=sorted(named))
            run(sql.ADD_NAMINGS, section=section, blocks=blocks, subjects=sorted(named))

    def keep(self, mids: Collection[str]) -> None:
        self._session.run(sql.KEEP, mids=list(mids))

    def save_import(self, run: ImportRun) -> None:
        self._session.insert(sql.SAVE_IMPORT, [rows.from_import(run)])

    def attribute(self, accounts: Mapping[str, str | None], subject: str) -> None:
        moves = self._moves(accounts, subject)
        self.note_stale_milestones([subject])
        for account, moved in _grouped(moves, attrgetter("to")):
            self._session.run(
                sql.ATTRIBUTE,
                account=account,
                account_bucket=rows.account_bucket(account),
                mids=[move.mid for move in moved],
                bucket=bucket_of(subject),
            )
        sealed = [move for move in moves if move.block < self._index.open_block]
        self._move_postings(sealed)
        move_counts(self._session, sealed, len(self._index.sections), self._section_blocks)

    def _moves(self, accounts: Mapping[str, str | None], subject: str) -> list[Move]:
        found = self._session.run(
            sql.ATTRIBUTION, mids=list(accounts), subject=subject, bucket=bucket_of(subject)
        )
        if len(found) < len(accounts):
            raise LookupError(f"not all of {len(accounts)} messages are stored under {subject!r}")
        moves = []
        for mid, block, time, position, name, account in found:
            to = accounts[unescape(mid)]
            place = unescape(mid), block, time, position
            moves.append(Move(*place, unescape(name), unescape(account), to))
        return [move for move in moves if move.account != move.to]

    def _move_postings(self, moves: list[Move]) -> None:
        for account, moved in _grouped(moves, attrgetter("account")):
            if account is not None:
                self._session.run(
                    sql.DELETE_POSTINGS,
                    sections=sorted({self._section_of(move) for move in moved}),
                    mids=[move.mid for move in moved],
                    subject=account_key(account),
                    bucket=rows.account_bucket(account),
                )
        added = [
            rows.posting(self._section_of(move), move.to, *fact_order(move))
            for move in moves
            if move.to is not None
        ]
        self._session.insert(sql.ADD_POSTINGS, sorted(added))

    def _section_of(self, move: Move) -> int:
        return section_of(move.block, self._section_blocks)

    def index_messages(self) -> bool:
        sections = self._sections()
        sections.step()
        self._index.refresh()
        return sections.is_behind

    # -- what is known of subjects ---------------------------------------------------------

    def add_traits(self, traits: Sequence[Trait]) -> None:
        self._session.insert(sql.ADD_TRAITS, sorted(map(rows.from_trait, traits)))
        self._session.insert(ADD, rows_of_traits(traits))
        self._retraited.update(trait.subject for trait in traits if trait.name in LISTED_TRAITS)

    def remove_traits(self, traits: Sequence[Trait]) -> None:
        found: defaultdict[tuple[str, str], list[Trait]] = defaultdict(list)
        for trait in traits:
            found[trait.subject, trait.name].append(trait)
        for (subject, name), each in sorted(found.items()):
            times, mids = [trait.time for trait in each], [trait.mid for trait in each]
            values = {"subject": subject, "name": name, "times": times, "mids": mids}
            self._session.run(sql.REMOVE_TRAITS, **values)
        self._retraited.update(trait.subject for trait in traits if trait.name in LISTED_TRAITS)

    def remove_memberships(self, memberships: Sequence[Membership]) -> None:
        self._session.run(
            sql.REMOVE_MEMBERSHIPS,
            subjects=sorted({call.subject for call in memberships}),
            times=sorted({call.time for call in memberships}),
            mids=[call.mid for call in memberships],
        )

    def remove_links(self, links: Sequence[Link]) -> None:
        self._session.run(
            sql.REMOVE_LINKS,
            ids=sorted({link.id for link in links}),
            users=sorted({link.user for link in links}),
            mids=sorted({link.mid for link in links}),
        )

    def add_memberships(self, memberships: Sequence[Membership]) -> None:
        self._session.insert(sql.ADD_MEMBERSHIPS, sorted(map(rows.from_membership, memberships)))

    # -- who is who ------------------------------------------------------------------------

    def add_links(self, links: Sequence[Link]) -> None:
        earliest: dict[tuple[str, str], Link] = {}
        for link in sorted(links, key=fact_order):
            earliest.setdefault((link.id, link.user), link)
        self._session.insert(sql.ADD_LINKS, sorted(map(rows.from_link, earliest.values())))

    def set_persons(self, persons: Mapping[str, str]) -> None:
        concerned = {*persons, *persons.values(), *self.persons(persons).values()}
        self._retraited.update(concerned)
        self.note_stale_milestones(concerned)
        linked = {id_: person for id_, person in persons.items() if id_ != person}
        self._session.run_for(sql.UNLINK, [id_ for id_ in persons if id_ not in linked])
        made = [rows.of_subject(id_, escape(person)) for id_, person in linked.items()]
        self._session.insert(sql.SET_PERSONS, sorted(made))
        self._has_persons = None

    # -- histories and due subjects --------------------------------------------------------

    def swap_writer_token(self, token: int) -> int:
        [(last,)] = self._session.run(sql.LAST_WRITER)
        self._session.run(sql.SET_LAST_WRITER, token=token)
        return int(last)

    def save_histories(self, pages: Mapping[str, bytes]) -> None:
        written = [rows.of_subject(subject, body) for subject, body in sorted(pages.items())]
        self._session.insert(sql.SAVE_HISTORIES, written)
        self._session.run_for(sql.UNMARK_STALE, pages.keys())

    def mark_stale(self, subjects: Collection[str]) -> None:
        self._session.insert(sql.MARK_STALE, sorted(map(rows.of_key, subjects)))

    def seal(self, subject: str, number: int, page: bytes, cells: Sequence[Cell]) -> None:
        self.seal_all(subject, [SealedPage(number, page, cells)])

    def seal_all(self, subject: str, pages: Sequence[SealedPage]) -> None:
        written = [rows.from_page(subject, page.number, page.body) for page in pages]
        cells = {(c.slot, c.key, p.number): c for p in pages for c in p.cells}
        self._session.insert(sql.SEAL_PAGE, written)
        self._session.insert(
            sql.SAVE_CELLS, [rows.from_cell(subject, key[2], cells[key]) for key in sorted(cells)]
        )

    def unseal(self, subject: str, number: int) -> None:
        for statement in sql.UNSEAL:
            self._session.run(statement, subject=subject, number=number, bucket=bucket_of(subject))

    def forget_history(self, subject: str) -> None:
        for statement in sql.FORGET_HISTORY:
            self._session.run(statement, subject=subject, bucket=bucket_of(subject))

    def set_due(self, times: Mapping[str, int | None]) -> None:
        self._session.run_for(
            sql.NEVER_DUE, [subject for subject, time in times.items() if time is None]
        )
        set_ = [rows.of_subject(s, time) for s, time in sorted(times.items()) if time is not None]
        self._session.insert(sql.SET_DUE, set_)

    # -- leads, what people decide, rejected events, numbers -------------------------------

    def save_leads(self, leads: Sequence[Lead]) -> None:
        latest = {(lead.subject, lead.definition, lead.cycle): lead for lead in leads}
        found = self._session.run_for(sql.LISTED_TRAITS_OF, {lead.subject for lead in leads})
        listed = {unescape(subject): tuple(values) for subject, *values in found}
        saved = [rows.from_lead(lead, listed[lead.subject]) for _, lead in sorted(latest.items())]
        self._session.insert(sql.SAVE_LEADS, saved)

    def add_transitions(self, transitions: Sequence[Transition]) -> list[Transition]:
        [(last,)] = self._session.run(sql.LAST_TRANSITION)
        numbered = [t._replace(number=last + i) for i, t in enumerate(transitions, 1)]
        self._session.insert(sql.ADD_TRANSITIONS, [rows.from_transition(t) for t in numbered])
        return numbered

    def log(self, changes: Sequence[Change]) -> list[Change]:
        if not changes:
            return []
        [(last,)] = self._session.run(sql.LAST_CHANGE)
        logged = [change._replace(number=last + i) for i, change in enumerate(changes, 1)]
        self._session.insert(sql.LOG, [rows.from_change(each.number, each) for each in logged])
        self._arriving.add_changes(changes)
        return logged

    def count(self, tallies: Mapping[str, int]) -> None:
        added = [(escape(name), number) for name, number in sorted(tallies.items())]
        self._session.insert(sql.ADD_TALLIES, added)

    def add_version(self, version: Version) -> None:
        self._session.insert(sql.ADD_VERSION, [rows.from_version(version)])

    def log_definitions(self, entries: Sequence[DefinitionEntry]) -> None:
        [(last,)] = self._session.run(sql.LAST_DEFINITION_ENTRY)
        logged = [rows.from_definition_entry(last + i, each) for i, each in enumerate(entries, 1)]
        self._session.insert(sql.LOG_DEFINITIONS, logged)

    def set_meta(self, name: str, text: str) -> None:
        self._session.insert(sql.SET_META, [(escape(name), escape(text))])

    def add_key(self, key: Key) -> None:
        self._session.insert(sql.ADD_KEY, [rows.from_key(key)])

    def add_audit(self, entry: AuditEntry) -> None:
        [(last,)] = self._session.run(sql.LAST_AUDIT)
        self._session.insert(sql.ADD_AUDIT, [rows.from_audit(last + 1, entry)])

    def expire_key(self, key_id: str, at: int) -> None:
        self._session.run(sql.EXPIRE_KEY, id=key_id, at=at)

    def use_keys(self, times: Mapping[str, int], since: int) -> None:
        for key_id, at in times.items():
            self._session.run(sql.USE_KEY, id=key_id, at=at, since=since)

    def revoke_key(self, key_id: str, at: int) -> bool:
        return bool(self._session.run(sql.REVOKE_KEY, id=key_id, at=at))

    def add_rejected(self, rejected: Sequence[StoredRejectedEvent]) -> None:
        by_id = {each.id: each for each in reversed(rejected)}
        added = [rows.from_rejected(by_id[id_]) for id_ in sorted(by_id)]
        self._session.insert(sql.ADD_REJECTED, added)
        self._arriving.add_rejected(list(by_id.values()))

    def delete_rejected(self, ids: Collection[str]) -> set[str]:
        return {unescape(id_) for (id_,) in self._session.run_for(sql.DELETE_REJECTED, ids)}

    def delete_rejected_of_import(self, number: int, limit: int) -> int:
        return len(self._session.run(sql.DELETE_REJECTED_OF_IMPORT, number=number, limit=limit))

    def add_usage(self, usages: Sequence[Usage]) -> None:
        added: Counter[tuple[str, str, str]] = Counter()
        for key, month, outcome, number in usages:
            added[key, month, outcome] += number
        summed = [Usage(*counted, number) for counted, number in sorted(added.items()) if number]
        self._session.insert(sql.ADD_USAGE, [rows.from_usage(usage) for usage in summed])

    def record_client_report(self, key: str, client: str, number: int) -> bool:
        values = {"key": key, "client": client, "number": number}
        return bool(self._session.run(sql.RECORD_CLIENT_REPORT, **values))


def _grouped(
    moves: Iterable[Move], by: Callable[[Move], str | None]
) -> Iterable[tuple[str | None, list[Move]]]:
    groups: defaultdict[str | None, list[Move]] = defaultdict(list)
    for move in moves:
        groups[by(move)].append(move)
    return groups.items()
