"""What a partner is answered does not depend on the leads of others: not a byte, not a step.

Two collectors take the same events and the same work on the leads of the partner north. The second
one also has many leads of others, which are worked in between. Whatever north asks, both answer the
same; and the database does the same number of steps, so that time tells nothing either.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from pequel_collector.model import lead_id
from pequel_collector.store.sqlite import SqliteSession
from support.sales import HOUR, Sales, sales

DEFINITIONS = """
[[pql]]
name = "keen"
sla = "4h"
owner = "maria"
when = { event = "used", gte = 2 }
[[pql]]
name = "team"
subject = "account"
when = { event = "used", gte = 3 }
[[partner]]
name = "south"
capacity = 3
[[route]]
name = "of_south"
when = { trait = "country", in = ["FR", "IT"] }
assign = "partner:south"
[[route]]
name = "of_north"
when = { trait = "country", in = ["DE", "IT"] }
assign = "partner:north"
[[route]]
assign = "team:direct"
"""
OWN, OTHERS = 7, 40
QUERIES: list[dict[str, Any]] = [
    {}, {"limit": 2}, {"limit": 1, "sort": "due_at"}, {"limit": 3, "sort": "-qualified_at"},
    {"limit": 2, "sort": "marked_at", "state": "any"}, {"state": "won"}, {"state": "new"},
    {"definition": "keen", "limit": 2}, {"definition": "team"}, {"country": "DE", "limit": 2},
    {"country": "FR"}, {"plan": "free"}, {"account": "acme"}, {"account": "other"}, {"q": "u"},
    {"q": "o"}, {"owner": "maria"}, {"owner": "ben"}, {"overdue": "true"}, {"snoozed": "false"},
    {"kind": "new", "limit": 2}, {"subject_kind": "user"}, {"version": 1}, {"holds_now": "true"},
    {"partner": "south"}, {"partner": "north"}, {"trait.plan": "free"}, {"trait.name": "Ada"},
    {"qualified_from": "2026-03-01T01:00:00Z"}, {"marked_after": "2026-03-01T00:30:00Z"},
]  # fmt: skip


class World:
    """A collector in which north has the same leads, with or without those of others."""

    def __init__(self, team: Sales, *, has_others: bool) -> None:
        self.team, self.has_others, self.others = team, has_others, 0
        self.key = team.collector.keys.create("partner", partner="north").token
        for number in range(OWN):
            team.at(number * HOUR)
            self._others()
            self._use(f"u{number}", "DE", "acme" if number == 2 else None)
            if number == 1:
                self._work("u0")
        team.at(9 * HOUR)
        self._others()

    def ask(self, path: str, **query: Any) -> tuple[int, bytes, dict[str, str]]:
        """What north is answered: the status, the body and the headers."""
        answer = self.team.call("GET", path, self.key, query_string=query)
        headers = {name: value for name, value in answer.headers if name != "X-Request-Id"}
        return answer.status_code, answer.data, headers

    def own(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.ask("/pqls", state="any")[1])["data"]
        return found

    def _use(self, user: str, country: str, account: str | None) -> None:
        at = self.team.now - 1_772_323_200_000
        traits = {"country": country, "plan": "free", "name": "Ada"}
        self.team.tell(user, "", at, type="identify", traits=traits)
        if account is not None:
            of = {"groupId": account, "traits": {"country": country}}
            self.team.tell(user, "", at, type="group", **of)
        for _ in range(3):
            context = {} if account is None else {"context": {"groupId": account}}
            self.team.tell(user, "used", at, **context)

    def _work(self, user: str) -> None:
        [lead] = [each for each in self.own() if each["subject"]["id"] == user]
        for body in ({"contact": {}}, {"state": "won", "amount": "10", "currency": "EUR"}):
            if body == {"contact": {}}:
                self.team.call("POST", f"/pqls/{lead['id']}/claim", self.key)
            answer = self.team.call("PATCH", f"/pqls/{lead['id']}", self.key, json=body)
            assert answer.status_code == 200, answer.json

    def _others(self) -> None:
        if not self.has_others:
            return
        counted, self.team.told = self.team.told, 50_000 + 1_000 * self.others
        for _ in range(OTHERS // 8):
            self.others += 1
            self._use(f"o{self.others}", ("FR", "US")[self.others % 2], "other")
            lead = self.team.lead(f"o{self.others}", definition="keen")
            self.team.work(lead, owner="ben", contact={})
        self.team.told = counted


@contextmanager
def worlds(url: str, other_url: str) -> Iterator[tuple[World, World]]:
    with sales(DEFINITIONS, url) as alone, sales(DEFINITIONS, other_url) as among:
        yield World(alone, has_others=False), World(among, has_others=True)


@pytest.fixture(scope="module")
def both() -> Iterator[tuple[World, World]]:
    with worlds("sqlite://", "sqlite://") as made:
        yield made


def pages(world: World, path: str, **query: Any) -> Iterator[tuple[int, bytes, dict[str, str]]]:
    """All pages of a list, or of the ledger up to where it ends."""
    at, after = ("after", "after") if path == "/pqls/changes" else ("cursor", "cursor")
    cursor: str | None = None
    while True:
        found = world.ask(path, **query, **({after: cursor} if cursor else {}))
        yield found
        body = json.loads(found[1])
        cursor = body.get("next_cursor")
        if cursor is None or (at == "after" and not body["data"]):
            return


def answers(world: World) -> Iterator[Any]:
    """Everything that north can ask."""
    for query in QUERIES:
        yield from pages(world, "/pqls", **query, count="true")
        for form in ("csv", "ndjson"):
            whole = {name: value for name, value in query.items() if name != "limit"}
            yield world.ask("/pqls", **whole, format=form)
    for limit in (1, 3, 100):
        yield from pages(world, "/pqls/changes", limit=limit)
    for lead in world.own():
        yield world.ask(f"/pqls/{lead['id']}")
    yield from pages(world, "/partners/north/ledger", limit=1)
    yield world.ask(f"/pqls/{lead_id('keen', 'u:o1', 1)}")
    yield world.ask("/partners/south/ledger")
    yield world.ask("/definitions")


def test_the_answers_are_the_same_to_the_byte(both: tuple[World, World]) -> None:
    alone, among = both
    assert len(alone.own()) == OWN + 1
    assert len(among.team.leads(state="any", limit=1000)) > 4 * OWN
    compared = 0
    for one, other in zip(answers(alone), answers(among), strict=True):
        assert one == other
        assert one[0] in (200, 404)
        compared += 1
    assert compared > 100


def test_to_change_a_lead_of_others_is_refused_before_anything_is_written(
    both: tuple[World, World], monkeypatch: pytest.MonkeyPatch
) -> None:
    among, other = both[1].team, lead_id("keen", "u:o1", 1)
    assert among.get(f"/pqls/{other}")["partner"] != "north"
    monkeypatch.setattr(type(among.collector.intake), "change", pytest.fail)
    for method, path, body in (
        ("PATCH", f"/pqls/{other}", {"contact": {}}), ("POST", f"/pqls/{other}/claim", {}),
    ):  # fmt: skip
        answer = among.call(method, path, both[1].key, json=body)
        assert answer.status_code == 404


@pytest.mark.postgres
def test_they_are_the_same_on_postgresql(postgres_server: Any) -> None:
    with (
        postgres_server.database() as url,
        postgres_server.database() as other_url,
        worlds(url, other_url) as (alone, among),
    ):
        assert list(answers(alone)) == list(answers(among))


def test_the_database_does_the_same_work(
    both: tuple[World, World], monkeypatch: pytest.MonkeyPatch
) -> None:
    run, steps = SqliteSession._run, [0]

    def counted() -> int:
        steps[-1] += 1
        return 0

    def counting(session: SqliteSession, statement: str, values: dict[str, Any]) -> Any:
        steps.append(0)
        session._connection.set_progress_handler(counted, 1)
        try:
            return run(session, statement, values)
        finally:
            session._connection.set_progress_handler(None, 1)

    def work(world: World) -> list[int]:
        """The steps of each statement."""
        list(answers(world))  # it reads once what it then keeps
        steps.clear()
        list(answers(world))
        return steps.copy()

    monkeypatch.setattr(SqliteSession, "_run", counting)
    alone, among = map(work, both)
    assert len(alone) > 1_000
    # A range that ends before a row of others, and not with its index, takes a step more; an id of
    # others that is found, and not shown, takes a few.
    assert all(0 <= more - less <= 6 for less, more in zip(alone, among, strict=True))
