"""Logs in any layout: every record is found once, in bounded memory; other files are refused."""

from __future__ import annotations

import gzip
import io
import json
import tracemalloc
from collections.abc import Callable
from time import process_time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pequel_collector.errors import BadRequest
from pequel_collector.importing import json_values
from pequel_collector.importing.files import Log
from pequel_collector.importing.json_values import JsonValues
from pequel_collector.importing.line import BadLine, Line, object_on

RECORDS = [
    {"event": "a", "n": 1},
    {"event": "b", "in": {"x": [1, {"y": '"}],\\'}]}},
    {"event": "c"},
]


def log_of(data: bytes, max_line: int = 10_000) -> Log:
    return Log(io.BytesIO(data), max_line)


def objects(data: bytes) -> list[Any]:
    log = log_of(data)
    found = [json.loads(line.text) for line in log]
    assert log.broken is None
    return found


def _cpu(data: bytes) -> float:
    """The seconds of CPU that it takes to read a file."""
    began = process_time()
    list(log_of(data, 100_000))
    return process_time() - began


def one_a_line(records: list[Any]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


LAYOUTS: dict[str, Callable[[list[Any]], str]] = {
    "lines": one_a_line,
    "an array on one line": json.dumps,
    "an array, one a line": lambda r: "[\n" + ",\n".join(map(json.dumps, r)) + "\n]\n",
    "a pretty array": lambda r: json.dumps(r, indent=2),
    "pretty objects": lambda r: "\n".join(json.dumps(each, indent=4) for each in r),
    "objects on one line": lambda r: " ".join(map(json.dumps, r)),
}


class TestJson:
    @pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
    def test_is_read_in_every_layout(self, layout: Callable[[list[Any]], str]) -> None:
        text = layout(RECORDS).encode()
        assert objects(text) == RECORDS
        assert objects(gzip.compress(text)) == RECORDS
        assert objects(b"\xef\xbb\xbf" + text) == RECORDS

    def test_of_an_array_has_the_number_of_the_record(self) -> None:
        text = b'[\n\n{"a": 1},\n{\n"b": 2\n}, {"c": 3}\n]'
        assert [line.place for line in log_of(text)] == ["record 1", "record 2", "record 3"]

    def test_of_a_file_of_lines_has_the_number_of_the_line(self) -> None:
        assert [line.place for line in log_of(b'{"a": 1}\n\n{"b": 2}\n')] == ["line 1", "line 3"]

    @pytest.mark.parametrize("chunk", [3, 65_536])
    @pytest.mark.parametrize("indent", [None, 1])
    @pytest.mark.parametrize("link", [None, "https://x.example/?page=[2]"])
    @pytest.mark.parametrize("is_link_first", [True, False])
    def test_may_be_under_a_key_of_the_answer_of_an_api(
        self,
        monkeypatch: pytest.MonkeyPatch,
        chunk: int,
        indent: int | None,
        link: str | None,
        is_link_first: bool,
    ) -> None:
        monkeypatch.setattr(json_values, "CHUNK", chunk)
        pairs: list[tuple[str, Any]] = [("next", link), ("results", RECORDS)]
        answer = json.dumps(dict(pairs if is_link_first else reversed(pairs)), indent=indent)
        last = json.dumps({"next": None, "results": []}, indent=indent)
        log = log_of(answer.encode())
        assert [json.loads(line.text) for line in log] == RECORDS
        assert (log.has_more, log.broken) == (link is not None, None)
        log = log_of((answer + "\n" + last).encode())
        assert [json.loads(line.text) for line in log] == RECORDS
        assert not log.has_more

    def test_that_has_a_list_of_results_is_itself(self) -> None:
        record = {"event": "quiz_taken", "user_id": "u1", "results": [{"a": 1}]}
        assert objects(json.dumps(record).encode()) == [record]
        assert objects(json.dumps(record, indent=1).encode()) == [record]

    def test_that_begins_as_an_answer_of_an_api_is_looked_at_once(self) -> None:
        """Looking at each bracket took a hundred times as long as an ordinary record."""
        of_an_answer = b"{\n" + b'"count":1,' * 1_500 + b'"x":{},' * 2_500 + b'"y":1}\n'
        ordinary = b"{\n" + b'"kounts":1,' * 1_360 + b'"x":{},' * 2_500 + b'"y":1}\n'
        [line] = log_of(of_an_answer, 100_000)
        assert line.is_whole
        costs = [min(_cpu(text) for _ in range(3)) for text in (of_an_answer, ordinary)]
        assert costs[0] < 10 * costs[1]

    def test_that_ends_inside_of_the_answer_of_an_api_is_cut(self) -> None:
        log = log_of(b'{"next": null, "results": [{"a": 1}')
        assert len(list(log)) == 1
        assert log.broken == "it ends inside a JSON value"

    def test_that_is_no_json_is_told_by_its_start(self) -> None:
        lines = list(log_of(b'{"a": 1}\n' + b"x" * 50 + b"\nterminated early\n"))
        with pytest.raises(BadLine, match=f"not JSON: '{'x' * 40}'…"):
            object_on(lines[1])
        with pytest.raises(BadLine, match="the export is incomplete: fetch it again"):
            object_on(lines[2])

    def test_in_an_array_that_is_no_object_is_a_line_that_is_refused(self) -> None:
        codes = []
        for line in log_of(b'[1, {"a": 1}, "x", [2], oops]'):
            try:
                object_on(line)
            except BadLine as bad:
                codes.append(bad.code)
        assert codes == ["not_an_object", "not_an_object", "not_an_object", "bad_json"]

    @pytest.mark.parametrize("text", [b'[{"a": 1},', b'[{"a": 1}, {"b": ', b'{\n"a": {"b": 1}'])
    def test_that_ends_too_early_is_broken(self, text: bytes) -> None:
        log = log_of(text)
        assert len(list(log)) <= 1
        assert log.broken == "it ends inside a JSON value"

    @given(
        st.lists(st.dictionaries(st.text(max_size=4), st.text(max_size=8) | st.integers())),
        st.sampled_from(list(LAYOUTS.values())),
        st.integers(1, 9),
    )
    def test_is_the_same_however_the_bytes_come(
        self, records: list[Any], layout: Callable[[list[Any]], str], size: int
    ) -> None:
        stream = io.BytesIO(layout(records).encode())
        values = JsonValues(lambda _: stream.read(size), 10_000)
        assert [json.loads(line.text) for line in values] == records
        assert not values.is_cut

    @pytest.mark.parametrize("filler", ["x" * 5_000, "\\" * 5_001 + '"', '"{[' * 900])
    def test_of_an_object_that_is_too_long_only_the_start_is_kept(
        self, monkeypatch: pytest.MonkeyPatch, filler: str
    ) -> None:
        monkeypatch.setattr(json_values, "CHUNK", 64)
        text = json.dumps([{"a": 1}, {"long": filler, "n": [1] * 900}, {"b": 2}], indent=1)
        lines = list(log_of(text.encode(), 100))
        assert [line.is_whole for line in lines] == [True, False, True]
        assert len(lines[1].text) <= 101
        assert json.loads(lines[2].text) == {"b": 2}
        assert lines[2].number == 3

    def test_takes_memory_for_one_object_only(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(json_values, "CHUNK", 64)
        stream = io.BytesIO(json.dumps([{"text": "x" * 100_000}]).encode())
        values = JsonValues(stream.read, 100)
        longest = 0

        def read(size: int) -> bytes:
            nonlocal longest
            longest = max(longest, len(values._text))
            return stream.read(size)

        values._read = read
        assert [line.is_whole for line in values] == [False]
        assert longest < 500


class TestCsv:
    def test_is_read_by_its_header(self) -> None:
        text = b'user_id,event,properties.seats,properties.name\nu1,"a,b",5,05\nu2,x,,true\n'
        assert objects(text) == [
            {"user_id": "u1", "event": "a,b", "properties": {"seats": 5, "name": "05"}},
            {"user_id": "u2", "event": "x", "properties": {"name": True}},
        ]

    @pytest.mark.parametrize("delimiter", [",", ";", "\t"])
    def test_may_have_another_delimiter_and_a_mark(self, delimiter: str) -> None:
        text = delimiter.join(["event", "user_id"]) + "\r\n" + delimiter.join(["x", "u1"])
        assert objects(b"\xef\xbb\xbf" + text.encode()) == [{"event": "x", "user_id": "u1"}]
        assert objects(gzip.compress(text.encode())) == [{"event": "x", "user_id": "u1"}]

    def test_counts_lines_also_inside_cells(self) -> None:
        lines = list(log_of(b'event,user_id\n"a\nb",u1\n\nc,u2\n'))
        assert [line.number for line in lines] == [2, 5]

    def test_a_row_that_cannot_be_read_spoils_no_other(self) -> None:
        lines = list(log_of(b'event,user_id\na,b,c\n"a"b,u1\n\xff,u2\nok,u3\n'))
        assert [line.trouble is None for line in lines] == [False, False, False, True]
        assert "found 3 cells, expected 2" in str(lines[0].trouble)
        assert [line.number for line in lines] == [2, 3, 4, 5]

    def test_with_one_name_twice_is_refused(self) -> None:
        with pytest.raises(BadRequest, match="two columns 'event'"):
            list(log_of(b"event,event\na,b\n"))


class TestALongRowOfCsv:
    """A row, or a header, takes no more memory than a limit, whatever its quotes say."""

    LONG = b"x" * 100_000

    @pytest.mark.parametrize(
        "row",
        [LONG + b",u1", b'"' + LONG + b'",u1', b"," * 100_000, b'"a\n",' * 30_000],
        ids=["cell", "quoted cell", "cells", "lines"],
    )
    def test_is_refused_and_spoils_no_row_before_it(self, row: bytes) -> None:
        lines = list(log_of(b"event,user_id\nok,u1\n" + row + b"\nok,u2\n", max_line=1_000))
        assert object_on(lines[0]) == {"event": "ok", "user_id": "u1"}
        with pytest.raises(BadLine) as bad:
            object_on(lines[1])
        assert bad.value.code == "too_large"
        assert lines[1].number == 3

    def test_does_not_spoil_the_next_one(self) -> None:
        lines = list(log_of(b"event,user_id\n" + self.LONG + b",u1\r\nok,u2\n", max_line=1_000))
        assert [line.number for line in lines] == [2, 3]
        assert object_on(lines[1]) == {"event": "ok", "user_id": "u2"}

    def test_is_passed_over_in_pieces(self) -> None:
        row = io.BytesIO(b"event,user_id\n" + b"x" * 5_000_000 + b",u1\nok,u2\n")
        log = Log(row, 1_000)
        tracemalloc.start()
        assert len(list(log)) == 2
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 1_500_000

    @pytest.mark.parametrize("start", [b"event,", b'event,"'])
    def test_of_a_header_is_refused(self, start: bytes) -> None:
        with pytest.raises(BadRequest, match="the header is over 1000000 characters"):
            list(log_of(start + b"x" * 1_000_001 + b",user_id\n"))

    def test_after_a_header_without_an_end_is_read(self) -> None:
        assert objects(b"event,user_id\ra,u1\rb,u2") == [
            {"event": "a", "user_id": "u1"},
            {"event": "b", "user_id": "u2"},
        ]


class TestOtherFiles:
    @pytest.mark.parametrize(
        ("start", "said"),
        [
            (b"PK\x03\x04", "a zip archive, .* unzip -p FILE"),
            ("{}".encode("utf-16"), "UTF-16, .* iconv -f UTF-16 -t UTF-8 FILE"),
            ("{}".encode("utf-16-le"), "perhaps UTF-16: iconv"),
            ("{}".encode("utf-16-be"), "perhaps UTF-16: iconv"),
            (b"BZh91AY", "bzip2 -dc FILE"),
            (b"PAR1", "Parquet"),
        ],
    )
    def test_are_refused_with_how_to_convert_them(self, start: bytes, said: str) -> None:
        for data in (start, gzip.compress(start)):
            with pytest.raises(BadRequest, match=said):
                list(log_of(data))


def test_a_line_says_why_it_is_no_object() -> None:
    with pytest.raises(BadLine, match="no row") as bad:
        object_on(Line(1, b"", trouble="no row"))
    assert bad.value.code == "bad_json"


def test_a_first_line_with_a_number_of_too_many_digits_is_a_line_like_others() -> None:
    lines = [*log_of(b'{"n": ' + b"1" * 5_000 + b'}\n{"event": "a"}\n')]
    assert len(lines) == 2
    with pytest.raises(BadLine, match="not JSON"):
        object_on(lines[0])


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (",".join(f"c{n}" for n in range(10_001)), "has 10001 columns, expected at most 10000"),
        ("user_id," + ".".join(["a"] * 65), "has more than 64 levels"),
    ],
)
def test_a_header_of_csv_has_a_limit(header: str, found: str) -> None:
    with pytest.raises(BadRequest, match=found):
        list(log_of(f"{header}\n1,2\n".encode(), max_line=100_000))


def test_a_header_of_csv_at_its_limits_is_read() -> None:
    names = ["user_id", ".".join(["a"] * 64), *(f"c{n}" for n in range(9_998))]
    [line] = log_of((",".join(names) + "\nada,1\n").encode(), max_line=100_000)
    assert object_on(line)["user_id"] == "ada"
