"""Backtests beside a hand-written pass over the same rows: CPU of both, and their ratio.

    python tests/benchmarks/bench_backtest.py [USERS] [DATABASE FILE]

Both run alternately over one SQLite file, which is made if it is not there. Each user has about
25 events of eight names. The hand-written pass is what somebody would write for one definition
who knows its events and its window, and nothing else: see ``by_hand``.
"""

from __future__ import annotations

import random
import sqlite3
import sys
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from statistics import median
from tempfile import TemporaryDirectory
from time import process_time

import msgspec

from pequel_collector.app.bootstrap import open_collector
from pequel_collector.config import Settings
from pequel_collector.insights.backtest import Backtest, Question, backtest
from pequel_collector.model import Message, Stored
from pequel_collector.rules.language.quantities import DAY
from pequel_collector.rules.parser.catalogue import read_catalogue
from pequel_collector.store import open_store

START = 1_770_000_000_000
SIGNUP, CONVERSION = "signed_up", "subscribed"
USED = ("viewed", "created", "shared", "exported", "invited", "searched")
NAMES = (SIGNUP, CONVERSION, *USED)
WEEK = 7 * DAY
ROUNDS = 3
PROJECT = f'[project]\nsignup = "{SIGNUP}"\nconversion = "{CONVERSION}"\n'

Row = tuple[str, int, int, str, str, str | None]


@dataclass(frozen=True)
class Case:
    """A definition, and the events, the number, the window and the property that it names."""

    name: str
    when: str
    events: tuple[str, ...]
    least: int
    within: int | None = None
    of_signup: bool = False
    distinct: str | None = None

    @property
    def text(self) -> str:
        """The definitions file."""
        return f'{PROJECT}[[pql]]\nname = "case"\nwhen = {{ {self.when} }}\n'


MOST = ", ".join(f'"{name}"' for name in USED)
CASES = (
    Case(
        "1 event, 3 in 7d",
        'event = "created", gte = 3, within = "7d"',
        ("created",),
        3,
        WEEK,
    ),
    Case("6 events, 5 in 7d", f'event = [{MOST}], gte = 5, within = "7d"', USED, 5, WEEK),
    Case(
        "6 events, 10 in 7d of sign-up",
        f'event = [{MOST}], gte = 10, within = "7d", of = "signup"',
        USED,
        10,
        WEEK,
        of_signup=True,
    ),
    Case(
        "1 event, 3 distinct in 7d",
        'event = "created", distinct = "project_id", gte = 3, within = "7d"',
        ("created",),
        3,
        WEEK,
        distinct="project_id",
    ),
)


def fill(path: str, users: int) -> None:
    """Write the events of so many users, in the order in which they arrive."""
    settings = Settings(database=f"sqlite:///{path}")
    chance = random.Random(1)
    with closing(open_collector(settings, read_catalogue(PROJECT), lambda: START)) as collector:
        for first in range(0, users, 2_000):
            messages = sorted(
                (m for n in range(first, min(users, first + 2_000)) for m in _life(n, chance)),
                key=lambda message: message.time,
            )
            with collector.store.writing() as tx:
                tx.append([Stored(message, None) for message in messages])


def _life(number: int, chance: random.Random) -> Iterator[Message]:
    signup = START + chance.randrange(300 * DAY)
    ages = [(0, SIGNUP)]
    ages += [
        (int(chance.expovariate(1 / (10 * DAY))), chance.choice(USED))
        for _ in range(int(chance.expovariate(1 / 23)))
    ]
    if chance.random() < 0.1:
        ages.append((chance.randrange(60 * DAY), CONVERSION))
    for place, (age, name) in enumerate(ages):
        yield Message(
            mid=f"{number:08}-{place:04}-7f3a-8c2e-5d1b9a6e4c30",
            type="track",
            subject=f"u:user_{number:07}",
            time=signup + age,
            received=signup + age,
            name=name,
            properties={"project_id": f"p{chance.randrange(6)}", "plan": "free", "seats": 3},
        )


# -- by hand -------------------------------------------------------------------------------


