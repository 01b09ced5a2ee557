"""Definitions over HTTP: what is in force, and putting others in their place."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from pequel_collector.app import bootstrap
from pequel_collector.app.bootstrap import Collector, open_collector
from pequel_collector.config import Settings
from pequel_collector.model import iso
from pequel_collector.rules.parser.table_changes import what_changed
from pequel_collector.web.api import preview
from pequel_collector.web.app import create_app
from support.streams import NOW, marks, messages_of, plain_event

READ = {"Authorization": "Bearer read"}
ADMIN = {"Authorization": "Bearer admin"}
KEEN = """[[pql]]
name = "keen"
when = { event = "used", gte = 2 }
"""
KEENER = KEEN.replace("2", "1")
WHOLE = f"""[project]
signup = "signed_up"
internal = {{ trait = {{ is_employee = true }} }}

[features]
basic = ["used"]

[[metric]]
name = "uses"
event = "used"

{KEEN}"""


@pytest.fixture
def real(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """A whole collector in memory, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    settings = Settings(database="sqlite://", read_key="read", admin_key="admin", write_key="write")
    collector = open_collector(settings, clock=lambda: NOW)
    yield collector
    collector.close()


@pytest.fixture
def http(real: Collector) -> FlaskClient:
    return create_app(real).test_client()


def put(http: FlaskClient, text: str) -> dict[str, Any]:
    answer = http.put("/v1/definitions", data=text, headers=ADMIN)
    assert answer.status_code == 200, answer.text
    return dict(answer.json)


