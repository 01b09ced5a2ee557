"""Libraries for browsers, in Chromium, in a page whose origin is not that of the collector."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from clients.faults import Exchange, proxy
from clients.story import Call, as_shown, in_order, many, without

if TYPE_CHECKING:
    from conftest import Api, Browse, Start

pytestmark = pytest.mark.e2e

ROUGHLY = 0.1
"""Seconds by which the clocks of a browser and of who watches it may differ."""


@pytest.mark.parametrize(("library", "lacks"), [("segment", []), ("rudder", ["screen"])])
def test_every_call_arrives_once_with_all_that_it_says(
    library: str, lacks: list[str], collector: Api, browse: Browse
) -> None:
    calls = without(*lacks)
    with browse(library, collector.url, calls):
        collector.wait_for(len(calls))
    assert_known(collector, calls)
    assert {"kind": "anonymous", "id": "guest-1"} in collector.get("/v1/users/u1")["ids"]


def test_a_key_counts_from_the_header_where_the_body_has_it_masked(
    start: Start, browse: Browse
) -> None:
    """Jitsu's library wants a key of two parts, and shows the second in a header only."""
    key, calls = "site:of-a-test", without("screen", "alias")
    with start(PEQUEL_WRITE_KEY=key) as collector:
        with browse("jitsu", collector.url, calls, key):
            collector.wait_for(len(calls))
        assert_known(collector, calls)


def test_a_page_of_another_origin_can_read_when_to_come_again(start: Start, browse: Browse) -> None:
    """Otherwise the library does not wait as long as the collector says that it should."""
    with start(PEQUEL_RATE_LIMIT="1") as collector, proxy(collector.url) as way:
        with browse("segment", way.url, many(4)):
            collector.wait_for(4)
        assert collector.took_just(4)
    refused = [post for post in way.posts if post.status == 429]
    assert refused
    for post in refused:
        again = min(one.came for one in way.posts if one.came > post.went and is_same(one, post))
        assert again - post.went >= int(post.retry_after or 0) - ROUGHLY


def assert_known(collector: Api, calls: list[Call]) -> None:
    """Each call is there once, and the visitor of the page is the user."""
    found, wanted = in_order(collector.calls()), in_order([as_shown(call) for call in calls])
    (visitor,) = {call["anonymousId"] for call in found}
    expected = [call | {"anonymousId": visitor} for call in wanted]
    assert [part(call, same) for call, same in zip(found, expected, strict=True)] == expected
    assert collector.took_just(len(calls))

    user = collector.get("/v1/users/u1")
    assert user["traits"] == {"email": "ada@example.com", "plan": "free"}
    assert user["account"] == "acme"
    assert user["event_counts"]["demo_watched"] == 1
    assert {"kind": "anonymous", "id": visitor} in user["ids"]
    assert [lead["definition"] for lead in user["leads"]] == ["activated"]
    assert collector.get("/v1/accounts/acme")["traits"] == {"employees": 120}


def part(found: Any, wanted: Any) -> Any:
    """What is found as far as it is wanted: a library says more of its page than it was told."""
    if not isinstance(wanted, dict):
        return found
    return {name: part(found[name], value) for name, value in wanted.items() if name in found}


def is_same(one: Exchange, other: Exchange) -> bool:
    """Whether two requests carry one message."""
    return bool(json.loads(one.body)["messageId"] == json.loads(other.body)["messageId"])
