"""A message in Slack, by an incoming webhook: made of Block Kit.

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks/ lists the errors. All
statuses of 4xx but 429 say that this message or this webhook will never be taken.
"""

from __future__ import annotations

from itertools import islice
from typing import Any

import msgspec

from ...model import JSON
from ..http import Http
from ..records import Delivery, Refused, Result, Sender
from ..variables import Environment, Options, url_of
from ..verdict import described, verdict
from ..wording import bars, facts, headline, sentence

MAX_HEADER, MAX_TEXT, MAX_FIELD = 150, 3_000, 2_000
MAX_FIELDS = 10
MAX_BARS = 10

Block = dict[str, Any]

_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
"""Each becomes five characters at most."""


def message(delivery: Delivery) -> dict[str, JSON]:
    """The message: headline, sentence, bars, people, and buttons that lead back."""
    lead = delivery.lead
    said = headline(delivery)
    blocks: list[Block] = [{"type": "header", "text": _plain(said, MAX_HEADER)}]
    if sentence(lead):
        blocks.append(_section(_escaped(sentence(lead), MAX_TEXT)))
    shown = [f"`{bar}`  {_escaped(text, 200)}" for text, bar in islice(bars(lead), MAX_BARS)]
    if shown:
        blocks.append(_section("\n".join(shown)))
    if fields := [_field(name, value) for name, value in facts(lead)][:MAX_FIELDS]:
        blocks.append({"type": "section", "fields": fields})
    if reason := (delivery.change or {}).get("reason"):
        blocks.append(_section(f"> {_escaped(' '.join(str(reason).split()), MAX_TEXT - 10)}"))
    if delivery.link:
        blocks.append({"type": "actions", "elements": [_button("Open the lead", delivery.link)]})
    return {"text": _escaped(said, MAX_TEXT), "blocks": blocks}


class SlackSender:
    """Posts messages to one incoming webhook."""

    def __init__(self, url: str) -> None:
        self._url = url

    def send(self, delivery: Delivery, http: Http) -> Result:
        body = msgspec.json.encode(message(delivery))
        answer = http.request("POST", self._url, body, {"Content-Type": "application/json"})
        if 400 <= answer.status < 500 and answer.status not in (408, 429):
            return Refused(described(answer))
        return verdict(answer)


def make(options: Options, environment: Environment) -> Sender:
    """The sender of an alert. Raises Misconfigured."""
    return SlackSender(url_of(options, environment))


def _plain(text: str, longest: int) -> Block:
    return {"type": "plain_text", "text": _cut(text, longest), "emoji": False}


def _section(text: str) -> Block:
    return {"type": "section", "text": {"type": "mrkdwn", "text": _cut(text, MAX_TEXT)}}


def _field(name: str, value: str) -> Block:
    return {"type": "mrkdwn", "text": f"*{name}*\n{_escaped(value, MAX_FIELD - 100)}"}


def _button(text: str, url: str) -> Block:
    return {"type": "button", "text": _plain(text, 75), "url": url}


def _escaped(text: str, longest: int) -> str:
    """A text that Slack shows as it is: without links, mentions and commands."""
    escaped = text.translate(_ESCAPES)
    return escaped if len(escaped) <= longest else _cut(text, longest // 5).translate(_ESCAPES)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"
