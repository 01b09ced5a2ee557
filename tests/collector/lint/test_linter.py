"""The linter as a whole: where findings stand, what is accepted, and that it never fails."""

from __future__ import annotations

import re
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from oracle.streams import WHOLE, catalogues, streams
from oracle.toml import to_toml
from pequel_collector.insights import sample
from pequel_collector.insights.sample import Arrivals
from pequel_collector.insights.sampling import take
from pequel_collector.lint import numbers, types_and_values, unknown_events, unused_names
from pequel_collector.lint.activity_only import met_by_one
from pequel_collector.lint.case import Case
from pequel_collector.lint.coverage import Linted, coverage
from pequel_collector.lint.linter import lint
from pequel_collector.rules.language.definition import Catalogue
from pequel_collector.rules.parser.catalogue import read_catalogue
from pequel_collector.web.answers import schemas
from support.rehearsal import Rehearsal
from support.samples import doing, linted
from support.streams import NOW, plain_event

BAD = """\
[project]
conversion = "paid"

[[pql]]
name = "first"
owner = "sales"
unless = ["customer"]
when.all = [
  { event = "logged_in", gte = 3 },
  { event = "session_started" },
]
accept = { L06 = "they get used to it", L03 = "we have none" }

  [[pql]]
  name = "second"
  when = { event = "exported" }
"""


class TestFindings:
    def test_stand_where_what_they_are_about_stands(self) -> None:
        found = {(f.code, f.definition): (f.line, f.column) for f in linted(BAD).findings}
        assert found["L01", "first"] == (9, 3)
        assert found["L17", "second"] == (14, 3)

    def test_are_in_the_order_of_the_file(self) -> None:
        places = [(f.line, f.column) for f in linted(BAD).findings]
        assert places == sorted(places)

    def test_are_lines_that_editors_understand(self) -> None:
        lines = [str(f) for f in linted(BAD).findings]
        assert lines[0].startswith(
            "pequel.toml:4:1: accepted L03 [first] this file declares no key actions"
        )
        assert any(line.startswith("pequel.toml:9:3: error L01 [first] ") for line in lines)

    def test_are_plain_data(self) -> None:
        found = schemas.LINTED.dump(Linted(linted(BAD)))
        assert (found["errors"], found["accepted"], found["sample"]) == (1, 2, None)
        assert found["findings"][0]["accepted"] == "we have none"
        assert found["warnings"] == sum(
            f["level"] == "warning" and f["accepted"] is None for f in found["findings"]
        )

    def test_a_file_without_definitions_has_no_findings(self) -> None:
        assert lint(Catalogue()).summary() == "0 definitions: 0 errors, 0 warnings, 0 notes"


class TestAccepting:
    def test_fails_nothing_and_shows_the_reason(self) -> None:
        report = linted(BAD)
        assert "(why: they get used to it)" in "\n".join(map(str, report.findings))
        assert report.summary().endswith("1 note, 2 accepted")

    def test_is_for_one_rule_of_one_definition(self) -> None:
        accepted = {(f.code, f.definition) for f in linted(BAD).findings if f.accepted}
        assert accepted == {("L06", "first"), ("L03", "first")}

    def test_an_accepted_error_is_none(self) -> None:
        toml = '[[pql]]\nname = "a"\nwhen = { event = "login" }\naccept = { L01 = "we sell it" }'
        assert linted(toml).count("error") == 0


CLASSIC = Path(__file__).with_name("classic.toml").read_text()
DOCS = Path(__file__).resolve().parents[3] / "docs" / "reference"
DEFINITIONS = (DOCS / "definitions.md").read_text()
BLOCK = re.MULTILINE | re.DOTALL
GOOD = re.sub(r"^## Bad definitions$.*?(?=^## )", "", DEFINITIONS, flags=BLOCK)


