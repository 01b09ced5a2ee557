"""Signatures by the Standard Webhooks scheme.

Several secrets sign at once, so that a receiver can change to the next one in its own time.
"""

from __future__ import annotations

import binascii
from collections.abc import Sequence
from datetime import datetime, timezone

from standardwebhooks import Webhook

from ..records import Misconfigured
from ..variables import Environment, Options, required

PREFIX = "whsec_"
SHORTEST_SECRET = 16
"""Bytes of a secret, at least."""


def signers_of(options: Options, environment: Environment) -> list[Webhook]:
    """One signer for each secret of an alert. Raises Misconfigured."""
    return [_signer(name, environment) for name in options.get("secret_env", ())]


def signed(signers: Sequence[Webhook], id_: str, body: bytes, now: int) -> dict[str, str]:
    """The headers of the scheme, with one signature for each secret. ``now`` is in seconds."""
    headers = {"webhook-id": id_, "webhook-timestamp": str(now)}
    at = datetime.fromtimestamp(now, timezone.utc)
    signatures = [signer.sign(id_, at, body.decode()) for signer in signers]
    return headers | ({"webhook-signature": " ".join(signatures)} if signatures else {})


def _signer(name: str, environment: Environment) -> Webhook:
    secret = required(environment, name)
    try:
        key = binascii.a2b_base64(secret.removeprefix(PREFIX).rstrip("=") + "==")
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(PREFIX) or len(key) < SHORTEST_SECRET:
        raise Misconfigured(
            f"the environment variable {name} holds something else than whsec_ and the base64 of "
            f"at least {SHORTEST_SECRET} bytes"
        )
    return Webhook(secret)
