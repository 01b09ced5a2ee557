"""What a server says of an account without a person, from the real SDK to the real collector."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Api


def test_an_account_without_people_has_traits_and_leads(api: Api) -> None:
    with api.client() as client:
        client.group(group_id="acme", traits={"seats": 40})
        for invitee in ("ada", "bob"):
            client.track(event="teammate_invited", group_id="acme", properties={"invitee": invitee})
    account = api.get("/v1/accounts/acme")
    assert account["traits"] == {"seats": 40}
    assert account["event_counts"] == {"teammate_invited": 2}
    assert [lead["definition"] for lead in account["leads"]] == ["team_spread"]
    shown = api.get("/v1/accounts/acme/timeline")["data"]
    assert {(each["userId"], each["anonymousId"]) for each in shown} == {(None, None)}


def test_who_left_takes_no_more_events_to_the_account(api: Api) -> None:
    times = [datetime(2026, 3, 1, hour, tzinfo=timezone.utc) for hour in range(5)]
    with api.client() as client:
        client.group("u1", "acme", {"seats": 40}, timestamp=times[0])
        client.track("u1", "project_created", timestamp=times[1])
        client.group("u1", "acme", {"left": True}, timestamp=times[2])
        client.track("u1", "project_created", timestamp=times[3])
        client.track("u1", "project_shared", group_id="acme", timestamp=times[4])
    account = api.get("/v1/accounts/acme")
    assert account["event_counts"] == {"project_created": 1, "project_shared": 1}
    assert account["traits"] == {"seats": 40}
