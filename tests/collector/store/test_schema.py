"""The schema keeps the rules that cannot be mended later, and opens in the tools of others."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
import sqlite_utils

from pequel_collector.model import Lead, Stored
from pequel_collector.ports import Membership, Store, Trait
from pequel_collector.store import open_store

MakeMessage = Callable[..., Stored]
Run = Callable[..., list[tuple[object, ...]]]

SPREAD = {
    "event", "event_count", "posting", "naming", "trait", "membership", "link", "person", "history",
    "sealed_page", "cell", "lagging", "due", "lead", "lead_transition", "change", "refused",
    "section_count", "search_text", "delivery", "first_event", "milestone", "milestone_stale",
    "revenue_event",
}  # fmt: skip
"""Tables whose rows belong to subjects, or are as many."""

REFERENCE = {"block", "definition_version", "api_key", "note", "tally", "turn", "usage", "audit"}
REFERENCE |= {"client_report", "import_run", "definition_change", "arrival", "spend"}
REFERENCE |= {"indexing", "routed_count", "round_robin", "console_session", "saved_view"}
REFERENCE |= {"routed_count", "round_robin", "console_session", "saved_view", "partner_account"}
"""Tables that are small enough to be everywhere."""


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[sqlite_utils.Database]:
    """A new store's file, as sqlite-utils opens it."""
    path = tmp_path / "pequel.db"
    open_store(f"sqlite:///{path}").close()
    database = sqlite_utils.Database(path)
    yield database
    database.close()