def by_hand(path: str, case: Case) -> tuple[int, list[int], list[int]]:
    """How many qualify, and the four counts of the strict and of the landmark form.

    It reads the same rows in the same order, decodes the property where the definition reads one,
    and sees the facts of one instant together. It knows that nobody has two ids, that no text is
    escaped, and that there are no guards; Pequel cannot know the first two before it looked.
    """
    wanted = {*case.events, SIGNUP, CONVERSION}
    marks = ", ".join("?" * len(wanted))
    part = ", properties" if case.distinct else ", NULL"
    with closing(sqlite3.connect(path)) as database:
        rows = database.execute(
            f"SELECT subject, time, position, mid, name{part} FROM event WHERE name IN ({marks})"
            " AND subject >= 'u:' AND subject < 'u;' ORDER BY subject, time, position, mid",
            sorted(wanted),
        )
        lives = {key: _by_hand(list(group), case) for key, group in groupby(rows, itemgetter(0))}
        [(end,)] = database.execute("SELECT max(time) FROM event")
    return _tables(lives, end)


def _by_hand(rows: list[Row], case: Case) -> tuple[int | None, int | None, int | None]:
    """When a user signed up, qualified and converted."""
    signup = qualified = converted = None
    in_window: deque[tuple[int, str]] = deque()
    values: defaultdict[str, int] = defaultdict(int)
    for _, time, _, _, name, text in rows:
        if name == SIGNUP and signup is None:
            signup = time
        elif name == CONVERSION and converted is None:
            converted = time
        if qualified is not None or name not in case.events:
            continue
        if case.of_signup and (signup is None or not signup <= time < signup + (case.within or 0)):
            continue
        value = "" if text is None else str(msgspec.json.decode(text).get(case.distinct))
        in_window.append((time, value))
        values[value] += 1
        while not case.of_signup and case.within and in_window[0][0] <= time - case.within:
            _, gone = in_window.popleft()
            values[gone] -= 1
            if not values[gone]:
                del values[gone]
        if (len(values) if case.distinct else len(in_window)) >= case.least:
            qualified = time
    return signup, qualified, converted


def _tables(
    lives: dict[str, tuple[int | None, int | None, int | None]], end: int
) -> tuple[int, list[int], list[int]]:
    size, strict, landmark = 0, [0, 0, 0, 0], [0, 0, 0, 0]
    for signup, qualified, converted in lives.values():
        size += qualified is not None
        if signup is None:
            continue
        predicted = qualified is not None and (converted is None or qualified < converted)
        strict[(not predicted) * 2 + (converted is None)] += 1
        start, stop = signup + WEEK, signup + WEEK + 30 * DAY
        if stop <= end and (converted is None or converted >= start):
            early = qualified is not None and qualified < start
            landmark[(not early) * 2 + (converted is None or converted >= stop)] += 1
    return size, strict, landmark


# -- by Pequel -----------------------------------------------------------------------------


def by_pequel(path: str, case: Case) -> tuple[int, list[int], list[int]]:
    """The same, by the backtest."""
    with closing(open_store(f"sqlite:///{path}", make=False)) as store, store.reading() as tx:
        [found] = backtest(tx, read_catalogue(case.text), ["case"], Question())
    return found.set_size, _counts(found, "strict"), _counts(found, "landmark")


def _counts(found: Backtest, form: str) -> list[int]:
    return list(getattr(found, form).counts)


def took(run: Callable[[str, Case], object], path: str, case: Case) -> tuple[float, object]:
    """The CPU that a run takes, in seconds, and what it gives."""
    began = process_time()
    found = run(path, case)
    return process_time() - began, found


def main(users: int = 20_000, path: str | None = None) -> None:
    """Print a line for each definition."""
    with ExitStack() as stack:
        file = path or str(Path(stack.enter_context(TemporaryDirectory())) / "bench.db")
        if not Path(file).exists():
            fill(file, users)
        with closing(sqlite3.connect(file)) as database:
            [(events,)] = database.execute("SELECT count(*) FROM event")
        print(f"{events:,} events")
        for case in CASES:
            runs = [(took(by_hand, file, case), took(by_pequel, file, case)) for _ in range(ROUNDS)]
            if any(hand[1] != pequel[1] for hand, pequel in runs):
                raise SystemExit(f"{case.name}: {runs[0][0][1]} by hand, {runs[0][1][1]} by Pequel")
            hand, pequel = (median(run[side][0] for run in runs) for side in (0, 1))
            ratio = median(p[0] / h[0] for h, p in runs)
            print(f"{case.name:<30} {hand:6.2f} s, {pequel:6.2f} s, {ratio:4.2f} times")
        print(f"{getrusage(RUSAGE_SELF).ru_maxrss // 1024} MB")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]), *sys.argv[2:3])
