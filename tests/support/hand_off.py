"""One lead from its mark to the sale, over HTTP, with a collector that is killed at every step.

A German trial account qualifies. A route gives it to the partner north; the partner south and a
team of our own get others. North is told, claims it, is late, and the lead escalates. Then north
makes contact, a person moves the deal in the CRM, and north wins it.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import requests

import standins.hubspot
from standins.hubspot import TOKEN, HubSpot

from .processes import KEYS, Server, free_port, run_server
from .receivers import OK, Receiver, Reply, until

DEFINITIONS = """
[[pql]]
name = "set_up"
subject = "account"
when.all = [{{ event = "project_created", gte = 3 }}, {{ trait = "plan", eq = "trial" }}]
sla = "4h"

[[partner]]
name = "north"

[[partner]]
name = "south"

[[route]]
name = "german"
when = {{ trait = "country", eq = "DE" }}
assign = "partner:north"
escalate = {{ after = "6h", assign = "user:kim" }}

[[route]]
name = "french"
when = {{ trait = "country", eq = "FR" }}
assign = "partner:south"

[[route]]
name = "rest"
assign = "team:direct"

[[alert]]
name = "north"
on = ["qualified", "claimed", "due_soon", "overdue", "escalated", "contacted", "assigned", "won"]
when = {{ partner = "north" }}
url = "{north}"

[[alert]]
name = "south"
on = ["qualified"]
when = {{ partner = "south" }}
url = "{south}"

[[alert]]
name = "direct"
on = ["qualified"]
when.all = [{{ trait = "country", eq = "US" }}]
url = "{direct}"

[[alert]]
name = "crm"
form = "hubspot"
on = ["qualified", "contacted", "assigned", "won"]
when = {{ partner = "north" }}
token_env = "PEQUEL_HUBSPOT_TOKEN"
url = "{hubspot}"
stages = {{ new = "appointmentscheduled", contacted = "qualifiedtobuy", won = "closedwon" }}

[crm.hubspot]
secret_env = "HUBSPOT_SECRET"
stages = {{ closedlost = "lost" }}
owners = {{ 77 = "ada" }}
"""
NAMES = ("north", "south", "direct")
SECRET = "the secret of the app"
HOUR, LEASE = 3_600_000, 121_000
READ = {"Authorization": f"Bearer {KEYS['PEQUEL_READ_KEY']}"}
SAID = {
    "opened": "qualified", "claimed": "claimed", "due_soon": "due_soon", "overdue": "overdue",
    "escalated": "escalated", "contacted": "contacted", "assigned": "assigned", "won": "won",
}  # fmt: skip
"""Entries of the ledger that north is told, and how."""


class Database:
    """The database of a collector, seen from outside of it."""

    def __init__(self, url: str) -> None:
        self.url = url

    def run(self, statement: str) -> list[tuple[Any, ...]]:
        with closing(self._connect()) as connection:
            return list(connection.execute(statement).fetchall())

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock of writers, so that a collector can write nothing."""
        with closing(self._connect()) as connection:
            if self._file is not None:
                connection.execute("BEGIN IMMEDIATE")
            else:
                connection.execute("BEGIN")
                connection.execute("SELECT number FROM block WHERE number = 1 FOR UPDATE")
            yield
            connection.execute("ROLLBACK")

    @property
    def _file(self) -> str | None:
        name = self.url.removeprefix("sqlite:///")
        return name if name != self.url else None

    def _connect(self) -> Any:
        if (file := self._file) is not None:
            return sqlite3.connect(file, 30, isolation_level=None, check_same_thread=False)
        return psycopg.connect(self.url, autocommit=True)


