"""What one request may cost, and what it is answered when it would cost more."""

from __future__ import annotations

import base64
import gzip
import io
import json
import logging
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from pequel_collector.app.bootstrap import Collector, open_collector
from pequel_collector.config import Settings
from pequel_collector.rules.language.definition import Catalogue
from pequel_collector.rules.parser.expansion import MAX_VALUES
from pequel_collector.web.api import definitions, lint, preview
from pequel_collector.web.api.queries import LONG_PAGE, page_slot
from pequel_collector.web.app import create_app
from pequel_collector.web.asked import bounds
from pequel_collector.web.asked.arguments import DEFAULT_LIMIT, MAX_LIMIT
from pequel_collector.web.asked.definitions_body import MAX_BYTES
from pequel_collector.web.logs import OneLine
from pequel_collector.web.slots import WaitingSlots
from pequel_collector.wire.rejected_events import MAX_KEPT

from .conftest import SETTINGS

WRITE = {"Authorization": "Bearer write"}
READ = {"Authorization": "Bearer read"}
ADMIN = {"Authorization": "Bearer admin"}
TRACK = {"type": "track", "event": "e", "userId": "u1"}
PATHS = ["/v1/batch", "/v1/batch/"]
"""The fast path, and the way through Flask."""


def many(count: int, event: str = "{}", **more: Any) -> bytes:
    """A batch of the same event many times."""
    rest = json.dumps(more)[1:-1]
    return f'{{"batch":[{",".join([event] * count)}]{", " if rest else ""}{rest}}}'.encode()


@pytest.fixture
def large() -> Any:
    """A client of a collector with the limits that are the default."""
    settings = Settings(database="sqlite://", write_key="write", read_key="read", admin_key="admin")
    with closing(open_collector(settings, Catalogue(), clock=lambda: 10**12)) as collector:
        yield create_app(collector).test_client()


class TestABodyWithItsKey:
    @pytest.mark.parametrize("path", PATHS)
    @pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
    def test_may_only_be_small(self, large: FlaskClient, path: str, pack: Any) -> None:
        event = json.dumps(TRACK | {"properties": {"a": "x" * 9_000}})
        small, big = (pack(many(n, event, writeKey="write")) for n in (40, 60))
        assert large.post(path, data=small).json["accepted"] == 40
        answer = large.post(path, data=big)
        assert (answer.status_code, answer.json["code"]) == (413, "too_large")
        assert "without a key in a header" in answer.json["message"]
        assert large.post(path, data=big, headers=WRITE).json["accepted"] == 60
        assert large.post(f"{path}?writeKey=write", data=big).json["duplicates"] == 0


class TestABatch:
    @pytest.mark.parametrize("event", ["1", "{}", "NaN", '"a"', '{"a":{},"b":[1,{}]}', "[[],[]]"])
    @pytest.mark.parametrize("path", PATHS)
    def test_is_counted_before_it_is_built(self, large: FlaskClient, event: str, path: str) -> None:
        assert large.post(path, data=many(25_000, event), headers=WRITE).status_code == 200
        answer = large.post(path, data=many(25_001, event), headers=WRITE)
        assert (answer.status_code, answer.json["code"]) == (413, "too_large")
        assert answer.json["message"] == "more than 25000 events in a batch"

    def test_of_large_events_is_not_mistaken_for_one_of_many(self, large: FlaskClient) -> None:
        event = json.dumps(TRACK | {"properties": {f"p{n}": {"a": n} for n in range(30)}})
        assert large.post("/v1/batch", data=many(2_000, event), headers=WRITE).status_code == 200


