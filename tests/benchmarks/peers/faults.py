"""The faults: what is run for each, and how what was seen of it is told in a few words."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from . import wire
from .cases import MANY, OVERFLOW, VALUES
from .observe import REQUESTS, Case, Seen, observe, preloaded
from .sink import Sink

ALL = range(MANY)
CHILD = range(100, 105)
PARENT = range(3)
BRIEF = 200
"""Characters of a value that are shown in a table."""
BUSY = {"status": 503, "body": '{"code": 503, "error": "away"}'}
SLOW_DOWN = {
    "status": 429,
    "headers": {"Retry-After": "3"},
    "body": '{"code": 429, "error": "slow down"}',
    "first": 1,
}
REDIRECT = {"status": 302, "headers": {"Location": "/login"}, "first": 1}
LOGIN_PAGE = {"body": "<html>Please log in</html>", "headers": {"Content-Type": "text/html"}}


class Fault(NamedTuple):
    """A row of the table: a title, how one SDK is put to it, and what to say of it."""

    title: str
    run: Callable[[str], Seen]
    tell: Callable[[Seen], str]


def of(case: Case) -> Callable[[str], Seen]:
    """How one SDK is put to a case."""
    return lambda name: observe(case, name)


def outage(sink: Sink) -> None:
    """Five good seconds, twenty bad ones, and good ones from then on."""
    time.sleep(5)
    sink.behave(**BUSY)
    time.sleep(20)
    sink.behave()


# -- what to say of it -------------------------------------------------------------------------


def at_exit(seen: Seen) -> str:
    """How many arrived, and how long the process took to end."""
    return joined(share(seen, ALL), lingering(seen), raising(seen))


def kept(seen: Seen) -> str:
    """How many arrived."""
    again = "after the next start" if "spool" in seen.name else ""
    return joined(share(seen, ALL), again)


def left(seen: Seen) -> str:
    """How long the process took to end, and what a spool kept for the next."""
    kept = f"{share(seen, ALL)} after the next start" if "spool" in seen.name else ""
    return joined(lingering(seen), raising(seen), kept)


def forked(seen: Seen) -> str:
    """How many of the child's events arrived, and how many of the parent's did so twice."""
    hangs = "the child hangs" if seen.facts.get("child_hangs", True) else ""
    return joined(share(seen, CHILD), copies(seen), hangs)


def served(seen: Seen) -> str:
    """How many arrived, and how long the server took to stop."""
    return joined(share(seen, range(REQUESTS)), copies(seen), lingering(seen))


def lost(seen: Seen) -> str:
    """How many were lost, and what that took."""
    missing = 1_500 - seen.arrived(range(1_500))
    slowest = seen.facts.get("slowest", 0.0)
    return joined(
        f"{missing:,} lost",
        copies(seen),
        requests(seen),
        f"slowest call {slowest:.1f} s" if slowest > 1 else "",
        raising(seen),
        "" if seen.lingered is not None else "does not end",
    )


def overflowing(seen: Seen) -> str:
    """How many calls were made, how many events survived, and what was said of the rest."""
    calls = seen.facts.get("calls", 0)
    blocked = f"blocks: {calls:,} calls in 10 s" if 0 < calls < OVERFLOW else ""
    if not seen.facts:
        return "blocks at a call"
    said = [f"returns {word}" for word in seen.facts["returned"] if word == "False"]
    if "an id" in seen.facts["returned"] and "None" in seen.facts["returned"]:
        said = ["returns None for the rest"]
    survived = f"{seen.arrived(range(OVERFLOW)):,} of {calls:,} kept"
    slowest = f"slowest call {seen.facts['slowest'] * 1000:,.0f} ms"
    return joined(blocked, survived, slowest, *said, counted(seen), raising(seen))


def mistaken(seen: Seen) -> str:
    """How many of the five arrived in the end."""
    ended = "" if seen.lingered is not None else "does not end"
    return joined(share(seen, range(5)), raising(seen), counted(seen), ended)


def split(seen: Seen) -> str:
    """How many of the two hundred arrived, and in how many requests."""
    return joined(share(seen, range(200)), requests(seen), raising(seen), counted(seen))


def waited(seen: Seen) -> str:
    """When it asked again."""
    tries = [at for at, _ in seen.counts["tries"]]
    if len(tries) < 2:
        return joined("does not try again", raising(seen))
    return joined(f"after {tries[1] - tries[0]:.1f} s", share(seen, range(5)), raising(seen))


def as_value(seen: Seen) -> str:
    """What became of one odd value."""
    if seen.facts.get("raised"):
        return raising(seen)
    if not seen.properties:
        return joined("event lost", counted(seen))
    found = seen.properties[0]
    if not wire.is_strict(found):
        return "invalid JSON"
    if "n" not in found:
        return "all properties lost"
    return shown(found["value"]) if "value" in found else "value lost"


def surviving(seen: Seen) -> str:
    """Whether it came through."""
    if not seen.facts:
        return "hangs"
    slow = seen.facts["slowest"]
    return joined("ok", f"slowest call {slow:.1f} s" if slow > 1 else "", raising(seen))


def after(seen: Seen) -> str:
    """What the caller was told, and whether anything arrived."""
    returned = ", ".join(f"returns {word}" for word in seen.facts.get("returned", {}))
    ended = "" if seen.lingered is not None else "does not end"
    return joined(f"{seen.arrived(CHILD)} of 5", returned, counted(seen), raising(seen), ended)


def share(seen: Seen, numbers: range) -> str:
    """How many of these arrived."""
    return f"{seen.arrived(numbers):,} of {len(numbers):,}"


def requests(seen: Seen) -> str:
    """How many requests there were."""
    number = seen.counts["requests"]
    return f"{number:,} request{'s' if number != 1 else ''}"


def copies(seen: Seen) -> str:
    """How many arrived more than once."""
    return f"{seen.twice:,} twice" if seen.twice else ""


def lingering(seen: Seen) -> str:
    """How long it took to end."""
    if not seen.facts and seen.lingered is None:
        return "blocks, killed"
    return "does not end" if seen.lingered is None else f"{seen.lingered:.1f} s"


def raising(seen: Seen) -> str:
    """What was raised into the caller, and how often."""
    raised = seen.facts.get("raised", {})
    return ", ".join(
        f"raises {kind}" + (f" × {times:,}" if times > 1 else "") for kind, times in raised.items()
    )


def counted(seen: Seen) -> str:
    """What the SDK itself counted as dropped."""
    found = seen.facts.get("counted", {})
    return ", ".join(f"`{reason}` counted {number:,}" for reason, number in found.items())


def shown(value: Any) -> str:
    """A value as it arrived."""
    if isinstance(value, str) and len(value) > BRIEF:
        return f"{len(value):,} characters"
    return f"`{json.dumps(value, ensure_ascii=False)}`"


def joined(*parts: str) -> str:
    """What there is to say, in one cell."""
    return ", ".join(part for part in parts if part)


# -- the rows ----------------------------------------------------------------------------------

ENDINGS = [
    Fault("ends", of(Case(("leave",), limit=60)), at_exit),
    Fault(
        "ends; each answer takes 200 ms", of(Case(("leave",), {"delay": 0.2}, limit=60)), at_exit
    ),
    Fault("ends; nothing listens", of(Case(("leave",), dead=True, limit=40, restart=True)), left),
    Fault(
        "ends; no answer ever comes",
        of(Case(("leave",), {"hang": True}, limit=40, restart=True)),
        left,
    ),
    Fault("`kill -9`", of(Case(("crash",), restart=True)), kept),
    Fault("SIGTERM, no handler", of(Case(("terminate",), restart=True)), kept),
]
FORKS = [
    Fault("child of `os.fork` ends", of(Case(("fork",), limit=40)), forked),
    Fault("the same, flushes first", of(Case(("fork_and_flush",), limit=40)), forked),
    Fault("`gunicorn --preload`, 2 workers", preloaded, served),
]
ANSWERS = [
    Fault("503 for 20 s, 50 events/s", of(Case(("steady",), limit=90, meanwhile=outage)), lost),
    Fault(
        "20,000 calls while no answer comes",
        of(Case(("overflow",), {"hang": True}, limit=60)),
        overflowing,
    ),
    Fault("one redirect", of(Case(("few",), REDIRECT)), mistaken),
    Fault("one 200 with a login page", of(Case(("few",), {**LOGIN_PAGE, "first": 1})), mistaken),
    Fault(
        "413 above 60 events",
        of(Case(("patient", "200", "45"), {"largest": 60}, limit=60)),
        split,
    ),
    Fault("one 429, `Retry-After: 3`", of(Case(("patient", "5", "15"), SLOW_DOWN)), waited),
]
ODD_VALUES = [Fault(f"{name}", of(Case(("odd_value", name))), as_value) for name in VALUES]
MOMENTS = [
    Fault("from a signal handler", of(Case(("in_a_signal",), limit=20)), surviving),
    Fault("from a finalizer", of(Case(("in_a_finalizer",), limit=20)), surviving),
    Fault("after shutdown", of(Case(("after_the_end",))), after),
]


class Table(NamedTuple):
    """Rows of one sort, under a heading, with a sentence on what the cells say."""

    heading: str
    note: str
    faults: list[Fault]


TABLES = [
    Table(
        "A script tracks 1,000 events",
        "How many arrived, and how long the process took to end after the last call.",
        ENDINGS,
    ),
    Table(
        "Forks",
        "How many arrived of the child's 5 events, or of the workers' 40; in the last row also how "
        "long the server took to stop on SIGTERM.",
        FORKS,
    ),
    Table("Answers", "What had become of the events when the process ended.", ANSWERS),
    Table("One odd value among the properties", "What arrived of it.", ODD_VALUES),
    Table(
        "Calls at odd moments",
        "The program tracks without pause for three seconds. Meanwhile a signal handler tracks, "
        "about every millisecond, or finalizers that the garbage collector runs do. In the last "
        "row it tracks 5 events more after it has shut down.",
        MOMENTS,
    ),
]
