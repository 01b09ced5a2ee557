"""A webhook, signed by the Standard Webhooks scheme.

Several secrets sign at once, so that a receiver can change to the next one in its own time.
"""

from __future__ import annotations

import binascii
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from time import time

import msgspec
from standardwebhooks import Webhook
from standardwebhooks.webhooks import EmptyWebhookSecretError

from ...model import JSON, iso
from ..http import Http
from ..records import Delivery, Misconfigured, Result, Sender
from ..variables import Environment, Options, headers_of, required, url_of
from ..verdict import verdict

SHORTEST_SECRET = 16
"""Bytes of a secret, at least."""

_encode = msgspec.json.Encoder(decimal_format="number").encode


def body_of(delivery: Delivery) -> dict[str, JSON]:
    """The body of a webhook."""
    data: dict[str, JSON] = {"lead": delivery.lead, "route": delivery.route}
    if delivery.change is not None:
        data["change"] = delivery.change
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


def signed(signers: Sequence[Webhook], id_: str, body: bytes, now: int) -> dict[str, str]:
    """The headers of the scheme, with one signature for each secret. ``now`` is in seconds."""
    headers = {"webhook-id": id_, "webhook-timestamp": str(now)}
    at = datetime.fromtimestamp(now, timezone.utc)
    signatures = [signer.sign(id_, at, body.decode()) for signer in signers]
    return headers | ({"webhook-signature": " ".join(signatures)} if signatures else {})


def make(options: Options, environment: Environment) -> Sender:
    """The sender of an alert. Raises Misconfigured."""
    signers = [_signer(name, environment) for name in options.get("secret_env", ())]
    return WebhookSender(url_of(options, environment), signers, headers_of(options, environment))


def _signer(name: str, environment: Environment) -> Webhook:
    secret = required(environment, name)
    try:
        key = binascii.a2b_base64(secret.removeprefix("whsec_") + "==", strict_mode=False)
        if not secret.startswith("whsec_") or len(key) < SHORTEST_SECRET:
            raise Misconfigured(
                f"the variable {name} holds no secret of the form whsec_…, with base64 of at "
                f"least {SHORTEST_SECRET} bytes"
            )
        return Webhook(secret)
    except (binascii.Error, EmptyWebhookSecretError, ValueError) as error:
        raise Misconfigured(f"the variable {name} holds a secret that is not base64") from error