class TestRejectedEvents:
    def test_are_kept_and_listed_up_to_a_number_and_all_counted(self, large: FlaskClient) -> None:
        answer = large.post("/v1/batch", data=gzip.compress(many(25_000)), headers=WRITE)
        assert len(answer.json["rejected"]) == MAX_KEPT
        assert answer.json["rejected_total"] == 25_000
        kept, cursor = 0, ""
        while cursor is not None:
            query = f"/v1/rejected?limit=1000&{cursor}"
            page = large.get(query.rstrip("&"), headers=READ).json
            kept += len(page["data"])
            cursor = page["next_cursor"] and f"cursor={page['next_cursor']}"
        assert kept == MAX_KEPT
        assert large.get("/v1/usage", headers=READ).json["total"]["received"] == 25_000

    def test_are_kept_up_to_the_bytes_of_a_body(self, large: FlaskClient) -> None:
        event = json.dumps({"a": "x" * 200_000})
        body = gzip.compress(many(90, event))
        assert len(large.post("/v1/batch", data=body, headers=WRITE).json["rejected"]) == 90
        page = large.get("/v1/rejected?limit=1000", headers=READ).json
        assert sum(len(each["payload"]) for each in page["data"]) < 4_300_000

    def test_that_are_long_come_on_shorter_pages(self, large: FlaskClient) -> None:
        body = gzip.compress(many(20, json.dumps({"a": "x" * 200_000})))
        for _ in range(3):
            large.post("/v1/batch", data=body, headers=WRITE)
        found, sizes, query = [], [], "limit=1000"
        while query:
            page = large.get(f"/v1/rejected?{query}", headers=READ)
            found += [each["id"] for each in page.json["data"]]
            sizes.append(len(page.data))
            cursor = page.json["next_cursor"]
            query = cursor and f"limit=1000&cursor={cursor}"
        assert len(found) == len(set(found)) == 60
        assert len(sizes) == 3
        assert max(sizes) < 4_700_000

    def test_count_for_the_rate_when_nothing_of_them_is_stored(self) -> None:
        settings = replace(SETTINGS, rate_limit=2)
        with closing(open_collector(settings, Catalogue(), clock=lambda: 10**12)) as collector:
            client = create_app(collector).test_client()
            strict = WRITE | {"X-Strict-Mode": "1"}
            codes = [
                client.post("/v1/batch", data=many(2), headers=strict).status_code for _ in "12"
            ]
        assert codes == [400, 429]


class TestClientReports:
    def test_without_events_count_for_the_quota(self, collector: Collector) -> None:
        client = create_app(collector).test_client()
        _, token = collector.keys.create("write", quota=3)
        codes = []
        for number in range(4):
            report = {"client": f"c{number}", "number": 1, "dropped": {"queue_full": 1}}
            body = {"batch": [], "report": report}
            answer = client.post("/v1/batch", json=body, headers={"X-Write-Key": token})
            codes.append(answer.status_code)
        assert codes == [200, 200, 200, 429]
        collector.limits._months.clear()  # as after a restart
        answer = client.post("/v1/batch", json={"batch": []}, headers={"X-Write-Key": token})
        assert answer.status_code == 429


class TestATruncatedBody:
    @pytest.mark.parametrize(
        ("method", "path"),
        [("POST", path) for path in (*PATHS, "/v1/track", "/v1/track/")]
        + [("PUT", "/v1/definitions"), ("POST", "/v1/definitions/lint")],
    )
    @pytest.mark.parametrize("terminated", [True, False])
    def test_is_never_taken_as_whole(
        self, client: FlaskClient, method: str, path: str, terminated: bool
    ) -> None:
        answer = client.open(
            path,
            method=method,
            headers=ADMIN,
            input_stream=io.BytesIO(json.dumps({"batch": []}).encode()),
            environ_overrides={
                "CONTENT_LENGTH": "500",
                **({"wsgi.input_terminated": True} if terminated else {}),
            },
        )
        assert answer.status_code == 400
        assert not terminated or "truncated_body" in answer.text


class TestParameters:
    @pytest.mark.parametrize("path", ["/v1/pqls", "/v1/rejected", "/v1/users/u1/timeline"])
    @pytest.mark.parametrize("brackets", [3_000, 7_000, 30_000])
    def test_a_cursor_that_nests_is_refused(
        self, client: FlaskClient, path: str, brackets: int
    ) -> None:
        client.post("/v1/track", json=TRACK, headers=WRITE)
        cursor = base64.urlsafe_b64encode(b"[" * brackets).decode()
        answer = client.get(f"{path}?cursor={cursor}", headers=READ)
        assert (answer.status_code, answer.json["error"]["details"]["field"]) == (400, "cursor")

    @pytest.mark.parametrize("name", ["definition", "owner", "country", "plan", "account", "state"])
    def test_a_long_one_is_refused_by_its_name(self, client: FlaskClient, name: str) -> None:
        answer = client.get(f"/v1/pqls?{name}={'x' * 40_000}", headers=READ)
        assert (answer.status_code, answer.json["error"]["details"]["field"]) == (400, name)
        assert len(answer.data) < 2_000

    def test_a_long_unknown_name_is_shown_in_part(self, client: FlaskClient) -> None:
        answer = client.get(f"/v1/pqls?{'x' * 40_000}=1", headers=READ)
        assert (answer.status_code, len(answer.data) < 2_000) == (400, True)


