"""``pequel alerts``: try an alert, see the deliveries, deliver again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pequel_collector.app.bootstrap import open_store
from pequel_collector.cli.commands import pequel
from pequel_collector.leads.outbox import delivery_id
from pequel_collector.ports import Attempted, Queued
from support.receivers import Receiver, Reply

AT = 1_772_366_400_000
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
FILE = """
[[alert]]
name = "sales"
on = ["won"]
url = "%s"
secret_env = "ALERT_SECRET"
"""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver().running() as running:
        yield running


class Shell:
    """Runs ``pequel alerts`` in a folder with a definitions file and a database."""

    def __init__(self, folder: Path, url: str) -> None:
        self.url = f"sqlite:///{folder / 'pequel.db'}"
        self.file = folder / "pequel.toml"
        self.file.write_text(FILE % url)

    def run(self, *arguments: str, **environment: str) -> Result:
        given = {"PEQUEL_DATABASE": self.url, "PEQUEL_CONFIG": str(self.file), **environment}
        return CliRunner(env=given).invoke(pequel, ["alerts", *arguments])

    def dead(self, *changes: int) -> None:
        """Put dead deliveries into the database."""
        with closing(open_store(self.url)) as store:
            for n in changes:
                with store.writing() as tx:
                    tx.queue_deliveries([Queued(n, "sales", f"l{n}", "won", AT, AT)])
                    [claimed] = tx.claim_deliveries("sales", AT, AT + 1, 1)
                    attempted = Attempted(n, "sales", claimed.lead, claimed.attempt)
                    tx.end_delivery(attempted, "dead", AT, "503 Service Unavailable")


@pytest.fixture
def shell(tmp_path: Path, receiver: Receiver) -> Shell:
    return Shell(tmp_path, receiver.url)


PRIVATE = {"PEQUEL_ALLOW_PRIVATE_ALERTS": "1", "ALERT_SECRET": SECRET}


class TestTrying:
    def test_a_made_up_lead_is_sent(self, shell: Shell, receiver: Receiver) -> None:
        done = shell.run("test", "sales", **PRIVATE)
        assert done.exit_code == 0
        assert done.stdout.startswith("sent: 200 OK (lead.won, msg_test_")
        assert receiver.taken[0].json["data"]["test"] is True
        assert "webhook-signature" in receiver.taken[0].headers

    def test_one_that_is_not_taken_exits_with_one(self, shell: Shell, receiver: Receiver) -> None:
        receiver.behaviour = lambda _: Reply(404)
        done = shell.run("test", "sales", **PRIVATE)
        assert (done.exit_code, done.stdout.split(" (")[0]) == (1, "retry: 404 Not Found: ok")

    def test_a_private_address_is_refused(self, shell: Shell, receiver: Receiver) -> None:
        done = shell.run("test", "sales", ALERT_SECRET=SECRET, PEQUEL_ALLOW_PRIVATE_ALERTS="0")
        assert done.exit_code == 1
        assert "refused: the host 127.0.0.1 has the address 127.0.0.1" in done.stdout
        assert receiver.connections == 0

    def test_a_secret_that_is_not_set(self, shell: Shell) -> None:
        done = shell.run("test", "sales", PEQUEL_ALLOW_PRIVATE_ALERTS="1")
        assert done.exit_code == 1
        assert "the environment variable ALERT_SECRET is not set" in done.output

    def test_an_alert_that_does_not_exist(self, shell: Shell) -> None:
        done = shell.run("test", "nope", **PRIVATE)
        assert done.exit_code == 1
        assert "there is no alert 'nope'; there are: sales" in done.output


class TestTheLog:
    def test_it_lists_deliveries(self, shell: Shell) -> None:
        shell.dead(1, 2)
        done = shell.run("log", "--state", "dead", "--limit", "1")
        heading, row = done.stdout.splitlines()
        assert " ".join(heading.split()) == "AT ALERT CHANGE LEAD STATE TRIES RESULT ID"
        assert row.split() == [
            "2026-03-01T12:00:00.000Z", "sales", "won", "l2", "dead", "1", "503", "Service",
            "Unavailable", delivery_id(2, "sales", "l2", AT),
        ]  # fmt: skip

    def test_it_can_be_filtered(self, shell: Shell) -> None:
        shell.dead(1, 2)
        assert "l1" in shell.run("log", "--lead", "l1").stdout
        assert "l2" not in shell.run("log", "--lead", "l1").stdout
        assert len(shell.run("log", "--alert", "other").stdout.splitlines()) == 1

    def test_a_database_that_does_not_exist(self, shell: Shell) -> None:
        done = shell.run("log")
        assert done.exit_code == 1
        assert done.output.startswith("pequel: ")


class TestRedelivering:
    def test_one(self, shell: Shell) -> None:
        shell.dead(1)
        identifier = delivery_id(1, "sales", "l1", AT)
        assert shell.run("redeliver", identifier).stdout == f"{identifier} waits to be sent again\n"
        assert "waiting" in shell.run("log").stdout
        assert shell.run("redeliver", identifier).exit_code == 1

    def test_every_dead_one_of_an_alert(self, shell: Shell) -> None:
        shell.dead(1, 2, 3)
        done = shell.run("redeliver", "--alert", "sales")
        assert done.stdout == "3 deliveries wait to be sent again\n"
        assert "dead" not in shell.run("log").stdout

    @pytest.mark.parametrize("arguments", [(), ("x", "--alert", "sales")])
    def test_it_is_one_or_the_other(self, shell: Shell, arguments: tuple[str, ...]) -> None:
        shell.dead(1)
        assert shell.run("redeliver", *arguments).exit_code == 2
