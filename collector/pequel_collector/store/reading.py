"""The answers of a store, on whichever database."""

# ruff: noqa: D102 - `ports` says what each method promises

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from heapq import merge
from itertools import islice

from ..model import JSON, Key, Lead, Stored, account_key, bucket_of, id_of, kind_of
from ..ports import LeadCursor, LeadFilter, Membership, Reading, Refused, Version
from . import rows
from . import statements as sql
from .listing import listings
from .session import Session
from .texts import bare, decode

ALWAYS = -(2**62), 2**62
"""From before any time until after every time."""

AT_ONCE = 500
"""Messages fetched by one statement."""

A_FEW = 8
"""Subjects looked up one by one in the open block, before it is read whole."""

Place = tuple[int, str]
"""Where a message stands in the order of facts: its time and its id."""


class SqlReading(Reading):
    """A consistent view of a database."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._open_block: int | None = None
        self._looked_up = 0
        self._open_places: defaultdict[str, list[Place]] | None = None

    # -- messages --------------------------------------------------------------------------

    def events(
        self, subject: str, since: int | None = None, until: int | None = None
    ) -> Iterator[Stored]:
        places = self._places(subject, since, until)
        while mids := [mid for _, mid in islice(places, AT_ONCE)]:
            found = map(rows.to_message, self._session.run(sql.MESSAGES, mids=mids))
            by_id = {stored.message.mid: stored for stored in found}
            yield from (by_id[mid] for mid in mids)

    def latest(self, limit: int) -> list[Stored]:
        found: list[Stored] = []
        block = self._block
        while len(found) < limit and block > 0:
            arrivals = self._session.run(sql.ARRIVALS, block=block, limit=limit - len(found))
            found += map(rows.to_message, arrivals)
            block -= 1
        return found

    def known(self, mids: Collection[str]) -> set[str]:
        if not mids:
            return set()
        return {bare(mid) for (mid,) in self._session.run(sql.KNOWN, mids=list(mids))}

    def newest(self) -> int | None:
        [(time,)] = self._session.run(sql.NEWEST, block=self._block)
        newest: int | None = time
        return newest

    def counts(self, subject: str) -> dict[str, int]:
        counts: Counter[str] = Counter()
        places = self._places(subject)
        while mids := [mid for _, mid in islice(places, AT_ONCE)]:
            counts.update({bare(n): count for n, count in self._session.run(sql.NAMES, mids=mids)})
        return dict(counts)

    def span(self, subject: str) -> tuple[int, int] | None:
        sealed = self._session.run(
            sql.SEALED_SPAN, blocks=self._sealed_blocks, subject=subject, bucket=bucket_of(subject)
        )
        times = [time for time in sealed[0] if time is not None]
        times += [time for time, _ in self._places_in_open_block(subject, *ALWAYS)]
        return (min(times), max(times)) if times else None

    def subjects(self) -> Iterator[str]:
        return (bare(key) for (key,) in self._session.stream(sql.SUBJECTS, block=self._block))

    # -- what is known of subjects ---------------------------------------------------------

    def traits(self, subjects: Collection[str]) -> dict[str, dict[str, JSON]]:
        found: dict[str, dict[str, JSON]] = {subject: {} for subject in subjects}
        for subject, name, value in self._of(sql.TRAITS, found):
            found[bare(subject)][bare(name)] = decode(value)
        return found

    def memberships(self, users: Collection[str]) -> dict[str, list[Membership]]:
        found: dict[str, list[Membership]] = {user: [] for user in users}
        for row in self._of(sql.MEMBERSHIPS, found):
            membership = rows.to_membership(row)
            found[membership.subject].append(membership)
        return found

    def histories(self, subjects: Collection[str]) -> dict[str, str]:
        return {bare(key): bare(body) for key, body in self._of(sql.HISTORIES, subjects)}

    def sealed(self, subject: str) -> list[str]:
        found = self._session.run(sql.SEALED_PAGES, subject=subject, bucket=bucket_of(subject))
        return [bare(body) for (body,) in found]

    # -- leads -----------------------------------------------------------------------------

    def lead(self, lead_id: str) -> Lead | None:
        return next(map(rows.to_lead, self._session.run(sql.LEAD, id=lead_id)), None)

    def leads(
        self, wanted: LeadFilter, limit: int, after: LeadCursor | None = None
    ) -> list[tuple[Lead, LeadCursor]]:
        found: list[tuple[Lead, LeadCursor]] = []
        for statement, values in listings(wanted, after):
            more = self._session.run(statement, limit=limit - len(found), **values)
            found += map(rows.to_listed_lead, more)
        return found

    def leads_of(self, subjects: Collection[str]) -> dict[str, list[Lead]]:
        found: dict[str, list[Lead]] = {subject: [] for subject in subjects}
        for row in self._of(sql.LEADS_OF, found):
            lead = rows.to_lead(row)
            found[lead.subject].append(lead)
        return found

    # -- what people decided, and the rest -------------------------------------------------

    def versions(self) -> list[Version]:
        return [rows.to_version(row) for row in self._session.run(sql.VERSIONS)]

    def keys(self) -> list[Key]:
        return [rows.to_key(row) for row in self._session.run(sql.KEYS)]

    def refused(self, limit: int) -> list[Refused]:
        return [rows.to_refused(row) for row in self._session.run(sql.REFUSED, limit=limit)]

    def note(self, name: str) -> str | None:
        return next((bare(text) for (text,) in self._session.run(sql.NOTE, name=name)), None)

    def totals(self) -> dict[str, int]:
        [(messages, leads, refused)] = self._session.run(sql.TOTALS)
        return {"messages": messages, "leads": leads, "refused": refused}

    # -- finding messages by subject -------------------------------------------------------

    @property
    def _block(self) -> int:
        """The number of the open block."""
        if self._open_block is None:
            [(self._open_block,)] = self._session.run(sql.OPEN_BLOCK)
        return self._open_block

    @property
    def _sealed_blocks(self) -> list[int]:
        return list(range(1, self._block))

    def _places(
        self, subject: str, since: int | None = None, until: int | None = None
    ) -> Iterator[Place]:
        first = ALWAYS[0] if since is None else since
        last = ALWAYS[1] if until is None else until
        sealed = self._places_in_sealed_blocks(subject, first, last)
        return merge(sealed, self._places_in_open_block(subject, first, last))

    def _places_in_sealed_blocks(self, subject: str, since: int, until: int) -> Iterator[Place]:
        if blocks := self._sealed_blocks:
            found = self._session.stream(
                sql.SEALED_PLACES,
                blocks=blocks,
                subject=subject,
                bucket=bucket_of(subject),
                since=since,
                until=until,
            )
            yield from ((time, bare(mid)) for time, mid in found)

    def _places_in_open_block(self, subject: str, since: int, until: int) -> list[Place]:
        self._looked_up += 1
        if self._looked_up > A_FEW:
            places = self._all_open_places().get(subject, [])
            return [place for place in places if since <= place[0] <= until]
        is_account = kind_of(subject) == "account"
        found = self._session.run(
            sql.OPEN_PLACES_OF_ACCOUNT if is_account else sql.OPEN_PLACES_OF_PERSON,
            block=self._block,
            name=id_of(subject) if is_account else subject,
            since=since,
            until=until,
        )
        return [(time, bare(mid)) for time, mid in found]

    def _all_open_places(self) -> dict[str, list[Place]]:
        if self._open_places is None:
            self._open_places = defaultdict(list)
            found = self._session.run(sql.OPEN_PLACES, block=self._block)
            for time, mid, subject, account in found:
                place = time, bare(mid)
                self._open_places[bare(subject)].append(place)
                if account is not None:
                    self._open_places[account_key(bare(account))].append(place)
        return self._open_places

    def _of(self, statement: str, subjects: Collection[str]) -> list[tuple[str, ...]]:
        """The rows of several subjects."""
        if not subjects:
            return []
        buckets = sorted({bucket_of(subject) for subject in subjects})
        return self._session.run(statement, subjects=sorted(subjects), buckets=buckets)
