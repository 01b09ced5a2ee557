"""The long run: streams by the hundred thousand, on the collector and on the oracle.

    PYTHONPATH=tests .venv/bin/python -m benchmarks.long_oracle --streams 100000

Each stream is made from its seed, with a catalogue in the whole language, and told in pieces, over
restarts, changes of definitions and waits, with pages of a few facts; a disagreement is made small
and printed with its seed. `--first SEED` goes on from a seed, `--seed SEED` shows one alone.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from multiprocessing import get_context
from random import Random
from typing import Any

from oracle.chance import catalogue_of, stream_of
from oracle.toml import to_toml
from pequel_collector.marking import backfill, history
from pequel_collector.rules.engine import keyed
from support.rehearsal import Course, Rehearsal, course_of, rehearse

Plain = dict[str, Any]
CHUNK = 50


@dataclass(frozen=True)
class Case:
    """A catalogue, a stream in its order of arrival, and how it is told."""

    catalogue: Plain
    messages: list[Plain]
    course: Course
    full: int
    room: int

    def run(self) -> Rehearsal:
        """Tell it, in pages and states as small as the case says. Raises what goes wrong."""
        history.FACTS_PER_PAGE, keyed.MAX_IN_STATE, backfill.SUBJECTS_PER_STEP = (
            self.full,
            self.room,
            2,
        )
        return rehearse(self.catalogue, self.messages, self.course)


def case_of(seed: int) -> Case:
    """The case of a seed: the same each time."""
    chance = Random(seed)
    catalogue, messages = catalogue_of(chance), stream_of(chance, chance.choice([10, 25, 25, 40]))
    if is_crowded(seed):
        crowd(messages)
    other = catalogue_of(chance) if chance.random() < 0.3 else None
    nothing = {"project": catalogue["project"], "pql": []}
    first = nothing if chance.random() < 0.1 else other
    full, room = chance.choice([2, 3, 3, 5, 32]), chance.choice([1, 1, 2, 16])
    return Case(catalogue, messages, course_of(messages, chance, first), full, room)


def is_crowded(seed: int) -> bool:
    """Whether nearly all of a stream comes at a few instants."""
    return seed % 4 == 3


def crowd(messages: list[Plain]) -> None:
    """Move each message of a stream to one of its three first instants."""
    instants = sorted({message["time"] for message in messages})[:3]
    for place, message in enumerate(messages):
        message["time"] = instants[place % len(instants)]


# --- a run ----------------------------------------------------------------------------------


def told(seeds: range) -> tuple[Counter[str], list[int]]:
    """What the streams of some seeds were like, and the seeds that disagreed."""
    seen: Counter[str] = Counter()
    wrong = []
    for seed in seeds:
        case = case_of(seed)
        seen.update(traits_of(case))
        try:
            seen.update(outcome_of(case.run()))
        except Exception as error:  # noqa: BLE001 - whatever it is, the run goes on
            wrong.append(seed)
            print(f"\nseed {seed}: {type(error).__name__}: {error}", flush=True)
    return seen, wrong


def traits_of(case: Case) -> Counter[str]:
    """What makes a stream hard, each counted once."""
    times = [message["time"] for message in case.messages]
    late = any(time < max(times[:place]) for place, time in enumerate(times) if place)
    alone = {m["userId"] for m in case.messages if m["userId"] and not m["anonymousId"]}
    merges = any(m["type"] == "alias" and m["previousId"] in alone for m in case.messages)
    linked = any(m["userId"] and m["anonymousId"] for m in case.messages)
    found = {
        "streams": True,
        "with late facts": late,
        "with merges of users": merges,
        "with visitors who log in": linked,
        "with restarts": bool(case.course.restarts),
        "with definition changes": case.course.first is not None,
        "compared on the way too": bool(case.course.halts),
        "with waits": bool(case.course.waits),
        "with a few instants": len(set(times)) <= 3,
        "with slow replays": case.course.slowly,
    }
    return Counter({name: 1 for name, so in found.items() if so})


def outcome_of(rehearsal: Rehearsal) -> Counter[str]:
    """What a stream came to."""
    marks = rehearsal.marks()
    with rehearsal.store.reading() as view:
        leads = view.leads_of(view.subjects())
    voided = any(lead.state == "voided" for each in leads.values() for lead in each)
    return Counter(
        {
            "marks": sum(map(len, marks.values())),
            "with marks": bool(marks),
            "requalified": any(len(times) > 1 for times in marks.values()),
            "voided": voided,
        }
    )


def chunks(first: int, streams: int) -> Iterator[range]:
    """The seeds, some at a time."""
    for start in range(first, first + streams, CHUNK):
        yield range(start, min(start + CHUNK, first + streams))


def run(first: int, streams: int, processes: int) -> int:
    """Every stream, in several processes; how many disagreed."""
    seen: Counter[str] = Counter()
    wrong: list[int] = []
    began = time.monotonic()
    with get_context("spawn").Pool(processes) as pool:
        for more, failed in pool.imap(told, chunks(first, streams)):
            seen += more
            wrong += failed
            show(seen["streams"], streams, len(wrong), first, time.monotonic() - began)
    print()
    for name, count in seen.items():
        print(f"{name:<26}{count:>10,}")
    print(f"{'disagreements':<26}{len(wrong):>10,}", *wrong[:20])
    return len(wrong)


def show(done: int, streams: int, wrong: int, first: int, seconds: float) -> None:
    """How far it is: on a terminal in place, else now and then a line."""
    ends = "\r" if sys.stdout.isatty() else "\n"
    if sys.stdout.isatty() or done % (20 * CHUNK) == 0:
        rate = done / seconds
        line = f"{done:,} of {streams:,} streams, {wrong} wrong, {rate:.0f}/s, next {first + done}"
        print(f"{line:<79}", end=ends, flush=True)


# --- one case -------------------------------------------------------------------------------


def disagrees(case: Case) -> str | None:
    """What is wrong with a case; None where nothing is."""
    try:
        case.run()
    except Exception as error:  # noqa: BLE001 - any of them is worth making small
        return f"{type(error).__name__}: {error}"
    return None


def smallest(case: Case) -> Case:
    """A case that still disagrees, with nothing in it that could be left out."""
    found = True
    while found:
        found = False
        for smaller in smaller_ones(case):
            if disagrees(smaller) is not None:
                case, found = smaller, True
                break
    return case


def smaller_ones(case: Case) -> Iterator[Case]:
    """The case with one thing less: a definition, a message, a halt, the first catalogue."""
    course = case.course
    if course.first is not None:
        yield replace(case, course=replace(course, first=None))
    for plain in ("restarts", "halts", "waits", "slowly"):
        if part := getattr(course, plain):
            yield replace(case, course=replace(course, **{plain: type(part)()}))
    if case.full < 32:
        yield replace(case, full=32, room=64)
    if len(course.batches) > 1:
        yield replace(case, course=replace(course, batches=[case.messages], turn=0))
    for place in range(len(case.catalogue["pql"])):
        rest = [*case.catalogue["pql"][:place], *case.catalogue["pql"][place + 1 :]]
        yield replace(case, catalogue={**case.catalogue, "pql": rest})
    yield from with_fewer_messages(case)
    yield from with_plainer_messages(case)


def with_fewer_messages(case: Case) -> Iterator[Case]:
    for number, batch in enumerate(case.course.batches):
        for place in range(len(batch)):
            rest = [*batch[:place], *batch[place + 1 :]]
            batches = list(case.course.batches)
            batches[number : number + 1] = [rest] if rest else []
            if batches:
                yield of_batches(case, batches)


def with_plainer_messages(case: Case) -> Iterator[Case]:
    """One part of one message left out."""
    plain: Plain = {"properties": {}, "traits": {}, "context": {}, "groupId": None}
    for number, batch in enumerate(case.course.batches):
        for place, message in enumerate(batch):
            for part, nothing in plain.items():
                if message[part] != nothing and (message["type"], part) != ("group", "groupId"):
                    changed = [*batch]
                    changed[place] = {**message, part: nothing}
                    batches = list(case.course.batches)
                    batches[number] = changed
                    yield of_batches(case, batches)


def of_batches(case: Case, batches: list[list[Plain]]) -> Case:
    messages = [message for batch in batches for message in batch]
    return replace(case, messages=messages, course=replace(case.course, batches=batches))


def show_case(seed: int) -> None:
    """One stream, made small if it disagrees."""
    case = case_of(seed)
    if disagrees(case) is None:
        print(f"seed {seed} agrees")
        return
    case = smallest(case)
    print(disagrees(case))
    print(to_toml(case.catalogue))
    if case.course.first is not None:
        print(f"# before batch {case.course.turn}\n{to_toml(case.course.first)}")
    for number, batch in enumerate(case.course.batches):
        print(f"batch {number}", *(["restart"] if number in case.course.restarts else []))
        for message in batch:
            print("  ", {name: part for name, part in message.items() if part not in (None, {})})
    print(f"waits {case.course.waits}, slowly {case.course.slowly}")
    print(f"halts {sorted(case.course.halts)}, pages of {case.full}, room for {case.room}")


def main() -> int:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=100_000)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seed", type=int, help="show this one alone")
    given = parser.parse_args()
    if given.seed is not None:
        show_case(given.seed)
        return 0
    print(f"seeds {given.first} to {given.first + given.streams - 1}")
    return min(run(given.first, given.streams, given.processes), 1)


if __name__ == "__main__":
    sys.exit(main())