@pytest.fixture
def server(postgres_url: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """A new store's database on a server."""
    open_store(postgres_url).close()
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        yield connection


class TestOnSqlite:
    def test_every_table_is_spread_or_small(self, sqlite: sqlite_utils.Database) -> None:
        assert set(sqlite.table_names()) == {*SPREAD, *REFERENCE, "_sqlite_migrations"}

    def test_every_key_ends_in_the_bucket(self, sqlite: sqlite_utils.Database) -> None:
        for name in SPREAD:
            table = sqlite.table(name)
            keys = [table.pks, *(index.columns for index in table.indexes if index.unique)]
            assert {key[-1] for key in keys} == {"bucket"}, name
            assert {c.notnull for c in table.columns if c.name == "bucket"} == {1}, name

    def test_there_is_no_foreign_key_trigger_or_sequence(
        self, sqlite: sqlite_utils.Database
    ) -> None:
        assert all(sqlite.table(name).foreign_keys == [] for name in SPREAD | REFERENCE)
        assert sqlite.triggers == []
        assert "AUTOINCREMENT" not in sqlite.schema.upper()

    def test_events_are_indexed_by_id_within_their_block_and_by_their_import_only(
        self, sqlite: sqlite_utils.Database
    ) -> None:
        firsts = [index.columns[0] for index in sqlite.table("event").indexes]
        assert set(firsts) == {"block", "mid", "import_number"}
        assert "WITHOUT ROWID" not in sqlite.table("event").schema

    def test_what_is_written_is_on_disk_when_a_commit_returns(self, tmp_path: Path) -> None:
        store = open_store(f"sqlite:///{tmp_path}/pequel.db")
        with store._database.writing() as session:  # type: ignore[attr-defined]
            assert session.run("PRAGMA journal_mode") == [("wal",)]
            assert session.run("PRAGMA synchronous") == [(2,)]
        store.close()


KEYS = """
SELECT c.relname, i.indkey::int[], array_agg(a.attname ORDER BY k.place)
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'public'
CROSS JOIN unnest(i.indkey) WITH ORDINALITY AS k (number, place)
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.number
WHERE i.indisunique OR c.relname = 'event' GROUP BY 1, 2
"""

TEXTS = """
SELECT table_name, column_name, collation_name FROM information_schema.columns
WHERE table_schema = 'public' AND data_type = 'text' AND table_name = ANY(%s)
"""

NULLABLE_BUCKETS = """
SELECT table_name FROM information_schema.columns
WHERE table_schema = 'public' AND column_name = 'bucket' AND is_nullable = 'YES'
  AND table_name = ANY(%s)
"""

FORBIDDEN = """
SELECT conname::text FROM pg_constraint WHERE contype = 'f'
UNION ALL SELECT tgname FROM pg_trigger
UNION ALL SELECT relname FROM pg_class WHERE relkind = 'S'
"""

Server = psycopg.Connection[tuple[object, ...]]


class TestOnPostgres:
    def test_every_table_is_spread_or_small(self, server: Server) -> None:
        found = server.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        assert {name for (name,) in found} == {*SPREAD, *REFERENCE, "migration"}

    def test_every_key_ends_in_the_bucket(self, server: Server) -> None:
        keys: defaultdict[object, list[list[str]]] = defaultdict(list)
        for table, _, columns in server.execute(KEYS):
            keys[table].append(columns)  # type: ignore[arg-type]
        within = ("block", "import_number")
        keys["event"] = [key for key in keys["event"] if key[0] not in within]
        assert {table: {key[-1] for key in keys[table]} for table in SPREAD} == {
            table: {"bucket"} for table in SPREAD
        }
        assert server.execute(NULLABLE_BUCKETS, [list(SPREAD)]).fetchall() == []

    def test_there_is_no_foreign_key_trigger_or_sequence(self, server: Server) -> None:
        assert server.execute(FORBIDDEN).fetchall() == []

    def test_texts_are_ordered_by_their_bytes(self, server: Server) -> None:
        texts = server.execute(TEXTS, [list(SPREAD | REFERENCE)]).fetchall()
        assert len(texts) > 40
        assert [text for text in texts if text[2] != "C"] == []


class TestOpeningItAgain:
    def test_changes_nothing(self, open_again: Callable[[], Store], run: Run) -> None:
        open_again()
        assert run("SELECT number, sealed FROM block") == [(1, 0)]

    def test_is_possible_while_others_open_it_for_the_first_time(
        self, store_url: str, open_again: Callable[[], Store]
    ) -> None:
        with ThreadPoolExecutor(8) as threads:
            stores = list(threads.map(lambda _: open_again(), range(8)))
        with stores[0].reading() as view:
            assert view.totals()["messages"] == 0


class TestTheViewsForPeople:
    @pytest.fixture(autouse=True)
    def _filled(self, store: Store, message: MakeMessage) -> None:
        lead = Lead("l1", "set_up", 2, "u:ada", 1, 1_600_000_000_123, 1_600_000_000_999)
        other = Lead("l2", "team", 1, "g:acme", 1, 0, 0, due_at=1, expires_at=2, merged_into="l9")
        with store.writing() as tx:
            tx.append(
                [
                    message("m1", "u:ada", 1_600_000_000_123, to="acme", properties={"a": "\0"}),
                    message("m2", "a:v1", 1_600_000_001_000, to="acme"),
                    message("m3", "u:ada", 0, type="identify", name=None, anonymous_id="v1"),
                    message("m4", "u:bob", 59_999, to="globex"),
                    message("m5", "u:bob", 60_000, to="acme", anonymous_id="v2"),
                ]
            )
            tx.add_memberships([Membership("u:ada", 1, "m1", "acme")])
            tx.add_traits([Trait("u:ada", "plan", i, "m1", plan) for i, plan in enumerate("xy")])
            tx.add_traits([Trait("u:ada", "a", 1, "m1", {"b": ["\ud800", 1.5]})])
            tx.add_traits([Trait("g:acme", "size", 1, "m1", 12)])
            tx.save_leads([lead, other])

    def test_show_users(self, run: Run) -> None:
        ada, bob = run(
            "SELECT user_id, first_seen, last_seen, events, account, traits FROM users ORDER BY 1"
        )
        assert ada[:5] == (
            "ada", "1970-01-01T00:00:00.000Z", "2020-09-13T12:26:40.123Z", 1, "acme",
        )  # fmt: skip
        assert json.loads(str(ada[5])) == {"plan": "y", "a": {"b": ["\ud800", 1.5]}}
        assert bob[0::5] == ("bob", "{}")

    def test_show_accounts(self, run: Run) -> None:
        acme, globex = run(
            "SELECT account_id, first_seen, last_seen, events, users, traits FROM accounts"
            " ORDER BY 1"
        )
        assert acme[:5] == (
            "acme", "1970-01-01T00:01:00.000Z", "2020-09-13T12:26:41.000Z", 3, 2,
        )  # fmt: skip
        assert json.loads(str(acme[5])) == {"size": 12}
        assert globex[1] == "1970-01-01T00:00:59.999Z"

    def test_show_events(self, run: Run) -> None:
        events = run(
            "SELECT message_id, user_id, anonymous_id, account, name, properties FROM events"
            " ORDER BY message_id"
        )
        assert events == [
            ("m1", "ada", None, "acme", "clicked", '{"a":"\\u0000"}'),
            ("m2", None, "v1", "acme", "clicked", "{}"),
            ("m4", "bob", None, "globex", "clicked", "{}"),
            ("m5", "bob", "v2", "acme", "clicked", "{}"),
        ]

    def test_show_pqls(self, run: Run) -> None:
        leads = run(
            "SELECT lead_id, definition, subject_kind, subject_id, account, qualified_at,"
            " marked_at, state, due_at, expires_at, merged_into FROM pqls ORDER BY lead_id"
        )
        assert leads == [
            (
                "l1", "set_up", "user", "ada", None, "2020-09-13T12:26:40.123Z",
                "2020-09-13T12:26:40.999Z", "new", None, None, None,
            ),
            (
                "l2", "team", "account", "acme", "acme", "1970-01-01T00:00:00.000Z",
                "1970-01-01T00:00:00.000Z", "new", "1970-01-01T00:00:00.001Z",
                "1970-01-01T00:00:00.002Z", "l9",
            ),
        ]  # fmt: skip

    def test_show_a_person_once_with_what_is_of_all_ids(self, store: Store, run: Run) -> None:
        with store.writing() as tx:
            tx.set_persons({"a:v1": "u:ada", "u:bob": "u:ada"})
            tx.add_memberships([Membership("u:bob", 2, "m4", "globex")])
            tx.add_traits([Trait("u:bob", "plan", 2, "m4", "z"), Trait("a:v1", "a", 2, "m2", None)])
        [(user, first, last, events, account, traits)] = run("SELECT * FROM users")
        assert (user, first, last, events, account) == (
            "ada", "1970-01-01T00:00:00.000Z", "2020-09-13T12:26:41.000Z", 4, "globex",
        )  # fmt: skip
        assert json.loads(str(traits)) == {"plan": "z"}
        assert run("SELECT account_id, events, users FROM accounts ORDER BY 1") == [
            ("acme", 3, 1), ("globex", 1, 1),
        ]  # fmt: skip
        assert run("SELECT message_id, user_id, anonymous_id FROM events ORDER BY 1") == [
            ("m1", "ada", None), ("m2", "ada", "v1"), ("m4", "ada", None), ("m5", "ada", "v2"),
        ]  # fmt: skip
        [(shown,)] = run("SELECT traits FROM pqls WHERE lead_id = 'l1'")
        assert json.loads(str(shown)) == {"plan": "z"}

    def test_show_a_visitor_who_is_no_user_in_the_events_alone(
        self, store: Store, run: Run
    ) -> None:
        assert run("SELECT users FROM accounts WHERE account_id = 'acme'") == [(2,)]
        assert run("SELECT count(*) FROM users WHERE user_id = 'v1'") == [(0,)]
        assert run("SELECT user_id FROM events WHERE anonymous_id = 'v1'") == [(None,)]

    def test_show_every_millisecond_as_it_is(self, store: Store, run: Run) -> None:
        times = range(1_577_836_800_000, 1_577_836_801_000)
        with store.writing() as tx:
            tx.save_leads([Lead(f"{t}", "d", 1, f"u:{t}", 1, t, t) for t in times])
        shown = run("SELECT qualified_at FROM pqls WHERE definition = 'd' ORDER BY lead_id")
        assert shown == [(f"2020-01-01T00:00:00.{i:03}Z",) for i in range(1000)]


def test_the_views_open_in_sqlite_utils(sqlite: sqlite_utils.Database) -> None:
    views = {"users", "accounts", "events", "pqls"}
    assert views <= set(sqlite.view_names())
    for name in views:
        assert list(sqlite.view(name).rows) == []
