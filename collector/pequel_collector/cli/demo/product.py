"""Taskboard, a made-up product: two weeks of what its users do, tracked through the SDK."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from typing import Any, NamedTuple

import pequel

DAYS = 13  # before today
SEED = 7


class Person(NamedTuple):
    """A user of Taskboard, the days on which they use it, and the tasks they complete on each."""

    name: str
    account: str
    active_days: tuple[int, ...]
    role: str = "member"
    tasks: int = 4


ACCOUNTS: dict[str, dict[str, Any]] = {
    "acme": {"name": "Acme", "employees": 120, "country": "DE", "plan": "free"},
    "globex": {"name": "Globex", "employees": 2000, "country": "US", "plan": "free"},
    "initech": {"name": "Initech", "employees": 40, "country": "GB", "plan": "team"},
    "taskboard": {"name": "Taskboard", "employees": 9},
}

PEOPLE = {
    "ada": Person("Ada Byron", "acme", (1, 3, 5, 8), "admin"),
    "ben": Person("Ben Okafor", "acme", (2, 6, 7, 8, 9, 10)),
    "cem": Person("Cem Aydin", "acme", (4, 11)),
    "dee": Person("Dee Larsen", "acme", (9,)),
    "fay": Person("Fay Moreau", "globex", (3, 7, 12), tasks=30),
    "gus": Person("Gus Novak", "globex", (13,), "admin"),
    "hana": Person("Hana Sato", "globex", (8, 9, 12)),
    "ivo": Person("Ivo Rossi", "initech", (1, 2), "admin"),
    "jil": Person("Jil Weber", "initech", (3, 4, 7)),
    "kai": Person("Kai Lind", "initech", (10, 13)),
    "sam": Person("Sam Pereira", "taskboard", (1, 2, 3, 4, 5, 6), "admin"),
    "tia": Person("Tia Quinn", "taskboard", (5, 12)),
}

LATER = ("task_completed", "task_completed", "task_completed", "task_assigned", "report_exported")
"""What people do after the two weeks, one of these at a time."""

PROPERTY = {
    "project_created": "project_id",
    "integration_connected": "kind",
    "teammate_invited": "invitee",
}

# Day, user, event, property. Sign-ups and completed tasks are added to these.
STORY = """
1  ada  project_created       website
1  ada  teammate_invited      ben
1  sam  project_created       demo-1
1  sam  project_created       demo-2
2  sam  project_created       demo-3
2  sam  integration_connected slack
2  sam  integration_connected github
2  ivo  subscription_started  team
3  ada  project_created       app
3  ada  integration_connected slack
3  ada  teammate_invited      cem
3  jil  project_created       audit
4  jil  project_created       budget
4  jil  integration_connected slack
5  ada  project_created       launch
5  ada  integration_connected github
7  jil  project_created       hiring
7  jil  integration_connected jira
8  ada  teammate_invited      dee
8  hana project_created       roadmap
9  hana project_created       research
11 cem  project_created       support
12 hana project_created       retro
12 hana integration_connected slack
"""


class Taskboard:
    """Calls the SDK as the product's own code would."""

    def __init__(self, write_key: str, host: str, today: datetime) -> None:
        pequel.configure(write_key=write_key, host=host)
        self._first_day = today - timedelta(days=DAYS)
        self._random = Random(SEED)  # noqa: S311 - not a secret

    def live(self, day: int) -> None:
        """Send the events of a day."""
        times = self._times(day)
        for name, person in PEOPLE.items():
            if day in person.active_days:
                self._work(name, person, day, times)
        pequel.flush()

    def raise_hand(self, name: str) -> None:
        """Send a click on "contact sales", now."""
        pequel.track(name, "contact_sales_clicked")
        pequel.flush()

    def go_on(self) -> None:
        """Send something that somebody does, now."""
        name = self._random.choice(list(PEOPLE))
        pequel.track(name, self._random.choice(LATER))

    def close(self) -> None:
        """Send the remaining events."""
        pequel.shutdown()

    def _work(self, name: str, person: Person, day: int, times: Iterator[datetime]) -> None:
        if day == person.active_days[0]:
            self._sign_up(name, person, next(times))
        for event, thing in _events_of(day, name):
            pequel.track(name, event, {PROPERTY.get(event, "plan"): thing}, timestamp=next(times))
        for _ in range(person.tasks):
            pequel.track(name, "task_completed", timestamp=next(times))

    def _sign_up(self, name: str, person: Person, time: datetime) -> None:
        traits = {"name": person.name, "role": person.role}
        traits["email"] = f"{name}@{person.account}.example"
        pequel.identify(name, traits, timestamp=time)
        pequel.group(name, person.account, ACCOUNTS[person.account], timestamp=time)
        pequel.track(name, "signed_up", timestamp=time)

    def _times(self, day: int) -> Iterator[datetime]:
        """Times in the office hours of a day, in order."""
        time = self._first_day + timedelta(days=day - 1, hours=9)
        while True:
            time += timedelta(seconds=self._random.randint(20, 200))
            yield time


def _events_of(day: int, name: str) -> Iterator[tuple[str, str]]:
    for line in STORY.split("\n"):
        match line.split():
            case [when, who, event, thing] if int(when) == day and who == name:
                yield event, thing