class TestDefinitions:
    TEXT = '[[pql]]\nname = "a"\nwhen = { event = "e" }\n'

    @pytest.mark.parametrize("harm", ["gone", "a folder", "no text"])
    def test_are_put_when_the_file_of_the_start_cannot_be_read(
        self, tmp_path: Path, harm: str
    ) -> None:
        file = tmp_path / "mine.toml"
        file.write_text(self.TEXT)
        settings = replace(
            SETTINGS, database=f"sqlite:///{tmp_path / 'pequel.db'}", config=str(file)
        )
        with closing(open_collector(settings)) as collector:
            file.unlink()
            if harm == "a folder":
                file.mkdir()
            elif harm == "no text":
                file.write_bytes(b"\xff")
            client = create_app(collector).test_client()
            new = self.TEXT.replace('"a"', '"b"')
            answer = client.put("/v1/definitions", data=new, headers=ADMIN)
            assert [each["name"] for each in answer.json["data"]] == ["b"]
            assert str(tmp_path) not in answer.text
        if harm == "a folder":
            file.rmdir()
        file.write_text(self.TEXT)
        with closing(open_collector(settings)) as collector:
            assert [each.name for each in collector.catalogue.definitions] == ["b"]

    @pytest.mark.parametrize("path", ["/v1/definitions", "/v1/definitions/lint"])
    @pytest.mark.parametrize(
        "text",
        [
            ".".join("a" * 40_000) + " = 1",
            "a = " + "{a=" * 40_000,
            "a = [" + "{}," * 100_000 + "]",
            "#" * 500_001,
            "a = 1" + "0" * 400,
            f'[[pql]]\nname="a"\nwhen={{event="e", gte=0.{"1" * 400}}}',
            '[[pql]]\nname="a"\nwhen={event="e", gte=1e400}',
        ],
        ids=["parts", "nesting", "values", "length", "digits", "fraction", "exponent"],
    )
    def test_over_a_limit_are_refused_with_their_place(
        self, large: FlaskClient, path: str, text: str
    ) -> None:
        send = large.put if path.endswith("definitions") else large.post
        answer = send(path, data=text, headers=ADMIN)
        assert (answer.status_code, answer.json["error"]["code"]) == (400, "bad_definition")

    @pytest.mark.parametrize(
        ("shared", "use"),
        [
            ("[features]\nall = [{values}]", 'when = { event = { feature = "all" } }'),
            (
                '[[metric]]\nname = "m"\nevent = "e"\nwhere = { x = [{values}] }',
                'when = { metric = "m" }',
            ),
            (
                "[project]\ninternal = { email_domain = [{values}] }",
                'when = { event = "e" }\nunless = ["internal"]',
            ),
        ],
        ids=["feature", "metric", "guard"],
    )
    def test_that_share_too_much_are_refused(
        self, large: FlaskClient, shared: str, use: str
    ) -> None:
        values = ", ".join(f'"v{number}.example"' for number in range(2_000))
        many = "".join(f'\n[[pql]]\nname = "p{number}"\n{use}' for number in range(300))
        text = shared.replace("{values}", values) + many
        answer = large.post("/v1/definitions/lint", data=text, headers=READ)
        assert (answer.status_code, answer.json["error"]["code"]) == (400, "bad_definition")
        assert f"at most {MAX_VALUES:,} values" in answer.text

    def test_with_many_conditions_are_not_linted_with_data(self, large: FlaskClient) -> None:
        leaves = ",".join(f'{{event="e{n}"}}' for n in range(bounds.MAX_LEAVES + 1))
        text = f'[[pql]]\nname="a"\nwhen={{any=[{leaves}]}}'
        assert large.post("/v1/definitions/lint", data=text, headers=READ).status_code == 200
        answer = large.post("/v1/definitions/lint?data=true", data=text, headers=READ)
        assert (answer.status_code, answer.json["error"]["code"]) == (413, "too_large")

    def test_with_many_names_of_events_are_not_evaluated_with_data(
        self, large: FlaskClient
    ) -> None:
        names = ",".join(f'"e{n}"' for n in range(1_000))
        use = '\n[[pql]]\nname="p%d"\nwhen={event={feature="all"}}'
        text = f"[features]\nall=[{names}]" + "".join(use % n for n in range(6))
        assert large.post("/v1/definitions/lint", data=text, headers=READ).status_code == 200
        for path in ("lint?data=true", "preview"):
            answer = large.post(f"/v1/definitions/{path}", data=text, headers=READ)
            assert (answer.status_code, answer.json["error"]["code"]) == (413, "too_large")
            assert "6000 names of events" in answer.text

    @pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
    def test_over_the_bytes_of_the_longest_text_are_not_read(
        self, large: FlaskClient, pack: Any
    ) -> None:
        body = pack(b"#" * (MAX_BYTES + 1))
        for method, end in (("PUT", ""), ("POST", "/lint"), ("POST", "/preview")):
            answer = large.open(f"/v1/definitions{end}", method=method, data=body, headers=ADMIN)
            assert (answer.status_code, answer.json["error"]["code"]) == (413, "too_large")


