"""Every case in `tests/vectors/rules`: definitions, facts, and who qualifies when and why.

The expected values were worked out by hand. They must be the collector's, whatever the order of
arrival, and the oracle's. A fact with `repeat` stands for so many, each so many ms after the last.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
import tomllib

from oracle import observed, qualifications
from oracle.identity import placed
from pequel_collector.app.bootstrap import Collector, open_collector
from pequel_collector.config import Settings
from pequel_collector.model import Stored, fact_order, iso, parse_iso
from pequel_collector.ports import LeadFilter
from pequel_collector.rules.engine.evaluator import Evaluator
from pequel_collector.rules.engine.state import EmptyWorld, Fact, FactList, State
from pequel_collector.rules.engine.view import FIRST
from pequel_collector.rules.parser.catalogue import read_catalogue
from pequel_collector.wire import decode
from pequel_collector.wire.normalise import normalise
from support.api import Api
from support.streams import message_of

VECTORS = Path(__file__).resolve().parents[2] / "vectors" / "rules"
Plain = dict[str, Any]
ORDERS = ("one by one", "backwards", "shuffled", "twice")


def cases() -> list[Any]:
    found = []
    for path in sorted(VECTORS.glob("*.json")):
        content = json.loads(path.read_text())
        for number, case in enumerate(content["cases"], 1):
            given = {**case, "definitions": content["definitions"]}
            found.append(pytest.param(given, id=f"{path.stem} {number}: {case['title']}"))
    return found


def facts_of(case: Plain) -> list[Plain]:
    """The facts as they stand in the file, with those that repeat written out."""
    return [fact for written in case["facts"] for fact in repeated(written)]


def repeated(written: Plain) -> Iterator[Plain]:
    again = written.get("repeat", {"count": 1, "every": 0})
    once = {name: part for name, part in written.items() if name != "repeat"}
    start = time_of(once["timestamp"])
    for number in range(again["count"]):
        name = once["messageId"] + (f"-{number:04}" if "repeat" in written else "")
        yield {**once, "messageId": name, "timestamp": iso(start + number * again["every"])}


def time_of(text: str) -> int:
    time = parse_iso(text)
    assert time is not None
    return time


def in_order_of(order: str, facts: list[Plain]) -> list[list[Plain]]:
    """The facts in the batches in which they are sent.

    Facts of one instant are in one batch, in their order: it says which of them is the latest.
    """
    instants: dict[str, list[Plain]] = {}
    for fact in facts:
        instants.setdefault(fact["timestamp"], []).append(fact)
    parts = list(instants.values())
    backwards = [fact for part in parts[::-1] for fact in part]
    match order:
        case "one by one" if len(facts) < 60:
            return parts
        case "backwards":
            return [backwards]
        case "shuffled":
            shuffled = Random(len(parts)).sample(parts, len(parts))
            return [
                [fact for part in half for fact in part] for half in (shuffled[::2], shuffled[1::2])
            ]
        case "twice":
            return [backwards, facts] if len(facts) < 60 else [facts, facts[:9]]
        case _:
            return [facts]


def collector_told(case: Plain, order: str) -> Collector:
    """A collector that was sent the facts, as its clock stood at `as_of`."""
    now = time_of(case["as_of"])
    catalogue = read_catalogue(case["definitions"])
    collector = open_collector(Settings(database="sqlite://"), catalogue, clock=lambda: now)
    for batch in in_order_of(order, facts_of(case)):
        body = json.dumps({"batch": batch}).encode()
        messages, rejected = normalise(decode.batch(body), collector.settings, now, lambda: "")
        assert not rejected
        collector.ingest.accept(messages)
    return collector


def leads_of(collector: Collector) -> list[Plain]:
    return list(Api(collector).pqls(LeadFilter(), 1_000)["data"])


def as_written(mark: Plain) -> tuple[str, str, int, str]:
    subject = mark["subject"]
    named = subject["id"] if isinstance(subject, dict) else subject
    return mark["definition"], named, mark["cycle"], mark["qualified_at"]


@pytest.mark.parametrize("case", [c for c in cases() if "endings" not in c.values[0]])
def test_the_collector_says_what_the_case_says(case: Plain) -> None:
    """Marks, evidence and progress, in every order of arrival."""
    orders = ORDERS[:1] if case.get("arrival_matters") else ORDERS
    for order in orders:
        collector = collector_told(case, order)
        leads = [lead for lead in leads_of(collector) if lead["state"] != "voided"]
        marks = case["expected"]["marks"]
        assert sorted(map(as_written, leads)) == sorted(map(as_written, marks)), order
        assert_states(leads, marks)
        assert_evidence(case, leads)
        assert_progress(case, collector)
        collector.close()


def assert_states(leads: list[Plain], marks: list[Plain]) -> None:
    states = {as_written(lead): lead["state"] for lead in leads}
    for mark in marks:
        if "state" in mark:
            assert states[as_written(mark)] == mark["state"]


def assert_evidence(case: Plain, leads: list[Plain]) -> None:
    """What the case says of each leaf of the first cycle; it need not say all."""
    for name, wanted in case["expected"].get("evidence", {}).items():
        (lead,) = [each for each in leads if (each["definition"], each["cycle"]) == (name, 1)]
        found = lead["evidence"]["leaves"]
        assert len(found) == len(wanted["leaves"])
        for leaf, parts in zip(found, wanted["leaves"], strict=True):
            shown = leaf | {"events": [event["message_id"] for event in reversed(leaf["events"])]}
            assert {part: shown[part] for part in parts} == parts, name


def assert_progress(case: Plain, collector: Collector) -> None:
    """How far the one subject is of those that the case names."""
    for name, share in case["expected"].get("progress", {}).items():
        definition = collector.catalogue.named(name)
        assert definition is not None
        subject = "acme" if definition.subject == "account" else "u1"
        told = Api(collector).status(definition.subject, subject)["progress"]
        assert {each["definition"]: each["progress"] for each in told}[name] == share, name


# --- the oracle -----------------------------------------------------------------------------


def oracles_message(fact: Plain) -> Plain:
    absent = dict.fromkeys(("userId", "anonymousId", "previousId", "groupId", "event"))
    empty: Plain = {"properties": {}, "traits": {}, "context": {}}
    named = {"event": fact["type"]} if fact["type"] in ("page", "screen") else {}
    return {**absent, **empty, **fact, **named, "time": time_of(fact["timestamp"])}


@pytest.mark.parametrize("case", cases())
def test_the_oracle_says_what_the_case_says(case: Plain) -> None:
    """Who qualified when, and what each leaf observed."""
    catalogue = tomllib.loads(case["definitions"])
    messages = placed([[oracles_message(fact) for fact in facts_of(case)]])
    subjects = {table["name"]: table.get("subject", "user") for table in catalogue["pql"]}
    endings: dict[tuple[str, str, str], list[int]] = {}
    for end in case.get("endings", ()):
        key = end["definition"], subjects[end["definition"]], end["subject"]
        endings.setdefault(key, []).append(time_of(end["at"]))
    found = qualifications(catalogue, messages, time_of(case["as_of"]), endings)
    marks = sorted(
        (name, subject, cycle, iso(time))
        for (name, _, subject), times_ in found.items()
        for cycle, time in enumerate(times_, 1)
    )
    assert marks == sorted(map(as_written, case["expected"]["marks"]))
    for name, wanted in case["expected"].get("evidence", {}).items():
        (key,) = [key for key in found if key[0] == name]
        readings = observed(catalogue, messages, key, found[key][0], time_of(case["as_of"]))
        for reading, parts in zip(readings, wanted["leaves"], strict=True):
            assert as_shown(reading.observed, reading.leaf) == parts["observed"], name


def as_shown(found: Any, leaf: Plain) -> Any:
    """What the oracle observes, in the form in which evidence shows it."""
    if "growth" in leaf:
        return dict(zip(("latest", "before"), found, strict=True))
    if "pql" in leaf:
        return found is not None
    return found if isinstance(found, str | bool) or found is None else float(found)


# --- leads that come to an end --------------------------------------------------------------


@pytest.mark.parametrize("case", [c for c in cases() if "endings" in c.values[0]])
def test_the_engine_waits_while_a_lead_cools_down(case: Plain) -> None:
    """The ends of leads are facts of the subject among the others."""
    evaluator = Evaluator("user", read_catalogue(case["definitions"]))
    found = [
        evaluator.fact(stored)
        for stored in map(stored_of, placed([map(oracles_message, facts_of(case))]))
    ]
    ends = [Fact(time_of(e["at"]), "", ended=e["definition"]) for e in case["endings"]]
    facts = sorted([*filter(None, found), *ends], key=fact_order)
    state = State()
    evaluator.fold(state, FactList(facts), facts, FIRST, EmptyWorld())
    marks = [
        (rule.name, "u1", cycle, iso(mark.time))
        for rule in evaluator.rules
        for cycle, mark in enumerate(state.marks.get(rule.index, ()), 1)
    ]
    assert marks == sorted(map(as_written, case["expected"]["marks"]))


def stored_of(fact: Plain) -> Stored:
    message = message_of(fact)
    return Stored(message, None, message.subject)
