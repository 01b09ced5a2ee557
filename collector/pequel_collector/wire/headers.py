"""What clients say about their events in request headers."""

from __future__ import annotations

import base64
import binascii

from .event import Envelope


def completed(envelope: Envelope, sent_at: str | None, anonymous_id: str | None) -> Envelope:
    """An envelope with the headers ``SentAt``, and ``AnonymousId``, which is base64.

    A ``sentAt`` in the body counts before the header.
    """
    return envelope._replace(
        sent_at=sent_at if envelope.sent_at in (None, "") else envelope.sent_at,
        anonymous_id=None if anonymous_id is None else _text(anonymous_id.strip()),
    )


def _text(encoded: str) -> str | None:
    """The text of base64, padded or not; None if it is not printable text."""
    try:
        padded = encoded + "=" * (-len(encoded) % 4)
        found = base64.b64decode(padded, validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    return found if found.isprintable() and found.strip() else None
