"""Programs that alerts go to: an HTTP server with a behaviour, a Slack webhook, a mail server."""

from __future__ import annotations

import json
import socket
import socketserver
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Behaviour = Callable[["Taken"], "Reply | None"]
"""What to answer to a request; None closes the connection without an answer."""


@dataclass(frozen=True)
class Taken:
    """A request that came in."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def id(self) -> str:
        return self.headers.get("webhook-id", "")


@dataclass(frozen=True)
class Reply:
    """An answer; after ``delay`` seconds, its body a byte each ``drip`` seconds.

    With ``twice`` a second answer follows on the same connection.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b"ok"
    delay: float = 0.0
    drip: float = 0.0
    twice: bool = False


OK = Reply()


class Receiver:
    """An HTTP server that notes what it got, and answers as its behaviour says.

    With a ``context`` it speaks TLS.
    """

    def __init__(
        self,
        behaviour: Behaviour = lambda _: OK,
        port: int = 0,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self.behaviour = behaviour
        self.taken: list[Taken] = []
        self.connections = 0
        self.ended = threading.Event()
        self._server = _Server(("127.0.0.1", port), _handler(self))
        self.port = int(self._server.server_address[1])
        self.url = f"{'https' if context else 'http'}://127.0.0.1:{self.port}"
        if context is not None:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)

    @contextmanager
    def running(self) -> Iterator[Receiver]:
        thread = threading.Thread(target=self._server.serve_forever, args=[0.01], daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.ended.set()
            self._server.shutdown()
            self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is part of the tests."""


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            receiver.connections += 1
            super().setup()

        def _any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            taken = Taken(self.command, self.path, headers, body)
            receiver.taken.append(taken)
            reply = receiver.behaviour(taken)
            self.close_connection = True
            if reply is None:
                linger = b"\1\0\0\0\0\0\0\0"  # a reset instead of an end
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                return
            receiver.ended.wait(reply.delay)
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            for start in range(0, len(reply.body), 1 if reply.drip else 65_536):
                self.wfile.write(reply.body[start : start + (1 if reply.drip else 65_536)])
                if reply.drip and receiver.ended.wait(reply.drip):
                    return
            if reply.twice:
                self.wfile.write(b"HTTP/1.1 500 Again\r\nContent-Length: 0\r\n\r\n")

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _any  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


# -- Slack -------------------------------------------------------------------------------------


class Slack:
    """An incoming webhook of Slack, with the errors that its documentation lists.

    It takes one message at a time; ``limited`` requests get a 429 first.
    """

    def __init__(self, *, archived: bool = False, limited: int = 0) -> None:
        self.archived, self.limited = archived, limited
        self.messages: list[Any] = []

    def __call__(self, taken: Taken) -> Reply:
        if taken.path != "/services/T000/B000/XXXX":
            return Reply(404, body=b"no_service")
        if self.archived:
            return Reply(410, body=b"channel_is_archived")
        if self.limited:
            self.limited -= 1
            return Reply(429, {"Retry-After": "30"}, b"rate_limited")
        try:
            message = json.loads(taken.body)
        except ValueError:
            return Reply(400, body=b"invalid_payload")
        if problem := _slack_problem(message):
            return Reply(400, body=problem)
        self.messages.append(message)
        return Reply(200, body=b"ok")


def _slack_problem(message: Any) -> bytes | None:
    """What Slack says of a message; None if it takes it."""
    if not isinstance(message, dict):
        return b"invalid_payload"
    blocks = message.get("blocks", [])
    if not message.get("text") and not blocks:
        return b"no_text"
    return b"invalid_blocks" if len(blocks) > 50 or not all(map(_is_block, blocks)) else None


def _is_block(block: Any) -> bool:
    match block:
        case {"type": "header", "text": {"type": "plain_text", "text": str(text)}}:
            return 0 < len(text) <= 150
        case {"type": "section", "text": {"type": "mrkdwn", "text": str(text)}}:
            return 0 < len(text) <= 3000
        case {"type": "section", "fields": [*fields]}:
            return 0 < len(fields) <= 10 and all(0 < len(f["text"]) <= 2000 for f in fields)
        case {"type": "actions", "elements": [*elements]}:
            return 0 < len(elements) <= 25 and all(
                len(e["text"]["text"]) <= 75 and len(e["url"]) <= 3000 for e in elements
            )
        case _:
            return False


# -- mail --------------------------------------------------------------------------------------


class MailServer:
    """A small SMTP server (RFC 5321). With a ``context`` it offers STARTTLS.

    ``answers`` replaces the answer to a command, by its first word; ``RCPT:address`` that to one
    recipient, and ``.`` that to the end of the mail.
    """

    def __init__(
        self, answers: Mapping[str, str] | None = None, context: ssl.SSLContext | None = None
    ) -> None:
        self.answers, self.context = dict(answers or {}), context
        self.mails: list[tuple[str, list[str], str]] = []
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), _smtp(self))
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])

    @contextmanager
    def running(self) -> Iterator[MailServer]:
        threading.Thread(target=self._server.serve_forever, args=[0.01], daemon=True).start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()


def _smtp(server: MailServer) -> type[socketserver.StreamRequestHandler]:
    class Handler(_SmtpHandler):
        mail_server = server

    return Handler


class _SmtpHandler(socketserver.StreamRequestHandler):
    mail_server: MailServer

    def handle(self) -> None:
        self.sender, self.recipients = "", list[str]()
        self._say("220 ready")
        while line := self.rfile.readline().decode().strip():
            word = line.partition(" ")[0].upper()
            if word == "STARTTLS" and self.mail_server.context is not None:
                self._start_tls(self.mail_server.context)
                continue
            self._command(word, line.partition("<")[2].partition(">")[0])
            if word == "QUIT":
                return

    def finish(self) -> None:
        super().finish()
        self.connection.close()  # that of TLS, which the server does not know

    def _start_tls(self, context: ssl.SSLContext) -> None:
        self._say("220 go on")
        self.connection = context.wrap_socket(self.connection, server_side=True)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", 0)

    def _command(self, word: str, address: str) -> None:
        answers = self.mail_server.answers
        answer = answers.get(f"{word}:{address}", answers.get(word, "250 ok"))
        if word == "EHLO" and self.mail_server.context is not None:
            answer = "250-ok\r\n250 STARTTLS"
        if word == "QUIT":
            answer = "221 bye"
        elif word == "DATA" and answer.startswith("250"):
            answer = self._mail()
        elif word == "MAIL":
            self.sender, self.recipients = address, []
        elif word == "RCPT" and answer.startswith("250"):
            self.recipients = [*self.recipients, address]
        self._say(answer)

    def _mail(self) -> str:
        self._say("354 go on")
        lines = []
        while (line := self.rfile.readline().decode()) != ".\r\n":
            lines.append(line.removeprefix("."))
        answer = self.mail_server.answers.get(".", "250 taken")
        if answer.startswith("250"):
            self.mail_server.mails.append((self.sender, self.recipients, "".join(lines)))
        return answer

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait until a condition holds that other threads or processes bring about."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it has not happened"
        time.sleep(0.005)
