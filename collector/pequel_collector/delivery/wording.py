"""A lead in a few words, for people who read it in a chat or in their mail."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..model import JSON
from .records import Delivery

BAR = 10
"""Characters of a full bar."""

HEADLINES = {
    "qualified": "{who} qualified",
    "restated": "The lead {who} has changed",
    "voided": "The lead {who} is no longer one",
    "superseded": "The definition of the lead {who} has changed",
    "merged": "{who} is one person with another lead",
    "routed": "{who} goes to {owner}",
    "assigned": "{who} is assigned to {owner}",
    "given_back": "{who} was given back",
    "owner_removed": "{who} has no owner any more",
    "contacted": "{who} was contacted",
    "snoozed": "{who} was snoozed",
    "woken": "{who} is not snoozed any more",
    "won": "{who} is won",
    "lost": "{who} is lost",
    "dismissed": "{who} was dismissed",
    "reopened": "{who} was reopened",
    "amount_set": "{who} has another amount",
    "claimed": "{who} was claimed",
    "due_soon": "{who} is due soon",
    "overdue": "{who} is overdue",
    "escalated": "{who} was escalated",
}
"""What happened, by the word of ``on``."""


def headline(delivery: Delivery) -> str:
    """What happened to whom, in one line."""
    event = delivery.type.removeprefix("lead.")
    words = HEADLINES.get(event, "{who}: " + event.replace("_", " "))
    owner = delivery.lead.get("owner") or "nobody"
    said = words.format(who=who(delivery.lead), owner=owner)
    title = delivery.lead.get("title")
    test = "Test: " if delivery.is_test else ""
    return f"{test}{said} ({title})" if title else test + said


def who(lead: Mapping[str, Any]) -> str:
    """The name or the address of a lead's subject, with the account if there is one."""
    traits = lead.get("traits") or {}
    subject = lead.get("subject") or {}
    name = next((str(traits[t]) for t in ("name", "email") if traits.get(t)), None)
    name = name or str(subject.get("id", "somebody"))
    account = lead.get("account")
    return f"{name}, {account}" if account and account != subject.get("id") else name


def sentence(lead: Mapping[str, Any]) -> str:
    """Why it is a lead."""
    return str((lead.get("evidence") or {}).get("sentence") or "")


def bars(lead: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What was measured, each with a bar of what was observed against what was needed."""
    for leaf in (lead.get("evidence") or {}).get("leaves") or ():
        observed, needed = leaf.get("observed"), leaf.get("needed")
        measure = str(leaf.get("measure") or "")
        share = _share(observed, needed)
        if share is None:
            yield measure, str(observed) if observed is not None else "-"
        else:
            filled = round(min(1.0, share) * BAR)
            yield measure, f"{'█' * filled}{'░' * (BAR - filled)} {_measured(leaf)}"


def _measured(leaf: Mapping[str, Any]) -> str:
    """What was observed beside what was needed: ``1 of 3``, and ``4 (3 needed)`` for more."""
    observed, needed = leaf["observed"], leaf["needed"]
    if observed <= needed:
        return f"{observed} of {needed}"
    return f"{observed} ({needed} {'needed' if leaf.get('holds') else 'allowed'})"


def facts(lead: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What else people want to know, as names and values."""
    traits = lead.get("traits") or {}
    found: list[tuple[str, JSON]] = [
        ("E-mail", traits.get("email")),
        ("Account", lead.get("account")),
        ("Country", traits.get("country")),
        ("Plan", traits.get("plan")),
        ("Owner", lead.get("owner")),
        ("Partner", lead.get("partner")),
        ("Due", lead.get("due_at")),
        ("State", lead.get("state")),
        ("Play", lead.get("play")),
    ]
    return [(name, str(value)) for name, value in found if value not in (None, "")]


def _share(observed: Any, needed: Any) -> float | None:
    numbers = all(
        isinstance(n, int | float) and not isinstance(n, bool) for n in (observed, needed)
    )
    return observed / needed if numbers and needed > 0 and observed >= 0 else None