class HandOff:
    """The collector, those whom it tells, and the steps of the story.

    The long story has more kills.
    """

    def __init__(
        self, folder: Path, database: Database, stack: ExitStack, *, is_long: bool = False
    ) -> None:
        self.folder, self.database, self.is_long = folder, database, is_long
        self.kills = 0
        self.hubspot = HubSpot(lags=False).ready()
        self.receivers = {name: stack.enter_context(Receiver().running()) for name in NAMES}
        crm = stack.enter_context(Receiver(self.hubspot).running())
        urls = {name: each.url for name, each in self.receivers.items()}
        (folder / "pequel.toml").write_text(DEFINITIONS.format(**urls, hubspot=crm.url))
        self._port = str(free_port())
        self.url = f"http://127.0.0.1:{self._port}"
        self.hubspot.webhook = (f"{self.url}/v1/hooks/hubspot", SECRET)
        self._clock = folder / "ahead"
        self._clock.write_text("0")
        self._stack = stack
        self.start()
        self.keys = {name: self._partner_key(name) for name in ("north", "south")}

    # -- the collector ---------------------------------------------------------------------

    def start(self) -> None:
        environment = {
            "PEQUEL_ALLOW_PRIVATE_ALERTS": "1",
            "PEQUEL_DATABASE": self.database.url,
            "PEQUEL_HUBSPOT_TOKEN": TOKEN,
            "PEQUEL_STORE_TIMEOUT": "30",
            "PEQUEL_TEST_AHEAD": str(self._clock),
            "HUBSPOT_SECRET": SECRET,
            "PYTHONPATH": str(Path(__file__).with_name("ahead")),
        }
        self.server: Server = self._stack.enter_context(
            run_server(self.folder, "--port", self._port, env=environment)
        )

    def kill(self) -> None:
        os.killpg(self.server.process.pid, signal.SIGKILL)
        self.server.process.wait()
        self.kills += 1

    def go_on(self, milliseconds: int) -> None:
        """Put the clock of the collector ahead."""
        new = self._clock.with_suffix(".new")
        new.write_text(str(int(self._clock.read_text()) + milliseconds))
        new.replace(self._clock)  # at once: the collector reads it at any moment

    def now(self) -> int:
        return standins.hubspot.time_now() + int(self._clock.read_text())

    def killed_before(self, ask: Callable[[], Any]) -> None:
        """Kill the collector while it waits to write what is asked, and start it again."""
        before = self.ledger()
        with self.database.held():
            asking = _asking(ask)
            asking.join(0.3)
            self.kill()
        asking.join()
        assert self.ledger() == before
        self.start()

    def killed_at(self, ask: Callable[[], Any], what: str) -> None:
        """Kill the collector before it has written what is asked, if there is time, and after."""
        if self.is_long:
            self.killed_before(ask)
        self.killed_after(ask, what)

    def killed_after(self, ask: Callable[[], Any], what: str) -> None:
        """Kill the collector once it has written what is asked, before the asker knows."""
        before = len(self.ledger())
        asking = _asking(ask)
        until(lambda: what in self.ledger()[before:])
        self.kill()
        asking.join()
        self.start()

    # -- what is asked ---------------------------------------------------------------------

    def ask(self, method: str, path: str, key: str, **more: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {key}", **more.pop("headers", {})}
        return requests.request(method, self.url + path, headers=headers, timeout=40, **more)

    def read(self, path: str, key: str = KEYS["PEQUEL_READ_KEY"]) -> Any:
        answer = self.ask("GET", path, key)
        answer.raise_for_status()
        return answer.json()

    def change(self, name: str, body: Any) -> requests.Response:
        """A change by north, under one idempotency key for each name."""
        path = f"/v1/pqls/{self.lead}"
        headers = {"Idempotency-Key": name}
        return self.ask("PATCH", path, self.keys["north"], json=body, headers=headers)

    def ledger(self) -> list[str]:
        """What happened to all leads, in order, as the database has it."""
        return [what for (what,) in self.database.run("SELECT what FROM change ORDER BY number")]

    def _partner_key(self, name: str) -> str:
        return self._run("keys", "create", "--kind", "partner", "--partner", name).strip()

    def _run(self, *arguments: str) -> str:
        """The output of a command beside the collector."""
        command = [sys.executable, "-m", "pequel_collector.cli", *arguments]
        command += ["--database", self.database.url]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    # -- the steps -------------------------------------------------------------------------

    def qualify(self) -> None:
        """Three accounts qualify, one for each receiver."""
        for receiver in self.receivers.values():
            receiver.behaviour = lambda _: Reply(delay=60)
        for number, country in enumerate(("FR", "US")):
            self._track(number, country)
        self.killed_before(self._track_german)
        self.killed_after(self._track_german, "opened")
        answer = self._track_german().json()
        assert (answer["accepted"], answer["duplicates"]) == (0, 5)
        leads = self.read("/v1/pqls")["data"]
        assert len(leads) == 3
        [lead] = [each for each in leads if each["traits"].get("country") == "DE"]
        assert (lead["partner"], lead["route"]["name"]) == ("north", "german")
        self.lead: str = lead["id"]

    def _track_german(self) -> requests.Response:
        return self._track(2, "DE")

    def _track(self, number: int, country: str) -> requests.Response:
        traits = {"country": country, "plan": "trial", "domain": f"firm{number}.example"}
        about = {"userId": f"user{number}"}
        calls = [
            {"type": "group", "groupId": f"firm{number}", "traits": traits},
            {"type": "identify", "traits": {"email": f"ada@firm{number}.example"}},
            *({"type": "track", "event": "project_created"} for _ in range(3)),
        ]
        batch = [
            {**about, **call, "messageId": f"{number}-{place}"} for place, call in enumerate(calls)
        ]
        return requests.post(
            f"{self.url}/v1/batch",
            json={"batch": batch},
            auth=(KEYS["PEQUEL_WRITE_KEY"], ""),
            timeout=40,
        )

    def tell(self) -> None:
        """North is told: killed before it has answered, and after that before it is recorded."""
        north = self.receivers["north"]
        until(lambda: self._clock_goes_on() and len(north.taken) > 0, 60)
        self.kill()
        self.go_on(LEASE)
        self._answer_and_record_nothing(north)
        for receiver in self.receivers.values():
            receiver.behaviour = lambda _: OK
        self.go_on(LEASE)
        self.start()
        self.settle()
        body = north.taken[-1].json
        assert body["type"] == "lead.qualified"
        assert "created 3 projects (3 needed)" in body["data"]["lead"]["evidence"]["sentence"]
        assert len({taken.id for taken in north.taken}) == 1 < len(north.taken)

    def _answer_and_record_nothing(self, north: Receiver) -> None:
        """Kill the collector when north has answered and the store can be written no more."""
        answered = threading.Event()
        with ExitStack() as lock:

            def behaviour(_: object) -> Reply:
                if not answered.is_set():
                    lock.enter_context(self.database.held())
                    answered.set()
                return OK

            north.behaviour = behaviour
            self.start()
            assert answered.wait(30)
            self.kill()

    def claim(self) -> None:
        def ask() -> requests.Response:
            return self.ask("POST", f"/v1/pqls/{self.lead}/claim", self.keys["north"])

        self.killed_at(ask, "claimed")
        again = ask()
        assert (again.status_code, again.json()["error"]["code"]) == (409, "already_claimed")
        path = f"/v1/pqls/{self.lead}/claim"
        assert self.ask("POST", path, self.keys["south"]).status_code == 404

    def be_late(self) -> None:
        """The lead is overdue, and then escalates: the job is killed before and after both."""
        self.killed_before(lambda: self.go_on(5 * HOUR))
        until(lambda: "overdue" in self.ledger())
        assert self.metric("pequel_leads_overdue") == 3
        if self.is_long:
            self.killed_after(lambda: self.go_on(2 * HOUR), "escalated")
        else:
            self.killed_before(lambda: self.go_on(2 * HOUR))
            until(lambda: "escalated" in self.ledger())
        lead = self.read(f"/v1/pqls/{self.lead}")
        assert (lead["owner"], lead["partner"], lead["overdue"]) == ("kim", "north", False)

    def contact(self) -> None:
        def ask() -> requests.Response:
            return self.change("contact", {"contact": {"channel": "email", "note": "sorry"}})

        self.killed_at(ask, "contacted")
        assert ask().json()["state"] == "contacted"

    def hear_from_the_crm(self) -> None:
        """A person hands the deal over in HubSpot, which sends the same event until it is taken."""
        self.settle()
        [deal] = self.hubspot.live("deals")
        event = self.hubspot.changed(deal, "hubspot_owner_id", "77", self.now())

        def ask() -> Any:
            return self.hubspot.send(event, self.now())

        self.killed_at(ask, "assigned")
        assert ask()["status"] == 200
        assert self.read(f"/v1/pqls/{self.lead}")["owner"] == "ada"

    def win(self) -> None:
        def ask() -> requests.Response:
            return self.change("won", {"state": "won", "amount": "1200.00", "currency": "EUR"})

        self.killed_at(ask, "won")
        assert ask().json()["state"] == "won"
        self.settle()

    def tell_all(self) -> None:
        """The whole story."""
        self.qualify()
        self.tell()
        self.claim()
        self.be_late()
        self.contact()
        self.hear_from_the_crm()
        self.win()
        self.agree()

    # -- what has to agree -----------------------------------------------------------------

    def settle(self) -> None:
        """Wait until nothing waits to be sent, while leases and pauses end."""

        def is_settled() -> bool:
            [(waiting,)] = self.database.run(
                "SELECT count(*) FROM delivery WHERE state = 'waiting'"
            )
            return bool(waiting == 0)

        until(lambda: self._clock_goes_on() and is_settled(), 60)

    def _clock_goes_on(self) -> bool:
        self.go_on(500)
        return True

    def metric(self, name: str) -> float:
        text = requests.get(f"{self.url}/metrics", headers=READ, timeout=30).text
        lines = [line for line in text.splitlines() if line.partition("{")[0].split()[0] == name]
        return sum(float(line.split()[-1]) for line in lines)

    def agree(self) -> None:
        """The list, the ledgers, the log, the metrics, the receivers and the CRM say the same."""
        self._leads_agree()
        self._deliveries_agree()
        self._crm_agrees()
        self._run("verify")

    def _leads_agree(self) -> None:
        [won] = self.read("/v1/pqls?state=won")["data"]
        assert (won["id"], won["partner"], won["owner"]) == (self.lead, "north", "ada")
        ledger = self.read("/v1/partners/north/ledger", self.keys["north"])
        assert [each["id"] for each in ledger["data"]] == [self.lead]
        assert self.read("/v1/partners/north/ledger")["data"] == ledger["data"]
        assert self.read("/v1/partners/south/ledger", self.keys["south"])["data"] == []
        seen = self.read("/v1/pqls?state=won", self.keys["north"])["data"]
        assert [each["id"] for each in seen] == [self.lead]
        assert self.ask("GET", f"/v1/pqls/{self.lead}", self.keys["south"]).status_code == 404
        history = [e["what"] for e in self.read(f"/v1/pqls/{self.lead}")["history"]]
        told = [what for what in history if what in SAID]
        assert sorted(told) == sorted(set(told)), history
        assert told[0] == "opened"
        assert told[-1] == "won"
        assert self.metric("pequel_leads_overdue") == 2

    def _deliveries_agree(self) -> None:
        log = self.read("/v1/alerts/deliveries?limit=1000")["data"]
        assert {each["state"] for each in log} == {"sent"}
        assert self.metric("pequel_alerts_waiting") == 0
        for name, receiver in self.receivers.items():
            sent = {each["id"] for each in log if each["alert"] == name}
            assert {taken.id for taken in receiver.taken} == sent
            bodies = [taken.json for taken in receiver.taken]
            numbers = [body["data"]["change"]["number"] for body in bodies]
            assert numbers == sorted(numbers)
            assert len(set(numbers)) == len(sent)
            assert len({body["data"]["lead"]["id"] for body in bodies}) == 1
        history = [e["what"] for e in self.read(f"/v1/pqls/{self.lead}")["history"]]
        types = list(dict.fromkeys(t.json["type"] for t in self.receivers["north"].taken))
        assert types == [f"lead.{SAID[what]}" for what in history if what in SAID]

    def _crm_agrees(self) -> None:
        [deal] = self.hubspot.live("deals").values()
        assert (deal["pequel_lead_id"], deal["dealstage"]) == (self.lead, "closedwon")
        assert len(self.hubspot.live("companies")) == 1


def _asking(ask: Callable[[], Any]) -> threading.Thread:
    """Ask in a thread. The collector may die before it answers."""

    def run() -> None:
        with suppress(requests.RequestException):
            ask()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread
