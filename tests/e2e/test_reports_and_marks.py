"""What the SDK and the collector tell each other beside the events."""

from __future__ import annotations

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


def test_a_lead_is_returned_to_the_client_whose_event_made_it(api: Api) -> None:
    """If its key may read, as an admin's may."""
    told: list[pequel.Mark] = []
    for key in (KEYS["PEQUEL_ADMIN_KEY"], KEYS["PEQUEL_WRITE_KEY"]):
        with pequel.Client(key, api.server.url, sync=True, on_qualified=told.append) as client:
            client.group(key, key)
            client.track(key, "teammate_invited", {"invitee": "bob"})
            client.track(key, "teammate_invited", {"invitee": "eve"})
    [lead] = api.get("/v1/pqls", account=KEYS["PEQUEL_ADMIN_KEY"])["data"]
    [mark] = told
    assert mark[:5] == (
        lead["id"],
        "team_spread",
        "account",
        KEYS["PEQUEL_ADMIN_KEY"],
        lead["qualified_at"],
    )
