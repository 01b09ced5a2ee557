"""Lists of users and accounts, on both databases, held against a plain count of the events."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import closing
from random import Random
from typing import Any

import pytest
from flask.testing import FlaskClient

from pequel_collector.access.keys import Keys
from pequel_collector.app.bootstrap import assemble, open_collector
from pequel_collector.config import Settings
from pequel_collector.model import iso, parse_iso
from pequel_collector.queries import directory, near
from pequel_collector.rules.parser.catalogue import read_catalogue
from pequel_collector.store import open_store
from pequel_collector.web.app import create_app
from support.streams import collector_of, refresh

DAY = 86_400_000
NOW = 1_772_366_400_000  # 2026-03-01T12:00:00.000Z
READ = {"Authorization": "Bearer r"}
DEFINITIONS = """
[project]
signup = "signed_up"
trial = "trial_started"
conversion = "paid"
key_events = ["invited"]
person_traits = ["name", "role"]

[features]
export = ["exported_*"]

[[pql]]
name = "set_up"
when = { event = "project_created", gte = 3, within = "60d", of = "signup" }

[[pql]]
name = "team"
subject = "account"
when = { event = "project_created", gte = 8 }
"""
NAMES = ("signed_up", "trial_started", "project_created", "exported_csv", "viewed", "invited")
Sent = list[dict[str, Any]]


def _event(user: str, name: str, at: int, account: str | None = None) -> dict[str, Any]:
    context = {"groupId": account} if account else {}
    return {
        "type": "track",
        "userId": user,
        "event": name,
        "timestamp": iso(at),
        "context": context,
    }


def _world(seed: int) -> list[dict[str, Any]]:
    """Some users of some accounts, with events in the last 90 days, in random order."""
    random = Random(seed)
    users = [f"{random.choice(('u', 'U', 'Ada-'))}{number}" for number in range(14)]
    batch: list[dict[str, Any]] = []
    for number, user in enumerate(users):
        account = random.choice(("acme", "Beta", None))
        traits = {"name": f"Name {number}", "email": f"Mail{number}@x.example", "role": "admin"}
        traits |= {"plan": random.choice(("free", "pro"))}
        when = NOW - random.randrange(1, 90) * DAY
        identify = {"type": "identify", "userId": user, "traits": traits, "timestamp": iso(when)}
        if number % 3 == 0:  # whose first events are those of a visitor
            identify["anonymousId"] = f"v{number}"
            visit = _event("", "viewed", when - DAY, account)
            del visit["userId"]
            batch.append(visit | {"anonymousId": f"v{number}"})
        batch.append(identify)
        for _ in range(random.randrange(1, 12)):
            at = NOW - random.randrange(1, 90 * DAY)
            batch.append(_event(user, random.choice(NAMES), at, account))
    random.shuffle(batch)
    for number, each in enumerate(batch):
        each["messageId"] = f"m{number}"
    return batch


class Api:
    """The API of a collector."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client

    def send(self, batch: list[dict[str, Any]]) -> None:
        for start in range(0, len(batch), 10):
            body = {"batch": batch[start : start + 10], "sentAt": iso(NOW)}
            answer = self.client.post("/v1/batch", json=body, headers={"X-Write-Key": "w"})
            assert answer.status_code == 200, answer.text
            assert (answer.json or {}).get("rejected") in (0, [], None), answer.text

    def get(self, path: str, **arguments: Any) -> Any:
        answer = self.client.get(path, query_string=arguments, headers=READ)
        assert answer.status_code == 200, answer.text
        return answer.json

    def all(self, path: str, **arguments: Any) -> list[Any]:
        """All items of a list."""
        found, page = [], self.get(path, **arguments)
        found += page["data"]
        while page["next_cursor"]:
            page = self.get(path, **arguments, cursor=page["next_cursor"])
            found += page["data"]
        return found

    def error(self, path: str, **arguments: Any) -> tuple[int, str]:
        answer = self.client.get(path, query_string=arguments, headers=READ)
        error = (answer.json or {}).get("error", {})
        return answer.status_code, error.get("details", {}).get("field", error.get("code"))


