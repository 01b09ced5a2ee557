"""The list of leads: its SQL, with a condition for each filter that is set.

The list is in the order (rank, marked_at descending, id), or by a time and the id. A page of the
first order after the cursor (rank 1, marked at 500, id "b") needs two statements, because the
database finds each of them by its index at once:

    rank = 1 AND marked_at <= 500 AND (marked_at < 500 OR id > 'b')    the rest of rank 1
    rank > 1                                                           all lower ranks

The state ``expired`` needs two statements as well, whose leads are merged: leads with that state,
and leads that are ``new`` but past their ``expires_at``. So does an account: its users' leads, and
its own. So does a trait whose text can also stand for a number or a truth value: ``plan=1`` finds
the text and the number.

Each condition has an index. First the leads that meet each condition are counted, up to a number.
If few leads meet one of them, those are read and sorted, and if there are none the list is empty.
If many leads meet each condition, the list is read in its order by one of the indexes, which also
have the columns of other conditions.

For a partner, its own leads are read and sorted, however many they are: the work of its lists does
not depend on the leads of others.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from functools import partial
from heapq import merge
from itertools import islice, product
from math import isfinite
from operator import attrgetter
from typing import Any, NamedTuple

from ...model import Lead, account_key, subject_key
from ...ports import LeadCursor, LeadFilter, LeadSort
from .. import rows
from ..encoding import encode, escape
from ..migrations.console import WAITS_UNTIL
from ..migrations.reads import DUE_ORDER, LISTED_TRAITS, MAX_LISTED, NEVER_DUE
from ..session import Row, Session
from ..statements import SELECT_LEADS

Listed = tuple[Lead, LeadCursor]

# SQLite prefers an index of a condition, and sorts all that meet it. ``BY_INDEX`` tells it to read
# the leads in the order of the list.
_PAGE = f"""
{SELECT_LEADS}{{walk}} WHERE {{conditions}}
ORDER BY {{order}} LIMIT :limit
"""
_WALK = {
    "due_at": " BY_INDEX(lead_due_order)",
    "qualified_at": " BY_INDEX(lead_qualified)",
    "-qualified_at": " BY_INDEX(lead_qualified)",
    "marked_at": " BY_INDEX(lead_marked)",
    "-marked_at": " BY_INDEX(lead_marked)",
}

_FEW = 1_000
"""Leads that are read and sorted for a page, instead of being read in the order of the list."""

_ALL = 2**62
"""More leads than there are. With a limit, a database reads a part of a query as it is written."""

_PAGE_OF_FEW = f"""
{SELECT_LEADS} WHERE id IN (
  SELECT id FROM (
    SELECT id, rank, marked_at, state, definition, subject, owner, partner, kind, country, plan,
      account, qualified_at, expires_at, version, due_at, snoozed_until
    FROM lead WHERE {{condition}} LIMIT {{at_most}}
  ) lead
  WHERE {{conditions}}
  ORDER BY {{order}} LIMIT :limit
)
ORDER BY {{order}}
"""

MAX_INDEXED_OWNER = 64
"""Characters of an owner that the index has."""

_COUNT_UP_TO = "SELECT count(*) FROM (SELECT 1 FROM lead WHERE {} LIMIT :limit) counted"
_COUNT_OF_FEW = """
SELECT count(*) FROM (
  SELECT 1 FROM (SELECT * FROM lead WHERE {condition} LIMIT {at_most}) lead
  WHERE {conditions} LIMIT :limit
) counted
"""

_COUNT = f"(SELECT count(*) FROM (SELECT 1 FROM lead WHERE {{}} LIMIT {_FEW}) few)"

_LONG_TRAIT = """(
  {0} IS NULL AND :{0} = (
    SELECT value FROM trait
    WHERE trait.name = '{0}' AND trait.subject IN (
      SELECT lead.subject UNION ALL SELECT subject FROM person WHERE person = lead.subject
    )
    ORDER BY time DESC, position DESC, mid DESC LIMIT 1
  )
)"""

# As ``leads.states.is_overdue`` has it.
_OVERDUE = f"""(
  {WAITS_UNTIL} <= :now
  AND (state <> 'new' OR expires_at IS NULL OR expires_at > :now)
  AND (snoozed_until IS NULL OR snoozed_until <= :now)
)"""
_NOT_OVERDUE = f"{_OVERDUE} IS NOT TRUE"
_SNOOZED = "snoozed_until > :now"
_NOT_SNOOZED = "(snoozed_until IS NULL OR snoozed_until <= :now)"

# Each condition can be searched by an index of its own.
_CONDITIONS = {
    "definition": "definition = :definition",
    "subject_kind": "substr(subject, 1, 2) = :subject_kind",
    "subject": "subject = :subject",
    # With a plain `owner = :owner`, SQLite would replace the owner in the indexed expression.
    "owner": "(substr(owner, 1, 64) = substr(:owner, 1, 64) AND coalesce(owner, '') = :owner)",
    "partner": "partner = :partner",
    "kind": "kind = :kind",
    "country": "country = :country",
    "plan": "plan = :plan",
    "qualified_from": "qualified_at >= :qualified_from",
    "qualified_to": "qualified_at < :qualified_to",
    "marked_after": "marked_at > :marked_after",
    "version": "version = :version",
    "overdue": _OVERDUE,
    "snoozed": _SNOOZED,
}

# What the index has of an owner is all of it, so the leads themselves are not looked at.
_SHORT_OWNER = "substr(owner, 1, 64) = :owner"

_ANY_STATE = "state <> 'voided'"
_STATE = "state = :state"
_OPEN = "state IN ('new', 'assigned', 'contacted')"
OPEN_NOW = f"({_OPEN} AND (state <> 'new' OR expires_at IS NULL OR expires_at > :now))"
_EXPIRED = "(state = 'new' AND expires_at <= :now)"
_NEW = "(state = 'new' AND (expires_at IS NULL OR expires_at > :now))"

_MOST = {_OPEN, OPEN_NOW, _NEW, _NOT_SNOOZED, _NOT_OVERDUE}
"""Conditions that most leads meet."""

_ANYWHERE = ("1 = 1",)


class Order(NamedTuple):
    """An order of the list: its SQL, the places after a cursor, and the cursor of a lead."""

    sql: str
    after: tuple[str, ...]
    cursor: Callable[[Lead, int], LeadCursor]
    sign: int = 1
    """1 if the earliest time comes first, -1 if the latest does."""


class Few(NamedTuple):
    """The leads that meet a condition, and their number; no condition if many meet each."""

    number: int
    condition: str | None
    at_most: int = _FEW


def _by_time(column: str, of: Callable[[Lead], int | None], sign: int = 1) -> Order:
    direction, compare = ("DESC", "<") if sign < 0 else ("", ">")
    after = f"{column} {compare}= :time AND ({column} {compare} :time OR id > :id)"

    def cursor(lead: Lead, _: int) -> LeadCursor:
        time = of(lead)
        return LeadCursor(0, NEVER_DUE if time is None else time, lead.id)

    return Order(f"{column} {direction}, id", (after,), cursor, sign)


_ORDERS: dict[LeadSort, Order] = {
    "priority": Order(
        "rank, marked_at DESC, id",
        (
            "rank = :rank AND marked_at <= :time AND (marked_at < :time OR id > :id)",
            "rank > :rank",
        ),
        lambda lead, rank: LeadCursor(rank, lead.marked_at, lead.id),
        -1,
    ),
    "qualified_at": _by_time("qualified_at", attrgetter("qualified_at")),
    "-qualified_at": _by_time("qualified_at", attrgetter("qualified_at"), -1),
    "marked_at": _by_time("marked_at", attrgetter("marked_at")),
    "-marked_at": _by_time("marked_at", attrgetter("marked_at"), -1),
    "due_at": _by_time(DUE_ORDER, attrgetter("due_at")),
}

_TO_COLUMN: dict[str, Callable[[Any], str]] = {
    "subject_kind": lambda kind: subject_key(kind, ""),  # the prefix of a subject key
}

_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?", re.ASCII)


def lead_page(
    session: Session, wanted: LeadFilter, limit: int, after: LeadCursor | None
) -> list[Listed]:
    """A page of leads in the order of the list; those after a cursor."""
    values, order = _values(wanted, after), _ORDERS[wanted.sort]
    lists = [_filtered(session, wanted, each, values) for each in _alternatives(wanted, values)]
    found: list[Listed] = []
    for position in order.after if after else _ANYWHERE:
        left = limit - len(found)
        pages = [
            _listed(session.run(each.format(position), **values, limit=left), order)
            for each in lists
            if each is not None
        ]
        found += islice(merge(*pages, key=partial(_place, order)), left)
    return [_with_expiry(wanted.now, listed) for listed in found]


def lead_count(session: Session, wanted: LeadFilter, limit: int) -> int:
    """How many leads there are, counted up to a limit."""
    values, found = _values(wanted, None), 0
    for conditions in _alternatives(wanted, values):
        every = " AND ".join(_every(wanted, conditions)).format(*_ANYWHERE)
        statement = _COUNT_UP_TO.format(every)
        few = _few(session, wanted, conditions, values)
        if few.number == 0:
            continue
        if few.condition is not None:
            statement = _COUNT_OF_FEW.format(
                condition=few.condition, at_most=few.at_most, conditions=every
            )
        [(number,)] = session.run(statement, **values, limit=limit - found)
        found += number
    return found


def _listed(rows_: list[Row], order: Order) -> Iterator[Listed]:
    for row in rows_:
        lead = rows.to_lead(row)
        yield lead, order.cursor(lead, row[-1])


def _alternatives(wanted: LeadFilter, values: dict[str, Any]) -> Iterator[list[str]]:
    """Lists of conditions. Each lead that is wanted meets all conditions of exactly one list."""
    choices = [_choices(name, values) for name in _CONDITIONS if name in values]
    accounts: list[list[str]] = [[]]
    if wanted.account is not None:
        accounts = [["account = :account"], ["subject = :account_subject"]]
    for state in _states(wanted):
        for account in accounts:
            for conditions in product(*choices):
                yield [*state, *account, *conditions]


def _filtered(
    session: Session, wanted: LeadFilter, conditions: list[str], values: dict[str, Any]
) -> str | None:
    """The statement for the leads that meet conditions; None if no lead can.

    It has a place for the position in the list. If one of the conditions is met by few leads, only
    those are looked at.
    """
    every, order = _every(wanted, conditions), _ORDERS[wanted.sort].sql
    walk = _WALK.get(wanted.sort, "") if _are_met_by_many(conditions) else ""
    page = _PAGE.format(conditions=" AND ".join(every), order=order, walk=walk)
    few = _few(session, wanted, conditions, values)
    if few.condition is None:
        return page
    if few.number == 0:
        return None
    found = {"condition": few.condition, "at_most": few.at_most}
    return _PAGE_OF_FEW.format(**found, conditions=" AND ".join(every), order=order)


def _are_met_by_many(conditions: list[str]) -> bool:
    """Whether many leads meet all conditions, if many meet each: not so if two are independent."""
    return sum(condition not in _MOST for condition in conditions) <= 1


def _few(
    session: Session, wanted: LeadFilter, conditions: list[str], values: dict[str, Any]
) -> Few:
    """The condition whose leads are read and sorted."""
    if wanted.only_partners:
        return Few(_ALL, _CONDITIONS["partner"], _ALL)
    if not conditions:
        return Few(_FEW, None)
    counts = ", ".join(map(_COUNT.format, conditions))
    [numbers] = session.run(f"SELECT {counts}", **values)
    fewest, condition = min(zip(numbers, conditions, strict=True))
    return Few(fewest, condition) if fewest < _FEW else Few(_FEW, None)


def _every(wanted: LeadFilter, conditions: list[str]) -> list[str]:
    """All conditions, after a place for the position in the list."""
    return ["{}", *conditions] if wanted.state else ["{}", _ANY_STATE, *conditions]


def _choices(name: str, values: dict[str, Any]) -> list[str]:
    """Conditions of which exactly one must be met; more than one for a trait with several forms."""
    if name == "overdue" and not values[name]:
        return [_NOT_OVERDUE]
    if name == "snoozed" and not values[name]:
        return [_NOT_SNOOZED]
    if name == "owner" and len(escape(values[name])) < MAX_INDEXED_OWNER:
        return [_SHORT_OWNER]
    if name not in LISTED_TRAITS:
        return [_CONDITIONS[name]]
    if len(values[name]) > MAX_LISTED:
        return [_LONG_TRAIT.format(name)]
    return [f"{name} = :{form}" for form in values if form.rstrip("_0123456789") == name]


def forms(text: str) -> list[str]:
    """The values that a text can stand for, as the JSON of a stored trait: the text comes first."""
    if text in ("true", "false"):
        return [encode(text), text]
    if len(text) > MAX_LISTED or not _NUMBER.fullmatch(text):
        return [encode(text)]
    number = float(text)
    whole = int(text) if re.fullmatch(r"-?\d+", text) else number
    numbers = [whole, int(number), number] if isfinite(number) else [whole]
    equal = [encode(each) for each in numbers if each == whole]
    return list(dict.fromkeys([encode(text), *equal]))


def _values(wanted: LeadFilter, after: LeadCursor | None) -> dict[str, Any]:
    values = {f.name: v for f in fields(wanted) if (v := getattr(wanted, f.name)) is not None}
    values |= {name: to(values[name]) for name, to in _TO_COLUMN.items() if name in values}
    for name in LISTED_TRAITS:
        if name in values:
            values[name], *others = forms(values[name])
            values |= {f"{name}_{number}": form for number, form in enumerate(others)}
    if wanted.account is not None:
        values["account_subject"] = account_key(wanted.account)
    return values | (after._asdict() if after else {})


def _states(wanted: LeadFilter) -> tuple[list[str], ...]:
    """Conditions on the state. Each lead of the list meets exactly one."""
    if wanted.state is None:
        return ([],)
    if wanted.now is None:
        return ([_OPEN],) if wanted.state == "open" else ([_STATE],)
    by_time: dict[str, tuple[list[str], ...]] = {
        "new": ([_NEW],),
        "open": ([OPEN_NOW],),
        "expired": ([_STATE], [_EXPIRED]),
    }
    return by_time.get(wanted.state, ([_STATE],))


def _with_expiry(now: int | None, listed: Listed) -> Listed:
    """A lead in the state that it has at ``now``."""
    lead, cursor = listed
    is_over = now is not None and lead.expires_at is not None and lead.expires_at <= now
    return (replace(lead, state="expired"), cursor) if is_over and lead.state == "new" else listed


def _place(order: Order, listed: Listed) -> tuple[int, int, str]:
    rank, time, id_ = listed[1]
    return rank, order.sign * time, id_
