"""Requests as real libraries send them, over a socket, to the command as it is started."""

from __future__ import annotations

import json
from contextlib import closing
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from support.recorded import Recorded, requests

if TYPE_CHECKING:
    from conftest import Api

ALL = [one for one in requests() if one.status != 413]  # test_ingestion.py sends those


def test_every_recorded_request_is_answered_over_one_connection(api: Api) -> None:
    """What one of them leaves unread or unsaid would harm the next."""
    with closing(HTTPConnection(urlsplit(api.server.url).netloc, timeout=30)) as connection:
        for recorded in ALL:
            status, said = send(connection, recorded)
            assert status == recorded.status, recorded.name
            if recorded.is_answered_with_counts:
                assert counts(said) == counts_of(recorded), recorded.name


def send(connection: HTTPConnection, recorded: Recorded) -> tuple[int, bytes]:
    """The answer to a request; one without a length goes out in chunks."""
    parts = (recorded.body[:20], recorded.body[20:])
    body = iter(parts) if recorded.chunked else recorded.body or None
    connection.request(recorded.method, recorded.path, body, dict(recorded.headers))
    answer = connection.getresponse()
    return answer.status, answer.read()


def counts(said: bytes) -> tuple[int, list[Any]]:
    """How many events are stored, by this request or an earlier one, and why others are not."""
    answer = json.loads(said)
    refused = [{"code": r["code"], "field": r["field"]} for r in answer["rejected"]]
    return answer["accepted"] + answer["duplicates"], refused


def counts_of(recorded: Recorded) -> tuple[int, list[Any]]:
    """The same, as it has to be."""
    return len(recorded.stored) + recorded.duplicates, recorded.rejected