@pytest.fixture(params=[7, 16_384], ids=["sealed", "open"])
def api(request: pytest.FixtureRequest, store_url: str) -> Iterator[Api]:
    """An empty collector, with small blocks or with an open one only."""
    settings = Settings(database=store_url, write_key="w", read_key="r")
    store = open_store(store_url, block_size=request.param)
    catalogue = read_catalogue(DEFINITIONS)
    refresh(store, catalogue, lambda: NOW)
    with closing(store):
        collector = assemble(settings, store, catalogue, lambda: NOW)
        yield Api(create_app(collector).test_client())


class Plain:
    """What was sent, counted plainly."""

    def __init__(self, batch: Sent) -> None:
        linked = {
            m["anonymousId"]: m["userId"] for m in batch if {"userId", "anonymousId"} <= m.keys()
        }
        self.of: defaultdict[str, Sent] = defaultdict(list)
        for each in batch:
            self.of[each.get("userId") or linked[each["anonymousId"]]].append(each)

    def times(self, user: str) -> list[int]:
        return sorted(parse_iso(each["timestamp"]) or 0 for each in self.of[user])

    def events(self, user: str) -> list[tuple[int, str, str | None]]:
        """The time, the name and the account of each event, in order."""
        return sorted(
            (parse_iso(m["timestamp"]) or 0, m["event"], m["context"].get("groupId"))
            for m in self.of[user]
            if m["type"] == "track"
        )

    def traits(self, user: str) -> dict[str, Any]:
        return next(each["traits"] for each in self.of[user] if each["type"] == "identify")


@pytest.fixture
def world(api: Api) -> Plain:
    batch = _world(seed=21)
    api.send(batch)
    return Plain(batch)


