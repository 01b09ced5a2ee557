"""The channel that a message came from: a campaign, or the site that linked to the page."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from ...model import JSON

DIRECT = "direct"
"""The channel of who came from no campaign and no other site."""

MAX_CHANNEL = 64
"""Characters of a channel. The rest is cut off."""

SEARCH = ("google", "bing", "duckduckgo", "yahoo", "ecosia", "baidu", "yandex", "qwant", "brave")
SOCIAL = (
    "facebook", "instagram", "linkedin", "lnkd", "twitter", "t", "x", "reddit", "youtube",
    "tiktok", "pinterest", "mastodon", "bsky", "threads",
)  # fmt: skip


def channel_of(context: JSON) -> str | None:
    """The channel in the context of a message; None if it names none."""
    if not isinstance(context, Mapping):
        return None
    campaign = context.get("campaign")
    if isinstance(campaign, Mapping):
        for part in ("source", "medium", "name"):
            if named := _word(campaign.get(part)):
                return named
    return _of_referrer(context)


def _of_referrer(context: Mapping[str, JSON]) -> str | None:
    page = context.get("page")
    page = page if isinstance(page, Mapping) else {}
    host = _host(_address(context.get("referrer"))) or _host(_address(page.get("referrer")))
    if host is None or host == _host(_address(page.get("url"))):
        return None
    names = host.split(".")[:-1]
    if any(name in SEARCH for name in names):
        return "search"
    return "social" if any(name in SOCIAL for name in names) else "referral"


def _address(value: JSON) -> JSON:
    """The address in a referrer, which some libraries send as an object."""
    return value.get("url") if isinstance(value, Mapping) else value


def _host(address: JSON) -> str | None:
    if not isinstance(address, str):
        return None
    try:
        host = urlsplit(address if "//" in address else f"//{address}").hostname
    except ValueError:
        return None
    return host.removeprefix("www.") if host and "." in host else None


def _word(value: JSON) -> str | None:
    text = value.strip().lower()[:MAX_CHANNEL] if isinstance(value, str) else ""
    return text or None
