"""What clients say about their events in the headers of a request."""

from __future__ import annotations

import base64
import binascii

from .event import Envelope


def completed(envelope: Envelope, sent_at: str | None, anonymous_id: str | None) -> Envelope:
    """An envelope with what only the headers say: ``SentAt``, and ``AnonymousId`` in base64.

    What the body says goes before it.
    """
    return envelope._replace(
        sent_at=sent_at if envelope.sent_at in (None, "") else envelope.sent_at,
        anonymous_id=None if anonymous_id is None else _text(anonymous_id.strip()),
    )


def _text(encoded: str) -> str | None:
    """The text behind base64, padded or not; None where it is none."""
    try:
        padded = encoded + "=" * (-len(encoded) % 4)
        found = base64.b64decode(padded, validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    return found if found.isprintable() and found.strip() else None
