"""What metrics are counted from: the part of a read transaction that serves them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from ...model import JSON
from ...ports import (
    EARLIEST,
    BlockMessage,
    FirstFact,
    FunnelLead,
    FunnelVisits,
    MetricLead,
    Milestone,
    RevenueEvent,
    SpanQuery,
    Spend,
    StageReached,
)
from .. import statements
from ..encoding import MARK, decode, unescape
from ..session import Row, Session
from . import statements as sql

SPEND_WRITES = "spend_writes"
"""The meta entry with how often spend was written."""

_PERSONS = {
    "seen": "who.seen",
    "signup": "who.signup",
    "trial": "who.trial",
    "value": "who.value",
    "qualified": "marked.at",
    "channel": "who.channel",
}
_VISITORS = _PERSONS | {"signup": "CASE WHEN who.subject >= 'u:' THEN who.signup END"}
_ACCOUNTS = _PERSONS | {"signup": "member.signup", "channel": "member.channel"}
_WHOSE = {
    "user": (sql.OF_PERSONS, _PERSONS, "who.subject >= 'u:' AND who.subject < 'u;'"),
    "visitor": (sql.OF_PERSONS, _VISITORS, "substr(who.subject, 1, 2) <> 'g:'"),
    "account": (sql.OF_ACCOUNTS, _ACCOUNTS, "who.subject >= 'g:' AND who.subject < 'g;'"),
}


class MetricReads:
    """The methods of ``ports.ReadTransaction`` for metrics, over a session."""

    _session: Session

    def open_block(self) -> int:
        [(number,)] = self._session.run(statements.OPEN_BLOCK)
        return int(number)

    def messages_in_block(self, block: int) -> int:
        [(number,)] = self._session.run(statements.MESSAGES_IN_BLOCK, block=block)
        return int(number)

    def block_messages(self, block: int, priced: Collection[str]) -> list[BlockMessage]:
        found = self._session.run(sql.BLOCK_MESSAGES, block=block, priced=[*priced, ""])
        return [_to_block_message(row) for row in found]

    def stale_milestones(self, limit: int) -> list[str]:
        return [unescape(subject) for (subject,) in self._session.run(sql.STALE, limit=limit)]

    def accounts_of_first_facts(self, ids: Collection[str]) -> set[str]:
        found = self._session.run_for(sql.FIRST_FACTS, ids)
        return {unescape(row[2]) for row in found if row[2]}

    def span_counts(
        self, wanted: SpanQuery, horizon: int, now: int
    ) -> list[tuple[JSON, int, int, int]]:
        return self._counts(wanted, horizon, now)

    def start_counts(
        self, wanted: SpanQuery, horizon: int, now: int
    ) -> list[tuple[JSON, int, int, int]]:
        return self._counts(_starts_only(wanted), horizon, now)

    def _counts(
        self, wanted: SpanQuery, horizon: int, now: int
    ) -> list[tuple[JSON, int, int, int]]:
        found = self._of_spans(
            sql.SPAN_COUNTS, wanted, False, horizon=horizon, youngest=now - horizon
        )
        return [
            (_to_segment(value, wanted.by), arrived or 0, mature or 0, immature or 0)
            for value, arrived, mature, immature in found
        ]

    def span_lengths(self, wanted: SpanQuery) -> list[tuple[JSON, list[int], list[int]]]:
        return self._lengths(wanted, only_arrived=False)

    def funnel_visits(self, wanted: SpanQuery) -> list[FunnelVisits]:
        found = self._of_spans(sql.FUNNEL_VISITS, wanted, False)
        return [
            FunnelVisits(_to_segment(value, wanted.by), *(decode(times or "[]") for times in lists))
            for value, *lists in found
        ]

    def span_starts(self, wanted: SpanQuery) -> list[tuple[JSON, list[int]]]:
        found = self._lengths(_starts_only(wanted), only_arrived=False)
        return [(value, starts) for value, _, starts in found]

    def arrivals(self, wanted: SpanQuery) -> list[tuple[JSON, list[int], list[int]]]:
        return self._lengths(wanted, only_arrived=True)

    def _lengths(
        self, wanted: SpanQuery, only_arrived: bool
    ) -> list[tuple[JSON, list[int], list[int]]]:
        found = self._of_spans(sql.SPAN_LENGTHS, wanted, only_arrived)
        return [
            (_to_segment(value, wanted.by), decode(lengths or "[]"), decode(starts or "[]"))
            for value, lengths, starts in found
        ]

    def _of_spans(
        self, statement: str, wanted: SpanQuery, only_arrived: bool, **values: int
    ) -> list[Row]:
        segment, named = _segment(wanted)
        start, end, where = _span(wanted, named, only_arrived)
        parts = segment, start, end, where, *_grouped(wanted), "NOT" if only_arrived else ""
        return self._session.run(statement.format(*parts), **named, **values)

    def funnel_leads(self, wanted: SpanQuery) -> list[FunnelLead]:
        segment, values = _segment(wanted)
        start, _, where = _span(wanted, values, only_arrived=True)
        found = self._session.run(sql.FUNNEL_LEADS.format(segment, start, where), **values)
        return [FunnelLead(_to_segment(value, wanted.by), *times) for value, *times in found]

    def stages_reached(self, since: int, until: int) -> list[StageReached]:
        found = self._session.run(sql.STAGES_REACHED, since=since, until=until)
        return [
            StageReached(unescape(subject), decode(value), time, converted)
            for subject, value, time, converted in found
        ]

    def named_spans_of(
        self, wanted: SpanQuery, after: str, limit: int
    ) -> list[tuple[str, int, int | None]]:
        values: dict[str, Any] = {"after": after, "limit": limit}
        start, end, where = _span(wanted, values)
        rows = self._session.run(
            f"SELECT who.subject, {start}, {end} {where} AND who.subject > :after "
            "ORDER BY who.subject LIMIT :limit",
            **values,
        )
        return [(unescape(subject), start_at, end_at) for subject, start_at, end_at in rows]

    def metric_leads(
        self,
        since: int,
        until: int,
        definition: str | None = None,
        by: str | None = None,
        *,
        of_people: bool = True,
    ) -> list[MetricLead]:
        values: dict[str, Any] = {"since": since, "until": until}
        segment, only = "NULL", ""
        if by is not None:
            segment, values["trait"] = sql.TRAIT_OF.format("lead.subject"), by
        if definition is not None:
            only, values["definition"] = "AND definition = :definition", definition
        # Without a begin, the leads are read in the order of the milestones beside them.
        people, joins = (sql.PEOPLE, sql.JOINED_PEOPLE) if of_people else ("NULL, NULL", "")
        plus = "+" if since <= EARLIEST else ""
        statement = sql.METRIC_LEADS.format(people, segment, joins, plus, only)
        return _to_leads(self._session.run(statement, **values))

    def lead_flags(self, definition: str, since: int, until: int) -> list[tuple[str, str]]:
        values = {"definition": definition, "since": since, "until": until}
        return [(state, flags) for state, flags in self._session.run(sql.LEAD_FLAGS, **values)]

    def dismissals(self, since: int, until: int) -> list[tuple[str, str]]:
        found = self._session.run(sql.DISMISSALS, since=since, until=until)
        return [(unescape(definition), unescape(reason)) for definition, reason in found]

    def revenue_events(self, until: int) -> list[RevenueEvent]:
        found = self._session.run(sql.REVENUE, until=until)
        return [_to_revenue(row) for row in found]

    def channels_of(self, keys: Collection[str]) -> dict[str, str]:
        found = self._session.run_for(sql.CHANNELS_OF, keys)
        return {unescape(subject): unescape(channel) for subject, channel in found}

    def ids_not_read(self, block: int, messages: int) -> list[str]:
        [(number,)] = self._session.run(sql.MESSAGES_AFTER_BLOCK, block=block)
        found = self._session.run(sql.ALL_STALE)
        if number > messages:
            found += self._session.run(sql.IDS_AFTER_BLOCK, block=block)
        return [unescape(subject) for (subject,) in found]

    def first_facts(self, ids: Collection[str]) -> list[FirstFact]:
        return [
            FirstFact(unescape(s), role, unescape(a), time, position, unescape(mid), unescape(c))
            for s, role, a, time, position, mid, c in self._session.run_for(sql.FIRST_FACTS, ids)
        ]

    def revenue_of(self, ids: Collection[str]) -> list[RevenueEvent]:
        return [_to_revenue(row) for row in self._session.run_for(sql.REVENUE_OF, ids)]

    def milestones(self, keys: Collection[str]) -> dict[str, Milestone]:
        found = {}
        for row in self._session.run_for(sql.MILESTONES_OF, keys):
            subject, seen, signup, trial, value, conversion, member, channel = row
            times = seen, signup, trial, value, conversion
            found[unescape(subject)] = Milestone(*times, unescape(member), unescape(channel))
        return found

    def earliest_seen(self) -> int | None:
        [(earliest,)] = self._session.run(sql.EARLIEST_SEEN)
        return None if earliest is None else int(earliest)

    def spend(self, first_day: str, before_day: str) -> list[Spend]:
        found = self._session.run(sql.SPEND, first=first_day, before=before_day)
        return [
            Spend(day, unescape(channel), money, amount) for day, channel, money, amount in found
        ]

    def last_write(self) -> tuple[int, ...]:
        [(token,)] = self._session.run(statements.LAST_WRITER)
        [(change,)] = self._session.run(statements.LAST_CHANGE)
        written = self._session.run(statements.META, name=SPEND_WRITES)
        return int(token), int(change), int(written[0][0]) if written else 0


def _span(
    wanted: SpanQuery, values: dict[str, Any], only_arrived: bool = False
) -> tuple[str, str, str]:
    """The expressions of start and end, and the rest of the statement; adds to its values.

    There are far fewer leads than people, so ``only_arrived`` begins with the leads.
    """
    table, columns, whose = _WHOSE[wanted.subjects]
    start, end = columns[wanted.start], columns.get(wanted.end, "CAST(NULL AS BIGINT)")
    if wanted.end == "qualified":
        only = ""
        if wanted.definition is not None:
            only, values["definition"] = "AND definition = :definition", wanted.definition
        leads = sql.QUALIFIED.format(only)
        first, *others = table.partition(" who")
        matching = "ON marked.subject = who.subject"
        if only_arrived:
            table = f"{leads} JOIN {first} who {matching}{others[1]}"
        else:
            table = f"{table} LEFT JOIN {leads} {matching}"
    elif only_arrived:
        whose += f" AND {end} IS NOT NULL"
    values |= {"since": wanted.since, "until": wanted.until}
    if wanted.cohort:
        whose += f" AND {start} IS NOT NULL"
    # The plus keeps an index out of it: it would look up each row by itself.
    at = f"+{columns[wanted.cohort or wanted.start]}"
    return start, end, f"FROM {table} WHERE {whose} AND {at} >= :since AND {at} < :until"


def _starts_only(wanted: SpanQuery) -> SpanQuery:
    return wanted._replace(end="", definition=None)


def _segment(wanted: SpanQuery) -> tuple[str, dict[str, Any]]:
    if wanted.by is None:
        return "NULL", {}
    if wanted.by == "channel":
        return _WHOSE[wanted.subjects][1]["channel"], {}
    return sql.TRAIT_OF.format("who.subject"), {"trait": wanted.by.removeprefix("trait.")}


def _grouped(wanted: SpanQuery) -> tuple[str, str]:
    """The segment and the grouping by it. By a constant, a database would sort all rows."""
    return ("NULL", "") if wanted.by is None else ("segment", "GROUP BY segment")


def _to_segment(value: str | None, by: str | None) -> JSON:
    return unescape(value) if by == "channel" or value is None else trait_value(value)


def trait_value(text: str) -> JSON:
    """A trait from the first 200 characters of its JSON; these as they are where they were cut."""
    try:
        return decode(text)
    except ValueError:
        return unescape(text)


def _to_revenue(row: Row) -> RevenueEvent:
    subject, time, position, mid, account, *rest = row
    place = time, position, unescape(mid)
    return RevenueEvent(unescape(subject), *place, unescape(account), *rest)


def _to_block_message(row: Row) -> BlockMessage:
    subject, account, time, position, mid, name, properties, context = row
    return BlockMessage(
        unescape(subject),
        unescape(account),
        time,
        position,
        unescape(mid),
        unescape(name),
        decode(properties) if properties else {},
        decode(context) if context else {},
    )


_TEXTS = 1, 2, 11, 12, 13, 16
"""Where a row has the subject, the definition, the owner, the partner, the account, the channel."""


def _to_leads(rows: Sequence[Row]) -> list[MetricLead]:
    """Leads from rows in the order of their fields. All texts are first checked at once."""
    for place in _TEXTS:
        if MARK in "".join([row[place] or "" for row in rows]):
            rows = [_unescaped(row) for row in rows]
            break
    return [
        MetricLead._make((*row[:14], bool(row[14]), row[15], row[16], _to_trait(row[17])))
        for row in rows
    ]


def _unescaped(row: Row) -> Row:
    return tuple(unescape(each) if place in _TEXTS else each for place, each in enumerate(row))


def _to_trait(text: str | None) -> JSON:
    return None if text is None else trait_value(text)