class TestShippedDefinitions:
    """What this product shows as an example is one."""

    def test_the_classic_ones_have_no_error_but_those_that_ask_for_time_alone(self) -> None:
        errors = [(f.code, f.definition) for f in linted(CLASSIC).findings if f.level == "error"]
        assert errors == [("L01", "habit"), ("L01", "time_spent")]

    @pytest.mark.parametrize("toml", re.findall(r"^```toml\n(\[.*?)^```", GOOD, BLOCK))
    def test_those_of_the_documentation_have_no_error(self, toml: str) -> None:
        assert [f for f in linted(toml).findings if f.level == "error" and not f.accepted] == []

    def test_those_that_it_calls_bad_have(self) -> None:
        bad = DEFINITIONS.partition("\n## Bad definitions\n")[2]
        first = re.findall(r"^```toml\n(.*?)^```", bad, BLOCK)[0]
        found = {f.definition for f in linted(first).findings if f.level == "error"}
        assert found == {"signed_up", "logs_in_a_lot"}


class TestItNeverFails:
    """Whatever the grammar accepts can be looked at, with data and without."""

    @given(catalogues(WHOLE))
    def test_on_any_definitions(self, catalogue: dict[str, Any]) -> None:
        report = lint(read_catalogue(to_toml(catalogue)))
        assert report.count("error") + report.count("warning") + report.count("note") == len(
            report.findings
        )

    @settings(max_examples=60)
    @given(catalogues(WHOLE), streams(max_size=30))
    def test_on_any_data(self, catalogue: dict[str, Any], told: list[dict[str, Any]]) -> None:
        rehearsal = Rehearsal()
        rehearsal.tell(told)
        read = read_catalogue(to_toml(catalogue))
        with rehearsal.store.reading() as view:
            found = take(view, read, NOW)
        with ExitStack() as few:
            for module in (sample, numbers, types_and_values, unknown_events, unused_names):
                few.enter_context(patch.object(module, "ENOUGH", 1))
            few.enter_context(patch.object(numbers, "OUTCOMES", 1))
            report = lint(read, "pequel.toml", found, 1)
        assert report.sample
        covered = {row.definition for row in coverage(read, found)}
        assert covered <= {definition.name for definition in read.definitions}


def _one(when: dict[str, Any]) -> dict[str, Any]:
    """A catalogue of one definition for users."""
    return {"project": {"signup": "signed_up"}, "pql": [{"name": "one", "when": when}]}


@settings(max_examples=60)
@given(catalogues(WHOLE), st.sampled_from(["signed_up", "trial_started"]))
@example(_one({"event": "*", "where": {"kind": {"ne": 1, "or_missing": True}}}), "signed_up")
@example(
    _one(
        {
            "score": {"gte": 2},
            "points": [{"event": "*", "add": 2, "where": {"kind": {"exists": False}}}],
        }
    ),
    "signed_up",
)
def test_a_finding_of_marks_at_sign_up_agrees_with_the_evaluator(
    catalogue: dict[str, Any], name: str
) -> None:
    """L02 without data, held against the engine: a subject of which one event is all there is."""
    read = read_catalogue(to_toml(catalogue))
    rehearsal = Rehearsal()
    rehearsal.follow(read)
    rehearsal.tell([plain_event("u1", name, "m1", NOW - 1, groupId="acme")])
    marked = {definition for definition, _, _ in rehearsal.marks()}
    plain = [one for one in read.definitions if not one.unless and not one.clock]
    said = {one.name for one in plain if met_by_one(one.when, name, Case(read, one))}
    assert said == marked & {one.name for one in plain}


def test_any_number_of_definitions_share_one_pass_over_the_subjects() -> None:
    when = 'when.all = [{ event = "a", gte = 2 }, { trait = "plan", eq = "free" }]'
    toml = "\n".join(f'[[pql]]\nname = "d{n}"\n{when}' for n in range(30))
    seen = sample.Sample(users=doing(20, 30, "a"), events={"a": Arrivals(60)})
    with (
        patch.object(sample, "values_of", wraps=sample.values_of) as tallies,
        patch.object(sample, "_had_converted", wraps=sample._had_converted) as asked,
    ):
        linted(toml, seen)
    assert (tallies.call_count, asked.call_count) == (1, 20)
