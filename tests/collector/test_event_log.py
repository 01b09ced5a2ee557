"""Event logs: which lines are events, what they mean, and that nothing is lost or counted twice."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pequel_collector.config import Settings
from pequel_collector.importing.files import Log
from pequel_collector.importing.line import BadLine, Line
from pequel_collector.importing.pequel import Pequel
from pequel_collector.ingest.accept import Ingest
from pequel_collector.ingest.event_log import BATCH, Import, events_of
from pequel_collector.ingest.receipts import Batch, Receipt
from pequel_collector.model import Message, RejectedEvent
from pequel_collector.ports import Store
from pequel_collector.rules.language.definition import Catalogue
from pequel_collector.store import open_store

NOW = 1_800_000_000_000
COMMON = {
    "event_id": "e1",
    "user_id": "u1",
    "account_id": "acme",
    "event": "project_created",
    "timestamp": "2026-03-01T10:00:00.000Z",
    "properties": {"project_id": "p9"},
}
SEGMENT = {
    "type": "identify",
    "messageId": "m1",
    "userId": "u1",
    "traits": {"plan": "free"},
    "timestamp": "2026-03-01T10:00:00.000Z",
}


def clock() -> int:
    return NOW


def ndjson(*lines: Any) -> bytes:
    """Objects as lines; bytes stand as they are."""
    texts = (line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines)
    return b"".join(text + b"\n" for text in texts)


def read(value: Any) -> dict[str, Any]:
    """The event that is made of one object."""
    event: dict[str, Any] = json.loads(events_of(Line(1, json.dumps(value).encode()), Pequel())[0])
    return event


@dataclass
class Recorder:
    """Takes everything, and remembers it batch by batch."""

    batches: list[tuple[list[Message], list[RejectedEvent]]] = field(default_factory=list)

    def accept(self, batch: Batch) -> Receipt:
        self.batches.append((list(batch.messages), list(batch.rejected)))
        return Receipt(len(batch.messages))

    @property
    def messages(self) -> list[Message]:
        return [message for messages, _ in self.batches for message in messages]

    @property
    def rejected(self) -> list[RejectedEvent]:
        return [each for _, rejected in self.batches for each in rejected]


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def job(recorder: Recorder) -> Import:
    return Import(recorder.accept, Settings(), clock)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = open_store(f"sqlite:///{tmp_path / 'pequel.db'}")
    yield store
    store.close()


def log_of(data: bytes, max_line: int = 10_000) -> Log:
    return Log(io.BytesIO(data), max_line)


class TestTheCommonForm:
    def test_is_a_track_call(self) -> None:
        assert read(COMMON) == {
            "type": "track",
            "messageId": "e1",
            "userId": "u1",
            "groupId": "acme",
            "event": "project_created",
            "timestamp": "2026-03-01T10:00:00.000Z",
            "properties": {"project_id": "p9"},
        }

    def test_needs_no_account_and_no_properties(self, job: Import, recorder: Recorder) -> None:
        short = {name: COMMON[name] for name in ("event_id", "user_id", "event", "timestamp")}
        job.run(log_of(ndjson(short)))
        (message,) = recorder.messages
        assert (message.account, message.properties) == (None, {})

    @pytest.mark.parametrize("nobody", [None, "", "  "])
    @pytest.mark.parametrize("account", [{"groupId": "acme"}, {"context": {"groupId": "acme"}}])
    @pytest.mark.parametrize("kind", ["track", "page", "screen", "group"])
    def test_one_of_segments_form_may_be_of_an_account_alone(
        self, kind: str, account: dict[str, Any], nobody: str | None
    ) -> None:
        line = {"type": kind, "messageId": "e1", "userId": nobody, **account}
        assert read(line).get("anonymousId") is None

    @pytest.mark.parametrize(
        "line",
        [
            {"type": "identify", "groupId": "acme"},
            {"type": "track", "groupId": "undefined"},
            {"type": "track", "groupId": "acme", "userId": "null"},
            {"type": "track", "groupId": "acme", "userId": '"u7"'},
        ],
    )
    def test_others_of_nobody_are_anonymous_too(self, line: dict[str, Any]) -> None:
        assert read({"messageId": "e1", **line})["anonymousId"] == "e1"

    @pytest.mark.parametrize("nobody", [None, "", "  "])
    def test_an_event_of_nobody_is_anonymous_under_its_own_id(self, nobody: str | None) -> None:
        of_none = COMMON | {"user_id": nobody, "account_id": None}
        assert read(of_none)["anonymousId"] == "e1"

    @pytest.mark.parametrize("nobody", [None, "", "  "])
    def test_an_event_of_an_account_and_nobody_is_of_the_account_alone(
        self, nobody: str | None
    ) -> None:
        assert "anonymousId" not in read(COMMON | {"user_id": nobody})

    def test_an_anonymous_id_is_kept(self) -> None:
        assert read(COMMON | {"user_id": None, "anonymous_id": "a1"})["anonymousId"] == "a1"


class TestSegmentMessages:
    def test_are_taken_as_they_are(self) -> None:
        assert read(SEGMENT) == SEGMENT

    def test_times_are_not_corrected(self, job: Import, recorder: Recorder) -> None:
        """The clock that was wrong when it was sent has nothing to do with the import."""
        job.run(log_of(ndjson(SEGMENT | {"sentAt": "2026-03-05T00:00:00.000Z"})))
        (message,) = recorder.messages
        assert message.time == 1_772_359_200_000
        assert message.received == NOW

    def test_mix_with_the_common_form_line_by_line(self, job: Import, recorder: Recorder) -> None:
        job.run(log_of(ndjson(COMMON, SEGMENT)))
        assert [message.type for message in recorder.messages] == ["track", "identify"]


class TestNamesOfTheWire:
    CALL: ClassVar = {
        "userId": "w1",
        "event": "used",
        "messageId": "m1",
        "context": {"groupId": "acme"},
    }

    def test_without_a_type_are_a_track_call(self) -> None:
        """As `/v1/track` takes it."""
        assert read(self.CALL) == self.CALL | {"type": "track"}

    @pytest.mark.parametrize("name", ["userId", "anonymousId", "messageId", "groupId"])
    def test_are_read_wherever_there_is_one(self, name: str) -> None:
        assert read({name: "x1", "event": "used"})[name] == "x1"

    def test_without_a_type_or_an_event_are_rejected(self, job: Import, recorder: Recorder) -> None:
        job.run(log_of(ndjson({"userId": "w1", "traits": {"plan": "free"}})))
        assert [(r.code, r.field) for r in recorder.rejected] == [("missing_field", "event")]


class TestMixedForms:
    @pytest.mark.parametrize("type_", [{}, {"type": None}, {"type": "track"}])
    def test_say_what_each_name_says(self, type_: dict[str, str | None]) -> None:
        line = {"user_id": "u1", "messageId": "m1", "account_id": "acme", "event": "used"}
        assert read(line | type_) == {
            "type": "track",
            "userId": "u1",
            "messageId": "m1",
            "groupId": "acme",
            "event": "used",
        }

    @pytest.mark.parametrize(
        ("name", "wire"), [("account_id", "groupId"), ("anonymous_id", "anonymousId")]
    )
    def test_of_a_line_that_is_complete_otherwise_count_too(self, name: str, wire: str) -> None:
        assert read(SEGMENT | {name: "x1"}) == SEGMENT | {wire: "x1"}

    def test_that_name_one_thing_twice_say_it_as_on_the_wire(self) -> None:
        assert read(SEGMENT | {"user_id": "another"})["userId"] == "u1"

    @pytest.mark.parametrize("blank", [None, "", " "])
    def test_a_blank_names_nothing(self, blank: str | None) -> None:
        assert read(SEGMENT | {"userId": blank, "user_id": "u2"})["userId"] == "u2"


class TestTheSummary:
    def test_counts_those_of_nobody(self, job: Import) -> None:
        nobody = COMMON | {"event_id": None, "user_id": "null"}
        anonymous = COMMON | {"user_id": None, "anonymous_id": "a1"}
        assert job.run(log_of(ndjson(COMMON, nobody, anonymous))).of_nobody == 1

    def test_counts_those_that_happen_as_they_are_imported(self, job: Import) -> None:
        future = COMMON | {"timestamp": "2999-01-01"}
        assert job.run(log_of(ndjson(COMMON, COMMON | {"timestamp": None}, future))).undated == 2


class TestEventsWithoutAnId:
    def test_are_known_by_their_content(self) -> None:
        nameless = COMMON | {"event_id": None}
        assert read(nameless) == read(dict(reversed(nameless.items())))
        assert read(nameless) != read(nameless | {"timestamp": "2026-03-01T10:00:00.001Z"})

    @pytest.mark.parametrize("nobody", ["null", "undefined", " None "])
    @pytest.mark.parametrize("line", [COMMON, SEGMENT])
    def test_are_those_whose_id_names_nobody_too(self, line: Any, nobody: str) -> None:
        """Their ids would be random otherwise, and importing again would count twice."""
        named = line | {"event_id" if "event_id" in line else "messageId": nobody}
        assert read(named)["messageId"].startswith("import-")
        assert read(named) == read(named)


class TestBadLines:
    @pytest.mark.parametrize(
        ("line", "code"),
        [
            (b"{", "bad_json"),
            (b"nonsense", "bad_json"),
            (b"\xff\xfe", "bad_json"),
            (b'{"type":"track","messageId":"m","userId":"u","event":"e","x":"\xff"}', "bad_json"),
            (b"[" * 100_000, "bad_json"),
            (b"9" * 5000, "bad_json"),
            (b"[]", "not_an_object"),
            (b"null", "not_an_object"),
        ],
        ids=lambda value: str(value)[:12],
    )
    def test_are_not_events(self, line: bytes, code: str) -> None:
        with pytest.raises(BadLine) as bad:
            events_of(Line(1, line), Pequel())
        assert bad.value.code == code

    def test_are_kept_without_a_write_key(self, job: Import, recorder: Recorder) -> None:
        job.run([Line(1, b'{"writeKey": "secret", oops')])
        assert "secret" not in recorder.rejected[0].payload

    def test_are_kept_with_their_number_and_the_import_goes_on(
        self, job: Import, recorder: Recorder
    ) -> None:
        summary = job.run(
            log_of(ndjson(COMMON, b"{broken", SEGMENT, {"event": "x", "user_id": []}))
        )
        assert [(r.index, r.code, r.field) for r in recorder.rejected] == [
            (2, "bad_json", None),
            (4, "bad_value", "userId"),
        ]
        assert recorder.rejected[0].message.startswith("line 2: ")
        assert recorder.rejected[0].payload == "{broken"
        assert (summary.read, summary.stored) == (4, 2)
        assert summary.rejected == {"bad_json": 1, "bad_value": 1}

    @pytest.mark.parametrize("value", ["NaN", "Infinity", '"\\ud800"', "1e999", "2" + "0" * 40])
    def test_oddities_of_real_libraries_are_no_reason(
        self, job: Import, recorder: Recorder, value: str
    ) -> None:
        line = json.dumps(COMMON | {"properties": {"odd": 0}}).replace(
            '"odd": 0', f'"odd": {value}'
        )
        job.run(log_of(ndjson(line.encode())))
        assert len(recorder.messages) == 1


class TestTheLog:
    def test_gzip_is_known_by_its_first_bytes(self) -> None:
        text = ndjson(COMMON, SEGMENT)
        assert list(log_of(gzip.compress(text))) == list(log_of(text))

    def test_gzip_may_come_in_several_pieces(self) -> None:
        pieces = gzip.compress(ndjson(COMMON)) + gzip.compress(ndjson(SEGMENT))
        assert len(list(log_of(pieces))) == 2

    def test_blank_lines_count_as_lines_only(self) -> None:
        assert [line.number for line in log_of(b"\n{}\n  \r\n{}\n")] == [2, 4]

    def test_the_last_line_needs_no_end(self) -> None:
        assert [line.text for line in log_of(b'{"a":1}\r\n{"b":2}')] == [b'{"a":1}', b'{"b":2}']

    def test_a_byte_order_mark_is_passed_over(self) -> None:
        assert [line.text for line in log_of(b"\xef\xbb\xbf{}\n")] == [b"{}"]

    def test_nothing_has_no_lines(self) -> None:
        assert list(log_of(b"")) == []

    def test_an_endless_line_is_rejected_alone(self) -> None:
        lines = list(log_of(b"{}\n" + b"x" * 95 + b"\n{}\n", max_line=10))
        assert [line.is_whole for line in lines] == [True, False, True]
        with pytest.raises(BadLine, match="over 10 bytes"):
            events_of(lines[1], Pequel())

    def test_a_line_of_exactly_the_limit_is_whole(self) -> None:
        assert [line.is_whole for line in log_of(b"x" * 10 + b"\n" + b"x" * 10, max_line=10)] == [
            True
        ] * 2

    def test_what_stands_before_a_break_is_read(self) -> None:
        data = gzip.compress(ndjson(*[COMMON] * 5000), compresslevel=0)
        log = log_of(data[: len(data) // 2])
        assert len(list(log)) > 2000
        assert log.broken

    def test_a_log_that_is_whole_is_not_broken(self) -> None:
        log = log_of(gzip.compress(ndjson(COMMON)))
        assert list(log)
        assert log.broken is None


class TestBatches:
    def test_are_handed_on_one_after_the_other(self, job: Import, recorder: Recorder) -> None:
        job.run(log_of(ndjson(*[COMMON] * (BATCH + 1))))
        assert [len(messages) for messages, _ in recorder.batches] == [BATCH, 1]

    def test_progress_is_told_after_each(self, job: Import) -> None:
        told: list[int] = []
        job.run(log_of(ndjson(*[COMMON] * (BATCH + 1))), lambda: told.append(job.summary.read))
        assert told == [BATCH, BATCH + 1]

    def test_do_not_depend_on_the_limit_of_a_request(self, recorder: Recorder) -> None:
        Import(recorder.accept, Settings(max_batch=5), clock).run(log_of(ndjson(*[COMMON] * 9)))
        assert len(recorder.messages) == 9


class TestIntoAStore:
    @pytest.fixture
    def ingest(self, store: Store) -> Ingest:
        return Ingest(store, Catalogue(), clock)

    def test_what_was_rejected_can_be_looked_up(self, store: Store, ingest: Ingest) -> None:
        Import(ingest.accept_batch, Settings(), clock).run(log_of(ndjson(COMMON, b"{")))
        with store.reading() as view:
            (rejected,) = view.rejected(10)
        assert (rejected.key, rejected.event.index) == ("import", 2)

    def test_importing_again_changes_nothing(self, store: Store, ingest: Ingest) -> None:
        nameless = COMMON | {"event_id": None}
        text = ndjson(COMMON, SEGMENT, nameless, COMMON | {"event_id": "e2", "user_id": None})
        first = Import(ingest.accept_batch, Settings(), clock).run(log_of(text))
        again = Import(ingest.accept_batch, Settings(), clock).run(log_of(text))
        assert (first.stored, first.duplicates) == (4, 0)
        assert (again.stored, again.duplicates) == (0, 4)
        with store.reading() as view:
            assert view.totals()["messages"] == 4


LINES = st.lists(
    st.one_of(
        st.binary(max_size=30).map(lambda text: b"{" + text.replace(b"\n", b" ")),
        st.fixed_dictionaries(
            {"event": st.text(max_size=5)},
            optional={
                "event_id": st.none() | st.integers() | st.text(max_size=3),
                "user_id": st.none() | st.integers() | st.text(max_size=3),
                "timestamp": st.none() | st.datetimes().map(str),
                "type": st.sampled_from(["track", "identify", "nonsense"]),
                "properties": st.none() | st.dictionaries(st.text(max_size=3), st.floats()),
            },
        ),
    ),
    max_size=20,
)


@given(LINES)
def test_every_line_is_a_message_or_a_refusal(lines: list[Any]) -> None:
    recorder = Recorder()
    log = log_of(ndjson(COMMON, *lines))  # the first line says what kind of file it is
    summary = Import(recorder.accept, Settings(), clock).run(log)
    assert summary.read == len(recorder.messages) + len(recorder.rejected)
    assert log.broken is None


@pytest.mark.parametrize(
    "name", ["sparkify-small", "gharchive-2015010100", pytest.param("learn365-dev")]
)
def test_recorded_logs_are_read_to_the_last_line(
    shared_data: Path, recorder: Recorder, job: Import, name: str
) -> None:
    with (shared_data / name / "events.ndjson.gz").open("rb") as file:
        summary = job.run(Log(file, 10_000))
    with gzip.open(shared_data / name / "events.ndjson.gz") as file:
        assert summary.read == sum(1 for _ in file)
    assert summary.rejected == {}
    assert len({message.mid for message in recorder.messages}) == summary.read
