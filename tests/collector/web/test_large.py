"""Large bodies take turns, whichever way they are large."""

from __future__ import annotations

import gzip
from contextlib import ExitStack
from typing import Any

import pytest

from pequel_collector.config import Settings
from pequel_collector.errors import TooLarge, Unavailable
from pequel_collector.ingest.receipts import Receipt
from pequel_collector.web.app import create_app
from pequel_collector.web.ingest import handler
from pequel_collector.web.ingest.large_bodies import LARGE, Turns

SETTINGS = Settings()
LONG_BATCH = b'{"batch": []' + b" " * LARGE + b"}"
WRITE = {"Authorization": "Bearer write"}
SMALL, LONG = b" " * LARGE, b" " * (LARGE + 1)


def text(turns: Turns, sent: bytes, until: ExitStack) -> bytes:
    return turns.text(sent, "", SETTINGS, until)


@pytest.mark.parametrize("sent", [LONG, gzip.compress(LONG)], ids=["plain", "gzip"])
def test_a_large_one_keeps_its_turn_until_the_request_is_done(sent: bytes) -> None:
    turns = Turns(turns=1, patience=0.01)
    with ExitStack() as first, ExitStack() as second:
        assert text(turns, sent, first) == LONG
        with pytest.raises(Unavailable, match="large"):
            text(turns, sent, second)
        first.close()
        assert text(turns, sent, second) == LONG


@pytest.mark.parametrize("sent", [SMALL, gzip.compress(SMALL)], ids=["plain", "gzip"])
def test_others_need_no_turn(sent: bytes) -> None:
    turns = Turns(turns=1, patience=0.01)
    with ExitStack() as until:
        text(turns, LONG, until)
        assert text(turns, sent, until) == SMALL


def test_only_so_many_wait() -> None:
    turns = Turns(turns=1, waiting=0, patience=60)
    with ExitStack() as first, ExitStack() as second:
        text(turns, LONG, first)
        with pytest.raises(Unavailable):
            text(turns, LONG, second)


def test_what_is_too_large_gives_its_turn_back() -> None:
    turns = Turns(turns=1, patience=0.01)
    for _ in range(2):
        with ExitStack() as until, pytest.raises(TooLarge):
            text(turns, gzip.compress(b" " * (SETTINGS.max_inflated + 1)), until)


def test_where_less_is_allowed_than_is_large_nothing_waits() -> None:
    turns = Turns(turns=0, patience=0.01)
    with ExitStack() as until, pytest.raises(TooLarge):
        turns.text(gzip.compress(SMALL), "", Settings(max_inflated=1_000), until)


def test_both_ways_to_the_handler_share_their_turns(
    collector: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The short one, and Flask's, to which a slash at the end leads."""
    monkeypatch.setattr(handler, "Turns", lambda: Turns(turns=1, waiting=0))
    monkeypatch.setattr(collector, "settings", Settings())
    client = create_app(collector).test_client()
    answers: list[int] = []

    def send_another(*_: Any) -> Receipt:
        answers.append(client.post("/v1/batch/", data=LONG_BATCH, headers=WRITE).status_code)
        return Receipt()

    monkeypatch.setattr(collector.intake, "accept", send_another)
    assert client.post("/v1/batch", data=LONG_BATCH, headers=WRITE).status_code == 200
    assert answers == [503]
