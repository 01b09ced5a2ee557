"""An e-mail by SMTP. The server is the operator's own, so it may have a private address.

``PEQUEL_SMTP_URL`` says where it is:

    smtps://user:password@smtp.example.com        TLS from the first byte, port 465
    smtp://user:password@smtp.example.com         STARTTLS, which must succeed, port 587
    smtp://localhost:25?tls=no                    without encryption
"""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Callable, Sequence
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import formatdate
from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from ..http import Http, tls_problem, trusting
from ..records import Delivery, Misconfigured, Refused, Result, Retry, Sender, Sent
from ..templates import TemplateFailed, render
from ..variables import Environment, Options, required
from ..wording import bars, facts, headline, sentence

SMTP_ENV, FROM_ENV = "PEQUEL_SMTP_URL", "PEQUEL_SMTP_FROM"
TIMEOUT = 15.0
"""Seconds for each answer of the server."""

PORTS = {"smtp": 587, "smtps": 465}
MAX_SUBJECT = 200


class Server(NamedTuple):
    """An SMTP server, as its URL says."""

    host: str
    port: int
    user: str | None
    password: str
    is_tls: bool
    needs_starttls: bool


Connect = Callable[[Server], smtplib.SMTP]


def connect(server: Server) -> smtplib.SMTP:
    """A connection to a server that is encrypted, if it has to be, and logged in."""
    context = trusting()
    if server.is_tls:
        smtp: smtplib.SMTP = smtplib.SMTP_SSL(
            server.host, server.port, timeout=TIMEOUT, context=context
        )
    else:
        smtp = smtplib.SMTP(server.host, server.port, timeout=TIMEOUT)
    try:
        if server.needs_starttls:
            smtp.starttls(context=context)
        if server.user is not None:
            smtp.login(server.user, server.password)
    except BaseException:
        smtp.close()
        raise
    return smtp


class EmailSender:
    """Sends one mail for each delivery."""

    def __init__(
        self,
        server: Server,
        sender: str,
        to: Sequence[str],
        subject: str | None = None,
        template: str | None = None,
        connect: Connect = connect,
    ) -> None:
        self._server, self._from, self._to = server, sender, to
        self._subject, self._template, self._connect = subject, template, connect

    def send(self, delivery: Delivery, http: Http) -> Result:  # noqa: ARG002 - mail needs no HTTP
        try:
            mail = self.mail(delivery)
        except TemplateFailed as error:
            return Refused(str(error))
        try:
            with self._connect(self._server) as smtp:
                refused = smtp.send_message(mail, self._from, list(self._to))
        except smtplib.SMTPException as error:
            return _failed(error)
        except ssl.SSLError as error:
            return Retry(tls_problem(error, self._server.host), is_endpoint=True)
        except OSError as error:
            return Retry(f"the mail server: {error.strerror or error}", is_endpoint=True)
        taken = [address for address in self._to if address not in refused]
        not_taken = f"; refused: {', '.join(refused)}" if refused else ""
        return Sent(f"the mail server took it for {', '.join(taken)}{not_taken}")

    def mail(self, delivery: Delivery) -> EmailMessage:
        """The mail. Each attempt has the same ``Message-ID``. Raises TemplateFailed."""
        mail = EmailMessage()
        mail["Message-ID"] = f"<{delivery.id}@{self._from.partition('@')[2]}>"
        mail["Date"] = formatdate(delivery.at / 1_000)
        mail["From"] = _address(self._from)
        mail["To"] = tuple(map(_address, self._to))
        mail["Subject"] = _one_line(
            render(self._subject, delivery) if self._subject else headline(delivery)
        )
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(render(self._template, delivery) if self._template else text(delivery))
        return mail


def text(delivery: Delivery) -> str:
    """The text of a mail whose alert has no template."""
    lead = delivery.lead
    measured = [f"{bar}  {measure}" for measure, bar in bars(lead)]
    known = [f"{name}: {value}" for name, value in facts(lead)]
    reason = (delivery.change or {}).get("reason")
    parts = [
        headline(delivery),
        sentence(lead),
        f"Reason: {reason}" if reason else "",
        "\n".join(measured),
        "\n".join(known),
        delivery.link or "",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def make(options: Options, environment: Environment) -> Sender:
    """The sender of an alert. Raises Misconfigured."""
    name = options.get("smtp_env", SMTP_ENV)
    server = server_of(name, required(environment, name))
    sender = options.get("from") or required(environment, FROM_ENV)
    if "@" not in sender:
        raise Misconfigured(f"the environment variable {FROM_ENV} is no e-mail address")
    return EmailSender(
        server, sender, options["to"], options.get("subject"), options.get("template")
    )


def server_of(name: str, url: str) -> Server:
    """The server that a URL names. Raises Misconfigured, which does not show the password."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Misconfigured(f"the environment variable {name} is not a URL") from None
    if parts.scheme not in PORTS or not parts.hostname:
        raise Misconfigured(f"the environment variable {name} is no smtp:// or smtps:// URL")
    is_tls = parts.scheme == "smtps"
    is_plain = parse_qs(parts.query).get("tls") == ["no"]
    user = None if parts.username is None else unquote(parts.username)
    password = unquote(parts.password or "")
    return Server(
        parts.hostname,
        port or PORTS[parts.scheme],
        user,
        password,
        is_tls,
        not is_tls and not is_plain,
    )


def _failed(error: smtplib.SMTPException) -> Result:
    """What an error of SMTP means: from 500 on the mail is never taken, below it may be."""
    said = " ".join(str(error).split())[:200]
    match error:
        case smtplib.SMTPRecipientsRefused(recipients=recipients):
            codes = [code for code, _ in recipients.values()]
            return Refused(said) if all(code >= 500 for code in codes) else Retry(said)
        case smtplib.SMTPAuthenticationError() | smtplib.SMTPConnectError():
            return Retry(said, is_endpoint=True)
        case smtplib.SMTPHeloError() | smtplib.SMTPNotSupportedError():
            return Retry(said, is_endpoint=True)
        case smtplib.SMTPResponseException(smtp_code=code):
            return Refused(said) if code >= 500 else Retry(said, is_endpoint=True)
        case _:
            return Retry(said or type(error).__name__, is_endpoint=True)


def _address(text: str) -> Address:
    return Address(addr_spec=text)


def _one_line(text: str) -> str:
    return " ".join(text.split())[:MAX_SUBJECT]
