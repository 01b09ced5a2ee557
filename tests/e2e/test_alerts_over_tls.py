"""Alerts by TLS of a real collector, which trusts an authority of its own: SSL_CERT_FILE."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from datetime import datetime, timezone
from pathlib import Path

import pytest
import requests
import trustme
from click.testing import CliRunner

from pequel_collector.cli.commands import pequel
from support.processes import KEYS, run_server
from support.receivers import MailServer, Receiver, until

PQL = '[[pql]]\nname = "keen"\nwhen = { event = "used" }\n'
WEBHOOK = '[[alert]]\nname = "%s"\non = ["qualified"]\nurl = "%s"\n'
MAIL = """
[[alert]]
name = "%s"
form = "email"
on = ["qualified"]
to = "sales@example.com"
from = "pequel@example.com"
smtp_env = "%s"
"""
LONG_AGO = datetime(2020, 1, 1, tzinfo=timezone.utc)


class Certificates:
    """An authority, and the certificates of servers: a good one, and bad ones by what is wrong."""

    def __init__(self, folder: Path) -> None:
        own, other = trustme.CA(), trustme.CA()
        self.authority = folder / "authority.pem"
        own.cert_pem.write_to_path(str(self.authority))
        self.contexts = {
            "good": _context(own.issue_cert("127.0.0.1")),
            "other": _context(own.issue_cert("hooks.example")),
            "expired": _context(
                own.issue_cert("127.0.0.1", not_before=LONG_AGO, not_after=LONG_AGO)
            ),
            "unknown": _context(other.issue_cert("127.0.0.1")),
        }


REASONS = {
    "other": "refused: IP address mismatch",
    "expired": "refused: certificate has expired",
    "unknown": "refused: unable to get local issuer certificate",
}


def _context(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def results(folder: Path, definitions: str, environment: Mapping[str, str]) -> dict[str, str]:
    """What ``pequel alerts log`` says of each alert, once a lead has qualified."""
    (folder / "pequel.toml").write_text(definitions)
    database = {"PEQUEL_DATABASE": f"sqlite:///{folder / 'pequel.db'}"}

    def lines() -> dict[str, str]:
        log = CliRunner(env=database).invoke(pequel, ["alerts", "log"]).stdout.splitlines()[1:]
        return {line.split()[1]: line for line in log}

    with run_server(folder, env={"PEQUEL_ALLOW_PRIVATE_ALERTS": "1", **environment}) as server:
        batch = [{"type": "track", "userId": "ada", "event": "used"}]
        auth = (KEYS["PEQUEL_WRITE_KEY"], "")
        requests.post(f"{server.url}/v1/batch", json={"batch": batch}, auth=auth, timeout=30)
        until(lambda: bool(found := lines()) and not any(" - " in line for line in found.values()))
    return lines()


def test_a_webhook_goes_only_to_a_receiver_whose_certificate_is_right(
    tmp_path: Path, certificates: Certificates, stack: ExitStack
) -> None:
    receivers = {
        name: stack.enter_context(Receiver(context=context).running())
        for name, context in certificates.contexts.items()
    }
    alerts = "".join(WEBHOOK % (name, each.url) for name, each in receivers.items())
    found = results(tmp_path, PQL + alerts, {"SSL_CERT_FILE": str(certificates.authority)})
    assert " sent " in found["good"]
    for name, reason in REASONS.items():
        assert f"the certificate of 127.0.0.1 is {reason}" in found[name]
        assert " waiting " in found[name]
    assert {name: len(each.taken) for name, each in receivers.items()} == {
        "good": 1, "other": 0, "expired": 0, "unknown": 0,
    }  # fmt: skip


def test_an_authority_that_is_not_named_is_not_trusted(
    tmp_path: Path, certificates: Certificates, stack: ExitStack
) -> None:
    receiver = stack.enter_context(Receiver(context=certificates.contexts["good"]).running())
    found = results(tmp_path, PQL + WEBHOOK % ("good", receiver.url), {"SSL_CERT_FILE": ""})
    assert REASONS["unknown"] in found["good"]
    assert receiver.taken == []


def test_a_file_of_authorities_that_is_not_there_is_named(
    tmp_path: Path, certificates: Certificates, stack: ExitStack
) -> None:
    receiver = stack.enter_context(Receiver(context=certificates.contexts["good"]).running())
    nowhere = str(tmp_path / "nowhere.pem")
    found = results(tmp_path, PQL + WEBHOOK % ("good", receiver.url), {"SSL_CERT_FILE": nowhere})
    assert f"SSL_CERT_FILE={nowhere} cannot be read: No such file or directory" in found["good"]


def test_a_receiver_without_tls_behind_https(tmp_path: Path, stack: ExitStack) -> None:
    receiver = stack.enter_context(Receiver().running())
    url = receiver.url.replace("http:", "https:")
    found = results(tmp_path, PQL + WEBHOOK % ("plain", url), {})
    assert "TLS with 127.0.0.1 failed: " in found["plain"]


def test_mail_goes_by_starttls_only_to_a_server_whose_certificate_is_right(
    tmp_path: Path, certificates: Certificates, stack: ExitStack
) -> None:
    servers = {
        name: stack.enter_context(MailServer(context=context).running())
        for name, context in certificates.contexts.items()
    } | {"plain": stack.enter_context(MailServer().running())}
    variables = {f"SMTP_{name}": f"smtp://127.0.0.1:{each.port}" for name, each in servers.items()}
    alerts = "".join(MAIL % (name, f"SMTP_{name}") for name in servers)
    authority = {"SSL_CERT_FILE": str(certificates.authority)}
    found = results(tmp_path, PQL + alerts, variables | authority)
    assert " sent " in found["good"]
    for name, reason in REASONS.items():
        assert f"the certificate of 127.0.0.1 is {reason}" in found[name]
    assert "STARTTLS extension not supported" in found["plain"]
    assert [name for name, each in servers.items() if each.mails] == ["good"]