class TestReading:
    def test_shows_all_that_is_known_of_each(self, http: FlaskClient) -> None:
        forward = KEEN + 'on_change = "forward"'
        put(http, forward)
        answer = http.get("/v1/definitions", headers=READ).json
        [definition] = answer["data"]
        assert definition["text"] == definition["versions"][0]["text"] == forward
        assert definition["description"] == (
            "A user who used at least 2 times; "
            "a changed definition counts only what happens after the change"
        )
        assert definition["versions"][0]["hash"] == definition["hash"]
        assert {name: definition[name] for name in ("version", "on_change", "in_force_since")} == {
            "version": 1,
            "on_change": "forward",
            "in_force_since": iso(NOW),
        }
        assert answer["origin"] == {"kind": "put", "at": iso(NOW), "instead_of": None}

    def test_shows_how_far_history_is_replayed(
        self, http: FlaskClient, real: Collector, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(bootstrap, "BRIEFLY", 0)
        real.ingest.accept(messages_of([plain_event("u1", "used", "m1", NOW)]))
        put(http, KEENER)
        running = http.get("/v1/definitions", headers=READ).json["backfill"]
        assert (running["state"], running["done"], running["total"]) == ("running", 0, None)
        while (replay := real.backfill_some()) and not replay.is_finished:
            pass
        assert http.get("/v1/definitions", headers=READ).json["backfill"] == {
            "state": "done",
            "done": 1,
            "total": 1,
            "leads": 1,
            "started_at": iso(NOW),
            "finished_at": iso(NOW),
            "changes": [{"name": "keen", "version": 1, "added": 1, "withdrawn": 0}],
        }

    def test_needs_no_definitions(self, http: FlaskClient) -> None:
        answer = http.get("/v1/definitions", headers=READ).json
        assert (answer["data"], answer["backfill"]["state"]) == ([], "done")

    def test_shows_the_tables_that_definitions_share(self, http: FlaskClient) -> None:
        empty = http.get("/v1/definitions", headers=READ).json
        names = ("project", "features", "metrics", "labels")
        assert [empty[name] for name in names] == [{}, {}, [], {}]
        put(http, WHOLE)
        answer = http.get("/v1/definitions", headers=READ).json
        assert answer["project"] == {
            "signup": "signed_up",
            "internal": {"trait": {"is_employee": True}},
        }
        assert answer["features"] == {"basic": ["used"]}
        assert answer["metrics"] == [{"name": "uses", "event": "used"}]

    @pytest.mark.parametrize("text", ["", WHOLE, f"# é\n\n{KEEN}"])
    def test_gives_the_text_back_as_it_was_read(self, http: FlaskClient, text: str) -> None:
        put(http, text)
        answer = http.get("/v1/definitions?format=toml", headers=READ)
        assert (answer.data.decode(), answer.mimetype) == (text, "application/toml")

    def test_takes_no_parameter(self, http: FlaskClient) -> None:
        assert http.get("/v1/definitions?name=x", headers=READ).status_code == 400


class TestWhatChanged:
    def test_is_said_of_each_version_but_the_first(self, http: FlaskClient) -> None:
        first = '[[pql]]\nname = "keen"\nwhen = { event = "used", gte = 3 }\n'
        second = first.replace("gte = 3", "gte = 2") + 'sla = "2d"\n'
        for text in (first, second, first):
            put(http, text)
        [definition] = http.get("/v1/definitions", headers=READ).json["data"]
        assert [each["changed"] for each in definition["versions"]] == [
            None,
            'when.gte: 3 → 2; sla: nothing → "2d"',
        ]

    def test_may_be_a_table_that_the_definition_reads(self, http: FlaskClient) -> None:
        text = (
            '[[metric]]\nname = "uses"\nevent = "used"\n'
            '[[pql]]\nname = "keen"\nwhen = { metric = "uses", gte = 2 }\n'
        )
        for each in (text, text.replace('"used"', '"opened"')):
            put(http, each)
        [definition] = http.get("/v1/definitions", headers=READ).json["data"]
        assert [each["changed"] for each in definition["versions"]] == [
            None,
            "another table of the file that it reads",
        ]

    def test_is_cut_where_it_is_long(self) -> None:
        said = what_changed({"k": 1}, {"k": 1} | {f"k{n}": n for n in range(25)})
        assert said.startswith("k0: nothing → 0; k1:")
        assert said.endswith("k19: nothing → 19 … and 5 more")


class TestWhoAndWhy:
    def test_are_recorded_with_the_version(self, http: FlaskClient, real: Collector) -> None:
        put(http, KEEN)
        http.put("/v1/definitions?actor=ada&reason=too+few", data=KEENER, headers=ADMIN)
        http.put("/v1/definitions?actor=ben", data=KEEN, headers=ADMIN)
        [definition] = http.get("/v1/definitions", headers=READ).json["data"]
        shown = [(v["version"], v["actor"], v["reason"]) for v in definition["versions"]]
        assert shown == [(1, "ben", None), (2, "ada", "too few")]
        assert {v["activated_at"] for v in definition["versions"]} == {iso(NOW)}
        put(http, "")
        with real.store.reading() as view:
            log = [(each.version, each.origin, each.actor) for each in view.definition_log()]
        key = log[0][2]
        assert key not in (None, "ada", "ben")
        assert log == [(1, "put", key), (2, "put", "ada"), (1, "put", "ben"), (None, "put", key)]

    def test_of_a_file_are_its_name_and_when_it_was_saved(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        file = Path("pequel.toml")
        file.write_text(KEEN)
        os.utime(file, (NOW // 1000, NOW // 1000))
        told = Settings(database="sqlite:///pequel.db", reason="a new quarter")
        for settings in (replace(told, reason=""), told):
            opened = open_collector(settings, clock=lambda: NOW)
            with closing(opened), opened.store.reading() as view:
                last = view.definition_log()[-1]
            assert last.actor == "file"
            wanted = settings.reason or f"pequel.toml, saved at {iso(NOW)}"
            assert last.reason == wanted
            file.write_text(KEENER)

    @pytest.mark.parametrize("query", ["actor=", "reason=%00", "who=ada", "reason=" + 600 * "x"])
    def test_are_texts(self, http: FlaskClient, query: str) -> None:
        answer = http.put(f"/v1/definitions?{query}", data=KEEN, headers=ADMIN)
        assert (answer.status_code, answer.json["error"]["code"]) == (400, "bad_parameter")


class TestPreview:
    URL = "/v1/definitions/preview"

    def test_names_who_would_be_gained_and_lost_and_changes_nothing(
        self, http: FlaskClient, real: Collector
    ) -> None:
        put(http, KEEN)
        called = plain_event("u1", "", "i1", NOW, type="identify", traits={"email": "u1@x.example"})
        used = plain_event("u1", "used", "m1", NOW)
        real.ingest.accept(messages_of([used, called | {"event": None}]))
        before = http.get("/v1/definitions", headers=READ).json
        found = http.post(self.URL, data=KEENER, headers=READ).json
        assert (found["subjects"], found["whole"]) == (1, True)
        [keen] = found["data"]
        assert (keen["name"], keen["version"], keen["new_version"]) == ("keen", 2, True)
        assert keen["gained"] == {
            "count": 1,
            "worked": 0,
            "first": [
                {
                    "subject": {"kind": "user", "id": "u1"},
                    "name": "u1@x.example",
                    "cycle": 1,
                    "qualified_at": iso(NOW),
                    "worked": False,
                }
            ],
        }
        assert http.get("/v1/definitions", headers=READ).json == before
        assert marks(real) == {}
        assert http.post(self.URL, data=KEEN, headers=READ).json["data"] == []
        put(http, KEENER)
        [gone] = http.post(f"{self.URL}?limit=1", data="", headers=READ).json["data"]
        assert (gone["version"], gone["lost"]["count"]) == (None, 1)

    def test_stops_when_it_has_read_enough(
        self, http: FlaskClient, real: Collector, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(preview, "MAX_MESSAGES", 5)
        told = [plain_event(f"u{n % 3}", "used", f"m{n}", NOW, groupId="acme") for n in range(9)]
        real.ingest.accept(messages_of(told))
        found = http.post(self.URL, data=KEENER, headers=READ).json
        assert (found["subjects"], found["whole"]) == (1, False)
        assert found["data"][0]["gained"]["count"] == 1

    def test_has_a_limit_of_conditions(self, http: FlaskClient) -> None:
        many = "".join(KEEN.replace("keen", f"d{n}") for n in range(501))
        answer = http.post(self.URL, data=many, headers=READ)
        assert (answer.status_code, answer.json["error"]["details"]) == (413, {"limit": 500})

    def test_refuses_mistakes_and_keys_that_do_not_read(self, http: FlaskClient) -> None:
        assert http.post(self.URL, data="nonsense", headers=READ).status_code == 400
        assert http.post(self.URL, data=KEEN).status_code == 401


class TestPutting:
    def test_counts_from_the_next_event_on(self, http: FlaskClient, real: Collector) -> None:
        answer = put(http, KEENER)
        assert [d["name"] for d in answer["data"]] == ["keen"]
        assert answer["new_versions"] == [
            {"name": "keen", "version": 1, "hash": answer["data"][0]["hash"]}
        ]
        opened = real.ingest.accept(messages_of([plain_event("u1", "used", "m1", NOW)])).qualified
        assert [lead.definition for lead in opened] == ["keen"]
        status = http.get("/v1/users/u1/pql", headers=READ).json
        assert [lead["definition"] for lead in status["leads"]] == ["keen"]

    def test_the_same_again_makes_no_version(self, http: FlaskClient) -> None:
        put(http, KEEN)
        answer = put(http, f"# the same\n\n{KEEN}")
        assert (answer["new_versions"], answer["data"][0]["version"]) == ([], 1)

    def test_says_what_changed_and_what_that_did(self, http: FlaskClient, real: Collector) -> None:
        real.ingest.accept(messages_of([plain_event("u1", "used", "m1", NOW)]))
        other = KEEN.replace("keen", "other")
        assert put(http, KEEN + other)["changes"] == [
            "keen → version 1: 0 leads added, 0 withdrawn",
            "other → version 1: 0 leads added, 0 withdrawn",
        ]
        assert put(http, KEEN + other)["changes"] == ["nothing changed"]
        assert put(http, KEENER)["changes"] == [
            "keen → version 2: 1 lead added, 0 withdrawn",
            "other → no longer in force: 0 leads added, 0 withdrawn",
        ]

    def test_says_what_changed_besides_versions(self, http: FlaskClient, real: Collector) -> None:
        def said(text: str) -> list[str]:
            changes: list[str] = put(http, text)["changes"]
            return changes

        slow = f'{KEEN}sla = "3d"\ntitle = "Keen"\n'
        put(http, slow)
        quick = slow.replace("3d", "4d")
        assert said(quick) == ['keen, still version 1: sla: "3d" → "4d"']
        assert said(quick + '[project]\nkey_events = ["paid"]\n') == ["[project] changed"]
        assert said(f"# the same\n{quick}") == ["[project] changed"]
        assert said(f"# the same again\n{quick}") == ["only comments or the order changed"]
        assert said(f"# the same again\n{quick}") == ["nothing changed"]
        assert said(quick.replace('"used"', '["used"]')) == ["only comments or the order changed"]
        assert said(quick.replace("gte = 2", "gte = 3").replace("4d", "5d")) == [
            "keen → version 2: 0 leads added, 0 withdrawn"
        ]

    def test_keeps_who_changed_a_field_that_makes_no_version_and_why(
        self, http: FlaskClient, real: Collector
    ) -> None:
        put(http, f'{KEEN}sla = "3d"\n')
        slower = f'{KEEN}sla = "4d"\nowner = "ada"\n'
        http.put("/v1/definitions?actor=ben&reason=holidays", data=slower, headers=ADMIN)
        with real.store.reading() as view:
            last = view.definition_log()[-1]
        assert (last.name, last.version, last.actor, last.reason) == ("keen", 1, "ben", "holidays")
        assert last.changed == 'sla: "3d" → "4d"; owner: nothing → "ada"'
        [act, *_] = http.get("/v1/audit", headers=ADMIN).json["data"]
        assert (act["what"], act["reason"]) == ("definitions_put", "holidays")
        assert act["details"] == {"versions": {}, "fields": {"keen": ["sla", "owner"]}}
        [definition] = http.get("/v1/definitions", headers=READ).json["data"]
        [version] = definition["versions"]
        assert version["reason"] is None, "the version came in force for another reason"

    def test_says_what_changed_where_history_is_long(
        self, http: FlaskClient, real: Collector, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(bootstrap, "BRIEFLY", 0)
        put(http, KEEN)
        assert put(http, KEENER)["changes"] == ["keen → version 2"]
        assert put(http, KEEN)["changes"] == ["keen → version 1"]

    def test_works_without_the_file_of_the_start(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """And shows nobody where it was."""
        monkeypatch.chdir(tmp_path)
        file = tmp_path / "mine.toml"
        file.write_text(KEEN)
        settings = Settings(database="sqlite://", admin_key="admin", config=str(file))
        with closing(open_collector(settings, clock=lambda: NOW)) as collector:
            file.unlink()
            answer = (
                create_app(collector)
                .test_client()
                .put("/v1/definitions", data=KEENER, headers=ADMIN)
            )
        assert (answer.status_code, str(tmp_path) in answer.text) == (200, False)

    def test_a_mistake_changes_nothing_and_has_its_place(
        self, http: FlaskClient, real: Collector
    ) -> None:
        put(http, KEENER)
        wrong = '[[pql]]\nname = "keen"\nwhen = { evnt = "x" }\n[[pql]]\nname = 7\n'
        answer = http.put("/v1/definitions", data=wrong, headers=ADMIN)
        error = answer.json["error"]
        assert (answer.status_code, error["code"]) == (400, "bad_definition")
        places = [(p["file"], p["line"]) for p in error["details"]["problems"]]
        assert {("body", 3), ("body", 5)} <= set(places)
        assert all(
            {"column", "found", "expected"} <= problem.keys()
            for problem in error["details"]["problems"]
        )
        real.ingest.accept(messages_of([plain_event("u1", "used", "m1", NOW)]))
        assert marks(real) == {("keen", "user", "u1"): [NOW]}

    @pytest.mark.parametrize(
        ("headers", "code"),
        [(READ, "wrong_key"), ({}, "missing_key"), ({"X-Write-Key": "admin"}, "missing_key")],
    )
    def test_needs_an_admin_key(
        self, http: FlaskClient, real: Collector, headers: dict[str, str], code: str
    ) -> None:
        answer = http.put("/v1/definitions", data=KEEN, headers=headers)
        assert (answer.status_code, answer.json["error"]["code"]) == (401, code)
        assert real.catalogue.definitions == ()

    @pytest.mark.parametrize("kind", ["application/toml", "application/json", "image/png"])
    def test_ignores_the_content_type(self, http: FlaskClient, kind: str) -> None:
        answer = http.put("/v1/definitions", data=KEEN, content_type=kind, headers=ADMIN)
        assert answer.status_code == 200

    def test_takes_gzip(self, http: FlaskClient) -> None:
        answer = http.put("/v1/definitions", data=gzip.compress(KEEN.encode()), headers=ADMIN)
        assert [d["name"] for d in answer.json["data"]] == ["keen"]

    @pytest.mark.parametrize("pack", [bytes, gzip.compress])
    def test_bytes_that_are_no_text_are_a_mistake_in_the_definitions(
        self, http: FlaskClient, pack: Callable[[bytes], bytes]
    ) -> None:
        answer = http.put("/v1/definitions", data=pack(b"# \xff"), headers=ADMIN)
        error = answer.json["error"]
        assert (answer.status_code, error["code"]) == (400, "bad_definition")
        assert error["message"] == (
            "body:1:1: toml: found a mistake: the body is not UTF-8: byte 2 is 0xff, "
            "expected valid TOML"
        )
        [problem] = error["details"]["problems"]
        assert (problem["file"], problem["expected"]) == ("body", "valid TOML")

    def test_what_is_no_gzip_is_none(self, http: FlaskClient) -> None:
        answer = http.put("/v1/definitions", data=b"\x1f\x8b\xff", headers=ADMIN)
        assert (answer.status_code, answer.json["error"]["code"]) == (400, "bad_gzip")

    def test_has_a_limit(self, http: FlaskClient, real: Collector) -> None:
        too_much = KEEN + "#" * real.settings.max_body
        answer = http.put("/v1/definitions", data=too_much, headers=ADMIN)
        assert (answer.status_code, real.catalogue.definitions) == (413, ())


def test_the_clock_marks_without_any_traffic(http: FlaskClient, real: Collector) -> None:
    """A definition of absence qualifies when its window has passed, not with the next event."""
    put(
        http,
        '[[pql]]\nname = "silent"\nclock = true\n'
        'when = { event = "used", eq = 0, within = "7d" }\n',
    )
    real.ingest.accept(messages_of([plain_event("u1", "used", "m1", NOW)]))
    assert http.get("/v1/pqls", headers=READ).json["data"] == []
    real.clock = real.ingest.clock = real.queries.clock = lambda: NOW + 8 * 86_400_000
    real.run_clock()
    [lead] = http.get("/v1/pqls", headers=READ).json["data"]
    assert lead["qualified_at"] == iso(NOW + 7 * 86_400_000)
