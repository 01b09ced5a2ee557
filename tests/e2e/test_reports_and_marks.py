"""What the SDK and the collector tell each other beside the events."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pequel
from support.processes import KEYS

if TYPE_CHECKING:
    from conftest import Api


def test_what_a_client_dropped_is_seen_at_the_collector(api: Api) -> None:
    """Once, by reason: with the next batch, or as the client ends."""
    with api.client(max_event_bytes=200) as client:
        client.track("u1", "long", {"text": "x" * 200})
        client.track("u1")
        client.track("u1", "short")
        assert client.flush(30)
        client.track("u1")
        assert client.stats().dropped_by_reason == {"too_large": 1, "invalid": 2}
    total = api.get("/v1/usage")["total"]
    assert total["dropped_by_clients"] == {"too_large": 1, "invalid": 2}
    assert (total["received"], total["stored"]) == (1, 1)


def test_a_lead_is_returned_to_the_client_whose_event_made_it(api: Api, store_url: str) -> None:
    """If its key may see marks; it needs no right to read, which would be too much for a worker."""
    told: list[pequel.Mark] = []
    for account, key in (("acme", marks_key(store_url)), ("initech", KEYS["PEQUEL_WRITE_KEY"])):
        with pequel.Client(key, api.server.url, sync=True, on_qualified=told.append) as client:
            client.group(account, account)
            client.track(account, "teammate_invited", {"invitee": "bob"})
            client.track(account, "teammate_invited", {"invitee": "eve"})
    [lead] = api.get("/v1/pqls", account="acme")["data"]
    [mark] = told
    assert mark[:5] == (lead["id"], "team_spread", "account", "acme", lead["qualified_at"])


def marks_key(database: str) -> str:
    """A key for the collector, made on the command line while it runs."""
    command = ["keys", "create", "--kind", "write+marks", "--database", database]
    done = subprocess.run(
        [sys.executable, "-m", "pequel_collector.cli", *command],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()