class TestUsers:
    def test_those_seen_last_come_first_each_once(self, api: Api, world: Plain) -> None:
        expected = sorted(world.of, key=lambda user: world.times(user)[-1], reverse=True)
        found = api.all("/v1/users", limit=3)
        assert [each["id"] for each in found] == expected
        for each in found:
            times = world.times(each["id"])
            assert (each["first_seen"], each["last_seen"]) == (iso(times[0]), iso(times[-1]))
            assert each["traits"].keys() == {"name", "role"}
            leads = api.get(f"/v1/users/{each['id']}/pql")["leads"]
            own = [lead for lead in leads if "via" not in lead and lead["state"] == "new"]
            assert each["open_leads"] == len(own)

    def test_search_finds_ids_addresses_and_names_in_any_case(self, api: Api, world: Plain) -> None:
        def values(user: str) -> list[str]:
            traits = world.traits(user)
            return [value.lower() for value in (user, traits["name"], traits["email"])]

        for text in ("u", "ADA", "mail1", "name 1", "nobody", "U1", "ma"):
            expected = {u for u in world.of if any(v.startswith(text.lower()) for v in values(u))}
            found = [each["id"] for each in api.all("/v1/users", q=text, limit=2)]
            assert sorted(found) == sorted(expected), text

    def test_those_with_a_trait_are_found_whatever_the_page(self, api: Api, world: Plain) -> None:
        for plan in ("free", "pro", "none"):
            expected = [
                each["id"] for each in api.all("/v1/users")
                if world.traits(each["id"])["plan"] == plan
            ]  # fmt: skip
            for limit in (1, 3, 100):
                asked = {"trait.plan": plan, "limit": limit}
                assert [each["id"] for each in api.all("/v1/users", **asked)] == expected
            both = api.all("/v1/users", **{"trait.plan": plan, "trait.role": "admin", "q": "U"})
            begins = [user for user in expected if user.lower().startswith("u")]
            assert sorted(each["id"] for each in both) == sorted(begins)
            assert api.all("/v1/users", **{"trait.plan": plan, "trait.role": "x"}) == []

    @pytest.mark.parametrize(
        ("value", "text", "is_found"),
        [
            (True, "true", True), ("true", "true", True), (True, "yes", False), (1, "1", True),
            (1.0, "1", True), ("1", "1", True), (None, "null", False), ([1], "[1]", False),
        ],
    )  # fmt: skip
    def test_the_value_of_a_trait_is_written_as_for_leads(
        self, api: Api, value: Any, text: str, is_found: bool
    ) -> None:
        traits = {"consent": value}
        api.send([{"type": "identify", "userId": "u1", "traits": traits, "messageId": "m"}])
        found = api.all("/v1/users", **{"trait.consent": text})
        assert [each["id"] for each in found] == (["u1"] if is_found else [])

    def test_a_page_reads_a_bounded_number_of_users(
        self, api: Api, world: Plain, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(directory, "AT_ONCE", 1)
        monkeypatch.setattr(directory, "MAX_STEPS", 3)
        for asked in ({"trait.plan": "none"}, {"trait.plan": "none", "q": "u"}):
            page = api.get("/v1/users", limit=1, **asked)
            assert page["data"] == []
            assert page["next_cursor"]
            assert api.all("/v1/users", limit=1, **asked) == []

    def test_a_cursor_is_of_the_traits_that_were_asked_for(self, api: Api, world: Plain) -> None:
        page = api.get("/v1/users", limit=1, **{"trait.role": "admin"})
        for other in ({}, {"trait.role": "owner"}, {"trait.plan": "admin"}):
            asked = {"cursor": page["next_cursor"], **other}
            assert api.error("/v1/users", **asked) == (400, "cursor")

    def test_csv_has_every_user_of_the_list_and_no_formula(self, api: Api, world: Plain) -> None:
        traits = {"name": "＝1+1", "role": " =cmd", "consent": True}
        identify = {"type": "identify", "userId": "=x", "traits": traits, "timestamp": iso(NOW)}
        api.send([identify | {"messageId": "formula"}])
        answer = api.client.get("/v1/users?format=csv", headers=READ)
        assert answer.headers["Content-Disposition"] == 'attachment; filename="users.csv"'
        assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
        rows = list(csv.DictReader(io.StringIO(answer.text)))
        assert [row["id"].removeprefix("'") for row in rows] == [
            each["id"] for each in api.all("/v1/users")
        ]
        assert list(rows[0].items()) == [
            ("id", "'=x"), ("trait.name", "'＝1+1"), ("trait.role", "' =cmd"),
            ("first_seen", iso(NOW)), ("last_seen", iso(NOW)), ("open_leads", "0"),
        ]  # fmt: skip
        answer = api.client.get("/v1/users?format=csv&trait.consent=true", headers=READ)
        assert len(answer.text.splitlines()) == 2

    def test_ndjson_has_the_items_of_the_list(self, api: Api, world: Plain) -> None:
        for path, asked in (("/v1/users", {"trait.plan": "pro"}), ("/v1/accounts", {"q": "ac"})):
            query = {"format": "ndjson", **asked}
            answer = api.client.get(path, query_string=query, headers=READ)
            lines = [json.loads(line) for line in answer.text.splitlines()]
            assert lines == api.all(path, **asked)

    def test_a_value_of_the_past_finds_nobody(self, api: Api, world: Plain) -> None:
        user = next(iter(world.of))
        traits = {"email": "new@y.example"}
        now = {"type": "identify", "userId": user, "traits": traits, "timestamp": iso(NOW)}
        api.send([now | {"messageId": "later"}])
        assert [each["id"] for each in api.all("/v1/users", q="NEW@")] == [user]
        old = world.traits(user)["email"]
        assert user not in [each["id"] for each in api.all("/v1/users", q=old)]

    def test_a_person_with_several_ids_comes_once(self, api: Api) -> None:
        for number, user in enumerate(("abc", "abd")):
            traits = {"email": "Abe@x.example", "name": "abe"}
            call = {"type": "identify", "userId": user, "traits": traits, "messageId": f"i{number}"}
            api.send([call | {"timestamp": iso(NOW - number)}])
        alias = {"type": "alias", "previousId": "abd", "userId": "abc", "messageId": "a"}
        api.send([alias | {"timestamp": iso(NOW)}])
        for arguments in ({}, {"q": "ab"}, {"q": "abe"}, {"q": "abd"}):
            found = api.all("/v1/users", limit=1, **arguments)
            assert [each["id"] for each in found] == ["abc"], arguments


class TestAccounts:
    def test_those_seen_last_come_first(self, api: Api, world: Plain) -> None:
        last: dict[str, int] = {}
        for user in world.of:
            for at, _, account in world.events(user):
                if account:
                    last[account] = max(at, last.get(account, 0))
        expected = sorted(last, key=lambda account: last[account], reverse=True)
        assert [each["id"] for each in api.all("/v1/accounts", limit=1)] == expected
        found = api.all("/v1/accounts", q="b")
        assert [each["id"] for each in found] == [each for each in last if each == "Beta"]


class TestPeople:
    def test_the_most_engaged_come_first(self, api: Api, world: Plain) -> None:
        for account in ("acme", "Beta"):
            self._check(api, world, account)

    @staticmethod
    def _check(api: Api, world: Plain, account: str) -> None:
        expected = {}
        for user in world.of:
            own = [at for at, _, of in world.events(user) if of == account]
            if own:
                recent = sum(at > NOW - 30 * DAY for at in own)
                expected[user] = (len(own), recent, iso(min(own)), iso(max(own)))
        found = api.all(f"/v1/accounts/{account}/people", limit=2)
        names = ("events", "events_30d", "first_seen", "last_seen")
        assert {p["id"]: tuple(p[name] for name in names) for p in found} == expected
        assert [p["events_30d"] for p in found] == sorted(e[1] for e in expected.values())[::-1]

    def test_the_one_with_the_deciding_event_caused_the_lead(self, api: Api) -> None:
        for number in range(9):
            event = _event(f"u{number % 2}", "project_created", NOW - DAY + number, "acme")
            api.send([event | {"messageId": f"m{number}"}])
        [lead] = api.get("/v1/pqls", definition="team")["data"]
        found = api.get("/v1/accounts/acme/people")
        assert found["complete"] is True
        assert {p["id"]: p["caused"] for p in found["data"]} == {"u0": [], "u1": [lead["id"]]}

    def test_an_account_never_seen_is_not_found(self, api: Api) -> None:
        assert api.error("/v1/accounts/none/people") == (404, "not_found")


class TestPath:
    def test_key_actions_come_at_their_first_time_with_their_number(
        self, api: Api, world: Plain
    ) -> None:
        for user in world.of:
            events = world.events(user)
            counts = Counter(name for _, name, _ in events)
            first = {name: at for at, name, _ in reversed(events)}
            expected = [
                (iso(first[name]), "event", name, counts[name])
                for name in ("project_created", "invited")
                if name in first
            ]
            kinds = {"signed_up": "signup", "trial_started": "trial"}
            expected += [(iso(first[n]), kinds[n], n, None) for n in kinds if n in first]
            leads = api.get(f"/v1/users/{user}")["leads"]
            expected += [(lead["qualified_at"], "lead", "set_up", None) for lead in leads]
            found = api.get(f"/v1/users/{user}/path")
            steps = [(s["at"], s["kind"], s["name"], s.get("count")) for s in found["steps"]]
            assert sorted(steps, key=str) == sorted(expected, key=str)
            assert [step[0] for step in steps] == sorted(step[0] for step in steps)


class TestNear:
    def test_the_nearest_without_a_lead_come_first(self, api: Api, world: Plain) -> None:
        expected = {}
        for user in world.of:
            events = world.events(user)
            signups = [at for at, name, _ in events if name == "signed_up"]
            if not signups or api.get(f"/v1/users/{user}")["leads"]:
                continue
            end = signups[0] + 60 * DAY
            within = [
                at for at, n, _ in events if n == "project_created" and signups[0] <= at < end
            ]
            if within and end > NOW:
                expected[user] = round(len(within) / 3, 6)
        assert expected
        for limit in (1, 100):
            found = api.all("/v1/near", definition="set_up", limit=limit)
            assert {each["subject"]["id"]: each["progress"] for each in found} == expected
            assert [f["progress"] for f in found] == sorted(expected.values(), reverse=True)
            assert all(leaf["missing"] for each in found for leaf in each["missing"])

    def test_says_whether_everybody_was_looked_at(
        self, api: Api, world: Plain, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pages = []
        while not pages or pages[-1]["next_cursor"]:
            cursor = {"cursor": pages[-1]["next_cursor"]} if pages else {}
            pages.append(api.get("/v1/near", definition="set_up", limit=1, **cursor))
        assert len(pages) > 1
        assert all(page["complete"] for page in pages)
        monkeypatch.setattr(near, "SET", 1)
        monkeypatch.setattr(near, "AT_ONCE", 1)
        assert not api.get("/v1/near", definition="set_up")["complete"]


HALVES = """
[[pql]]
name = "both"
when.all = [
  { event = "made", gte = 4 },
  { event = "shared", gte = 2 },
  { trait = "plan", eq = "free" },
]
unless = [{ event = "left" }]
"""


def test_who_has_begun_one_part_is_near_behind_those_with_progress_in_all(store_url: str) -> None:
    settings = Settings(database=store_url, write_key="w", read_key="r")
    catalogue = read_catalogue(HALVES)
    with closing(open_collector(settings, catalogue, clock=lambda: NOW)) as collector:
        api = Api(create_app(collector).test_client())
        done = {"all": (1, 1), "much": (4, 0), "little": (1, 0), "fits": (0, 0), "gone": (2, 0)}
        batch = []
        for user, (made, shared) in done.items():
            batch.append({"type": "identify", "userId": user, "traits": {"plan": "free"}})
            names = ["made"] * made + ["shared"] * shared + ["left"] * (user == "gone")
            batch += [{"type": "track", "userId": user, "event": name} for name in names]
        api.send(batch)
        for limit in (1, 100):
            found = api.all("/v1/near", definition="both", limit=limit)
            assert [(each["subject"]["id"], each["progress"]) for each in found] == [
                ("all", 0.25),
                ("much", 0),
                ("little", 0),
            ]


class TestAdoption:
    def test_users_are_parted_by_use(self, api: Api, world: Plain) -> None:
        for feature in ("export", "invited"):
            for arguments in ({}, {"plan": "pro"}, {"min_age": "20d", "max_age": "60d"}):
                self._check(api, world, feature, arguments)

    @staticmethod
    def _check(api: Api, world: Plain, feature: str, arguments: dict[str, str]) -> None:
        name = "exported_csv" if feature == "export" else feature
        uses = {}
        for user in world.of:
            events = world.events(user)
            signups = [at for at, event, _ in events if event == "signed_up"]
            if "min_age" in arguments and not (signups and 20 <= (NOW - signups[0]) / DAY < 60):
                continue
            if world.traits(user)["plan"] == arguments.get("plan", world.traits(user)["plan"]):
                uses[user] = sum(event == name for _, event, _ in events)
        for used in ("true", "false"):
            found = api.all("/v1/adoption", feature=feature, used=used, limit=2, **arguments)
            expected = {u: n for u, n in uses.items() if (n > 0) == (used == "true")}
            assert {each["id"]: each["uses"] for each in found} == expected
        page = api.get("/v1/adoption", feature=feature, **arguments)
        numbers = sum(n > 0 for n in uses.values()), sum(n == 0 for n in uses.values())
        assert (page["used"], page["not_used"]) == numbers


@pytest.fixture
def leads(api: Api) -> Api:
    """Leads of five users, whose marks have one time."""
    for number, name in enumerate(("=1+1", "Ann", "Bob", "ann b", "Zoë")):
        user, traits = f"u{number}", {"name": name, "seats": number, "role": number % 2 == 0}
        at = NOW - DAY + number * 1_000
        batch = [{"type": "identify", "userId": user, "traits": traits, "timestamp": iso(at)}]
        batch.append(_event(user, "signed_up", at + 1, "acme" if number else None))
        batch += [_event(user, "project_created", at + 2 + n) for n in range(3)]
        api.send([each | {"messageId": f"{user}-{n}"} for n, each in enumerate(batch)])
    return api


def _ids(found: list[Any]) -> str:
    return " ".join(each["subject"]["id"] for each in found)


FILTERS: tuple[tuple[dict[str, str], str], ...] = (
    ({"sort": "qualified_at"}, "u0 u1 u2 u3 u4"),
    ({"sort": "-qualified_at"}, "u4 u3 u2 u1 u0"),
    ({"sort": "qualified_at", "q": "ANN"}, "u1 u3"),
    ({"sort": "qualified_at", "q": "acm"}, "u1 u2 u3 u4"),
    ({"sort": "qualified_at", "q": "u2"}, "u2"),
    ({"sort": "qualified_at", "trait.seats": "3"}, "u3"),
    ({"sort": "qualified_at", "trait.role": "true", "version": "1"}, "u0 u2 u4"),
    ({"sort": "qualified_at", "trait.role": "true", "trait.seats": "2.0"}, "u2"),
    ({"version": "2"}, ""),
    ({"holds_now": "false"}, ""),
    ({"trait.country": "DE"}, ""),
)


class TestLeads:
    def test_filters_and_orders(self, leads: Api) -> None:
        for arguments, expected in FILTERS:
            for limit in (1, 2, 100):
                found = leads.all("/v1/pqls", limit=limit, **arguments)
                assert _ids(found) == expected, (arguments, limit)

    def test_equal_leads_come_by_id(self, leads: Api) -> None:
        for sort in ("priority", "marked_at", "-marked_at", "due_at"):
            found = leads.all("/v1/pqls", sort=sort, limit=2)
            assert [each["id"] for each in found] == sorted(each["id"] for each in found)
            assert len(found) == 5

    def test_the_total_comes_if_asked_for(self, leads: Api) -> None:
        for arguments in ({}, {"q": "u"}, {"holds_now": "true"}):
            page = leads.get("/v1/pqls", count="true", limit=1, **arguments)
            assert (page["total"], page["total_is_exact"]) == (5, True)
            assert "total" not in leads.get("/v1/pqls", limit=1, **arguments)

    def test_csv_has_every_lead_and_no_formula(self, leads: Api) -> None:
        answer = leads.client.get("/v1/pqls?format=csv&sort=qualified_at", headers=READ)
        assert answer.headers["Content-Disposition"] == 'attachment; filename="pqls.csv"'
        rows = list(csv.DictReader(io.StringIO(answer.text)))
        assert [row["name"] for row in rows] == ["'=1+1", "Ann", "Bob", "ann b", "Zoë"]
        assert [row["subject_id"] for row in rows] == ["u0", "u1", "u2", "u3", "u4"]
        assert rows[0]["qualified_at"] == iso(NOW - DAY + 4)

    def test_ndjson_has_the_leads_of_the_list(self, leads: Api) -> None:
        answer = leads.client.get("/v1/pqls?format=ndjson&q=ann", headers=READ)
        lines = [json.loads(line) for line in answer.text.splitlines()]
        assert lines == leads.all("/v1/pqls", q="ann")


WRONG: tuple[tuple[str, dict[str, str], str], ...] = (
    ("/v1/pqls", {"sort": "name"}, "sort"),
    ("/v1/pqls", {"version": "0"}, "version"),
    ("/v1/pqls", {"holds_now": "yes"}, "holds_now"),
    ("/v1/pqls", {"count": "1"}, "count"),
    ("/v1/pqls", {"trait.": "x"}, "trait."),
    ("/v1/pqls", {"trait.plan": " "}, "trait.plan"),
    ("/v1/pqls", {"format": "csv", "limit": "5"}, "limit"),
    ("/v1/pqls", {"format": "xml"}, "format"),
    ("/v1/pqls", {"q": ""}, "q"),
    ("/v1/users", {"limit": "101"}, "limit"),
    ("/v1/users", {"cursor": "x"}, "cursor"),
    ("/v1/users", {"format": "csv", "limit": "5"}, "limit"),
    ("/v1/accounts", {"format": "ndjson", "cursor": "x"}, "cursor"),
    ("/v1/users", {"format": "xml"}, "format"),
    ("/v1/users", {"trait.": "x"}, "trait."),
    ("/v1/users", {"trait.plan": " "}, "trait.plan"),
    ("/v1/accounts", {"name": "x"}, "name"),
    ("/v1/adoption", {}, "feature"),
    ("/v1/adoption", {"feature": "x", "min_age": "1 month"}, "min_age"),
    ("/v1/adoption", {"feature": "x", "used": "1"}, "used"),
    ("/v1/near", {}, "definition"),
    ("/v1/near", {"definition": "set_pu"}, "definition"),
    ("/v1/users/u1/path", {"limit": "1"}, "limit"),
)


def test_a_wrong_parameter_is_named() -> None:
    collector = collector_of(DEFINITIONS)
    with closing(collector.store):
        collector.settings = Settings(database="sqlite://", read_key="r")
        collector.keys = Keys(collector.store, collector.clock, collector.settings)
        api = Api(create_app(collector).test_client())
        for path, arguments, field in WRONG:
            assert api.error(path, **arguments) == (400, field), (path, arguments)
