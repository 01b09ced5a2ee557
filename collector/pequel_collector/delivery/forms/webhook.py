"""A webhook, signed by the Standard Webhooks scheme."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from time import time

import msgspec
from standardwebhooks import Webhook

from ...model import JSON, iso
from ..http import Http
from ..records import Delivery, Result, Sender
from ..variables import Environment, Options, headers_of, url_of
from ..verdict import verdict
from .signatures import signed, signers_of

_encode = msgspec.json.Encoder(decimal_format="number").encode


def body_of(delivery: Delivery) -> dict[str, JSON]:
    """The body of a webhook, and what templates see."""
    data: dict[str, JSON] = {"lead": delivery.lead, "route": delivery.route}
    if delivery.change is not None:
        data["change"] = delivery.change
    if delivery.link is not None:
        data["link"] = delivery.link
    if delivery.is_test:
        data["test"] = True
    return {"type": delivery.type, "timestamp": iso(delivery.at), "data": data}


class WebhookSender:
    """Posts signed JSON to one URL."""

    def __init__(self, url: str, signers: Sequence[Webhook], headers: Mapping[str, str]) -> None:
        self._url, self._signers, self._headers = url, signers, headers

    def send(self, delivery: Delivery, http: Http) -> Result:
        body = _encode(body_of(delivery))
        headers = {
            **self._headers,
            "Content-Type": "application/json",
            **signed(self._signers, delivery.id, body, int(time())),
        }
        return verdict(http.request("POST", self._url, body, headers))


def make(options: Options, environment: Environment) -> Sender:
    """The sender of an alert. Raises Misconfigured."""
    signers = signers_of(options, environment)
    return WebhookSender(url_of(options, environment), signers, headers_of(options, environment))
