"""What a collector takes, what it refuses, and that what it acknowledged stays."""

from __future__ import annotations

import gzip
import json
import os
import signal
import threading
from contextlib import suppress
from itertools import count
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import pytest
import requests

from support.processes import KEYS

if TYPE_CHECKING:
    from conftest import Api, Start


def event(number: int, **more: Any) -> dict[str, Any]:
    """A good event, unless `more` spoils it."""
    fields = {"type": "track", "messageId": f"m{number}", "userId": "u1", "event": "clicked"}
    return fields | more


def batch(*events: Any) -> bytes:
    return json.dumps({"batch": events}).encode()


class TestABatchWithBadEvents:
    BATCH = batch(
        *map(event, range(4)),
        event(4, event=None),
        *map(event, range(5, 8)),
        event(8, timestamp="yesterday"),
        event(9),
    )

    def test_keeps_the_good_ones_and_names_the_others(self, api: Api) -> None:
        answer = api.post(self.BATCH)
        body = answer.json()
        assert answer.status_code == 200
        assert (body["success"], body["accepted"]) == (True, 8)
        assert [(r["index"], r["messageId"], r["field"]) for r in body["rejected"]] == [
            (4, "m4", "event"),
            (8, "m8", "timestamp"),
        ]
        assert all(r["code"] and r["message"] for r in body["rejected"])
        assert api.get("/v1/users/u1")["event_counts"] == {"clicked": 8}

    def test_leaves_the_bad_ones_to_be_looked_up(self, api: Api) -> None:
        answered = api.post(self.BATCH).json()["rejected"]
        kept = {r["messageId"]: r for r in api.get("/v1/rejected")["data"]}
        assert set(kept) == {"m4", "m8"}
        for rejection in answered:
            assert rejection.items() <= kept[rejection["messageId"]].items()
        assert "yesterday" in kept["m8"]["payload"]


class TestARefusedRequest:
    def test_is_400_for_broken_json(self, api: Api) -> None:
        answer = api.post(b'{"batch": [')
        assert (answer.status_code, answer.json()["success"]) == (400, False)

    @pytest.mark.parametrize(
        "key", ["", "nobody", KEYS["PEQUEL_READ_KEY"]], ids=["no", "unknown", "read"]
    )
    def test_is_401_without_a_key_that_may_write(self, api: Api, key: str) -> None:
        assert api.post(batch(event(1)), key).status_code == 401

    def test_is_413_over_the_limit(self, api: Api) -> None:
        assert api.post(batch(event(1, properties={"x": "y" * 5_000_000}))).status_code == 413

    def test_is_413_for_a_bomb(self, api: Api) -> None:
        bomb = gzip.compress(b" " * 50_000_000)
        assert api.post(bomb, **{"Content-Encoding": "gzip"}).status_code == 413

    def test_leaves_nothing_behind(self, api: Api) -> None:
        api.post(b'{"batch": [')
        api.post(batch(event(1)), "nobody")
        assert api.get("/v1/events")["data"] == []


class TestADuplicate:
    def test_is_one_after_a_restart_as_well(self, start: Start) -> None:
        with start() as api:
            api.post(batch(event(1), event(2), event(1)))
        with start() as api:
            body = api.post(batch(event(1), event(3))).json()
            assert (body["accepted"], body["duplicates"]) == (1, 1)
            assert api.get("/v1/users/u1")["event_counts"] == {"clicked": 3}


class TestAnAcknowledgedEvent:
    def test_survives_a_kill(self, start: Start) -> None:
        """Killed while it is written to from all sides, a collector has what it acknowledged."""
        with start() as api:
            acknowledged = write_until_killed(api, writers=4, enough=25)
        with start() as api:
            sent_again = [event(number) for number in acknowledged]
            assert api.post(batch(*sent_again)).json()["duplicates"] == len(acknowledged)
            counted = api.get("/v1/users/u1")["event_counts"]["clicked"]
            assert counted >= len(acknowledged) >= 25


def write_until_killed(api: Api, writers: int, enough: int) -> list[int]:
    """Kill the collector once `enough` events are acknowledged; the numbers of those that were."""
    acknowledged: SimpleQueue[int] = SimpleQueue()
    numbers = count()
    killed = threading.Event()

    def write() -> None:
        with suppress(requests.ConnectionError):
            while not killed.is_set():
                number = next(numbers)
                if api.post(batch(event(number))).status_code == 200:
                    acknowledged.put(number)

    threads = [threading.Thread(target=write) for _ in range(writers)]
    for thread in threads:
        thread.start()
    first = [acknowledged.get(timeout=30) for _ in range(enough)]
    os.killpg(api.server.process.pid, signal.SIGKILL)
    killed.set()
    for thread in threads:
        thread.join()
    return first + [acknowledged.get() for _ in range(acknowledged.qsize())]
