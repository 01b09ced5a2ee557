"""The forms of alerts, each with its ``Sender``, such as a webhook, Slack, e-mail and HubSpot.

May import: the other modules of `delivery`, `rules.language` and `model`.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..crm import hubspot, salesforce
from ..records import MakeSender
from . import email, post, slack, webhook

SENDERS: Mapping[str, MakeSender] = {
    "webhook": webhook.make,
    "post": post.make,
    "slack": slack.make,
    "email": email.make,
    "hubspot": hubspot.make,
    "salesforce": salesforce.make,
}
"""What makes the sender of each form in ``rules.parser.alerts.FORMS``."""
