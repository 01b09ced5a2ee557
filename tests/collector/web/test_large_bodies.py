"""Large bodies need a slot, whichever way they are large."""

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
from pequel_collector.web.ingest.large_bodies import LARGE, LargeBodySlots

SETTINGS = Settings()
LONG_BATCH = b'{"batch": []' + b" " * LARGE + b"}"
WRITE = {"Authorization": "Bearer write"}
SMALL, LONG = b" " * LARGE, b" " * (LARGE + 1)


def text(slots: LargeBodySlots, raw: bytes, until: ExitStack) -> bytes:
    return slots.text(raw, "", SETTINGS, until)


@pytest.mark.parametrize("raw", [LONG, gzip.compress(LONG)], ids=["plain", "gzip"])
def test_a_large_one_holds_a_slot_until_the_request_is_done(raw: bytes) -> None:
    slots = LargeBodySlots(slots=1, timeout=0.01)
    with ExitStack() as first, ExitStack() as second:
        assert text(slots, raw, first) == LONG
        with pytest.raises(Unavailable, match="large"):
            text(slots, raw, second)
        first.close()
        assert text(slots, raw, second) == LONG


@pytest.mark.parametrize("raw", [SMALL, gzip.compress(SMALL)], ids=["plain", "gzip"])
def test_others_need_no_slot(raw: bytes) -> None:
    slots = LargeBodySlots(slots=1, timeout=0.01)
    with ExitStack() as until:
        text(slots, LONG, until)
        assert text(slots, raw, until) == SMALL


def test_only_so_many_wait() -> None:
    slots = LargeBodySlots(slots=1, max_waiting=0, timeout=60)
    with ExitStack() as first, ExitStack() as second:
        text(slots, LONG, first)
        with pytest.raises(Unavailable):
            text(slots, LONG, second)


def test_a_body_that_is_too_large_frees_its_slot() -> None:
    slots = LargeBodySlots(slots=1, timeout=0.01)
    for _ in range(2):
        with ExitStack() as until, pytest.raises(TooLarge):
            text(slots, gzip.compress(b" " * (SETTINGS.max_inflated + 1)), until)


def test_nothing_waits_if_the_limit_is_below_large() -> None:
    slots = LargeBodySlots(slots=0, timeout=0.01)
    with ExitStack() as until, pytest.raises(TooLarge):
        slots.text(gzip.compress(SMALL), "", Settings(max_inflated=1_000), until)


def test_both_paths_to_the_handler_share_the_slots(
    collector: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fast path, and Flask's, which a slash at the end takes."""
    monkeypatch.setattr(handler, "LargeBodySlots", lambda: LargeBodySlots(slots=1, max_waiting=0))
    monkeypatch.setattr(collector, "settings", Settings())
    client = create_app(collector).test_client()
    answers: list[int] = []

    def send_another(*_: Any) -> Receipt:
        answers.append(client.post("/v1/batch/", data=LONG_BATCH, headers=WRITE).status_code)
        return Receipt()

    monkeypatch.setattr(collector.intake, "accept", send_another)
    assert client.post("/v1/batch", data=LONG_BATCH, headers=WRITE).status_code == 200
    assert answers == [503]
