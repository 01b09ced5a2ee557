"""The channel that a message came from."""

from __future__ import annotations

from typing import Any

import pytest

from pequel_collector.insights.metrics.channels import channel_of

PAGE = "https://shop.example/pricing"


@pytest.mark.parametrize(
    ("context", "channel"),
    [
        ({}, None),
        ("text", None),
        ({"campaign": {"source": " Google ", "medium": "cpc"}}, "google"),
        ({"campaign": {"medium": "Email"}}, "email"),
        ({"campaign": {"name": "Spring"}}, "spring"),
        ({"campaign": {"source": ""}, "referrer": "https://www.bing.com/search"}, "search"),
        ({"campaign": "spring"}, None),
        ({"campaign": {"source": 5}}, None),
        ({"campaign": {"source": "x" * 100}}, "x" * 64),
        ({"page": {"referrer": "https://www.google.co.uk/", "url": PAGE}}, "search"),
        ({"page": {"referrer": "https://t.co/abc", "url": PAGE}}, "social"),
        ({"page": {"referrer": "https://blog.other.example/x", "url": PAGE}}, "referral"),
        ({"page": {"referrer": "https://shop.example/", "url": PAGE}}, None),
        ({"referrer": {"url": "news.example/x"}}, "referral"),
        ({"referrer": "nonsense"}, None),
        ({"referrer": "http://[bad"}, None),
        ({"page": 3, "referrer": 4}, None),
    ],
)
def test_a_campaign_goes_before_a_referrer(context: Any, channel: str | None) -> None:
    assert channel_of(context) == channel