@pytest.fixture
def one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slots for definitions for which nobody waits."""
    for sort in ("READING", "EVALUATING"):
        slots = WaitingSlots("too many definitions at once", 1, 0, 0.01)
        for module in (definitions, lint, preview):
            if hasattr(module, sort):
                monkeypatch.setattr(module, sort, slots)


@pytest.mark.usefixtures("one_at_a_time")
class TestWorkOnDefinitions:
    @pytest.mark.parametrize(
        ("method", "path"),
        [("PUT", ""), ("GET", ""), ("POST", "/lint"), ("POST", "/preview")],
    )
    def test_is_done_for_one_request_at_a_time(
        self, large: FlaskClient, method: str, path: str
    ) -> None:
        with definitions.READING.held():
            answer = large.open(f"/v1/definitions{path}", method=method, headers=ADMIN)
            assert (answer.status_code, answer.json["error"]["code"]) == (503, "unavailable")
            assert int(answer.headers["Retry-After"]) > 0
            assert large.get("/v1/pqls", headers=READ).status_code == 200
        assert large.open(f"/v1/definitions{path}", method=method, headers=ADMIN).status_code == 200

    @pytest.mark.parametrize("path", ["lint?data=true", "preview"])
    def test_with_stored_data_keeps_nobody_from_reading(
        self, large: FlaskClient, path: str
    ) -> None:
        with preview.EVALUATING.held():
            answer = large.post(f"/v1/definitions/{path}", headers=READ)
            assert (answer.status_code, answer.json["error"]["code"]) == (503, "unavailable")
            assert large.post("/v1/definitions/lint", headers=READ).status_code == 200
        assert large.post(f"/v1/definitions/{path}", headers=READ).status_code == 200

    def test_that_fails_frees_its_slot(self, large: FlaskClient) -> None:
        for _ in range(2):
            answer = large.post("/v1/definitions/preview", data="x", headers=READ)
            assert answer.status_code == 400


def test_a_log_record_is_one_line_whatever_its_message_holds() -> None:
    record = logging.LogRecord(
        "n", logging.ERROR, "f", 1, "GET %s failed", ("/a\nERROR b\x1b",), None
    )
    assert OneLine("%(levelname)s %(message)s").format(record) == (
        "ERROR GET /a\\nERROR b\\x1b failed"
    )


def test_a_traceback_cannot_look_like_a_record() -> None:
    try:
        raise ValueError("u1\nERROR forged")
    except ValueError as error:
        found = (type(error), error, error.__traceback__)
    record = logging.LogRecord("n", logging.ERROR, "f", 1, "failed", (), found)
    lines = OneLine("%(levelname)s %(message)s").format(record).splitlines()
    assert [line for line in lines if not line.startswith("  ")] == ["ERROR failed"]


def test_pages_of_the_usual_length_take_a_slot_as_the_longest_do() -> None:
    """64 readers of 100 long events each would take gigabytes together."""
    assert page_slot(DEFAULT_LIMIT) is page_slot(MAX_LIMIT)
    assert page_slot(LONG_PAGE) is not page_slot(MAX_LIMIT)
