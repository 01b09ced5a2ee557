"""What a change of a lead means for its record in a CRM: pure functions.

People work in the CRM too. So an update only carries what the change is about: a change of the
owner does not move a deal to another stage, and a change of the amount does not change its owner.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..records import Delivery

STATE_AFTER = {
    "qualified": "new",
    "given_back": "new",
    "reopened": "new",
    "routed": "assigned",
    "assigned": "assigned",
    "claimed": "assigned",
    "escalated": "assigned",
    "contacted": "contacted",
    "won": "won",
    "lost": "lost",
    "dismissed": "dismissed",
    "voided": "voided",
}
"""The state to which a change takes a lead, by the word of ``on``."""

OF_OWNER = ("qualified", "routed", "assigned", "escalated", "claimed", "given_back",
            "owner_removed", "reopened")  # fmt: skip
OF_AMOUNT = ("qualified", "amount_set", "won")


def stage_of(delivery: Delivery, stages: Mapping[str, str], *, is_new: bool) -> str | None:
    """The stage to set; None to leave it. A new record always gets one, if ``new`` has one."""
    state = str(delivery.lead["state"])
    if is_new:
        return stages.get(state, stages.get("new"))
    return stages.get(state) if STATE_AFTER.get(_event(delivery)) == state else None


def owner_of(delivery: Delivery, owners: Mapping[str, str], *, is_new: bool) -> str | None:
    """The owner to set, in the words of the CRM, ``""`` for nobody; None to leave it."""
    if not is_new and _event(delivery) not in OF_OWNER:
        return None
    owner: Any = delivery.lead.get("owner")
    if owner is None:
        return "" if owners and not is_new else None
    return owners.get(str(owner))


def amount_of(delivery: Delivery, *, is_new: bool) -> str | None:
    """The amount to set; None to leave it."""
    if not is_new and _event(delivery) not in OF_AMOUNT:
        return None
    amount: Any = delivery.lead.get("amount")
    return None if amount is None else str(amount)


def _event(delivery: Delivery) -> str:
    return delivery.type.removeprefix("lead.")
